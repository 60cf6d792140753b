"""What a request gets that makes do with less: the nearest plan or one that fits, and never without a mark."""

from typing import Any

import pytest

from dgdr_operator import journey, refusal, spec, status
from dgdr_operator.controller import slot
from dgdr_operator.journey import Plan
from dgdr_operator.manifest import views
from dgdr_operator.planned import ESTIMATE, FIT, Planned
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate
from perf_db.catalog import Catalog
from perf_db.errors import NotCovered

HARDWARE = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
OTHER = {"gpuSku": "a30", "totalGpus": 8, "numGpusPerNode": 4, "vramMb": 24576}


def asking(own: dict[str, str], **fields: object) -> dict[str, Any]:
    """A request with these annotations."""
    asked = {"model": "Qwen/Qwen3-8B", "backend": "vllm", "hardware": HARDWARE, **fields}
    annotations = {f"dgdr-operator.io/{name}": value for name, value in own.items()}
    return {"metadata": {"name": "a", "namespace": "default", "annotations": annotations}, "spec": asked}


def planned(body: dict[str, Any], catalog: Catalog) -> Plan:
    """Its plan on no nodes."""
    return journey.plan(spec.read(body), None, catalog, Settings())


def told(body: dict[str, Any]) -> tuple[str, str, str]:
    """Status, reason and message of the condition Feasible, as the controller writes it."""
    answer = slot.plan(body, None, Settings())
    assert isinstance(answer, Planned)
    verdict = status.ready(answer)
    return next((one.status, one.reason, one.message) for one in verdict.conditions if one.type == "Feasible")


BEST_EFFORT, MEMORY_FIT = {"on-infeasible": "best-effort"}, {"on-unsupported": "memory-fit"}


def test_the_nearest_plan_is_as_near_as_the_refusal_said(catalog: Catalog) -> None:
    promises = {"ttft": 20, "itl": 1}
    with pytest.raises(NoFeasibleCandidate) as refused:
        planned(asking({}, sla=promises), catalog)
    nearest = refused.value.report.nearest
    assert nearest is not None

    choice = planned(asking(BEST_EFFORT, sla=promises), catalog).outcome.choice

    assert choice.latency.ttft <= max(0.02, nearest.latency.ttft * 1.001)
    assert (choice.latency.itl or 0) <= max(0.001, (nearest.latency.itl or 0) * 1.001)


def test_the_nearest_plan_says_what_it_misses(catalog: Catalog) -> None:
    body = asking(BEST_EFFORT, sla={"ttft": 20, "itl": 1})
    plan = planned(body, catalog)

    assert plan.shortfall.missed is not None
    line = refusal.line(plan.request, plan.shortfall.missed)
    assert told(body) == ("False", "InfeasibleSLA", line)
    assert line.startswith("infeasible: ttft<=20ms itl<=1ms")


def test_too_much_load_gets_the_most_that_keeps_the_promises(catalog: Catalog) -> None:
    body = asking(BEST_EFFORT, workload={"concurrency": 100_000})

    choice = planned(body, catalog).outcome.choice

    assert choice.gpus == 8
    assert choice.latency.ttft <= 2 and (choice.latency.itl or 0) <= 0.03  # noqa: PT018 - one promise in two parts
    assert told(body)[:2] == ("False", "OverBudget")


def test_what_fits_in_no_memory_is_refused_all_the_same(catalog: Catalog) -> None:
    one = {"gpuSku": "l40s", "totalGpus": 1, "numGpusPerNode": 8}

    with pytest.raises(NoFeasibleCandidate):
        planned(asking(BEST_EFFORT, model="Qwen/Qwen3-235B-A22B", hardware=one), catalog)


def test_a_gpu_that_nobody_measured_gets_what_fits(catalog: Catalog) -> None:
    with pytest.raises(NotCovered):
        planned(asking({}, hardware=OTHER), catalog)

    plan = planned(asking(MEMORY_FIT, hardware=OTHER), catalog)

    workers = [view for view in views.of(plan.graph) if view.is_worker]
    assert sum(view.gpus for view in workers) == 8
    assert max(view.pod_gpus for view in workers) <= 4
    assert plan.outcome.choice.workers[0].memory.used <= 24576 * 2**20
    assert refusal.marked(plan.graph, plan.request, plan.shortfall)["metadata"]["annotations"] == {ESTIMATE: FIT}
    assert told(asking(MEMORY_FIT, hardware=OTHER)) == ("Unknown", "Unverified", "memory fit only")


def test_nothing_fits_without_knowing_the_memory(catalog: Catalog) -> None:
    unknown = {"gpuSku": "a30", "totalGpus": 8, "numGpusPerNode": 4}

    with pytest.raises(NotCovered):
        planned(asking(MEMORY_FIT, hardware=unknown), catalog)


def test_leeway_changes_nothing_where_there_is_a_plan(catalog: Catalog) -> None:
    plain, lenient = asking({}), asking({**BEST_EFFORT, **MEMORY_FIT})

    assert planned(lenient, catalog).graph == planned(plain, catalog).graph
    assert told(lenient)[:2] == ("True", "WithinSLA")


def test_overrides_that_change_the_size_leave_the_promise_open() -> None:
    change = {"components": [{"name": "worker", "replicas": 1}]}
    dgd = {"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeployment", "spec": change}

    stand, reason, message = told(asking({}, overrides={"dgd": dgd}))

    assert (stand, reason) == ("Unknown", "Unverified")
    assert "changes replicas of worker: the estimate does not cover that" in message


def test_a_graph_that_is_to_be_measured_comes_with_its_job(catalog: Catalog) -> None:
    plan = planned(asking({"validate": "true"}), catalog)

    assert plan.benchmark is not None
    assert plan.benchmark["metadata"]["name"] == f"{plan.graph['metadata']['name']}-aiperf"
    assert any("a Job measures it" in note for note in plan.notes)
    assert planned(asking({}), catalog).benchmark is None
