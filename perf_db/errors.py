"""Everything this package can refuse, drawn as a tree.

* PerfDatabaseError
    * NotCovered            -- there is no data for what was asked; str() names the nearest valid choice
        x UnknownSystem
        x UnknownBackend
    * BadLookup             -- the caller asked a table for something it cannot be
        x UnknownColumn
        x AmbiguousGrid     -- a column that is no axis still has several values
        x EmptyGrid         -- no measured point at all
    x BrokenPack            -- a file is not a pack we can read
    x BadSource             -- a package or folder given to the importer is not one we can read
"""

from collections.abc import Iterable
from difflib import get_close_matches


class PerfDatabaseError(Exception):
    """Root of the tree."""


class NotCovered(PerfDatabaseError):
    """No data for *asked*; *allowed* are the valid choices."""

    noun = "choice"

    def __init__(self, asked: str, allowed: Iterable[str]) -> None:
        self.asked = asked
        self.allowed = tuple(allowed)
        super().__init__(self.asked, self.allowed)

    def __str__(self) -> str:
        near = get_close_matches(self.asked, self.allowed, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        return (
            f"no measurements for {self.noun} {self.asked!r}: choose from {', '.join(self.allowed) or 'nothing'}{hint}"
        )


class UnknownSystem(NotCovered):
    """No pack and no facts for this GPU system."""

    noun = "GPU system"


class UnknownBackend(NotCovered):
    """No pack of this backend on this system."""

    noun = "backend"


class BadLookup(PerfDatabaseError):
    """A table cannot answer such a question."""


class UnknownColumn(BadLookup):
    """*table* has no column *column*."""

    def __init__(self, table: str, column: str, allowed: Iterable[str]) -> None:
        self.table, self.column, self.allowed = table, column, tuple(allowed)
        super().__init__(self.table, self.column, self.allowed)

    def __str__(self) -> str:
        return f"table {self.table} has no column {self.column!r}: it has {', '.join(self.allowed)}"


class AmbiguousGrid(BadLookup):
    """*columns* of *table* are neither axes nor fixed to one value."""

    def __init__(self, table: str, columns: Iterable[str]) -> None:
        self.table, self.columns = table, tuple(columns)
        super().__init__(self.table, self.columns)

    def __str__(self) -> str:
        return f"table {self.table}: fix {', '.join(self.columns)} before cutting a grid"


class EmptyGrid(BadLookup):
    """Nothing was measured over *axes*."""

    def __init__(self, axes: Iterable[str]) -> None:
        self.axes = tuple(axes)
        super().__init__(self.axes)

    def __str__(self) -> str:
        return f"no measured point over {', '.join(self.axes)}"


class BrokenPack(PerfDatabaseError):
    """*path* is not a readable pack, because of *problem*."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        return f"{self.path} is not a readable pack: {self.problem}"


class BadSource(PerfDatabaseError):
    """*path* is not a package or folder the importer can read, because of *problem*."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        return f"cannot import {self.path}: {self.problem}"
