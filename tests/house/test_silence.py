"""Whoever silences a check says which one, and why, on the same line."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.ground import House

MARKER = re.compile(r"#\s*(?:ruff:\s*|flake8:\s*)?noqa\b|#\s*type:\s*ignore\b|#\s*pragma:\s*no\b")
WITH_CODE = re.compile(
    r"#\s*(?:ruff:\s*)?noqa:\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*|#\s*type:\s*ignore\[[a-z0-9-]+(?:,\s*[a-z0-9-]+)*\]"
)
REASON = re.compile(r"[A-Za-z]{2,}")


def test_every_silenced_check_is_named_and_excused(house: House) -> None:
    mute = [
        f"{house.name(path)}:{line}: {comment}"
        for path in house.python()
        for line, comment in _comments(path)
        if not excused(comment)
    ]

    assert not mute, "say which check and why, on the line itself:\n" + "\n".join(mute)


@pytest.mark.parametrize(
    "comment",
    ["# noqa", "# type: ignore", "# noqa: S603", "# type: ignore[misc]", "# type: ignore  # it is fine so"],
)
def test_a_bare_silence_is_caught(comment: str) -> None:
    assert not excused(comment)


@pytest.mark.parametrize(
    "comment",
    [
        "# why, in plain words",
        "# noqa: S603, S607 -- the user's own kubectl",
        "# type: ignore[misc]  # kopf is untyped",
    ],
)
def test_an_excused_silence_passes(comment: str) -> None:
    assert excused(comment)


def excused(comment: str) -> bool:
    """Does *comment* silence nothing, or name what it silences and say why?"""
    if not MARKER.search(comment):
        return True
    left = WITH_CODE.sub("", comment)
    return not MARKER.search(left) and bool(REASON.search(left))


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
