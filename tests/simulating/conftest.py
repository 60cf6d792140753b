"""A worker whose iterations cost round numbers, so that a person can follow a run; and one with real prices."""

from collections.abc import Callable

import numpy as np
import pytest

from estimator import catalogue, deciding, hardware
from estimator.backends import registry
from estimator.ops import Array
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.replay import Pace, Rules, Stage
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload
from perf_db.catalog import Catalog

VERSIONS = {"vllm": "0.12.0", "sglang": "0.5.6.post2", "trtllm": "1.2.0rc5"}


def decode_seconds(sequences: Array) -> Array:
    """Ten milliseconds, and a tenth of one for each sequence."""
    return 10e-3 + 0.1e-3 * sequences


def mixed_seconds(tokens: Array, sequences: Array) -> Array:
    """The same, and twenty microseconds for each prompt token."""
    return decode_seconds(sequences) + 20e-6 * tokens


@pytest.fixture(scope="session")
def round_numbers() -> Callable[[Rules], Stage]:
    """Makes one rank that goes by the given rules."""

    def stage(rules: Rules, ranks: int = 1) -> Stage:
        return Stage(rules=rules, pace=Pace(decode_seconds, mixed_seconds, tokens=rules.budget), ranks=ranks)

    return stage


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    """The measurements that are shipped."""
    return Catalog()


@pytest.fixture(scope="session")
def priced(shipped: Catalog) -> Callable[[str, str, Parallel, Workload], Step]:
    """Makes the iterations of a worker on H200 by backend, model, split and workload."""
    facts = hardware.system("h200_sxm", shipped.systems()["h200_sxm"])
    lists = {
        backend: Prices(shipped, shipped.resolve("h200_sxm", backend, version).pack, facts)
        for backend, version in VERSIONS.items()
    }

    def step(backend: str, name: str, parallel: Parallel, workload: Workload) -> Step:
        model, engine, prices = catalogue.load(name), registry.engine(backend), lists[backend]
        dtypes = deciding.resolve(model, engine, prices)
        shape = Shape(model=model, parallel=parallel, dtypes=dtypes, engine=engine, system=facts)
        return Step(shape, prices, workload)

    return step


@pytest.fixture
def dice() -> np.random.Generator:
    """Dice that fall the same way every time."""
    return np.random.default_rng(2026)
