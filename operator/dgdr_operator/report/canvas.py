"""A sheet of characters on which lines and marks are drawn; a braille cell holds two by four dots."""

from dgdr_operator.report.paper import Paper

_BRAILLE = 0x2800
# Bit of each dot of a braille cell by (column, row): Unicode block U+2800, dots 1-3 and 7 left, 4-6 and 8 right.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_ACROSS, _DOWN = 2, 4


class Canvas:
    """Cells of *columns* x *rows*; lines are drawn in dots, marks lie above lines, the origin is at the bottom left."""

    def __init__(self, columns: int, rows: int, paper: Paper) -> None:
        self._columns = columns
        self._rows = rows
        self._unicode = paper.unicode
        self._dots: dict[tuple[int, int], int] = {}
        self._marks: dict[tuple[int, int], str] = {}

    @property
    def dots(self) -> tuple[int, int]:
        """Dots across and dots up."""
        return self._columns * _ACROSS, self._rows * _DOWN

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Draw a straight line between two dots, both included."""
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            across = round(start[0] + (end[0] - start[0]) * step / steps)
            upward = round(start[1] + (end[1] - start[1]) * step / steps)
            self._dot(across, upward)

    def mark(self, dot: tuple[int, int], character: str) -> None:
        """Put *character* over the cell that holds *dot*; a later mark covers an earlier one."""
        self._marks[dot[0] // _ACROSS, dot[1] // _DOWN] = character

    def column(self, across: int, character: str) -> None:
        """Draw a vertical line of *character* through the dot column *across*, below every mark that is there."""
        for row in range(self._rows):
            self._marks.setdefault((across // _ACROSS, row), character)

    def lines(self) -> list[str]:
        """The rows of the sheet, top first."""
        return [
            "".join(self._cell(column, row) for column in range(self._columns)) for row in reversed(range(self._rows))
        ]

    def _dot(self, across: int, upward: int) -> None:
        cell = across // _ACROSS, upward // _DOWN
        bit = _DOTS[across % _ACROSS][_DOWN - 1 - upward % _DOWN]
        self._dots[cell] = self._dots.get(cell, 0) | bit

    def _cell(self, column: int, row: int) -> str:
        if character := self._marks.get((column, row)):
            return character
        bits = self._dots.get((column, row), 0)
        if not bits:
            return " "
        return chr(_BRAILLE + bits) if self._unicode else "."
