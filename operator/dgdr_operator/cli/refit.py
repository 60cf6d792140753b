"""Measured runs in; the host constants of every engine that they ask for, out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from dgdr_operator.cli import forecast, trial
from dgdr_operator.cli.trial import Records
from dgdr_operator.report import accuracy as report
from dgdr_operator.report.accuracy import Pair
from estimator import tuning
from estimator.backends import registry
from estimator.backends.bounds import BOUNDS
from estimator.ops import Array
from estimator.tuning import Axis, Runs
from perf_db.catalog import Catalog
from perf_db.hosts import Fit

METHOD = (
    "Per engine, the constants on a grid between physical bounds with the least mean of |ln(predicted / measured)|, "
    f"capped at {tuning.CAP:g}: TPOT, and for vLLM, whose runs show the engine's own TTFT, TTFT at half its weight. "
    f"Kept where that loss falls by at least {tuning.GAIN:.0%} for groups (model, system) and for models that were "
    "left out, and does not rise by as much for systems. Intervals: 90 %, over groups drawn anew. No constant of a "
    "model or of a GPU."
)
_WEIGHTS: Mapping[str, Mapping[str, float]] = {"vllm": {"itl": 1.0, "ttft": 0.5}}
_ITL_ONLY: Mapping[str, float] = {"itl": 1.0}
_NAMES: Mapping[str, Sequence[str]] = {"vllm": tuple(BOUNDS)}
_FRONTEND = "frontend"
_WITHOUT_TTFT = tuple(name for name in BOUNDS if name != _FRONTEND)
_GROUPINGS: Mapping[str, Callable[[Pair], str]] = {
    "group left out": lambda pair: pair.experience,
    "model left out": lambda pair: pair.model,
    "system left out": lambda pair: pair.system,
}

Constants = Mapping[str, Mapping[str, float]]
"""Engine -> constant -> seconds."""


def fits(records: Records, catalog: Catalog) -> dict[str, Fit]:
    """Engine -> its constants; engines without a run that can be scored are left out."""
    priors = {name: _prior(name) for name in registry.NAMES}
    moved = {
        (name, end): _predicted(records, catalog, _with(priors, name, end)) for name in _WITHOUT_TTFT for end in (0, 1)
    }
    return {
        backend: tuning.fit(_runs(own, backend), list(_axes(backend, own, moved)))
        for backend, own in _predicted(records, catalog, priors).items()
    }


def _prior(backend: str) -> dict[str, float]:
    host = registry.engine(backend).host
    return {name: getattr(host, name) for name in BOUNDS}


def _with(priors: Constants, name: str, end: int) -> Constants:
    """The priors of all engines with one constant at one of its bounds."""
    return {backend: {**prior, name: BOUNDS[name][end]} for backend, prior in priors.items()}


def _predicted(records: Records, catalog: Catalog, constants: Constants) -> dict[str, list[Pair]]:
    """The runs of every engine that can be, with what would be predicted if hosts were like that."""
    forecaster = forecast.Forecaster(catalog.with_hosts(constants))
    pairs = trial.pairs(records, trial.forecasts(records, forecaster), forecaster)
    known = [pair for pair in report.possible(pairs) if pair.itl is not None and pair.ttft is not None]
    return report.members(known, "backend")


def _runs(own: Sequence[Pair], backend: str) -> Runs:
    weights = _WEIGHTS.get(backend, _ITL_ONLY)
    return Runs(
        predicted={metric: _column(own, metric, 0) for metric in weights},
        measured={metric: _column(own, metric, 1) for metric in weights},
        weights=weights,
        groups={name: [key(pair) for pair in own] for name, key in _GROUPINGS.items()},
    )


def _axes(
    backend: str, base: Sequence[Pair], moved: Mapping[tuple[str, int], Mapping[str, list[Pair]]]
) -> Iterator[Axis]:
    prior, weights = _prior(backend), _WEIGHTS.get(backend, _ITL_ONLY)
    for name in _NAMES.get(backend, _WITHOUT_TTFT):
        least, most = BOUNDS[name]
        if name == _FRONTEND:
            # It stands in the time to first token as it is, and nowhere else.
            added = {"ttft": np.array([[least - prior[name]], [most - prior[name]]]), "itl": np.zeros((2, 1))}
            change = {metric: np.repeat(added[metric], len(base), axis=1) for metric in weights}
        else:
            before = {metric: _column(base, metric, 0) for metric in weights}
            change = {
                metric: np.stack([_column(moved[name, end][backend], metric, 0) - before[metric] for end in (0, 1)])
                for metric in weights
            }
        yield Axis(name=name, prior=prior[name], least=least, most=most, change=change)


def _column(pairs: Sequence[Pair], metric: str, which: int) -> Array:
    """Predictions (0) or measurements (1) of *metric*, shape (n,)."""
    found = [(pair.itl if metric == "itl" else pair.ttft) for pair in pairs]
    return np.array([both[which] for both in found if both is not None], dtype=float)
