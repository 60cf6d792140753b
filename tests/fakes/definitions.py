"""The two kinds of nvidia.com as this repository defines them, ready to be served in one version."""

from __future__ import annotations

from functools import cache

from e2e import definitions
from tests.fakes.asked import Object


@cache
def own_definitions() -> tuple[Object, ...]:
    """The definitions of requests and graphs, v1beta1 alone."""
    return tuple(definitions.read(definitions.Origin(whose="own")))
