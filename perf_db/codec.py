"""How numbers become few bytes: times as 16-bit logarithms, sorted keys as differences, runs as pairs.

A time of s seconds is stored as c = round(1500 * (log2(s) + 30)), 1 <= c <= 65534; 0 stands for exactly 0 and 65535
for a missing value. Neighbouring codes are 2^(1/1500) apart, so no time is off by more than 2^(1/3000) - 1 = 0.023 %.
"""

from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perf_db.table import ClassArray, CodeArray, FloatArray

STEPS_PER_OCTAVE = 1500
OCTAVES_BELOW_ONE_SECOND = 30
ZERO, SMALLEST, LARGEST, MISSING = 0, 1, 65534, 65535
WORST_ERROR = 2 ** (1 / (2 * STEPS_PER_OCTAVE)) - 1

TimeCodes = NDArray[np.uint16]


def _all_times() -> FloatArray:
    times = np.exp2(np.arange(MISSING + 1) / STEPS_PER_OCTAVE - OCTAVES_BELOW_ONE_SECOND)
    times[ZERO], times[MISSING] = 0.0, np.nan
    return times


_TIMES = _all_times()


def encode_times(seconds: ArrayLike) -> TimeCodes:
    """Codes of *seconds*, NaN for missing. Raises ValueError for a negative time, one over 3.6 h or under 1 ns."""
    times = np.asarray(seconds, dtype=np.float64)
    codes = np.full(times.shape, MISSING, dtype=np.uint16)
    codes[times == 0] = ZERO
    positive = times > 0
    steps = np.rint(STEPS_PER_OCTAVE * (np.log2(times[positive]) + OCTAVES_BELOW_ONE_SECOND))
    if (times < 0).any() or (steps < SMALLEST).any() or (steps > LARGEST).any():
        raise ValueError(f"times between {np.nanmin(times)} s and {np.nanmax(times)} s do not all have a code")
    codes[positive] = steps.astype(np.uint16)
    return codes


def decode_times(codes: TimeCodes) -> FloatArray:
    """Seconds of *codes*: 0.0 for ZERO, NaN for MISSING."""
    return _TIMES[codes]


def pack_times(seconds: ArrayLike) -> bytes:
    """Codes as bytes, all high bytes before all low bytes: the high ones repeat, which deflate likes."""
    codes = encode_times(seconds)
    return (codes >> 8).astype(np.uint8).tobytes() + (codes & 0xFF).astype(np.uint8).tobytes()


def unpack_times(raw: bytes) -> FloatArray:
    """The inverse of `pack_times`, up to WORST_ERROR."""
    high, low = np.frombuffer(raw, dtype=np.uint8).reshape(2, -1)
    return decode_times((high.astype(np.uint16) << 8 | low).astype(np.uint16))


def pack_keys(codes: CodeArray) -> bytes:
    """Key codes as little-endian 16-bit first differences."""
    return np.diff(codes.astype("<i2"), prepend=np.zeros(1, dtype="<i2")).tobytes()


def unpack_keys(raw: bytes) -> CodeArray:
    """The inverse of `pack_keys`."""
    return np.cumsum(np.frombuffer(raw, dtype="<i2"), dtype=np.int16)


def runs(classes: ClassArray) -> list[list[int]]:
    """Classes as [class, rows] runs."""
    return [[int(kind), len(list(group))] for kind, group in groupby(classes.tolist())]


def unroll(pairs: list[list[int]]) -> ClassArray:
    """The inverse of `runs`."""
    kinds, counts = zip(*pairs, strict=True) if pairs else ((), ())
    return np.repeat(np.asarray(kinds, dtype=np.uint8), counts)
