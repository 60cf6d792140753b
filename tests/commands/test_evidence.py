"""What an answer rests on is said wherever it is told, and can be asked for."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
ASKED = (
    *("optimize", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--backend", "vllm", "--total-gpus", "8"),
    *("--backend-version", "0.12.0", "--isl", "4000", "--osl", "500"),
)
DRAFTING = (
    *("optimize", "--model", "deepseek-ai/DeepSeek-V3", "--system", "h200_sxm", "--backend", "sglang"),
    *("--total-gpus", "8", "--isl", "4000", "--osl", "500", "--ttft", "5000", "--itl", "100", "--output", "json"),
)
DOUBTFUL = {"transferred", "formula"}


def _rows(ended: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # what the fixture returns
    found = json.loads(ended.out)
    return [*found["aggregated"], *found["disaggregated"], *found["frontier"], found["chosen"]]


def test_measured_answers_hold_nothing_borrowed(dgdr: Run) -> None:
    rows = _rows(dgdr(*ASKED, "--database-mode", "measured", "--output", "json"))

    assert all(not DOUBTFUL & set(row["provenance"]) for row in rows)


def test_formulas_alone_are_doubtful_in_every_row(dgdr: Run) -> None:
    rows = _rows(dgdr(*ASKED, "--database-mode", "analytical", "--output", "json"))

    assert all(row["doubtful"] for row in rows)
    assert all(set(row["provenance"]) <= {"formula", "elementwise", "measured"} for row in rows)


def test_a_row_is_doubtful_when_more_than_a_fifth_of_its_time_is(dgdr: Run) -> None:
    rows = _rows(dgdr(*ASKED, "--output", "json")) + _rows(dgdr(*DRAFTING))

    for row in rows:
        share = sum(row["provenance"].get(name, 0.0) for name in DOUBTFUL)
        assert row["doubtful"] == (share > 0.20), share


def test_a_doubtful_plan_is_marked_and_noted_on_the_page(dgdr: Run) -> None:
    page = dgdr(*ASKED, "--database-mode", "analytical").out

    assert "vllm's best plan is transferred or formula" in " ".join(page.split())
    assert "\n*!1 " in page
    assert "! more than 20 % of its step time is transferred or formula, not measured" in page


def test_a_measured_plan_is_not(dgdr: Run) -> None:
    page = dgdr(*ASKED, "--database-mode", "measured").out

    assert "measured times only" in page
    assert "best plan is transferred" not in page
    assert "!1" not in page


@pytest.mark.parametrize("flag", ["--drafts", "--nextn"])
def test_drafts_that_are_accepted_pay_and_rejected_ones_cost(dgdr: Run, flag: str) -> None:
    outputs = [
        json.loads(dgdr(*DRAFTING, *more).out)["chosen"]["tokens_per_second"]
        for more in ((flag, "2", "--acceptance", "0"), (), (flag, "2", "--acceptance", "1"))
    ]

    assert outputs == sorted(outputs)
    assert outputs[0] < outputs[1] < outputs[2]


def test_drafts_are_told_in_the_question(dgdr: Run) -> None:
    asked = json.loads(dgdr(*DRAFTING, "--drafts", "1", "--acceptance", "0.75").out)["request"]

    assert (asked["drafts"], asked["acceptance"]) == (1, 0.75)
