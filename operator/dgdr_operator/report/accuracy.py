"""Measured runs beside their predictions: which groups they form, and how far each group is off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from dgdr_operator.report import scores, scores_spread
from dgdr_operator.report.scores import Score
from dgdr_operator.report.scores_spread import Spread
from estimator.estimates import Evidence
from estimator.intervals import Residuals

Metric = Literal["itl", "ttft", "throughput"]
METRICS: tuple[Metric, ...] = ("itl", "ttft", "throughput")
WORDS: Mapping[str, str] = {"itl": "TPOT", "ttft": "TTFT", "throughput": "tokens/s"}
IMPOSSIBLE = 1.0
"""Share of the peak arithmetic above which a row cannot be what its labels say."""
IMPLAUSIBLE = 0.5
"""Share above which it hardly can: prompts alone would keep the units busy half of all time, between which tokens are
decoded. The rows with a known cause on record lie above; no other row that was looked at reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a run was served: its split and weights in words, nominal tokens in and out, clients, GPUs."""

    configuration: str
    isl: int
    osl: int
    concurrency: float
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A run that can be scored: what it is, and (predicted, measured) of each metric, SI units, None where open.

    evidence: what the prediction rests on; arithmetic: share of its GPUs' peak arithmetic
    that its prompts imply.
    """

    name: str
    backend: str
    system: str
    model: str
    setting: Setting
    ttft: tuple[float, float] | None
    itl: tuple[float, float] | None
    throughput: tuple[float, float] | None
    evidence: Evidence
    arithmetic: float

    @property
    def experience(self) -> str:
        """Rows of one model on one system err alike: their group."""
        return f"{self.model} on {self.system}"

    def of(self, metric: Metric) -> tuple[float, float] | None:
        """(predicted, measured) of *metric*."""
        return {"itl": self.itl, "ttft": self.ttft, "throughput": self.throughput}[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one group of rows is off in one metric, and how sure that is."""

    score: Score
    spread: Spread | None


LOADS = (1, 4, 16, 64)
"""Requests in flight per GPU at which one class of load ends and the next begins."""


def load(pair: Pair) -> str:
    """The class of load of a run, in words that sort as the loads do."""
    density = pair.setting.concurrency / pair.setting.gpus
    ends = ("0", *map(str, LOADS))
    index = sum(density > limit for limit in LOADS)
    return f"{ends[index]:>2} to {LOADS[index]} per GPU" if index < len(LOADS) else f"{ends[index]:>2} and more per GPU"


GROUPINGS: Mapping[str, Callable[[Pair], str]] = {
    "all": lambda _: "all rows",
    "backend": lambda pair: pair.backend,
    "system": lambda pair: pair.system,
    "model": lambda pair: pair.model.rpartition("/")[2],
    "load": load,
    "backend x system": lambda pair: f"{pair.backend} x {pair.system}",
    "backend x system x model": lambda pair: f"{pair.backend} x {pair.system} x {pair.model.rpartition('/')[2]}",
}
Row = Mapping[Metric, Standing | None]


def possible(pairs: Sequence[Pair], most: float = IMPOSSIBLE) -> list[Pair]:
    """Those whose prompts imply no more than that share of the peak."""
    return [pair for pair in pairs if pair.arithmetic <= most]


def members(pairs: Sequence[Pair], grouping: str) -> dict[str, list[Pair]]:
    """Group -> its pairs, groups in alphabetical order."""
    key = GROUPINGS[grouping]
    found: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=key):
        found.setdefault(key(pair), []).append(pair)
    return found


def rows(pairs: Sequence[Pair], grouping: str) -> dict[str, Row]:
    """Group -> its standing in every metric."""
    return {
        group: {metric: standing(inside, metric) for metric in METRICS}
        for group, inside in members(pairs, grouping).items()
    }


def shares(groups: Mapping[str, Sequence[Pair]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The standing of every group as plain numbers: what is stored."""
    return {
        group: {metric: _plain(found) for metric in METRICS if (found := standing(inside, metric)) is not None}
        for group, inside in groups.items()
    }


def _plain(found: Standing) -> dict[str, Any]:
    spread = {} if found.spread is None else {"mean_90": found.spread.mean, "median_90": found.spread.median}
    return asdict(found.score) | spread


def standing(pairs: Sequence[Pair], metric: Metric) -> Standing | None:
    """The standing of *pairs* in *metric*; None if none has both numbers."""
    known = [(both, pair.experience) for pair in pairs if (both := pair.of(metric)) is not None]
    found = scores.score([both[0] for both, _ in known], [both[1] for both, _ in known])
    if found is None:
        return None
    sizes: dict[str, list[float]] = {}
    for (predicted, truth), group in known:
        sizes.setdefault(group, []).append(abs(predicted / truth - 1))
    return Standing(score=found, spread=scores_spread.spread(list(sizes.values())))


def residuals(pairs: Sequence[Pair], metric: Metric, by: Callable[[Pair], str] | None = None) -> Residuals:
    """Logarithms of measured over predicted, with their groups: models on systems, or what *by* says."""
    known = [(both, by(pair) if by else pair.experience) for pair in pairs if (both := pair.of(metric)) is not None]
    logs = np.log(np.array([truth / predicted for (predicted, truth), _ in known], dtype=float))
    return Residuals(logs=logs, groups=tuple(group for _, group in known))
