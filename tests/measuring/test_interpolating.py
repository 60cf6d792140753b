"""Between measured points time is between them; beyond them utilisation is held; and every answer says which it was."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db import interpolation
from perf_db.errors import EmptyGrid
from perf_db.provenance import Provenance
from perf_db.table import FloatArray, Grid

MakeGrid = Callable[..., Grid]
SIZES = (32.0, 128.0, 512.0, 4096.0)
TOKENS = (1.0, 2.0, 8.0, 64.0, 1024.0)
LAUNCH = 4e-6


def gemm_light(n: FloatArray, k: FloatArray, m: FloatArray) -> FloatArray:
    light: FloatArray = np.maximum(2.0 * n * k * m / 1e15, (n * k + 2.0 * m * (n + k)) / 4e12)
    return light


def gemm_time(n: FloatArray, k: FloatArray, m: FloatArray) -> FloatArray:
    return LAUNCH + gemm_light(n, k, m) / 0.7


def attention_light(heads: FloatArray, kv: FloatArray, batch: FloatArray, tokens: FloatArray) -> FloatArray:
    light: FloatArray = batch * (heads * tokens**2 * 128 / 1e15 + kv * tokens * 512 / 4e12)
    return light


def attention_time(kv: FloatArray, heads: FloatArray, batch: FloatArray, tokens: FloatArray) -> FloatArray:
    return np.where(kv <= heads, 2.0 * attention_light(heads, kv, batch, tokens), np.nan)


def nothing(x: FloatArray) -> FloatArray:
    return x * 1e-9


@pytest.fixture
def gemms(make_grid: MakeGrid) -> Grid:
    return make_grid(gemm_time, n=SIZES, k=SIZES, m=TOKENS)


@pytest.fixture
def attention(make_grid: MakeGrid) -> Grid:
    return make_grid(
        attention_time,
        num_key_value_heads=(1, 2, 4, 8),
        num_heads=(1, 2, 4, 8, 16),
        batch_size=(1, 4, 16),
        isl=(16, 64, 256, 1024),
    )


CURVES = st.lists(st.tuples(st.integers(1, 10**6), st.floats(1e-7, 1.0)), min_size=1, unique_by=lambda point: point[0])


def curve_of(points: list[tuple[int, float]]) -> Grid:
    axis, seconds = (np.asarray(values, dtype=float) for values in zip(*sorted(points), strict=True))
    return Grid(names=("m",), axes=(axis,), seconds=seconds, provenance=np.zeros(len(axis), dtype=np.uint8))


@given(CURVES)
def test_a_measured_point_answers_for_itself(points: list[tuple[int, float]]) -> None:
    curve = curve_of(points)

    seconds, provenance = interpolation.along(curve, curve.axes[0], nothing)

    assert (seconds == curve.seconds).all()
    assert (provenance == Provenance.MEASURED).all()


@given(CURVES, st.floats(0, 1))
def test_between_two_points_time_lies_between_theirs(points: list[tuple[int, float]], share: float) -> None:
    curve = curve_of(points)
    axis, times = curve.axes[0], curve.seconds
    x = axis[:-1] + share * np.diff(axis)

    seconds, provenance = interpolation.along(curve, x, nothing)

    slack = 1.0 + 1e-12
    assert (seconds * slack >= np.minimum(times[:-1], times[1:])).all()
    assert (seconds <= np.maximum(times[:-1], times[1:]) * slack).all()
    assert set(provenance.tolist()) <= {Provenance.MEASURED, Provenance.INTERPOLATED}


@given(CURVES, st.lists(st.floats(0.1, 1e8), min_size=2))
def test_a_curve_that_rises_rises_everywhere(points: list[tuple[int, float]], queries: list[float]) -> None:
    measured = curve_of(points)
    rising = Grid(
        names=measured.names,
        axes=measured.axes,
        seconds=np.sort(measured.seconds),
        provenance=measured.provenance,
    )

    priced, _ = interpolation.along(rising, np.sort(queries), nothing)
    sent, _ = interpolation.collective(rising, np.sort(queries))

    assert (np.diff(priced) >= -1e-12 * priced[1:]).all()
    assert (np.diff(sent) >= -1e-12 * sent[1:]).all()


@given(CURVES, st.floats(1.001, 1e3))
def test_beyond_the_points_the_answer_says_extrapolated(points: list[tuple[int, float]], beyond: float) -> None:
    curve = curve_of(points)
    x = np.array([curve.axes[0][0] / beyond, curve.axes[0][-1] * beyond])

    for _, provenance in (interpolation.along(curve, x, nothing), interpolation.collective(curve, x)):
        assert (provenance == Provenance.EXTRAPOLATED).all()


def test_above_the_last_point_the_utilisation_is_the_median_of_the_last_three() -> None:
    curve = curve_of([(1, 1.0), (10, 1e-8), (20, 1e-7), (30, 4e-8)])

    seconds, _ = interpolation.along(curve, np.array([60.0]), nothing)

    assert seconds[0] == pytest.approx(60e-9 / 0.75)


def test_a_message_smaller_than_all_measured_costs_as_much_as_the_smallest() -> None:
    curve = curve_of([(128, 5e-6), (1024, 9e-6)])

    assert interpolation.collective(curve, np.array([1.0]))[0][0] == 5e-6


def test_a_message_larger_than_all_measured_costs_in_proportion() -> None:
    curve = curve_of([(128, 5e-6), (1024, 9e-6)])

    assert interpolation.collective(curve, np.array([4096.0]))[0][0] == pytest.approx(36e-6)


def test_every_measured_site_answers_for_itself(gemms: Grid) -> None:
    m = np.asarray(TOKENS)
    for row, n in enumerate(SIZES):
        for column, k in enumerate(SIZES):
            seconds, provenance = interpolation.gemm(gemms, n, k, m, gemm_light)
            assert seconds == pytest.approx(gemms.seconds[row, column], rel=1e-12)
            assert (provenance == Provenance.MEASURED).all()


@given(st.floats(32, 4096), st.floats(32, 4096), st.floats(1, 1024))
def test_a_site_between_others_lies_between_their_times(n: float, k: float, m: float) -> None:
    axes = tuple(np.asarray(axis) for axis in (SIZES, SIZES, TOKENS))
    times = gemm_time(*np.meshgrid(*axes, indexing="ij"))
    grid = Grid(names=("n", "k", "m"), axes=axes, seconds=times, provenance=np.zeros(times.shape, dtype=np.uint8))
    places = [int(np.searchsorted(axis, value)) for axis, value in zip(axes, (n, k, m), strict=True)]
    above = [axis[place] for axis, place in zip(axes, places, strict=True)]
    below = [axis[max(0, place - 1)] for axis, place in zip(axes, places, strict=True)]

    seconds, _ = interpolation.gemm(grid, n, k, np.array([m]), gemm_light)

    assert (
        gemm_time(*map(np.asarray, below)) * (1 - 1e-9) <= seconds[0] <= gemm_time(*map(np.asarray, above)) * (1 + 1e-9)
    )


def test_a_vocabulary_head_beyond_the_sites_keeps_the_edge_utilisation(gemms: Grid) -> None:
    m = np.array([1.0, 64.0])

    seconds, provenance = interpolation.gemm(gemms, 40_960, 4096, m, gemm_light)

    n, k = np.array([4096.0]), np.array([4096.0])
    held = gemms.seconds[-1, -1, [0, 3]] / gemm_light(n, k, m)
    assert seconds == pytest.approx(held * gemm_light(10 * n, k, m), rel=1e-12)
    assert (provenance == Provenance.EXTRAPOLATED).all()


def test_a_hole_among_the_sites_is_filled_and_says_so(gemms: Grid) -> None:
    seconds = gemms.seconds.copy()
    seconds[-1, -1] = np.nan
    holed = Grid(names=gemms.names, axes=gemms.axes, seconds=seconds, provenance=gemms.provenance)
    m = np.asarray(TOKENS)

    filled, provenance = interpolation.gemm(holed, 4096, 4096, m, gemm_light)

    assert (filled >= gemm_light(np.array([4096.0]), np.array([4096.0]), m)).all()
    assert (provenance == Provenance.EXTRAPOLATED).all()
    assert (interpolation.gemm(holed, 32, 32, m, gemm_light)[1] == Provenance.MEASURED).all()


def test_a_grid_with_nothing_in_it_is_refused(make_grid: MakeGrid) -> None:
    empty = make_grid(lambda m: m * np.nan, m=TOKENS)

    with pytest.raises(EmptyGrid, match="no measured point over m"):
        interpolation.along(empty, np.array([1.0]), nothing)
    with pytest.raises(EmptyGrid):
        interpolation.surface(empty, (np.array([1.0]),), nothing)


@pytest.mark.parametrize("heads", [(8, 2), (16, 4), (4, 4)])
@pytest.mark.parametrize("price", [interpolation.context_attention, interpolation.decode_attention])
def test_measured_heads_and_shapes_answer_for_themselves(
    attention: Grid, price: Callable[..., interpolation.Priced], heads: tuple[int, int]
) -> None:
    batch, isl = np.meshgrid(attention.axes[2], attention.axes[3], indexing="ij")

    seconds, provenance = price(attention, heads, batch, isl, attention_light)

    expected = attention_time(np.asarray(heads[1]), np.asarray(heads[0]), batch, isl)
    assert seconds == pytest.approx(expected, rel=1e-9)
    assert (provenance == Provenance.MEASURED).all()


def test_prefill_attention_is_quadratic_between_prompt_lengths(make_grid: MakeGrid) -> None:
    def quadratic(*shape: FloatArray) -> FloatArray:
        return 1e-9 * shape[3] ** 2

    grid = make_grid(quadratic, num_key_value_heads=(1,), num_heads=(2,), batch_size=(1,), isl=(100, 1000))
    isl = np.array([100.0, 250.0, 400.0, 900.0])

    seconds, _ = interpolation.context_attention(grid, (2, 1), np.ones(4), isl, attention_light)

    assert seconds == pytest.approx(1e-9 * isl**2, rel=1e-9)


def test_decode_attention_is_linear_between_contexts(make_grid: MakeGrid) -> None:
    def linear(*shape: FloatArray) -> FloatArray:
        return 1e-9 * shape[2] * shape[3]

    grid = make_grid(linear, num_key_value_heads=(1,), num_heads=(2,), batch_size=(1, 9), context=(100, 1000))

    seconds, _ = interpolation.decode_attention(
        grid, (2, 1), np.array([3.0]), np.array([300.0]), lambda n, _k, b, s: 0 * n + 1e-10 * b * s
    )

    assert seconds == pytest.approx(1e-9 * 3 * 300)


def test_a_missing_key_value_head_count_scales_the_nearest_lower_one(attention: Grid) -> None:
    batch, isl = np.array([4.0]), np.array([256.0])

    seconds, provenance = interpolation.decode_attention(attention, (16, 3), batch, isl, attention_light)

    light = attention_light(np.asarray(16.0), np.asarray(3.0), batch, isl)
    assert seconds == pytest.approx(2.0 * light)
    assert provenance[0] == Provenance.EXTRAPOLATED


def test_the_ragged_corner_keeps_the_utilisation_of_its_neighbour(attention: Grid) -> None:
    seconds = attention.seconds.copy()
    seconds[:, :, -1, -1] = np.nan
    ragged = Grid(names=attention.names, axes=attention.axes, seconds=seconds, provenance=attention.provenance)
    at = np.array([16.0]), np.array([1024.0])

    found, provenance = interpolation.context_attention(ragged, (8, 2), *at, attention_light)

    assert found == pytest.approx(2.0 * attention_light(np.asarray(8.0), np.asarray(2.0), *at))
    assert provenance[0] == Provenance.EXTRAPOLATED


def test_a_blend_is_as_bad_as_its_worst_row(gemms: Grid) -> None:
    classes = gemms.provenance.copy()
    classes[0] = Provenance.SIBLING
    mixed = Grid(names=gemms.names, axes=gemms.axes, seconds=gemms.seconds, provenance=classes)
    m = np.array([1.0])

    assert interpolation.gemm(mixed, 64, 512, m, gemm_light)[1] == [Provenance.SIBLING]
    assert interpolation.gemm(mixed, 128, 512, m, gemm_light)[1] == [Provenance.MEASURED]
    assert interpolation.gemm(mixed, 256, 512, m, gemm_light)[1] == [Provenance.INTERPOLATED]


def test_classes_are_ordered_best_to_worst_and_have_words() -> None:
    words = [kind.word for kind in sorted(Provenance)]

    assert words[:2] == ["measured", "interpolated"]
    assert words[-1] == "formula"
    assert len({kind.meaning for kind in Provenance}) == len(Provenance)
