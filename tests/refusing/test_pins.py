"""What a request may decide of its plan, and how it hears that it cannot be."""

import re
from typing import Any

import pytest

from dgdr_operator import journey, refusal, spec
from dgdr_operator.errors import InvalidSpec, Unsupported
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate
from perf_db.catalog import Catalog


def asking(pin: str, **spec_fields: object) -> dict[str, Any]:
    """A request with that pin."""
    return {
        "metadata": {"name": "a", "annotations": {"dgdr-operator.io/pin": pin}},
        "spec": {
            "model": "Qwen/Qwen3-32B-FP8",
            "backend": "vllm",
            "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
            **spec_fields,
        },
    }


def planned(body: dict[str, Any]) -> journey.Plan:
    """The plan of *body* on no nodes."""
    return journey.plan(spec.read(body), None, Catalog(), Settings())


@pytest.mark.parametrize("pin", ["tp=two", "size=2", "mode=agg,prefill.tp=1"])
def test_what_is_no_pin_is_named_with_its_annotation(pin: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec.read(asking(pin))

    assert refused.value.path == "metadata.annotations[dgdr-operator.io/pin]"


def test_a_pin_that_nothing_can_follow_names_what_there_is() -> None:
    with pytest.raises(InvalidSpec, match=re.escape("workers: tp1pp1, tp2pp1, tp4pp1, tp8pp1")) as refused:
        planned(asking("tp=3"))

    assert refused.value.path == "metadata.annotations[dgdr-operator.io/pin]"


def test_workers_are_not_pinned_apart_without_a_network() -> None:
    with pytest.raises(Unsupported, match="pin mode=disaggregated: there are no nodes to look at"):
        planned(asking("prefill.tp=2"))


def test_a_pinned_plan_that_breaks_its_promises_is_refused_with_its_own_numbers() -> None:
    body = asking("mode=agg,tp=1", sla={"ttft": 50, "itl": 30})

    with pytest.raises(NoFeasibleCandidate) as refused:
        planned(body)

    line = refusal.line(spec.read(body), refused.value.report)
    assert "pin=mode=aggregated,tp=1 on <=8xh200_sxm; best ttft=" in line
    assert set(re.findall(r"\(agg (tp\d+)", line)) == {"tp1"}


def test_what_would_be_chosen_without_pins_is_told() -> None:
    best = planned(asking("")).outcome.choice.workers[0].parallel.tp

    (costly,) = [note for note in planned(asking("tp=8")).notes if "pinned" in note]
    (same,) = [note for note in planned(asking(f"tp={best}")).notes if "pinned" in note]

    told = r"pinned by the request: tp=8; without that it would be vllm agg tp\dpp1 x\d, .* tokens/s/GPU"
    assert re.fullmatch(told, costly)
    assert same.endswith("it would be chosen without that, too")
