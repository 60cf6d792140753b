"""Is the watch deaf? What a sweep found must be heard within a minute, or the watch is there and says nothing. Pure.

Deletions do not count: a watch that begins anew never tells what vanished meanwhile, and is well.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dgdr_operator.controller.cache import Name

PATIENCE = 60.0
"""Seconds until a change that a sweep found must have been heard, too."""

Which = str
"""request or graph."""


@dataclass(slots=True)
class Hearing:
    """What was found and not heard yet, since when. Times are seconds on a clock that never goes back."""

    _found: dict[tuple[Which, Name], float] = field(default_factory=dict)

    def found(self, which: Which, names: Iterable[Name], now: float) -> None:
        """A sweep found that these objects changed, before any watch told."""
        for name in names:
            self._found.setdefault((which, name), now)

    def heard(self, which: Which, name: Name) -> None:
        """The watch told something about this object."""
        self._found.pop((which, name), None)

    def deaf(self, now: float) -> set[Which]:
        """The kinds whose watch did not tell in time; asking again begins a new minute."""
        late = {one for one, since in self._found.items() if now - since >= PATIENCE}
        for one in late:
            del self._found[one]
        return {which for which, _ in late}
