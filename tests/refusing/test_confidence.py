"""How sure a request may want to be, and how it hears that nothing is."""

import re
from typing import Any

import pytest

from dgdr_operator import journey, refusal, spec
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate
from perf_db.catalog import Catalog

ANNOTATION = "dgdr-operator.io/confidence"


def asking(confidence: object, **sla: float) -> dict[str, Any]:
    """A request that wants to be that sure of *sla*."""
    return {
        "metadata": {"name": "a", "annotations": {ANNOTATION: confidence}},
        "spec": {
            "model": "Qwen/Qwen3-32B-FP8",
            "backend": "vllm",
            "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
            "workload": {"isl": 4000, "osl": 500},
            "sla": sla or {"ttft": 2000, "itl": 30},
        },
    }


@pytest.mark.parametrize("wrong", ["1", "1.5", "-0.1", "90%", "very", "", "nan", "0.9 ", 0.9])
def test_what_is_no_probability_is_named_with_its_annotation(wrong: object) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec.read(asking(wrong))

    assert refused.value.path == f"metadata.annotations[{ANNOTATION}]"


@pytest.mark.parametrize(("text", "value"), [("0.9", 0.9), (".85", 0.85), ("0", 0.0)])
def test_a_probability_is_asked_of_the_targets(text: str, value: float) -> None:
    assert spec.read(asking(text)).targets.confidence == value


def test_a_request_gets_a_plan_that_is_as_sure_as_it_asks() -> None:
    choice = journey.plan(spec.read(asking("0.8")), None, Catalog(), Settings()).outcome.choice

    assert choice.trust is not None
    assert choice.trust.probability >= 0.8


def test_a_refusal_names_the_highest_probability() -> None:
    request = spec.read(asking("0.99", ttft=200, itl=7))

    with pytest.raises(NoFeasibleCandidate) as refused:
        journey.plan(request, None, Catalog(), Settings())

    line = refusal.line(request, refused.value.report)
    told = re.search(r"confidence<=(0\.\d+)", line)
    assert "confidence>=0.99" in line
    assert told is not None
    assert 0 < float(told[1]) < 0.99
