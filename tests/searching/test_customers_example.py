"""The customer's documented case: Qwen3-32B-FP8 on eight H200 with vLLM 0.12.0, 4000 tokens in and 500 out.

Measured there (tp2 x 4, concurrency 56): 15.06 ms between tokens, 3,462 output tokens per second, 209 ms to the first.
"""

from dataclasses import replace

import pytest

from estimator import search
from estimator.errors import NoFeasibleCandidate
from estimator.estimates import Estimate, Outcome
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.workload import Targets
from perf_db.catalog import Catalog


@pytest.fixture(scope="module")
def outcome(customers_problem: Problem, shipped: Catalog) -> Outcome:
    return search.search(customers_problem, shipped)


def test_it_is_feasible_and_tp2_x_4_is_among_the_best_two_aggregated(outcome: Outcome) -> None:
    shapes = [(row.workers[0].parallel.tp, row.replicas) for row in outcome.aggregated[:2]]

    assert (2, 4) in shapes


def test_the_measured_configuration_is_predicted_within_ten_percent(
    customers_problem: Problem, shipped: Catalog
) -> None:
    per_worker = replace(customers_problem.workload, concurrency=56 / 4)

    found = search.predict(
        customers_problem.model, customers_problem.system, "vllm", Parallel(tp=2), per_worker,
        catalog=shipped, backend_version="0.12.0", kv_dtype="fp8",
    )  # fmt: skip

    assert found.latency.itl == pytest.approx(15.06e-3, rel=0.10)
    assert 4 * found.load.tokens_per_second == pytest.approx(3462, rel=0.10)


def test_every_ranked_row_keeps_every_target(outcome: Outcome, customers_problem: Problem) -> None:
    targets = customers_problem.targets

    for row in (outcome.choice, *outcome.aggregated, *outcome.disaggregated):
        assert row.latency.ttft <= (targets.ttft or 0)
        assert (row.latency.itl or 1) <= (targets.itl or 0)
        assert row.gpus <= customers_problem.gpus


def test_the_ranking_is_by_output_and_the_choice_is_its_head(outcome: Outcome) -> None:
    for rows in (outcome.aggregated, outcome.disaggregated):
        output = [row.load.tokens_per_second for row in rows]
        assert output == sorted(output, reverse=True)
    heads = (outcome.aggregated[0], outcome.disaggregated[0])
    assert outcome.choice == max(heads, key=lambda row: row.load.tokens_per_second)


def test_where_a_steps_time_comes_from_is_said_completely(outcome: Outcome) -> None:
    for row in (outcome.choice, *outcome.aggregated):
        assert sum(row.provenance.values()) == pytest.approx(1)
        assert sum(row.latency.ttft_terms.values()) == pytest.approx(row.latency.ttft)
        assert {part.phase for part in row.breakdown} == {"prefill", "decode"}


def test_an_impossible_agreement_is_refused_with_the_best_that_can_be_had(
    customers_problem: Problem, shipped: Catalog
) -> None:
    asked = replace(customers_problem, targets=Targets(ttft=0.05, itl=0.002))

    with pytest.raises(NoFeasibleCandidate) as caught:
        search.search(asked, shipped)

    report = caught.value.report
    assert report.binding in {"ttft", "itl"}
    assert report.best_ttft is not None
    assert report.best_ttft.latency.ttft > 0.05
    assert report.best_itl is not None
    assert (report.best_itl.latency.itl or 0) > 0.002
    assert sum(report.rejections.values()) > 1000


def test_each_relaxation_alone_makes_it_feasible_and_a_hair_less_does_not(
    customers_problem: Problem, shipped: Catalog
) -> None:
    asked = replace(customers_problem, targets=Targets(ttft=0.6, itl=0.004))
    with pytest.raises(NoFeasibleCandidate) as caught:
        search.search(asked, shipped)

    relaxed = {relaxation.knob: relaxation for relaxation in caught.value.report.relaxations}

    assert "itl" in relaxed
    enough = replace(asked, targets=Targets(ttft=0.6, itl=relaxed["itl"].value))
    assert search.search(enough, shipped).choice.latency.itl == pytest.approx(relaxed["itl"].value)
    with pytest.raises(NoFeasibleCandidate):
        search.search(replace(asked, targets=Targets(ttft=0.6, itl=relaxed["itl"].value * 0.99)), shipped)


def _best(problem: Problem, catalog: Catalog) -> Estimate:
    return search.search(problem, catalog).choice


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_more_gpus_never_lower_the_best_output(customers_problem: Problem, shipped: Catalog, gpus: int) -> None:
    fewer = _best(replace(customers_problem, gpus=gpus), shipped)
    more = _best(replace(customers_problem, gpus=2 * gpus), shipped)

    assert more.load.tokens_per_second >= fewer.load.tokens_per_second


@pytest.mark.parametrize(("ttft", "itl"), [(0.3, 0.01667), (0.6, 0.012), (0.6, 0.01667)])
def test_a_looser_agreement_never_lowers_the_best_output(
    customers_problem: Problem, shipped: Catalog, ttft: float, itl: float
) -> None:
    tight = _best(replace(customers_problem, targets=Targets(ttft=ttft, itl=itl)), shipped)
    loose = _best(replace(customers_problem, targets=Targets(ttft=ttft * 1.5, itl=itl * 1.5)), shipped)

    assert loose.load.tokens_per_second >= tight.load.tokens_per_second


def test_an_end_to_end_target_is_kept_directly(customers_problem: Problem, shipped: Catalog) -> None:
    found = _best(replace(customers_problem, targets=Targets(e2e=6.0)), shipped)

    assert found.latency.request <= 6.0


def test_a_family_that_stands_in_for_another_is_named(customers_problem: Problem, shipped: Catalog) -> None:
    stranger = replace(customers_problem.model, architecture="Qwen9ForCausalLM", nearest="Qwen3ForCausalLM")

    outcome = search.search(replace(customers_problem, model=stranger), shipped)

    assert any("Qwen9ForCausalLM is priced like its nearest family, Qwen3ForCausalLM" in note for note in outcome.notes)
