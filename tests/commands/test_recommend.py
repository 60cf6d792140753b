"""`dgdr recommend` names the fewest GPUs, which is to say: one fewer does not do."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dgdr_operator.cli import recommend
from estimator import catalogue, hardware, search
from estimator.errors import NoFeasibleCandidate
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

Run = Callable[..., Any]
ASKED = (
    *("recommend", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--backend", "vllm"),
    *("--backend-version", "0.12.0", "--isl", "4000", "--osl", "500", "--ttft", "600", "--itl", "16.67"),
)
LOADS = [
    Workload(isl=4000, osl=500, concurrency=1),
    Workload(isl=4000, osl=500, concurrency=56),
    Workload(isl=1000, osl=200, concurrency=600),
    Workload(isl=4000, osl=500, request_rate=3.7),
    Workload(isl=2000, osl=100, request_rate=60),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def _problem(catalog: Catalog, workload: Workload, backend: str = "vllm") -> Problem:
    return Problem(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        system=hardware.system("h200_sxm", catalog.systems()["h200_sxm"]),
        backend=backend,
        gpus=512,
        workload=workload,
        targets=Targets(ttft=0.6, itl=0.01667),
        backend_version="0.12.0" if backend == "vllm" else None,
    )


def _json(ended: Any) -> dict[str, Any]:  # noqa: ANN401  # what the fixture returns
    found: dict[str, Any] = json.loads(ended.out)
    return found


@pytest.mark.parametrize("workload", LOADS, ids=str)
@pytest.mark.parametrize("backend", ["vllm", "trtllm"])
def test_one_gpu_fewer_does_not_do(catalog: Catalog, workload: Workload, backend: str) -> None:
    problem = _problem(catalog, workload, backend)

    found = recommend.fewest([problem], catalog).choice

    assert search.search(replace(problem, gpus=found.gpus), catalog).choice.gpus == found.gpus
    for fewer in range(max(found.gpus - 3, 1), found.gpus):
        with pytest.raises(NoFeasibleCandidate):
            search.search(replace(problem, gpus=fewer), catalog)


@pytest.mark.parametrize("workload", LOADS, ids=str)
def test_the_load_is_carried_within_the_promises(catalog: Catalog, workload: Workload) -> None:
    found = recommend.fewest([_problem(catalog, workload)], catalog).choice

    assert found.latency.ttft <= 0.6
    assert found.latency.itl is not None
    assert found.latency.itl <= 0.01667
    assert found.load.concurrency >= (workload.concurrency or 0)
    assert found.load.request_rate >= (workload.request_rate or 0)


def test_more_load_never_takes_fewer_gpus(catalog: Catalog) -> None:
    asked = [replace(LOADS[0], concurrency=float(load)) for load in (1, 8, 20, 56, 57, 120, 400)]

    gpus = [recommend.fewest([_problem(catalog, workload)], catalog).choice.gpus for workload in asked]

    assert gpus == sorted(gpus)
    assert gpus[0] < gpus[-1]


def test_head_room_is_what_the_same_workers_carry(dgdr: Run) -> None:
    found = _json(dgdr(*ASKED, "--concurrency", "56", "--output", "json"))
    size, chosen = found["recommendation"], found["chosen"]

    assert size["gpus"] == chosen["gpus"]
    assert size["load"] == {"concurrency": 56}
    assert size["carried"] >= 56
    assert size["head_room"] == pytest.approx(size["carried"] / 56 - 1, abs=1e-4)
    again = _json(dgdr(*ASKED, "--concurrency", str(size["carried"]), "--output", "json"))
    assert again["chosen"]["gpus"] <= size["gpus"]


def test_alternatives_of_both_modes_are_ranked_by_their_gpus(dgdr: Run) -> None:
    found = _json(dgdr(*ASKED, "--concurrency", "56", "--output", "json"))

    for mode in ("aggregated", "disaggregated"):
        gpus = [row["gpus"] for row in found[mode]]
        assert gpus
        assert gpus == sorted(gpus)
    assert found["chosen"]["gpus"] == min(row["gpus"] for row in found["aggregated"] + found["disaggregated"])


def test_the_page_begins_with_the_number(dgdr: Run) -> None:
    page = dgdr(*ASKED, "--concurrency", "56").out

    assert page.startswith("Fewest GPUs: ")
    assert "Head-room" in page
    assert "56 requests in flight" in page


def test_what_no_number_of_gpus_serves_is_refused_with_a_report(dgdr: Run) -> None:
    ended = dgdr(*ASKED[:-4], "--ttft", "20", "--itl", "1", "--concurrency", "56", "--max-gpus", "16")

    assert ended.code == 3
    assert "Infeasible" in ended.out


def test_too_few_gpus_allowed_names_how_many_would_do(dgdr: Run) -> None:
    ended = dgdr(*ASKED, "--concurrency", "56", "--max-gpus", "3", "--output", "json")
    found = _json(ended)

    assert ended.code == 3
    assert "totalGpus" in [one["knob"] for one in found["infeasible"]["relaxations"]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--concurrency or --request-rate must be given"),
        (("--concurrency", "5", "--request-rate", "2"), "cannot be given together"),
        (("--concurrency", "5", "--total-gpus", "8"), "there is no flag --total-gpus"),
        (("--concurrency", "5", "--max-gpus", "0"), "at least 1 GPU"),
        (("--concurrency", "5", "--drafts", "1"), "no layers for multi-token prediction"),
        (("--concurrency", "5", "--acceptance", "1.2"), "a probability from 0 to 1"),
        (("--concurrency", "5", "--database-mode", "silicon"), "must be one of measured, hybrid, analytical"),
    ],
)
def test_mistakes_are_told_in_a_sentence(dgdr: Run, arguments: tuple[str, ...], complaint: str) -> None:
    ended = dgdr(*ASKED, *arguments)

    assert ended.code == 2
    assert complaint in ended.err
    assert len(ended.err.splitlines()) == 1
