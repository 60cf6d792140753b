"""What a status says of how sure a plan is, and what asking for confidence changes."""

import re

import pytest

from dgdr_operator.controller import slot
from dgdr_operator.controller.answers import Refused
from dgdr_operator.planned import Planned
from dgdr_operator.settings import Settings
from tests.reconciling import worlds


def asking(confidence: str, ttft: float = 2000.0) -> worlds.Object:
    """A request that wants to be that sure."""
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {
            "name": "chat",
            "namespace": worlds.NAMESPACE,
            "annotations": {"dgdr-operator.io/confidence": confidence},
        },
        "spec": {
            "model": "Qwen/Qwen3-32B-FP8",
            "backend": "vllm",
            "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
            "sla": {"ttft": ttft, "itl": 30},
        },
    }


@pytest.mark.parametrize("asked", [0.0, 0.9])
def test_the_status_tells_the_probability_and_it_is_what_was_asked(asked: float) -> None:
    plan = slot.plan(asking(str(asked) if asked else "0"), None, Settings())

    assert isinstance(plan, Planned)
    told = re.search(r"kept with probability (\d\.\d\d)$", plan.summary)
    assert told is not None
    assert float(told[1]) >= asked


def test_nobody_sure_enough_is_a_refusal_that_names_what_can_be_had() -> None:
    refused = slot.plan(asking("0.999", ttft=120.0), None, Settings())

    assert isinstance(refused, Refused)
    assert refused.why == "infeasible"
    assert "confidence>=0.999" in refused.message
    assert "nearest:" in refused.message
