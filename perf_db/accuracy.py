"""How far predictions were from measured runs, as stored: errors by group, and the intervals learned from them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from perf_db.errors import BrokenPack

FILE = "accuracy.json"
_PAIR = re.compile(r"\[\s+([^\s,\[\]{}]+),\s+([^\s,\[\]{}]+)\s+\]")
"""Two numbers in a list of their own, which read best side by side."""
Errors = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Group -> metric -> n, mean, median, p90, bias as shares of the measured value, intervals of mean and median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Measured over predicted lies between *low* and *high* with 90 % probability.

    rows, groups: how many it was learned from; coverage: share of rows inside when their group was not learned from;
    without_model, without_system: the same with whole models and whole systems left out, None where there is only one.
    """

    low: float
    high: float
    rows: int
    groups: int
    coverage: float
    without_model: float | None = None
    without_system: float | None = None

    def around(self, value: float) -> tuple[float, float]:
        """What is measured nine times in ten where *value* is predicted."""
        return value * self.low, value * self.high

    def widened(self, factor: float) -> "Band":
        """The band whose ends are *factor* times as far from 1 as these, counted in powers."""
        return replace(self, low=self.low**factor, high=self.high**factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A calibration.

    source, sha256: the measured runs, in words and as a file; date: when, as told; measurements: data_version of the
    packs; counts: rows by what became of them; bands: engine -> metric (itl, ttft, throughput) -> Band; wider: evidence
    -> metric -> by what powers bands widen where a prediction rests on more than a little of it; errors: grouping ->
    Errors; regret: engine, or "all" -> what choosing by predictions loses, shares of output; joint: engine ->
    logarithms of measured over predicted, (itl, ttft) of runs spread over all there were, stretched to the ends of the
    bands; worst: metric -> the runs that contribute most to its mean error.
    """

    source: str
    sha256: str
    date: str
    measurements: str
    method: str
    counts: Mapping[str, int]
    bands: Mapping[str, Mapping[str, Band]]
    wider: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, Errors]
    regret: Mapping[str, Mapping[str, Any]]
    joint: Mapping[str, Sequence[tuple[float, float]]]
    worst: Mapping[str, Sequence[Mapping[str, Any]]]

    def band(self, backend: str, metric: str, evidence: str = "measured") -> Band | None:
        """The interval of *metric* on that engine; None where too little was measured to know."""
        found = self.bands.get(backend, {}).get(metric)
        return None if found is None else found.widened(self.factor(metric, evidence))

    def factor(self, metric: str, evidence: str) -> float:
        """By what power the intervals of *metric* widen where a prediction rests on *evidence*."""
        return self.wider.get(evidence, {}).get(metric, 1.0)


def read(root: Path) -> Accuracy | None:
    """The calibration beside the packs under *root*; None if there is none. Raises BrokenPack."""
    path = root / FILE
    try:
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        bands = {
            backend: {metric: Band(**band) for metric, band in metrics.items()}
            for backend, metrics in tree.pop("bands").items()
        }
        return Accuracy(**tree, bands=bands)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BrokenPack(str(path), str(problem)) from problem


def text(accuracy: Accuracy) -> str:
    """The file that read() understands; shares to four digits, which is more than is known."""
    spread = json.dumps(_rounded(asdict(accuracy)), indent=1, ensure_ascii=False)
    return _PAIR.sub(r"[\1, \2]", spread) + "\n"


def _rounded(value: object) -> object:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {key: _rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
    return value
