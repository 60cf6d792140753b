"""What a repair rule says: which rows of a table it replaces, with what, and on what evidence."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perf_db.table import FloatArray, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one rule does to one table: *rows* and their new *seconds*, and the words and numbers that justify it."""

    rule: str
    rows: NDArray[np.intp]
    seconds: FloatArray
    why: str
    evidence: Mapping[str, float | str]


Rule = Callable[[Table], Iterator[Change]]
