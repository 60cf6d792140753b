"""Which deployment to run, or why none will do.

Every criterion is judged for every row; a row is counted under the one it misses by the largest factor.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from estimator import trust
from estimator.deployments import Rows
from estimator.estimates import Estimate, Infeasible, Relaxation, Trust
from estimator.frontier import pareto_mask
from estimator.ops import Array, Counts, Mask
from estimator.problem import Problem
from estimator.trust import Experience, Latencies
from estimator.workload import Targets

_LATENCY_KNOBS = ("ttft", "itl", "e2eLatency")
_FRONTIER_STEP = 1.03
"""A point of the frontier that differs less than this from the one shown before it, in speed and in output, is not
shown: predictions are off by several times as much."""
_NEVER = 1e9
"""Violation of a row that cannot run whatever the targets are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What measured runs say about every row.

    kept: probability that all latency targets are kept, shape (n,), if confidence is asked for; else it is found out
    row by row.
    """

    experience: Experience
    targets: Targets
    told: Latencies
    kept: Array | None

    def of(self, estimate: Estimate, index: int) -> Trust:
        """What is known about *estimate*, the record of that row."""
        if self.kept is not None:
            return self.experience.of(estimate, float(self.kept[index]))
        return self.experience.of(estimate, float(self.experience.kept(self.targets, self.told.row(index))[0]))

    def enough(self, knob: str, predicted: Array) -> Array:
        """The least value of the latency target *knob* at which every row is as sure as is asked, shape (n,); infinite
        where the other targets leave no room. Both may be missed at different times, so their risks are added."""
        rest = self.experience.kept(trust.without(self.targets, knob), self.told)
        level = self.targets.confidence + 1 - rest
        metric = "request" if knob == "e2eLatency" else knob
        factor = self.experience.factor(metric, np.minimum(level, 1), self.told)
        return np.where(level <= 1, predicted * factor, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """All rows of all groups end to end, arrays of shape (n,), and how far each misses each criterion.

    group, row: where a row came from; missed: criterion -> value / target, shape (n,), at most 1 where it is met;
    odds: what measured runs say about every row, None where there are none.
    """

    groups: Sequence[Rows]
    group: Counts
    row: Counts
    columns: Mapping[str, Array]
    missed: Mapping[str, Array]
    odds: Odds | None = None

    def __len__(self) -> int:
        """Rows."""
        return len(self.group)

    @property
    def worst(self) -> Array:
        """The largest violation of every row."""
        worst: Array = np.max([*self.missed.values(), np.zeros(len(self))], axis=0)
        return worst

    @property
    def runs(self) -> Mask:
        """Rows that start and admit their load, whatever their latency."""
        return self.missed["memory"] <= 1

    def build(self, index: int) -> Estimate:
        """The full record of one row."""
        rows: Rows = self.groups[int(self.group[index])]
        estimate = rows.build(int(self.row[index]))
        return estimate if self.odds is None else replace(estimate, trust=self.odds.of(estimate, index))


_BOTH = ("itl", "ttft")
_COLUMNS = ("ttft", "itl", "request", "tokens_per_second", "gpus", "concurrency")


def survey(problem: Problem, groups: Sequence[Rows], experience: Experience | None = None) -> Field:
    """Every row judged by every criterion of *problem*; at least one group is needed.

    experience: what measured runs of the engine taught; without it nothing is said about odds.
    """
    columns = {name: np.concatenate([getattr(rows, name) for rows in groups]) for name in _COLUMNS}
    sizes = [len(rows.ttft) for rows in groups]
    targets = problem.targets
    asked = (
        ("ttft", columns["ttft"], targets.ttft),
        ("itl", columns["itl"], targets.itl),
        ("e2eLatency", columns["request"], targets.e2e),
    )
    missed = {name: values / limit for name, values, limit in asked if limit is not None}
    runs = np.concatenate([rows.starts & rows.admits for rows in groups])
    missed["memory"] = np.where(runs, 0.0, _NEVER)
    odds = None if experience is None else _odds(problem, groups, columns, experience)
    if odds is not None and odds.kept is not None:
        missed["confidence"] = _unsure(odds.kept, targets.confidence, missed)
    return Field(
        groups=groups,
        group=np.repeat(np.arange(len(groups)), sizes),
        row=np.concatenate([np.arange(size) for size in sizes]),
        columns=columns,
        missed=missed,
        odds=odds,
    )


def _odds(problem: Problem, groups: Sequence[Rows], columns: Mapping[str, Array], experience: Experience) -> Odds:
    sizes = [len(rows.ttft) for rows in groups]
    wider = {name: np.repeat([experience.wider(name, rows.evidence) for rows in groups], sizes) for name in _BOTH}
    told = Latencies(itl=columns["itl"], ttft=columns["ttft"], wider=wider, osl=problem.workload.osl)
    kept = experience.kept(problem.targets, told) if problem.targets.confidence else None
    return Odds(experience=experience, targets=problem.targets, told=told, kept=kept)


def _unsure(kept: Array, asked: float, missed: Mapping[str, Array]) -> Array:
    """The confidence asked for over that reached; 0 where a prediction misses a target anyway and counts under that."""
    able = np.max(list(missed.values()), axis=0) <= 1
    return np.where(able, asked / np.maximum(kept, 1 / _NEVER), 0.0)


def rejections(field: Field) -> dict[str, int]:
    """Rows that miss something, counted under what they miss by most."""
    names = list(field.missed)
    by = np.stack([field.missed[name] for name in names])
    failed = by.max(axis=0) > 1
    counts = Counter(names[index] for index in by.argmax(axis=0)[failed])
    return dict(counts.most_common())


def ranked(problem: Problem, field: Field) -> Counts:
    """Indices of the rows that meet everything, best first."""
    able = np.flatnonzero(field.worst <= 1)
    return able[np.lexsort([key[able] for key in reversed(_keys(problem, field))])]


def _keys(problem: Problem, field: Field) -> list[Array]:
    """What to sort by, most important first.

    Without a load: the most tokens per second of the budget; with one: the fewest GPUs; for latency: the quickest.
    """
    c = field.columns
    if problem.objective == "latency":
        return [c["request"], c["gpus"], -c["tokens_per_second"]]
    if problem.workload.concurrency is not None or problem.workload.request_rate is not None:
        return [c["gpus"], c["request"], -c["tokens_per_second"]]
    return [-c["tokens_per_second"], c["gpus"], c["itl"]]


def best_per_group(field: Field, order: Counts, mode: str, top: int) -> tuple[Estimate, ...]:
    """The first row of each kind of deployment of *mode* in *order*, at most *top*, as records."""
    found: dict[str, int] = {}
    for index in order:
        rows = field.groups[int(field.group[index])]
        if rows.mode == mode and rows.label not in found:
            found[rows.label] = int(index)
            if len(found) == top:
                break
    return tuple(field.build(index) for index in found.values())


def frontier(problem: Problem, field: Field) -> tuple[Estimate, ...]:
    """The Pareto set of speed for the user and output per GPU, over everything that runs, fastest first."""
    running = np.flatnonzero(field.runs)
    if not len(running):
        return ()
    slow = field.columns["itl" if problem.workload.osl > 1 else "ttft"][running]
    output = field.columns["tokens_per_second"][running]
    front = np.flatnonzero(pareto_mask(1 / slow, output))
    shown: list[int] = []
    for one in front[np.argsort(slow[front])]:
        last = shown[-1] if shown else None
        if last is None or max(slow[one] / slow[last], output[one] / output[last]) >= _FRONTIER_STEP:
            shown.append(int(one))
    return tuple(field.build(int(running[one])) for one in shown)


def infeasible(field: Field) -> Infeasible:
    """Why nothing meets everything, from a field in which no row does."""
    counts = rejections(field)
    if not field.runs.any():
        return Infeasible(rejections=counts, binding="memory")
    nearest = int(field.worst.argmin())
    binding = max(field.missed, key=lambda name: float(field.missed[name][nearest]))
    return Infeasible(
        rejections=counts,
        binding=binding,
        best_ttft=_extreme(field, field.columns["ttft"]),
        best_itl=_extreme(field, field.columns["itl"]),
        best_throughput=_extreme(field, -field.columns["tokens_per_second"]),
        nearest=field.build(nearest),
        relaxations=tuple(_relaxations(field)),
    )


def _extreme(field: Field, cost: Array) -> Estimate:
    return field.build(int(np.where(field.runs, cost, np.inf).argmin()))


def _relaxations(field: Field) -> list[Relaxation]:
    """The smallest value of each latency target that alone, the others kept, makes a row feasible; and the confidence
    that the targets as they are can be kept with."""
    values = {"ttft": "ttft", "itl": "itl", "e2eLatency": "request"}
    found = []
    for knob in _LATENCY_KNOBS:
        if knob not in field.missed:
            continue
        others = [missed for name, missed in field.missed.items() if name not in {knob, "confidence"}]
        cost = np.where(np.max(others, axis=0) <= 1, _enough(field, knob, field.columns[values[knob]]), np.inf)
        index = int(cost.argmin())
        if np.isfinite(cost[index]):
            found.append(Relaxation(knob=knob, value=float(cost[index]), estimate=field.build(index)))
    return [*found, *_surest(field)]


def _enough(field: Field, knob: str, predicted: Array) -> Array:
    """What the latency target *knob* must allow for each row, as predicted or as surely as is asked."""
    sure = field.odds if "confidence" in field.missed else None
    return predicted if sure is None else sure.enough(knob, predicted)


def _surest(field: Field) -> list[Relaxation]:
    """The row that keeps the targets with the highest probability, if confidence alone is missing."""
    if field.odds is None or field.odds.kept is None:
        return []
    others = [missed for name, missed in field.missed.items() if name != "confidence"]
    odds = np.where(np.max(others, axis=0) <= 1, field.odds.kept, 0.0)
    best = int(odds.argmax())
    if not odds[best] > 0:
        return []
    return [Relaxation(knob="confidence", value=float(odds[best]), estimate=field.build(best))]
