"""How long it takes to play ten thousand requests on one deployment; the figure beside its bar."""

import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from estimator import catalogue, deciding, hardware
from estimator.backends import registry
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.replay import Stage, Traffic, play, stages, traffic
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload
from perf_db.catalog import Catalog

REQUESTS = 10_000
BAR = 5.0
"""Seconds."""

Ranks = Callable[[str, int], Stage]


@pytest.fixture(scope="module")
def deployment() -> Ranks:
    """Makes copies of the example's worker by engine, with nothing remembered of earlier runs."""
    catalog = Catalog()
    model = catalogue.load("Qwen/Qwen3-32B-FP8")
    system = hardware.system("h200_sxm", catalog.systems()["h200_sxm"])
    workload = Workload(isl=3600, osl=450)

    def made(backend: str, replicas: int) -> Stage:
        engine = registry.engine(backend)
        prices = Prices(catalog, catalog.resolve("h200_sxm", backend).pack, system)
        dtypes = deciding.resolve(model, engine, prices)
        shape = Shape(model=model, parallel=Parallel(tp=2), dtypes=dtypes, engine=engine, system=system)
        return stages.whole(Step(shape, prices, workload), workload, 14, replicas=replicas)

    return made


def _coming(kind: str) -> Traffic:
    dice = np.random.default_rng(0)
    isl, osl = (traffic.lengths(nominal, REQUESTS, spread=0.2, dice=dice) for nominal in (4000, 500))
    times = None if kind == "closed" else traffic.poisson(6.0, REQUESTS, dice=dice)
    return Traffic(isl=isl, osl=osl, times=times, clients=56)


@pytest.mark.parametrize("kind", ["closed", "poisson"])
@pytest.mark.parametrize("backend", registry.NAMES)
def test_ten_thousand_requests(deployment: Ranks, capsys: pytest.CaptureFixture[str], backend: str, kind: str) -> None:
    stage, coming = deployment(backend, 4), _coming(kind)

    started = time.perf_counter()
    summary = play([stage], coming).summary()
    seconds = time.perf_counter() - started

    assert summary.requests == REQUESTS
    with capsys.disabled():
        what = f"{REQUESTS} requests on 4 x tp2 of {backend}, {kind}"
        sys.stdout.write(f"\n{what}: {seconds:.2f} s ({seconds / BAR:.2f} of the bar of {BAR:g} s)\n")
