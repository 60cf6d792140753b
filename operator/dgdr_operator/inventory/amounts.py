"""Quantities of devices as whole numbers, and objects of the API read without trusting their shape."""

from collections.abc import Mapping
from typing import Any

GPU = "nvidia.com/gpu"
_LONGEST = 10
"""Digits that no count of devices reaches."""


def count(quantity: object) -> int:
    """The whole number in a quantity of devices: 8, "8", "1k"; 0 for anything else."""
    text = str(quantity)
    thousands = 1000 if text.endswith("k") else 1
    digits = text.removesuffix("k")
    return int(digits) * thousands if digits.isascii() and digits.isdigit() and len(digits) < _LONGEST else 0


def inner(body: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """The object under *part*, empty where there is none."""
    return body.get(part) or {}
