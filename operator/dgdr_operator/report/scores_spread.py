"""How sure an error is: what it could have been, had other models and systems been measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 400
_SEED = 20261121
_ENDS = (5, 95)
_FEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """90 % intervals of a mean and of a median, drawn over whole groups (Efron, Tibshirani, "An Introduction to the
    Bootstrap", 1993, on resampling clusters)."""

    groups: int
    mean: tuple[float, float]
    median: tuple[float, float]


def spread(sizes: Sequence[Sequence[float]]) -> Spread | None:
    """The spread of errors of these *sizes*, group by group; None for fewer than three groups, which say nothing."""
    if len(sizes) < _FEWEST:
        return None
    dice = np.random.default_rng(_SEED)
    groups = [np.asarray(group, dtype=float) for group in sizes]
    means, medians = np.empty(_DRAWS), np.empty(_DRAWS)
    for draw in range(_DRAWS):
        picked = np.concatenate([groups[index] for index in dice.integers(len(groups), size=len(groups))])
        means[draw], medians[draw] = picked.mean(), np.median(picked)
    return Spread(groups=len(groups), mean=_ends(means), median=_ends(medians))


def _ends(drawn: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    low, high = np.percentile(drawn, _ENDS)
    return float(low), float(high)
