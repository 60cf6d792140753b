"""`dgdr simulate`: what it prints, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.cli import main

WORKER = ("simulate", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--backend", "vllm", "--tp", "2")
TRAFFIC = ("--isl", "4000", "--osl", "500", "--concurrency", "56", "--spread", "0.2")
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command line: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.main(arguments)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def answer(said: Said) -> Callable[..., dict[str, Any]]:
    """Runs a command line that succeeds, and reads its JSON."""

    def run(*arguments: str) -> dict[str, Any]:
        code, out, err = said(*arguments, "--output", "json")
        assert (code, err) == (0, "")
        found: dict[str, Any] = json.loads(out)
        return found

    return run


def test_the_page_shows_percentiles_of_every_time(said: Said) -> None:
    code, out, _ = said(*WORKER, "--replicas", "4", *TRAFFIC)

    assert code == 0
    assert "agg tp2 x4 with vllm on 8 GPUs of h200_sxm" in out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["TTFT", "ITL", "request"]
    assert out.splitlines()[-5].split() == ["ms", "mean", "p50", "p90", "p99"]


def test_the_same_command_says_the_same_and_another_seed_something_else(answer: Callable[..., Any]) -> None:
    command = (*WORKER, *TRAFFIC, "--requests", "200")

    assert answer(*command) == answer(*command) != answer(*command, "--seed", "1")


def test_json_keeps_its_own_books(answer: Callable[..., Any]) -> None:
    found = answer(*WORKER, "--replicas", "2", "--isl", "1000", "--osl", "100", "--request-rate", "4")

    assert (found["deployment"], found["gpus"], found["requests"]) == ("agg tp2 x2", 4, 1000)
    for name in ("ttft_ms", "itl_ms", "request_latency_ms"):
        assert found[name]["p50"] <= found[name]["p90"] <= found[name]["p99"]
    latency = found["ttft_ms"]["mean"] + 99 * found["itl_ms"]["mean"]
    assert found["request_latency_ms"]["mean"] == pytest.approx(latency, rel=1e-3)
    assert found["tokens_per_second_per_gpu"] == pytest.approx(found["tokens_per_second"] / 4, rel=1e-3)


def test_pools_are_played_from_prefill_to_decode(answer: Callable[..., Any]) -> None:
    pools = ("--prefill-workers", "2", "--decode-workers", "1", "--decode-tp", "4")

    found = answer(*WORKER, *pools, "--isl", "4000", "--osl", "500", "--request-rate", "4", "--requests", "300")

    assert (found["deployment"], found["gpus"]) == ("disagg 2p:tp2+1d:tp4", 8)
    assert found["request_rate"] == pytest.approx(4, rel=0.2)


def test_a_load_beyond_what_is_served_is_said(answer: Callable[..., Any]) -> None:
    found = answer(*WORKER, "--isl", "4000", "--osl", "500", "--request-rate", "20")

    assert any(note.startswith("overrun: ") for note in found["notes"])


def test_a_mixture_of_experts_is_split_as_its_engine_can(answer: Callable[..., Any]) -> None:
    moe = (
        "simulate",
        "--model",
        "Qwen/Qwen3-30B-A3B",
        "--system",
        "h200_sxm",
        "--backend",
        "vllm",
        "--concurrency",
        "8",
    )

    assert answer(*moe, "--tp", "2", "--ep", "2", "--requests", "40")["deployment"] == "agg tp2ep2 x1"


def test_copies_of_busy_experts_are_played(answer: Callable[..., Any]) -> None:
    spread = ("simulate", "--model", "deepseek-ai/DeepSeek-V3", "--system", "h200_sxm", "--backend", "sglang")
    played = (*spread, "--dp", "16", "--ep", "16", "--osl", "20", "--concurrency", "64", "--requests", "64")

    plain, copied = answer(*played), answer(*played, "--eplb")

    assert copied["ttft_ms"]["mean"] < plain["ttft_ms"]["mean"]
    assert copied["itl_ms"]["mean"] < plain["itl_ms"]["mean"]


def test_a_trace_is_played_as_recorded(answer: Callable[..., Any], tmp_path: Path) -> None:
    trace = tmp_path / "day.csv"
    trace.write_text("time,isl,osl,user\n10.0,1000,100,a\n10.5,3000,200,b\n11,8000,1,c\n")

    found = answer(*WORKER, "--trace", str(trace))

    assert found["requests"] == 3
    assert "4000 tokens in, 100 out on average" in found["traffic"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no column 'time'; it needs time, isl, osl (seconds, tokens)"),
        ("time,isl,output\n1,2,3\n", "has no column 'osl'"),
        ("time,isl,osl\n", "holds no requests"),
        ("time,isl,osl\n1,2,3\nsoon,2,3\n", "line 3: time must be a number of seconds, not 'soon'"),
        ("time,isl,osl\n1,2.5,3\n", "line 2: isl must be a whole number of tokens, at least 1, not '2.5'"),
        ("time,isl,osl\n1,2\n", "line 2: osl must be a whole number of tokens, at least 1, not None"),
    ],
)
def test_a_bad_trace_names_the_line_and_the_column(said: Said, tmp_path: Path, text: str, complaint: str) -> None:
    trace = tmp_path / "bad.csv"
    trace.write_text(text)

    code, out, err = said(*WORKER, "--trace", str(trace))

    assert (code, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ((), "give one of --concurrency, --request-rate and --trace"),
        (("--concurrency", "4", "--trace", "x.csv"), "give one of --concurrency, --request-rate and --trace"),
        (("--trace", "nowhere.csv"), "nowhere.csv: No such file or directory"),
        (("--trace", "x.csv", "--requests", "5"), "--requests cannot be given together with --trace"),
        (
            ("--concurrency", "4", "--prefill-workers", "1"),
            "--prefill-workers and --decode-workers must be given together",
        ),
        (
            ("--concurrency", "4", "--prefill-workers", "1", "--decode-workers", "1", "--replicas", "2"),
            "--replicas cannot be given together with --prefill-workers",
        ),
        (
            ("--concurrency", "4", "--dp", "3"),
            "cannot be split so: tp 2, dp 3; on one node there are tp1, tp2, tp4, tp8",
        ),
        (("--concurrency", "4", "--isl", "60000"), "must be at most the model's context of 40960 tokens, not 61000"),
        (
            ("--concurrency", "4", "--max-num-tokens", "4000000"),
            "what is left for the cache must be enough for one request of 5000 tokens, not -",
        ),
        (("--concurrency", "4", "--seed", "-1"), "--seed must be at least 0"),
    ],
)
def test_an_impossible_run_is_refused_in_one_sentence(said: Said, flags: tuple[str, ...], complaint: str) -> None:
    code, out, err = said(*WORKER, *flags)

    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1
