"""The one line about an infeasible request: its grammar, its numbers, its length."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import inventory, journey, refusal, spec
from dgdr_operator.request import DeploymentRequest
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Latency, Relaxation
from perf_db.catalog import Catalog
from tests.manifests import plans
from tests.refusing.requests import body

NUMBER = r"\d+(\.\d+)?"
CONFIG = r"\([^()]+\)"
GRAMMAR = re.compile(
    rf"infeasible: ((ttft|itl|e2eLatency)<={NUMBER}ms )*isl=\d+ osl=\d+( (concurrency|requestRate)={NUMBER})?"
    rf" on <=\d+x\w+"
    rf"(; (best ttft={NUMBER}ms{CONFIG} ?)?(best itl={NUMBER}ms{CONFIG} ?)?(best throughput={NUMBER}tok/s/gpu{CONFIG})?"
    rf"|; does not fit: one copy needs {NUMBER} GiB of GPU memory( >=\d+x\w+)?)?"
    r"; binding=(ttft|itl|e2eLatency|memory|gpus|load|fabric)"
    rf"(; nearest: \w+(<=|>=){NUMBER}(ms)?(( \| | with )\w+(<=|>=){NUMBER}(ms)?)*)?"
    r"(; because: .+)?"
)
SECONDS = st.floats(1e-4, 1e4)
KNOBS = ["ttft", "itl", "e2eLatency", "totalGpus", "freeGpus", "isl", "concurrency", "requestRate"]


def asking(**spec_fields: Any) -> DeploymentRequest:  # noqa: ANN401 -- any field
    """The customer's question."""
    hardware = {"gpuSku": "h200_sxm", "totalGpus": 8, "vramMb": 143771}
    fields: dict[str, Any] = {"hardware": hardware, "workload": {"isl": 4000, "osl": 500}, **spec_fields}
    return inventory.complete(spec.read(body(**fields)), None)[0]


def at(ttft: float, itl: float | None = 0.01, plan: Estimate = plans.AGGREGATED) -> Estimate:
    """*plan* with these predictions."""
    return replace(plan, latency=Latency(ttft=ttft, itl=itl, request=1.0, ttft_terms={}))


def test_it_says_what_was_asked_what_can_be_had_what_binds_and_what_would_do() -> None:
    report = Infeasible(
        rejections={"ttft over 100 ms": 7},
        binding="ttft",
        best_ttft=at(0.1421),
        best_itl=at(0.3, 0.00612),
        best_throughput=at(0.5),
        relaxations=(Relaxation(knob="ttft", value=0.14211, estimate=at(0.1421)),),
    )

    line = refusal.line(asking(sla={"ttft": 100, "itl": 5}), report)

    assert line == (
        "infeasible: ttft<=100ms itl<=5ms isl=4000 osl=500 on <=8xh200_sxm; best ttft=142ms(agg tp2pp1 x4) "
        "best itl=6.12ms(agg tp2pp1 x4) best throughput=0.125tok/s/gpu(agg tp2pp1 x4); binding=ttft; "
        "nearest: ttft>=143ms"
    )


def test_a_model_that_does_not_fit_says_how_much_it_needs() -> None:
    report = Infeasible(rejections={"out of memory": 4}, binding="memory", needed_bytes=700 * 2**30)

    line = refusal.line(asking(), report)

    assert "does not fit: one copy needs 700 GiB of GPU memory >=5xh200_sxm; binding=memory" in line


