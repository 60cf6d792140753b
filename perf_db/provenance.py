"""Where a number came from: the class of every priced cell, and the record of every source file."""

from dataclasses import dataclass
from enum import IntEnum


class Provenance(IntEnum):
    """How a time is known, best first, so that the provenance of a sum is the `max` of its parts."""

    MEASURED = 0
    INTERPOLATED = 1
    REUSED = 2
    REPAIRED = 3
    EXTRAPOLATED = 4
    SIBLING = 5
    TRANSFERRED = 6
    FORMULA = 7

    @property
    def word(self) -> str:
        """The class as one plain lower-case word, for tables and statuses."""
        return self.name.lower()

    @property
    def meaning(self) -> str:
        """The class as half a sentence, for explanations."""
        return _MEANINGS[self]


_MEANINGS = {
    Provenance.MEASURED: "a row of this engine's own table",
    Provenance.INTERPOLATED: "between measured rows of this engine's own table",
    Provenance.REUSED: "measured with another version of the same engine",
    Provenance.REPAIRED: "a measured row that a repair rule replaced",
    Provenance.EXTRAPOLATED: "beyond the measured rows, at the utilisation of the nearest one",
    Provenance.SIBLING: "measured with another engine on the same GPU",
    Provenance.TRANSFERRED: "a measured row scaled by a ratio taken from elsewhere",
    Provenance.FORMULA: "the speed of light divided by a typical utilisation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a published package that rows were read from."""

    package: str
    version: str
    member: str
    sha256: str
    rows: int
    licence: str
