"""A table of text: columns as wide as their cells, the least needed left out when the paper is too narrow."""

from collections.abc import Sequence
from dataclasses import dataclass

from dgdr_operator.report.paper import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: two lines of heading, one cell per row; need: the lowest is left out first; left: alignment."""

    head: tuple[str, str]
    cells: tuple[str, ...]
    need: int = 9
    left: bool = False

    @property
    def width(self) -> int:
        """Characters of the widest entry."""
        return max(len(entry) for entry in (*self.head, *self.cells))

    def line(self, entry: str) -> str:
        """*entry* padded to the column."""
        return entry.ljust(self.width) if self.left else entry.rjust(self.width)


def draw(columns: Sequence[Column], paper: Paper) -> list[str]:
    """Lines of the table, none wider than the paper unless a single column is."""
    shown, gap = _fit(list(columns), paper.width)
    lines = [gap.join(column.line(column.head[part]) for column in shown).rstrip() for part in (0, 1)]
    body = [gap.join(cells).rstrip() for cells in zip(*map(_padded, shown), strict=True)]
    lines = [line for line in lines if line]
    rule = paper.rule * max((len(line) for line in lines + body), default=0)
    return [*lines, rule, *body]


def left_out(columns: Sequence[Column], paper: Paper) -> list[str]:
    """Headings of the columns that do not fit the paper, in the order of the table."""
    shown, _ = _fit(list(columns), paper.width)
    kept = set(map(id, shown))
    return [" ".join(part for part in column.head if part) for column in columns if id(column) not in kept]


def _padded(column: Column) -> list[str]:
    return [column.line(cell) for cell in column.cells]


def _fit(columns: list[Column], width: int) -> tuple[list[Column], str]:
    while True:
        cells = sum(column.width for column in columns)
        for gap in ("  ", " "):
            if cells + len(gap) * (len(columns) - 1) <= width:
                return columns, gap
        if len(columns) == 1:
            return columns, ""
        del columns[min(range(len(columns)), key=lambda index: columns[index].need)]
