"""Measured figures, said aloud."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a measured figure, whatever pytest does with output."""

    def aloud(sentence: str) -> None:
        with capsys.disabled():
            print(f"\n    {sentence}", end="")  # noqa: T201 - figures are what these tests are also for

    return aloud
