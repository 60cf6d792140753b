"""Pages: what was asked, what is known, the plan and its evidence; a refusal says what would do instead."""

import re
from dataclasses import replace

import pytest

from dgdr_operator.report import answer, figures, refused
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from estimator.estimates import Estimate, Infeasible, Outcome, Relaxation
from estimator.workload import Targets, Workload

PAPER = Paper(width=80, unicode=False)


@pytest.mark.parametrize(
    "said",
    [
        "Qwen/Qwen3-32B-FP8 on up to 8 x h200_sxm",
        "4000 tokens in, 500 out",
        "TTFT <= 600 ms, ITL <= 16.67 ms",
        "h200_sxm/vllm 0.12.0",
        "0.12.0 stands in",
        "weights: fp8_block (checkpoint)",
        "a note of the search",
        "2,345 candidates priced; ruled out: 1,200 ttft, 30 memory",
        "Plan: disaggregated, 2 prefill x tp2, batch 1 + 1 decode x tp4, batch 60",
        "8 of 8 GPUs with vllm",
        "1.31 times the best aggregated plan",
        "needs RDMA",
        "TTFT 388.1 ms (queue 100.0, prefill 288.1), ITL 12.99 ms",
        "measured 60 %, interpolated 40 %",
        "Aggregated, best first",
        "Disaggregated, best first",
        "Frontier",
    ],
)
def test_an_answer_says(asked: Asked, outcome: Outcome, said: str) -> None:
    text = " ".join(answer.page(asked, outcome, PAPER).split())

    assert said in text


def test_no_line_of_an_answer_is_wider_than_the_paper(asked: Asked, outcome: Outcome) -> None:
    lines = answer.page(asked, outcome, PAPER).splitlines()

    assert max(len(line) for line in lines[:-1]) <= 80


def test_the_same_answer_is_the_same_page(asked: Asked, outcome: Outcome) -> None:
    assert answer.page(asked, outcome, PAPER) == answer.page(asked, outcome, PAPER)


def test_a_mode_without_plans_says_so(asked: Asked, outcome: Outcome) -> None:
    text = answer.page(asked, replace(outcome, aggregated=()), PAPER)

    assert "Aggregated: no plan keeps the promises" in text


def test_a_plan_resting_on_formulas_is_marked(asked: Asked, outcome: Outcome) -> None:
    text = answer.page(asked, replace(outcome, choice=outcome.disaggregated[1]), PAPER)

    assert "formula 30 % ! treat with care" in text


def test_modes_are_not_compared_by_throughput_when_the_load_is_given(asked: Asked, outcome: Outcome) -> None:
    loaded = replace(asked, workload=Workload(isl=4000, osl=500, request_rate=3.0))

    text = answer.page(loaded, outcome, PAPER)

    assert "times the best" not in text
    assert "3 requests/s" in text


@pytest.mark.parametrize(
    "said",
    [
        "Infeasible: no plan keeps the promises; the binding constraint is ttft",
        "1,200 ttft 30 itl",
        "TTFT 412.6 ms at best, by agg tp4 x2",
        "ITL 15.95 ms at best, by agg tp8 x1",
        "Nearest agg tp4 x2 on vllm",
        "--total-gpus 16 gives agg tp8 x1",
    ],
)
def test_a_refusal_says(asked: Asked, infeasible: Infeasible, said: str) -> None:
    text = " ".join(refused.page(asked, infeasible, PAPER).split())

    assert said in text


@pytest.mark.parametrize("seconds", [0.412584, 0.0123456, 1.9999, 0.6])
def test_a_suggested_time_is_never_shorter_than_what_works(aggregated: tuple[Estimate, ...], seconds: float) -> None:
    relaxation = Relaxation(knob="ttft", value=seconds, estimate=aggregated[0])

    shown = float(refused.shown(relaxation))

    assert seconds * 1000 * (1 - 1e-12) <= shown <= seconds * 1000 * 1.001


def test_without_a_single_way_out_the_nearest_plan_names_its_price(asked: Asked, infeasible: Infeasible) -> None:
    strict = replace(asked, targets=Targets(ttft=0.05, itl=0.002))

    text = refused.page(strict, replace(infeasible, relaxations=()), PAPER)

    assert "--ttft 412.6 --itl 16.4 together: the nearest plan" in text


def test_what_fits_nowhere_names_the_memory_it_needs(asked: Asked) -> None:
    report = Infeasible(rejections={"memory": 4}, binding="memory", needed_bytes=200 * 2**30)

    text = refused.page(asked, report, PAPER)

    assert "needs 200.0 GiB" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123456, "12.35"), (0.5, "500.0"), (2.5, "2500"), (20.0, "20,000"), (None, "-")],
)
def test_milliseconds_have_about_four_digits(seconds: float | None, text: str) -> None:
    assert figures.ms(seconds) == text


def test_a_trace_of_evidence_is_not_shown_as_nothing() -> None:
    assert [figures.percent(share) for share in (0.0, 0.001, 0.5)] == ["0 %", "<1 %", "50 %"]


def test_pages_hold_no_control_characters(asked: Asked, outcome: Outcome) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", answer.page(asked, outcome, Paper()))
