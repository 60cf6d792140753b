"""Regret: what choosing by predictions loses, measured at equal time between tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import regret
from dgdr_operator.report.accuracy import Pair, Setting

TIMES = st.floats(1e-3, 1.0)
RATES = st.floats(1.0, 1e4)
POINTS = st.lists(st.tuples(st.sampled_from("abc"), TIMES, RATES), min_size=1, max_size=12)


def _pair(configuration: str, itl: tuple[float, float], output: tuple[float, float], gpus: int = 1) -> Pair:
    """(predicted, measured) seconds between tokens and tokens per second of a configuration."""
    return Pair(
        name="",
        backend="vllm",
        system="h200_sxm",
        model="some/model",
        setting=Setting(configuration=configuration, isl=1000, osl=100, concurrency=8, gpus=gpus),
        ttft=None,
        itl=itl,
        throughput=output,
        evidence="measured",
        arithmetic=0.0,
    )


@given(points=POINTS)
def test_perfect_predictions_lose_nothing(points: list[tuple[str, float, float]]) -> None:
    pairs = [_pair(name, (itl, itl), (output, output)) for name, itl, output in points]

    found = regret.regret(pairs)

    assert found is None or (found.mean, found.right, found.missed) == (0.0, 1.0, 0)


@given(points=POINTS, factor=st.floats(0.1, 10))
def test_what_all_predictions_of_output_have_in_common_changes_no_choice(
    points: list[tuple[str, float, float]], factor: float
) -> None:
    pairs = [_pair(name, (itl, itl), (factor * output, output)) for name, itl, output in points]

    found = regret.regret(pairs)

    assert found is None or found.mean == pytest.approx(0.0, abs=1e-9)


@given(points=POINTS, told=st.lists(RATES, min_size=12, max_size=12))
def test_a_loss_is_a_share(points: list[tuple[str, float, float]], told: list[float]) -> None:
    both = zip(points, told, strict=False)
    pairs = [_pair(name, (itl, itl), (guess, output)) for (name, itl, output), guess in both]

    found = regret.regret(pairs)

    assert found is None or 0 <= found.median <= found.p90 <= 1
    assert found is None or 0 <= found.blind <= 1


def test_the_loss_is_that_of_the_picked_configuration_at_the_same_time() -> None:
    good = [_pair("good", (0.01, 0.01), (50, 100)), _pair("good", (0.03, 0.03), (90, 300))]
    worse = [_pair("worse", (0.01, 0.01), (60, 80)), _pair("worse", (0.03, 0.03), (80, 240))]

    found = regret.regret([*good, *worse])

    assert found is not None
    assert (found.groups, found.configurations, found.levels) == (1, 2, 2)
    assert found.mean == pytest.approx((0.2 + 0.0) / 2)
    assert found.blind == pytest.approx(0.1)
    assert found.right == pytest.approx(0.5)
    assert [loss.question for loss in found.most] == ["some/model, h200_sxm, vllm, 1000/100"]
    assert found.most[0].lost == pytest.approx(0.1)


def test_a_pick_that_was_never_that_fast_loses_everything() -> None:
    slow = _pair("slow", (0.01, 0.04), (500, 500))
    others = [_pair("quick", (0.01, 0.01), (100, 100)), _pair("quicker", (0.01, 0.01), (90, 90))]

    found = regret.regret([slow, *others])

    assert found is not None
    assert (found.levels, found.missed) == (2, 1)
    assert found.mean == pytest.approx(0.5)


def test_gpus_are_paid_for() -> None:
    large = _pair("large", (0.01, 0.01), (150, 150), gpus=2)
    small = _pair("small", (0.01, 0.01), (100, 100))

    found = regret.regret([large, small])

    assert found is not None
    assert found.mean == 0
    assert found.blind == pytest.approx(0.125)


def test_one_configuration_is_no_choice() -> None:
    assert regret.regret([_pair("only", (0.01, 0.02), (1, 2)), _pair("only", (0.02, 0.03), (1, 2))]) is None
