"""`dgdr estimate`: the parts add up to the whole, no part beats the speed of light, doubt is shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
CUSTOMER = (
    *("estimate", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--backend", "vllm"),
    *("--backend-version", "0.12.0", "--tp", "2", "--isl", "4000", "--osl", "500"),
)
LOADED = (*CUSTOMER, "--concurrency", "14")


@pytest.fixture
def opened(dgdr: Run) -> dict[str, Any]:
    """The customer's worker, taken apart."""
    found: dict[str, Any] = json.loads(dgdr(*LOADED, "--output", "json").out)
    return found


def test_the_terms_of_ttft_add_up_to_it(opened: dict[str, Any]) -> None:
    assert sum(opened["ttft_terms"].values()) == pytest.approx(opened["ttft"])


def test_both_definitions_of_tpot_are_told_apart(opened: dict[str, Any]) -> None:
    between = (opened["request_latency"] - opened["ttft"]) / 499

    assert opened["itl"] == pytest.approx(between)
    assert opened["itl_inclusive"] == pytest.approx(opened["request_latency"] / 500)
    assert opened["itl_inclusive"] > opened["itl"]


def test_every_operation_has_a_share_and_a_provenance_and_shares_sum_to_one(opened: dict[str, Any]) -> None:
    for iteration in opened["iterations"]:
        assert sum(op["share"] for op in iteration["operations"]) == pytest.approx(1)
        assert all(op["provenance"] for op in iteration["operations"])


def test_no_iteration_beats_the_speed_of_light(opened: dict[str, Any]) -> None:
    prefill, decode = opened["iterations"]

    for iteration in (prefill, decode):
        assert 0 < iteration["floor"] < iteration["seconds"]
        assert max(iteration["mbu"], iteration["mfu"]) <= iteration["floor"] / iteration["seconds"]
    assert prefill["mfu"] > prefill["mbu"], "prompts are bound by arithmetic"
    assert decode["mbu"] > decode["mfu"], "decoding is bound by memory"


def test_a_prompt_takes_as_long_as_the_step_that_carries_it(opened: dict[str, Any]) -> None:
    assert opened["iterations"][0]["seconds"] == pytest.approx(opened["ttft_terms"]["prefill"], rel=0.01)


def test_the_measured_case_of_the_customer_lies_inside_the_intervals(opened: dict[str, Any]) -> None:
    measured = {"itl": 15.06e-3, "ttft": 209e-3, "throughput": 3462 / 4}

    for metric, value in measured.items():
        low, high = opened["intervals"][metric]
        assert low < value < high


def test_the_page_shows_operations_intervals_and_the_floor(dgdr: Run) -> None:
    text = dgdr(*LOADED).out

    for words in ("gate_up", "90 % between", "latency / osl", "(MBU)", "(MFU)", "speed of light", "frontend"):
        assert words in " ".join(text.split())


def test_one_output_token_has_no_time_between_tokens(dgdr: Run) -> None:
    found = json.loads(dgdr(*LOADED, "--osl", "1", "--output", "json").out)

    assert found["itl"] is None
    assert len(found["iterations"]) == 1
    assert "itl" not in found["intervals"]


def test_without_a_load_there_is_no_price(dgdr: Run) -> None:
    ended = dgdr(*CUSTOMER)

    assert (ended.code, ended.err.startswith("dgdr: --concurrency must be given")) == (2, True)


def test_a_worker_that_does_not_fit_is_refused_in_one_sentence(dgdr: Run) -> None:
    ended = dgdr(
        *("estimate", "--model", "deepseek-ai/DeepSeek-V3", "--system", "h200_sxm", "--backend", "vllm"),
        *("--concurrency", "1"),
    )

    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "memory" in ended.err
