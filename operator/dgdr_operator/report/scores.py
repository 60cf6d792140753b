"""How far predictions are from measurements: errors per group, as columns and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dgdr_operator.report.grid import Column

_HIGH = 90
_NEED = {"p90": 5, "bias": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of n predictions as shares of the measured values: mean, median and 90th percentile of their sizes.

    bias: median of the signed errors, above zero when predictions are too high.
    """

    n: int
    mean: float
    median: float
    p90: float
    bias: float


def score(predicted: ArrayLike, measured: ArrayLike) -> Score | None:
    """The score of *predicted* against *measured* (equal lengths, measured above zero); None for no values."""
    truth = np.asarray(measured, dtype=float)
    if not truth.size:
        return None
    signed = np.asarray(predicted, dtype=float) / truth - 1
    size = np.abs(signed)
    return Score(
        n=truth.size,
        mean=float(size.mean()),
        median=float(np.median(size)),
        p90=float(np.percentile(size, _HIGH)),
        bias=float(np.median(signed)),
    )


def columns(label: str, scores: Mapping[str, tuple[Score | None, Score | None]]) -> Sequence[Column]:
    """A table of (TTFT score, ITL score) by group; *label* heads the column of group names."""
    pairs = list(scores.values())
    counts = tuple(str(max((one.n for one in pair if one), default=0)) for pair in pairs)
    return [
        Column(head=("", label), cells=tuple(scores), left=True),
        Column(head=("", "n"), cells=counts),
        *_errors("TPOT", [itl for _, itl in pairs]),
        *_errors("TTFT", [ttft for ttft, _ in pairs]),
    ]


def _errors(name: str, scores: Sequence[Score | None]) -> list[Column]:
    return [
        Column(head=(name, field), cells=tuple(_cell(one, field) for one in scores), need=_NEED.get(field, 9))
        for field in ("mean", "median", "p90", "bias")
    ]


def _cell(one: Score | None, field: str) -> str:
    if one is None:
        return "-"
    return f"{getattr(one, field) * 100:{'+' if field == 'bias' else ''}.1f}"
