"""What holds for every test: arithmetic that goes wrong raises, and a failing example fails again tomorrow."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

np.seterr(all="raise")

# No deadline: a busy machine is not a wrong answer. Derandomised: the same tree gives the same verdict twice.
settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("wander", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the suites run that our fake API server shares with a real one."""
    parser.addoption("--control-plane", choices=("fake", "real"), default="fake", help="default: %(default)s")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT
