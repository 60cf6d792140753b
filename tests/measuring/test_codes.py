"""A time survives its 16 bits, and keys survive their differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from perf_db import codec

TIMES = st.floats(1e-9, 12_000.0)


@given(st.lists(TIMES, min_size=1))
def test_no_time_moves_by_more_than_the_worst_error(times: list[float]) -> None:
    decoded = codec.unpack_times(codec.pack_times(times))

    assert np.abs(decoded / np.asarray(times) - 1.0).max() <= codec.WORST_ERROR * (1 + 1e-9)


@given(st.lists(TIMES, min_size=1))
def test_a_decoded_time_has_the_same_code_again(times: list[float]) -> None:
    codes = codec.encode_times(times)

    assert (codec.encode_times(codec.decode_times(codes)) == codes).all()


@given(TIMES, TIMES)
def test_the_code_keeps_the_order_of_times(one: float, other: float) -> None:
    shorter, longer = codec.encode_times(sorted((one, other)))

    assert shorter <= longer


def test_zero_and_missing_are_exact() -> None:
    decoded = codec.unpack_times(codec.pack_times([0.0, np.nan, 1.0]))

    assert decoded[0] == 0.0
    assert np.isnan(decoded[1])
    assert decoded[2] == 1.0


@pytest.mark.parametrize("impossible", [-1e-6, 1e-12, 1e6])
def test_a_time_without_a_code_is_refused(impossible: float) -> None:
    with pytest.raises(ValueError, match="code"):
        codec.encode_times([impossible])


@given(arrays.arrays(np.int16, st.integers(0, 200), elements=st.integers(0, np.iinfo(np.int16).max)))
def test_keys_come_back_from_their_differences(codes: np.ndarray) -> None:
    assert (codec.unpack_keys(codec.pack_keys(codes)) == codes).all()


@given(arrays.arrays(np.uint8, st.integers(0, 50), elements=st.integers(0, 7)))
def test_classes_come_back_from_their_runs(classes: np.ndarray) -> None:
    assert (codec.unroll(codec.runs(classes)) == classes).all()
