"""Objects as they may be shown to strangers: structure and names stay, values that could be secret go."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"
_SECRET = re.compile(r"token|secret|passw|key|credential|auth", re.IGNORECASE)
_COPIES = ("kubectl.kubernetes.io/last-applied-configuration", "nvidia.com/generated-dgd-spec")
"""Annotations that repeat a whole object, values and all."""


def redacted(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """*value* with every environment variable's value hidden, and every text under a name that sounds secret."""
    if isinstance(value, Mapping):
        return {name: _member(name, one, value) for name, one in value.items() if name not in _COPIES}
    if isinstance(value, list):
        return [redacted(one) for one in value]
    return value


def _member(name: str, value: Any, holder: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON in, JSON out
    variable = name == "value" and "name" in holder
    if isinstance(value, str) and (variable or (_SECRET.search(name) and not name.endswith(("Name", "Key")))):
        return HIDDEN
    return redacted(value)