@given(
    ttft=SECONDS,
    itl=SECONDS,
    binding=st.sampled_from(["ttft", "itl", "e2eLatency", "memory", "gpus", "load", "fabric"]),
    relaxed=st.lists(st.tuples(st.sampled_from(KNOBS), st.floats(0.01, 1e6)), max_size=200),
    known=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_every_line_keeps_to_the_grammar_and_the_limit(
    ttft: float, itl: float, binding: str, relaxed: list[tuple[str, float]], known: tuple[bool, bool, bool]
) -> None:
    estimate = at(ttft, itl)
    best = [estimate if is_known else None for is_known in known]
    report = Infeasible(
        rejections={"anything": 1},
        binding=binding,
        best_ttft=best[0],
        best_itl=best[1],
        best_throughput=best[2],
        relaxations=tuple(Relaxation(knob=knob, value=value, estimate=estimate) for knob, value in relaxed),
        needed_bytes=None if any(known) else 1e12,
    )

    line = refusal.line(asking(), report)

    assert GRAMMAR.fullmatch(line), line
    assert len(line) <= refusal.LIMIT


@given(value=st.floats(1e-4, 1e5))
def test_a_time_that_is_called_enough_is_enough(value: float) -> None:
    report = Infeasible(
        rejections={},
        binding="ttft",
        relaxations=(Relaxation(knob="ttft", value=value, estimate=at(value)),),
    )

    told = float(refusal.line(asking(), report).split("nearest: ttft>=")[1].removesuffix("ms"))

    assert told >= value * 1000
    assert told <= value * 1000 * 1.02 + 0.001


@pytest.mark.parametrize(
    "promise",
    [{"ttft": 50, "itl": 2}, {"ttft": 20, "itl": 100}, {"e2eLatency": 900}],
)
def test_a_real_refusal_can_be_acted_on(promise: dict[str, float]) -> None:
    catalog = Catalog()
    request = asking(sla=promise, backend="vllm")
    with pytest.raises(NoFeasibleCandidate) as refused:
        journey.plan(request, None, catalog, Settings())
    line = refusal.line(request, refused.value.report)

    ways = [re.findall(r"(ttft|itl|e2eLatency)>=([\d.]+)ms", way) for way in line.split("nearest")[1].split(" | ")]
    assert any(ways)
    for way in filter(None, ways):
        eased = asking(sla={**promise, **{knob: float(value) for knob, value in way}}, backend="vllm")

        assert journey.plan(eased, None, catalog, Settings()).graph

    assert GRAMMAR.fullmatch(line), line


@given(value=st.floats(1e-3, 1e5))
def test_a_load_that_is_called_light_enough_is_light_enough(value: float) -> None:
    relaxed = Relaxation(knob="requestRate", value=value, estimate=at(0.1))

    told = float(
        refusal.line(asking(), Infeasible(rejections={}, binding="load", relaxations=(relaxed,))).split(
            "requestRate<="
        )[1]
    )

    assert value * 0.98 <= told <= value


def test_two_targets_that_only_give_way_together_are_told_together() -> None:
    report = Infeasible(rejections={}, binding="itl", nearest=at(0.2, 0.02))

    line = refusal.line(asking(sla={"ttft": 100, "itl": 5}), report)

    assert line.endswith("binding=itl; nearest: ttft>=200ms with itl>=20ms")
    assert GRAMMAR.fullmatch(line)


def test_what_is_missing_on_the_nodes_is_told_last() -> None:
    report = Infeasible(rejections={}, binding="gpus", nearest=at(0.1), notes=("older", "free now: no GPU"))

    assert refusal.line(asking(), report).endswith("binding=gpus; because: free now: no GPU")


@pytest.mark.parametrize(
    ("workload", "sla"),
    [
        ({"isl": 4000, "osl": 500, "concurrency": 4000}, {"ttft": 600, "itl": 20}),
        ({"isl": 4000, "osl": 500, "requestRate": 90}, {"ttft": 600, "itl": 20}),
        ({"isl": 4000, "osl": 500}, {"ttft": 100, "itl": 20}),
    ],
)
def test_a_lighter_load_that_is_offered_is_served(workload: dict[str, Any], sla: dict[str, Any]) -> None:
    catalog = Catalog()
    with pytest.raises(NoFeasibleCandidate) as refused:
        journey.plan(asking(workload=workload, sla=sla, backend="vllm"), None, catalog, Settings())
    request = asking(workload=workload, sla=sla, backend="vllm")
    line = refusal.line(request, refused.value.report)

    told = re.findall(r"(concurrency|requestRate|isl)<=([\d.]+)", line.partition("nearest")[2])

    assert told, line
    for knob, value in told:
        lighter = {**workload, knob: int(value) if knob == "isl" else float(value)}
        assert journey.plan(asking(workload=lighter, sla=sla, backend="vllm"), None, catalog, Settings()).graph
