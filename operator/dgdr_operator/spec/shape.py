"""Is this a tree that JSON could carry? Whatever is free in a request still has to survive storing and hashing."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from dgdr_operator.spec.words import show

DEEPEST = 100
"""Levels of nesting; a graph needs about fifteen, a recursive reader breaks at about a thousand."""

_LARGEST = 2**63


def problems(root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What JSON or the API server could not carry, each with its path. Iterative: depth is one of the dangers."""
    waiting: list[tuple[Any, str, int]] = [(root, "", 0)]
    while waiting:
        value, where, depth = waiting.pop()
        if depth > DEEPEST:
            yield "the document", f"is nested deeper than {DEEPEST} levels"
            return
        if isinstance(value, dict):
            for key, below in value.items():
                if not isinstance(key, str) or not _encodable(key):
                    yield where or "the document", f"has a key that is no text: {show(key)}"
                else:
                    waiting.append((below, f"{where}.{key[:60]}".lstrip("."), depth + 1))
        elif isinstance(value, list):
            waiting.extend((below, f"{where}[{index}]", depth + 1) for index, below in enumerate(value))
        elif (problem := _scalar_problem(value)) is not None:
            yield where or "the document", problem


def _scalar_problem(value: Any) -> str | None:  # noqa: ANN401 -- any leaf of a tree
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if -_LARGEST <= value < _LARGEST else f"must fit 64 bits, not {show(value)}"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"must be a finite number, not {value}"
    if isinstance(value, str):
        return None if _encodable(value) else f"must be valid text, not {show(value)}"
    return f"must be text, a number, true, false, a list or an object, not {type(value).__name__}"


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
