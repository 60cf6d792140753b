"""The shipped measurements and the customer's question."""

import pytest

from estimator import catalogue, hardware
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    return Catalog()


@pytest.fixture(scope="session")
def customers_problem(shipped: Catalog) -> Problem:
    return Problem(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        system=hardware.system("h200_sxm", shipped.systems()["h200_sxm"]),
        backend="vllm",
        backend_version="0.12.0",
        gpus=8,
        workload=Workload(isl=4000, osl=500),
        targets=Targets(ttft=0.6, itl=0.01667),
    )
