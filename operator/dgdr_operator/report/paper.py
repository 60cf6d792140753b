"""What a page is printed on: how wide it is and which characters it can show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A place for text; width: characters per line; unicode: whether it shows more than ASCII."""

    width: int = 80
    unicode: bool = True

    @property
    def rule(self) -> str:
        """The character that underlines a heading."""
        return "─" if self.unicode else "-"

    @property
    def at_most(self) -> str:
        """The sign before an upper bound."""
        return "≤" if self.unicode else "<="


# One character of each block that the pages use: rules, signs, braille lines, markers.
_PROBE = "─│└≤⣿●○◆┊"


def can_show_unicode(encoding: str | None) -> bool:
    """Whether text in *encoding* can hold every character that the pages use."""
    try:
        _PROBE.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
