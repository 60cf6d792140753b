"""Seconds of an iteration as quick look-ups: a played request asks thousands of times for single points."""

from collections.abc import Callable

import numpy as np

from estimator.ops import Array

_GRID = 16
"""Tokens between two stored points; in between the time is a straight line, which it nearly is in the prices too."""


class Pace:
    """How long the iterations of one attention rank take.

    decode: seconds by sequences; mixed: seconds by prompt tokens and sequences beside them, both over arrays, shapes
    broadcast; tokens: prompt tokens of an iteration up to which whole rows are remembered.
    """

    def __init__(
        self, decode: Callable[[Array], Array], mixed: Callable[[Array, Array], Array], *, tokens: int
    ) -> None:
        self._decode, self._mixed = decode, mixed
        self._tokens = np.maximum(np.arange(0, tokens + 2 * _GRID, _GRID, dtype=float), 1.0)
        self._decodes: dict[int, float] = {}
        self._rows: dict[int, list[float]] = {}

    def decode(self, sequences: int) -> float:
        """Seconds of an iteration that decodes *sequences*."""
        if sequences not in self._decodes:
            self._decodes[sequences] = float(self._decode(np.asarray(float(sequences))))
        return self._decodes[sequences]

    def mixed(self, tokens: int, sequences: int) -> float:
        """Seconds of an iteration with *tokens* of prompts beside *sequences*."""
        if tokens > self._tokens[-2]:
            return float(self._mixed(np.asarray(float(tokens)), np.asarray(float(sequences))))
        row = self._rows.get(sequences)
        if row is None:
            row = self._rows[sequences] = self._row(sequences)
        at, beyond = divmod(tokens, _GRID)
        return row[at] + (row[at + 1] - row[at]) * beyond / _GRID

    def _row(self, sequences: int) -> list[float]:
        """Seconds at every point of the grid; the price of no tokens, which nobody pays, continues the first line."""
        row: list[float] = self._mixed(self._tokens, np.full_like(self._tokens, sequences)).tolist()
        row[0] -= (row[1] - row[0]) / (_GRID - 1)
        return row
