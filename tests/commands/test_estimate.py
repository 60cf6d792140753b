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


def _of(dgdr: Run, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dgdr(*words, "--output", "json").out)
    return found


def test_where_prompts_pause_decoding_their_step_decodes_nothing(dgdr: Run) -> None:
    words = [word if word != "vllm" else "sglang" for word in LOADED]
    found = _of(dgdr, *(word for word in words if word not in {"--backend-version", "0.12.0"}))

    prompts, decodes = found["iterations"]
    assert "decode attention" not in {op["name"] for op in prompts["operations"]}
    assert "decode attention" in {op["name"] for op in decodes["operations"]}
    assert "between steps" in {op["name"] for op in decodes["operations"]}
    # Now and then two prompts share a step.
    assert prompts["seconds"] == pytest.approx(found["ttft_terms"]["prefill"], rel=0.05)


def test_what_is_streamed_in_batches_is_seen_later_and_no_slower(dgdr: Run, opened: dict[str, Any]) -> None:
    found = _of(dgdr, *LOADED, "--stream-interval", "20")

    assert found["ttft_terms"]["streaming"] == pytest.approx(19 * opened["itl"])
    assert sum(found["ttft_terms"].values()) == pytest.approx(found["ttft"])
    assert found["request_latency"] == pytest.approx(opened["request_latency"])
    assert found["ttft"] + 499 * found["itl"] == pytest.approx(opened["request_latency"])


APART = (*LOADED[:-2], "--prefill-workers", "4", "--prefill-tp", "1", "--decode-workers", "1", "--decode-tp", "4")


def test_workers_apart_are_taken_apart_one_by_one(dgdr: Run) -> None:
    found = _of(dgdr, *APART, "--concurrency", "56")

    prefill, decode = found["iterations"]
    assert found["configuration"] == "disagg 4p:tp1+1d:tp4 x1"
    assert {"queue", "prefill", "transfer", "first step"} <= set(found["ttft_terms"])
    assert sum(found["ttft_terms"].values()) == pytest.approx(found["ttft"])
    assert prefill["seconds"] == pytest.approx(found["ttft_terms"]["prefill"], rel=0.01)
    assert decode["seconds"] == pytest.approx(found["itl"], rel=0.01)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--prefill-workers", "1"), "--prefill-workers and --decode-workers must be given together"),
        (("--prefill-workers", "1", "--decode-workers", "8", "--decode-tp", "4"), "cannot run so: too few prefill"),
        (
            ("--prefill-workers", "1", "--decode-workers", "1", "--max-num-tokens", "4096"),
            "--max-num-tokens cannot be given together with --prefill-workers",
        ),
    ],
)
def test_pools_that_make_no_sense_are_one_sentence(dgdr: Run, words: tuple[str, ...], sentence: str) -> None:
    ended = dgdr(*LOADED[:-2], "--concurrency", "800", *words)

    assert ended.code == 2
    assert sentence in ended.err


def test_a_benchmark_whose_clients_all_start_at_once_waits_for_its_first_wave(
    dgdr: Run, opened: dict[str, Any]
) -> None:
    few, many = (_of(dgdr, *LOADED, "--rounds", rounds) for rounds in ("2", "200"))

    assert opened["itl"] == few["itl"] == many["itl"]
    assert few["ttft"] > many["ttft"] > opened["ttft"]
    assert many["ttft"] == pytest.approx(opened["ttft"], rel=0.05)


def test_requests_of_equal_lengths_wait_for_each_other(dgdr: Run) -> None:
    varied, alike = (_of(dgdr, *LOADED, "--rounds", "10", *more) for more in ((), ("--equal-lengths",)))

    assert alike["ttft"] > varied["ttft"]
    assert "convoy" in alike["ttft_terms"]


def test_equal_lengths_without_a_benchmark_are_refused(dgdr: Run) -> None:
    ended = dgdr(*LOADED, "--equal-lengths")

    assert (ended.code, ended.out) == (2, "")
    assert "--equal-lengths needs --rounds" in ended.err


def test_drafts_of_a_model_that_has_none_are_refused(dgdr: Run) -> None:
    ended = dgdr(*LOADED, "--drafts", "2")

    assert (ended.code, ended.out) == (2, "")
    assert "--drafts must be 0: Qwen/Qwen3-32B-FP8 has no layers for multi-token prediction" in ended.err


def test_copies_of_busy_experts_make_steps_shorter(dgdr: Run) -> None:
    spread = ("estimate", "--model", "deepseek-ai/DeepSeek-V3", "--system", "h200_sxm", "--backend", "sglang")
    plain, copied = (
        _of(dgdr, *spread, "--dp", "16", "--moe-ep", "16", "--concurrency", "640", *more) for more in ((), ("--eplb",))
    )

    assert copied["itl"] < plain["itl"]
    assert copied["ttft"] < plain["ttft"]
    for iteration in copied["iterations"]:
        assert 0 < iteration["floor"] < iteration["seconds"]
