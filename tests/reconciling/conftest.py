"""A request at the beginning of its life, and its plan."""

from __future__ import annotations

import pytest

from dgdr_operator.planned import Planned
from tests.reconciling.worlds import Model, graph, planned


@pytest.fixture
def model() -> Model:
    """A request that nobody has looked at."""
    return Model()


@pytest.fixture
def plan(model: Model) -> Planned:
    """The plan for it."""
    return planned(graph(), model.request)
