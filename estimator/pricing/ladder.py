"""Whose measurements may answer, in which order: the engine's own, its other versions', then other engines'.

All on the same GPU system. What no rung has is answered by a loan (a measured relative, scaled by the speeds of light)
or a formula; the modules beside this one know which relatives an operation has.
"""

from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np

from estimator.hardware import System
from estimator.ops import Array, Counts
from perf_db.catalog import Catalog, Pack, PackName, age
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

Made = TypeVar("Made")
Mode = Literal["measured", "hybrid", "analytical"]
"""Measured rows only; measured rows, loans and formulas; formulas only."""
FOREIGN = {Provenance.MEASURED: 0.0, Provenance.REUSED: 0.25, Provenance.SIBLING: 1.0}
"""How many octaves of difference in shape another version's or engine's kernel is worth (assumption)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A dense block of the first table that had such rows, and the best class it can give."""

    grid: Grid
    floor: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """Rows of the measured shape nearest to the one asked for; *distance* 0 means the very same shape.

    sizes: the measured shape, by column.
    """

    rows: Table
    sizes: Mapping[str, int]
    distance: float
    floor: Provenance

    @property
    def strangeness(self) -> float:
        """Its distance in shape, with what another version or engine is worth."""
        return self.distance + FOREIGN[self.floor]


class Ladder:
    """The packs that may answer for one engine version on one system."""

    def __init__(self, catalog: Catalog, pack: PackName, system: System, mode: Mode) -> None:
        self.pack = pack
        self.system = system
        self.mode = mode
        self._catalog = catalog
        self._kept: dict[Hashable, object] = {}

    @cached_property
    def rungs(self) -> tuple[tuple[Pack, Provenance], ...]:
        """This pack; the engine's other versions, nearest in age first; other engines, newest versions first."""
        here = [name for name in self._catalog.packs() if name.system == self.pack.system and name != self.pack]
        own = [name for name in here if name.backend == self.pack.backend]
        older = [name for name in reversed(own) if age(name.version) <= age(self.pack.version)]
        newer = [name for name in own if name not in older]
        newest = {name.backend: name for name in here if name.backend != self.pack.backend}
        rest = [name for name in here if name.backend in newest and name not in newest.values()]
        named = [(self.pack, Provenance.MEASURED)]
        named += [(name, Provenance.REUSED) for name in (*older, *newer)]
        named += [(name, Provenance.SIBLING) for name in (*newest.values(), *rest)]
        return tuple((self._catalog.open(name), floor) for name, floor in named)

    @cached_property
    def collectives(self) -> Table | None:
        """The system's NCCL measurements, newest version."""
        names = [name for name in self._catalog.collectives() if name.system == self.pack.system]
        return self._catalog.open(names[-1]).table("nccl") if names else None

    def tables(self, name: str) -> Iterator[tuple[Table, Provenance]]:
        """The tables of that name, best first."""
        for pack, floor in self.rungs:
            table = pack.table(name)
            if table is not None:
                yield table, floor

    def first(self, name: str, rows: Callable[[Table], Table], axes: tuple[str, ...]) -> Found | None:
        """The first table of that name that has such rows, as a dense block."""
        for table, floor in self.tables(name):
            if len(chosen := rows(table)):
                return Found(grid=chosen.grid(*axes), floor=floor)
        return None

    def relative(
        self, name: str, fixed: Mapping[str, Value], wanted: Mapping[str, float], among: Container[Provenance] = FOREIGN
    ) -> Relative | None:
        """The rows with the columns *fixed* whose other sizes are nearest to *wanted*, in octaves.

        The first rung that has the very shape answers; else the nearest over all rungs, foreign ones handicapped.
        *among*: the classes of rungs that may answer.
        """
        best: Relative | None = None
        for pack, floor in self.rungs:
            found = self.nearest(pack, name, fixed, wanted) if floor in among else None
            if found is not None and found.distance == 0:
                return replace(found, floor=floor)
            if found is not None and (best is None or found.distance + FOREIGN[floor] < best.strangeness):
                best = replace(found, floor=floor)
        return best

    def nearest(
        self, pack: Pack, name: str, fixed: Mapping[str, Value], wanted: Mapping[str, float]
    ) -> Relative | None:
        """The nearest rows of one pack."""
        table = pack.table(name)
        if table is None:
            return None
        key = (pack.name, name, tuple(fixed.items()), tuple(wanted))
        rows, starts, sizes = self.kept(key, lambda: _shapes(restricted(table, fixed), tuple(wanted)))
        if not len(starts):
            return None
        asked = np.array(list(wanted.values()), dtype=np.float64)
        far = np.abs(np.log2(np.maximum(sizes, 1.0)) - np.log2(np.maximum(asked, 1.0))).sum(axis=1)
        nearest = sizes[int(far.argmin())]
        same = np.flatnonzero((sizes == nearest).all(axis=1))
        ends = np.append(starts[1:], len(rows))
        taken = np.concatenate([np.arange(starts[one], ends[one]) for one in same])
        named = dict(zip(wanted, nearest.astype(int).tolist(), strict=True))
        return Relative(rows=rows.take(taken), sizes=named, distance=float(far.min()), floor=Provenance.MEASURED)

    def kept(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What *make* made the first time it was asked for *key*."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[return-value]  # what was put there under this key


def _shapes(rows: Table, columns: tuple[str, ...]) -> tuple[Table, Counts, Array]:
    """*rows*, where each run of equal sizes starts, and the sizes of each run."""
    sizes = np.stack([rows.numbers(column) for column in columns], axis=1) if len(rows) else np.empty((0, len(columns)))
    changes = (sizes[1:] != sizes[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(rows)), bool), changes]))
    return rows, starts, sizes[starts]


def restricted(table: Table, fixed: Mapping[str, Value]) -> Table:
    """Rows with these values, for those of the columns that the table has."""
    return table.where(**{column: value for column, value in fixed.items() if column in table.columns})


def line(rows: Table, along: str) -> Grid:
    """One point per value of the column *along*: the first row, where further columns tell several apart."""
    _, first = np.unique(rows.column(along).codes, return_index=True)
    chosen = rows.take(first)
    return Grid(names=(along,), axes=(chosen.numbers(along),), seconds=chosen.seconds, provenance=chosen.provenance)
