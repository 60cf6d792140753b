"""What a graph lets a request be is what the cache of every worker holds: engines refuse to start on less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import journey, spec
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import graph, sites, views
from dgdr_operator.request import Knobs
from dgdr_operator.settings import Settings
from estimator import catalogue
from estimator.estimates import Estimate
from estimator.model import Attention
from perf_db.catalog import Catalog
from tests.manifests import plans
from tests.refusing.requests import body

WHOLE = Knobs(context_limit="model")


def roomy(estimate: Estimate, sequences: float) -> Estimate:
    """*estimate* with a cache that holds so many sequences of 4,500 tokens, and is planned to hold one."""
    memory = replace(estimate.workers[0].memory, kv_needed=1.0, kv_cache=sequences)
    return replace(estimate, workers=tuple(replace(one, batch_size=1, memory=memory) for one in estimate.workers))


def limit(built: dict[str, Any]) -> list[int]:
    """The longest request of every worker, tokens."""
    return [int(view.value("--max-model-len") or 0) for view in views.of(built) if view.is_worker]


@pytest.mark.parametrize(
    ("sequences", "tokens"), [(1.0, 4500), (1.1, 4950 - sites.BLOCK), (1.3, 5850 - sites.BLOCK), (2.0, 6000)]
)
@pytest.mark.parametrize("estimate", [plans.AGGREGATED, plans.DISAGGREGATED], ids=["together", "apart"])
def test_a_request_may_be_as_long_as_the_cache_holds(estimate: Estimate, sequences: float, tokens: int) -> None:
    built = graph.build(roomy(estimate, sequences), plans.a_site()).objects[-1]

    assert set(limit(built)) == {tokens}


@given(sequences=st.floats(1.0, 100.0), length=st.integers(2, 40_000), context=st.integers(2, 131_072))
def test_no_limit_exceeds_the_cache_or_the_model(sequences: float, length: int, context: int) -> None:
    workload = replace(plans.a_request().workload, isl=length - 1, osl=1)
    site = plans.a_site(workload=workload, context=max(context, length))

    allowed = sites.within(roomy(plans.AGGREGATED, sequences), site).context

    assert length <= allowed <= max(context, length)
    assert allowed <= sequences * length


def test_the_whole_context_is_refused_where_the_cache_does_not_hold_it() -> None:
    site = plans.a_site(knobs=WHOLE)

    with pytest.raises(
        InvalidSpec, match=r"the cache holds \d+ tokens of one request, and the model's context is 40960"
    ):
        graph.build(roomy(plans.AGGREGATED, 2.0), site)
    assert graph.build(roomy(plans.AGGREGATED, 20.0), site).objects


@pytest.mark.parametrize("gpus", [1, 2, 8])
@pytest.mark.parametrize(("isl", "osl"), [(100, 10), (4000, 500), (30000, 2000)])
def test_keys_and_values_of_the_longest_request_fit_every_planned_worker(gpus: int, isl: int, osl: int) -> None:
    model = catalogue.load("Qwen/Qwen3-32B-FP8")
    heads = next(mixer for mixer in model.mixers if isinstance(mixer, Attention))
    hardware = {"gpuSku": "h200_sxm", "totalGpus": gpus, "numGpusPerNode": 8}
    asked = body(backend="vllm", hardware=hardware, workload={"isl": isl, "osl": osl}, sla={"ttft": 30000, "itl": 100})

    plan = journey.plan(spec.read(asked), None, Catalog(), Settings(graph_versions=("v1beta1",)))

    for tokens, worker in zip(limit(plan.graph), plan.outcome.choice.workers, strict=True):
        per_token = 2 * -(-heads.kv_heads // worker.parallel.tp) * heads.head_dim * model.layers  # one byte each
        assert tokens * per_token <= worker.memory.kv_cache
