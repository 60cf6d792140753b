"""The two plans that the customer runs."""

import pytest

from estimator.estimates import Estimate
from tests.manifests import plans


@pytest.fixture
def aggregated() -> Estimate:
    """Four workers on two GPUs each."""
    return plans.AGGREGATED


@pytest.fixture
def disaggregated() -> Estimate:
    """Two prefill workers on two GPUs each, one decode worker on four."""
    return plans.DISAGGREGATED
