"""Where the guards stand."""

from pathlib import Path

import pytest

from tests.house.ground import House


@pytest.fixture(scope="session")
def house(root: Path) -> House:
    """The repository these tests stand in."""
    return House(root=root)
