"""Whatever is typed wrong is told in one sentence that names the flag, the value and what is allowed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VERBS = (
    "optimize, recommend, support, plan, generate, compare, doctor, simulate, validate, calibrate, estimate, "
    "status, explain, diff, approve, pause, resume, history, rollback, report, perfdb"
)
BASE = ("optimize", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--total-gpus", "8", "--backend", "vllm")
Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), f"say what to do: {VERBS} (dgdr --help shows examples)"),
        (("optimise",), "there is no verb 'optimise'; did you mean optimize?"),
        (
            ("frobnicate",),
            f"there is no verb 'frobnicate'; there are {VERBS}",
        ),
        (("optimize",), "--model, --system, --total-gpus must be given"),
        (("optimize", "--modle", "x"), "there is no flag --modle; did you mean --model?"),
        (("optimize", "--model"), "--model needs a value"),
        ((*BASE, "--isl", "-3"), "--isl must be at least 1 token, not -3"),
        ((*BASE, "--isl", "many"), "--isl must be a whole number of tokens, not 'many'"),
        ((*BASE, "--osl", "0"), "--osl must be at least 1 token, not 0"),
        ((*BASE, "--osl", "1e3"), "--osl must be a whole number of tokens, not '1e3'"),
        ((*BASE, "--total-gpus", "0"), "--total-gpus must be at least 1 GPU, not 0"),
        ((*BASE, "--isl", "9" * 30), f"--isl must be at most 100000000 tokens, not {'9' * 30}"),
        ((*BASE, "--prefix", "4000"), "--prefix must be between 0 and isl - 1 = 3999, not 4000"),
        (
            (*BASE, "--isl", "400000"),
            "--isl + osl must be at most the model's context of 40960 tokens, not 401000",
        ),
        (
            (*BASE, "--ttft", "nan"),
            "--ttft must be a number of milliseconds above 0 and at most 1e+09, not 'nan'",
        ),
        (
            (*BASE, "--tpot", "-1"),
            "--itl must be a number of milliseconds above 0 and at most 1e+09, not '-1'",
        ),
        (
            (*BASE, "--concurrency", "3", "--request-rate", "4"),
            "--request-rate cannot be given together with --concurrency",
        ),
        (
            (*BASE, "--backend", "vlm"),
            "--backend must be one of auto, vllm, sglang, trtllm, not 'vlm'; did you mean vllm?",
        ),
        (
            (*BASE, "--backend", "auto", "--backend-version", "1"),
            "--backend-version needs one --backend: auto would look for it in every engine",
        ),
        ((*BASE, "--output", "yaml"), "--output must be one of table, json, not 'yaml'"),
        ((*BASE, "surplus"), "'surplus' is one word too many"),
        (("plan",), "-f must be given"),
        (("plan", "-f", "nowhere.yaml"), "nowhere.yaml: No such file or directory"),
        (("validate", "--measurements", "nowhere.csv"), "nowhere.csv: No such file or directory"),
        (
            ("validate", "--measurements", "x", "--length-ratio", "2"),
            "--length-ratio must be a number of tokens per nominal token above 0 and at most 1, not '2'",
        ),
    ],
)
def test_a_mistake_gets_this_sentence(dgdr: Run, arguments: tuple[str, ...], sentence: str) -> None:
    ended = dgdr(*arguments)

    assert (ended.code, ended.out, ended.err) == (2, "", f"dgdr: {sentence}\n")


@pytest.mark.parametrize(
    ("flag", "value", "hint"),
    [
        ("--system", "h20_sxm", "did you mean h200_sxm?"),
        ("--model", "Qwen/Qwen3-32-FP8", "Qwen/Qwen3-32B-FP8"),
        ("--model", "no/such-thing", "config.json"),
        ("--model", ".", "config.json is missing in this directory"),
    ],
)
def test_an_unknown_name_is_answered_with_a_known_one(dgdr: Run, flag: str, value: str, hint: str) -> None:
    ended = dgdr(*BASE, flag, value)

    assert ended.code == 2
    assert hint in ended.err
    assert ended.err.count("\n") == 1


@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_nonsense_ends_in_a_traceback(dgdr: Run, words: list[str]) -> None:
    ended = dgdr("optimize", *(word for word in words if word not in {"-h", "--help"}))

    assert ended.code == 2
    assert re.fullmatch(r"dgdr: .+\n", ended.err)


def test_a_fault_of_ours_is_told_in_one_line(dgdr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DGDR_DEBUG", raising=False)
    monkeypatch.setattr("dgdr_operator.cli.main._run", lambda _: 1 / 0)

    ended = dgdr("optimize")

    assert ended.code == 1
    assert ended.err == (
        "dgdr: this is a fault of dgdr, please report it (ZeroDivisionError: division by zero); "
        "DGDR_DEBUG=1 shows where\n"
    )


def test_a_fault_of_ours_shows_its_trace_on_demand(dgdr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGDR_DEBUG", "1")
    monkeypatch.setattr("dgdr_operator.cli.main._run", lambda _: 1 / 0)

    assert "Traceback" in dgdr("optimize").err


@pytest.mark.parametrize("verb", ["optimize", "plan", "validate", "perfdb"])
def test_every_verb_explains_itself(dgdr: Run, verb: str) -> None:
    ended = dgdr(verb, "--help")

    assert ended.code == 0
    assert ended.out.startswith(f"usage: dgdr {verb}")


def test_help_names_every_verb_and_shows_examples(dgdr: Run) -> None:
    ended = dgdr("--help")

    assert ended.code == 0
    assert all(verb in ended.out for verb in ("optimize", "plan", "validate", "perfdb", "examples:"))


def test_the_version_is_told(dgdr: Run) -> None:
    assert re.fullmatch(r"dgdr \d+\.\d+\.\d+\S*\n", dgdr("--version").out)
