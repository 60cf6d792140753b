"""Workers of several nodes: planned where something starts them, else left out, or refused with the reason."""

from typing import Any

import pytest

from dgdr_operator import journey, spec
from dgdr_operator.errors import Unsupported
from dgdr_operator.journey import Plan
from dgdr_operator.manifest import views
from dgdr_operator.settings import Settings, SeveralNodes
from estimator.errors import NoFeasibleCandidate
from perf_db.catalog import Catalog

LARGE, SMALL = "deepseek-ai/DeepSeek-R1", "Qwen/Qwen3-8B"


def planned(catalog: Catalog, policy: SeveralNodes, model: str, gpu: str = "h100_sxm", **fields: object) -> Plan:
    """The plan for two nodes."""
    body: dict[str, Any] = {
        "metadata": {"name": "a"},
        "spec": {
            "model": model,
            "backend": "sglang",
            "hardware": {"gpuSku": gpu, "totalGpus": 16, "numGpusPerNode": 8},
            "sla": {"ttft": 20_000, "itl": 500},
            **fields,
        },
    }
    return journey.plan(spec.read(body), None, catalog, Settings(several_nodes=policy))


def widths(plan: Plan) -> set[int]:
    """Pods of one worker."""
    return {view.nodes for view in views.of(plan.graph) if view.is_worker}


def test_a_model_that_no_node_holds_spans_two(catalog: Catalog) -> None:
    plan = planned(catalog, "auto", LARGE)

    assert widths(plan) == {2}
    assert any("needs Grove or LeaderWorkerSet" in note for note in plan.notes)


def test_it_is_refused_with_the_reason_where_nothing_starts_it(catalog: Catalog) -> None:
    with pytest.raises(
        Unsupported, match=r"neither Grove \(grove.io\) nor LeaderWorkerSet .* no worker holds the model"
    ):
        planned(catalog, "refuse", LARGE)


def test_a_model_that_one_node_holds_stays_on_it(catalog: Catalog) -> None:
    plan = planned(catalog, "refuse", SMALL)

    assert widths(plan) == {1}
    assert any(note.startswith("workers of several nodes are left out") for note in plan.notes)


def test_what_more_nodes_would_not_help_is_refused_as_ever(catalog: Catalog) -> None:
    with pytest.raises(NoFeasibleCandidate):
        planned(catalog, "refuse", SMALL, sla={"ttft": 1, "itl": 0.01})


def test_nobody_is_told_of_it_where_it_is_settled(catalog: Catalog) -> None:
    notes = planned(catalog, "allow", LARGE).notes

    assert not any("Grove" in note for note in notes)
