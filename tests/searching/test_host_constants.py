"""Constants of hosts: found where runs show them, left alone where they do not, kept only where they earned it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import catalogue, hardware, search, tuning
from estimator.backends import registry
from estimator.backends.bounds import BOUNDS
from estimator.ops import Array
from estimator.parallelism import Parallel
from estimator.tuning import Axis, Runs
from estimator.workload import Workload
from perf_db import hosts
from perf_db.catalog import SHIPPED, Catalog
from perf_db.errors import BrokenPack
from perf_db.hosts import Constant, Fit, Hosts

PRIOR, LEAST, MOST = 4e-4, 0.0, 8e-4
LAYERS = np.array([32.0, 48.0, 64.0, 80.0] * 6)
GROUPS = [f"group {index % 6}" for index in range(len(LAYERS))]


def _axis() -> Axis:
    change = np.stack([(LEAST - PRIOR) * LAYERS, (MOST - PRIOR) * LAYERS])
    return Axis(name="per_prompt_layer", prior=PRIOR, least=LEAST, most=MOST, change={"itl": change})


def _runs(measured: Array, groups: Sequence[str] = GROUPS) -> Runs:
    return Runs(
        predicted={"itl": 0.05 + PRIOR * LAYERS},
        measured={"itl": measured},
        weights={"itl": 1.0},
        groups=dict.fromkeys(("group left out", "model left out", "system left out"), groups),
    )


@settings(deadline=None)
@given(truth=st.sampled_from((0.0, 1e-4, 3e-4, 4e-4, 5e-4, 8e-4)))
def test_a_constant_that_all_runs_show_is_found_within_the_grid(truth: float) -> None:
    fit = tuning.fit(_runs(0.05 + truth * LAYERS), [_axis()])

    found = fit.constants["per_prompt_layer"]
    assert found.value == pytest.approx(truth, abs=1e-9)
    assert (found.low, found.high) == (found.value, found.value)
    assert fit.kept == (truth != PRIOR)
    assert fit.scores["fitted"]["group left out"] <= fit.scores["prior"]["group left out"]
    assert fit.errors["fitted"]["group left out"]["itl"] == pytest.approx((0.0, 0.0), abs=1e-9)


@given(off=st.lists(st.sampled_from((0.5, 2.0)), min_size=6, max_size=6))
def test_a_fit_that_is_no_better_where_left_out_is_not_kept(off: list[float]) -> None:
    member = np.array([int(name[-1]) for name in GROUPS])
    runs = _runs((0.05 + PRIOR * LAYERS) * np.array(off)[member])

    fit = tuning.fit(runs, [_axis()])

    assert not fit.kept or fit.scores["fitted"]["group left out"] < fit.scores["prior"]["group left out"]


def test_where_runs_say_nothing_the_prior_stays() -> None:
    silent = Axis(name="frontend", prior=0.01, least=0.0, most=0.06, change={"itl": np.zeros((2, len(LAYERS)))})

    fit = tuning.fit(_runs(0.05 + 6e-4 * LAYERS), [_axis(), silent])

    assert fit.constants["frontend"].value == 0.01
    assert fit.constants["per_prompt_layer"].value == pytest.approx(6e-4)


def test_one_run_that_is_far_off_moves_nothing() -> None:
    measured = 0.05 + 6e-4 * LAYERS
    measured[0] *= 1000

    assert tuning.fit(_runs(measured), [_axis()]).constants["per_prompt_layer"].value == pytest.approx(6e-4)


def test_priors_lie_within_their_bounds() -> None:
    for name in registry.NAMES:
        for constant, (least, most) in BOUNDS.items():
            assert least <= getattr(registry.engine(name).host, constant) <= most


def _stored(*, kept: bool) -> Hosts:
    frontend = Constant(value=0.05, low=0.04, high=0.06, prior=0.01, least=0.0, most=0.06)
    fit = Fit(constants={"frontend": frontend}, kept=kept, scores={}, errors={}, rows=9, groups=3)
    return Hosts(source="invented", sha256="", date="2026-01-31", method="", engines={"vllm": fit})


def _root(folder: Path, text: str) -> Path:
    for path in SHIPPED.iterdir():
        if path.name != hosts.FILE:
            (folder / path.name).symlink_to(path)
    (folder / hosts.FILE).write_text(text)
    return folder


def _frontend(catalog: Catalog, shipped: Catalog) -> float:
    estimate = search.predict(
        catalogue.load("Qwen/Qwen3-8B"),
        hardware.system("h200_sxm", shipped.facts("h200_sxm")),
        "vllm",
        Parallel(),
        Workload(isl=1000, osl=100, concurrency=4),
        catalog=catalog,
    )
    return estimate.latency.ttft_terms["frontend"]


@pytest.mark.parametrize(("kept", "seconds"), [(True, 0.05), (False, 0.01)])
def test_predictions_use_a_fit_that_was_kept_and_priors_otherwise(
    tmp_path: Path, shipped: Catalog, *, kept: bool, seconds: float
) -> None:
    catalog = Catalog(_root(tmp_path, hosts.text(_stored(kept=kept))))

    assert catalog.hosts == _stored(kept=kept)
    assert _frontend(catalog, shipped) == seconds
    assert catalog.data_version != shipped.data_version


def test_constants_given_by_hand_replace_those_stored(shipped: Catalog) -> None:
    assert _frontend(shipped.with_hosts({"vllm": {"frontend": 0.033}}), shipped) == 0.033


def test_a_broken_store_is_named(tmp_path: Path) -> None:
    catalog = Catalog(_root(tmp_path, json.dumps({"engines": {"vllm": {"constants": {}}}})))

    with pytest.raises(BrokenPack, match=hosts.FILE):
        catalog.host("vllm")
