"""A module's name says why it exists, and is nobody else's."""

import sys
from pathlib import Path

from tests.house.ground import PACKAGES, House

SAYS_NOTHING = {"utils", "util", "common", "misc", "base", "manager", "core", "helpers", "helper", "stuff"}
SPECIAL = {"__init__", "__main__"}


def test_no_module_has_a_name_that_says_nothing(house: House) -> None:
    empty = [house.name(path) for path in house.python() if _words(path, house) & SAYS_NOTHING]

    assert not empty, f"these names do not say what is inside: {', '.join(empty)}"


def test_no_module_takes_a_name_from_the_standard_library(house: House) -> None:
    taken = [house.name(path) for path in house.python() if _words(path, house) & sys.stdlib_module_names]

    assert not taken, f"the standard library has a module of the same name: {', '.join(taken)}"


def test_the_guards_see_every_package(house: House) -> None:
    for package in PACKAGES:
        assert house.python((package,)), f"no Python file under {package}: the guard looks in the wrong place"


def _words(path: Path, house: House) -> set[str]:
    """The names an import of *path* says; the room operator/ is on the path, not part of any name."""
    parts = path.relative_to(house.root).with_suffix("").parts
    return set(parts[1:] if parts[0] == "operator" else parts) - SPECIAL
