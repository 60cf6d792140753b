"""How long a search takes, warm and as a whole process, and how much memory it needs; every figure beside its bar."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator import engines
from estimator import catalogue, hardware, search
from estimator.estimates import Outcome
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog, Pack, PackName

ROOT = Path(__file__).parents[1]
PACK = PackName(system="h200_sxm", backend="vllm", version="0.12.0")
TABLES = ("gemm", "context_attention", "generation_attention", "custom_allreduce")
EXAMPLE = (
    *("optimize", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--total-gpus", "8", "--backend", "vllm"),
    *("--backend-version", "0.12.0", "--isl", "4000", "--osl", "500", "--ttft", "600", "--itl", "16.67"),
)
MILLISECOND = 1e-3
MEBIBYTE = 2**20

Report = Callable[[str, float, float, str], None]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Prints one figure beside its bar, whatever pytest captures."""

    def show(what: str, value: float, bar: float, unit: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{what}: {value:.3g} {unit} ({value / bar:.2f} of the bar of {bar:g} {unit})\n")

    return show


def _problem(catalog: Catalog, backend: str = "vllm") -> Problem:
    return Problem(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        system=hardware.system("h200_sxm", catalog.systems()["h200_sxm"]),
        backend=backend,
        gpus=8,
        workload=Workload(isl=4000, osl=500),
        targets=Targets(ttft=0.6, itl=0.01667),
    )


def test_a_warm_search(benchmark: Any, report: Report) -> None:  # noqa: ANN401  # pytest-benchmark has no types
    catalog = Catalog()
    problem = _problem(catalog)
    search.search(problem, catalog)

    outcome: Outcome = benchmark(search.search, problem, catalog)

    assert outcome.considered > 0
    report("a warm search", benchmark.stats.stats.median / MILLISECOND, 50, "ms")


def test_a_warm_search_for_a_wide_mixture(benchmark: Any, report: Report) -> None:  # noqa: ANN401  # pytest-benchmark has no types
    catalog = Catalog()
    problem = replace(
        _problem(catalog, backend="sglang"),
        model=catalogue.load("deepseek-ai/DeepSeek-V3"),
        gpus=32,
        workload=Workload(isl=4000, osl=1000),
        targets=Targets(ttft=3, itl=0.06),
    )
    search.search(problem, catalog)

    outcome: Outcome = benchmark(search.search, problem, catalog)

    assert outcome.aggregated
    assert outcome.disaggregated
    report("DeepSeek-V3 on 32 GPUs, both modes", benchmark.stats.stats.median / MILLISECOND, 500, "ms")


def test_a_warm_search_over_three_engines(benchmark: Any, report: Report) -> None:  # noqa: ANN401  # pytest-benchmark has no types
    catalog = Catalog()
    problems = [replace(_problem(catalog, backend=name), gpus=16) for name in ("vllm", "sglang", "trtllm")]
    engines.ask(problems, catalog)

    benchmark(engines.ask, problems, catalog)

    report("three engines on 16 GPUs", benchmark.stats.stats.median / MILLISECOND, 200, "ms")
    report("memory so far", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE, 300, "MiB")


def test_the_first_search_of_a_process(report: Report) -> None:
    catalog = Catalog()
    problem = _problem(catalog, backend="trtllm")

    started = time.perf_counter()
    search.search(problem, catalog)

    report("a first search, pack loading and all", (time.perf_counter() - started) / MILLISECOND, 300, "ms")


def test_loading_a_pack(benchmark: Any, report: Report) -> None:  # noqa: ANN401  # pytest-benchmark has no types
    def load() -> Pack:
        pack = Catalog().open(PACK)
        for name in TABLES:
            pack.table(name)
        return pack

    pack = benchmark(load)

    assert pack.table("gemm") is not None
    report("loading one pack", benchmark.stats.stats.max / MILLISECOND, 100, "ms")


def test_the_whole_process(report: Report) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT)])}
    command = [sys.executable, "-m", "dgdr_operator.cli.main", *EXAMPLE, "--output", "json"]
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MEBIBYTE

    assert json.loads(done.stdout)["feasible"] is True
    report("dgdr optimize, best of 5 processes", min(seconds), 1.5, "s")
    report("dgdr optimize, slowest of 5 processes", max(seconds), 1.5, "s")
    report("its peak memory", peak, 250, "MiB")
