"""What trusting predictions costs: how much output is lost by picking configurations by them, measured afterwards.

Within one question (model, system, engine, input and output tokens) every measured configuration is a curve: output per
GPU over the time between tokens, through its measured loads. At every time between tokens that was measured there, we
pick the configuration whose predicted curve is highest, and compare what was measured for it at that very time with
the best that was measured. A pick that was never measured to be that fast loses everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dgdr_operator.report.accuracy import Pair, members
from estimator.ops import Array

_FEWEST = 2
"""Configurations without which there is nothing to choose."""
_HIGH = 90
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One question: its words, mean loss over its levels, that of choosing at random, configurations and levels."""

    question: str
    lost: float
    blind: float
    configurations: int
    levels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """Shares of output lost at equal time between tokens; every group counts once, as the mean over its levels.

    groups, configurations, levels: questions with a choice, what there was to choose from in all, and how often one
    was made; blind: mean loss of choosing at random; right: share of levels at which the best one was picked; missed:
    levels at which the pick was never measured to be that fast; most: the questions that lose most.
    """

    groups: int
    configurations: int
    levels: int
    mean: float
    median: float
    p90: float
    blind: float
    right: float
    missed: int
    most: tuple[Loss, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """Seconds between tokens, ascending, and the most output per GPU up to there; arrays of shape (n,)."""

    itl: Array
    output: Array

    def at(self, itl: Array) -> Array:
        """Output per GPU at *itl*, shape (m,); straight between points, 0 below the first, constant after the last."""
        inside: Array = np.interp(itl, self.itl, self.output, left=0.0)
        return inside


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Losses of one question, shape (levels,); blind: of choosing at random."""

    question: str
    lost: Array
    blind: Array
    configurations: int

    @property
    def loss(self) -> Loss:
        """The same in means."""
        return Loss(
            question=self.question,
            lost=float(self.lost.mean()),
            blind=float(self.blind.mean()),
            configurations=self.configurations,
            levels=len(self.lost),
        )


def regret(pairs: Iterable[Pair]) -> Regret | None:
    """The regret over all questions of *pairs* that leave a choice; None if none does."""
    judged = [_judged(question, curves) for question, curves in _questions(pairs).items()]
    groups = [group for group in judged if group is not None]
    if not groups:
        return None
    lost, losses = np.concatenate([group.lost for group in groups]), [group.loss for group in groups]
    each = np.array([loss.lost for loss in losses])
    return Regret(
        groups=len(groups),
        configurations=sum(group.configurations for group in groups),
        levels=len(lost),
        mean=float(each.mean()),
        median=float(np.median(each)),
        p90=float(np.percentile(each, _HIGH)),
        blind=float(np.mean([loss.blind for loss in losses])),
        right=float(np.mean(lost == 0)),
        missed=int(np.sum(lost == 1)),
        most=tuple(sorted((loss for loss in losses if loss.lost > 0), key=lambda one: -one.lost)[:_SHOWN]),
    )


def by_engine(pairs: Sequence[Pair]) -> dict[str, Regret]:
    """The regret over everything and of every engine, as far as there is a choice."""
    groups = {"all": pairs, **members(pairs, "backend")}
    return {name: found for name, inside in groups.items() if (found := regret(inside)) is not None}


_Measured, _Predicted = 1, 0


def _questions(pairs: Iterable[Pair]) -> Mapping[str, Mapping[str, list[Pair]]]:
    """Question -> configuration -> its runs."""
    found: dict[str, dict[str, list[Pair]]] = {}
    for pair in pairs:
        if pair.itl is None or pair.throughput is None:
            continue
        key = f"{pair.model}, {pair.system}, {pair.backend}, {pair.setting.isl}/{pair.setting.osl}"
        found.setdefault(key, {}).setdefault(pair.setting.configuration, []).append(pair)
    return found


def _judged(question: str, configurations: Mapping[str, list[Pair]]) -> _Group | None:
    """What each choice of one question loses; None where fewer than two configurations reach any level."""
    if len(configurations) < _FEWEST:
        return None
    runs = list(configurations.values())
    levels = np.unique([pair.itl[_Measured] for own in runs for pair in own if pair.itl is not None])
    measured = np.stack([_curve(own, _Measured).at(levels) for own in runs])
    open_ = (measured > 0).sum(axis=0) >= _FEWEST
    if not open_.any():
        return None
    levels, measured = levels[open_], measured[:, open_]
    lost = 1 - measured / measured.max(axis=0)
    picked = _picked([_curve(own, _Predicted) for own in runs], levels)
    able = measured > 0
    return _Group(
        question=question,
        lost=lost[picked, np.arange(len(levels))],
        blind=(lost * able).sum(axis=0) / able.sum(axis=0),
        configurations=len(runs),
    )


def _picked(predicted: Sequence[_Curve], levels: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Index of the configuration of the highest predicted curve at every level; where none is predicted to be that
    fast, of the fastest."""
    outputs = np.stack([curve.at(levels) for curve in predicted])
    fastest = int(np.argmin([curve.itl[0] for curve in predicted]))
    return np.where(outputs.max(axis=0) > 0, outputs.argmax(axis=0), fastest)


def _curve(runs: Sequence[Pair], which: int) -> _Curve:
    points = sorted(
        (pair.itl[which], pair.throughput[which] / pair.setting.gpus)
        for pair in runs
        if pair.itl is not None and pair.throughput is not None
    )
    itl, output = np.array(points).T
    return _Curve(itl=itl, output=np.maximum.accumulate(output))
