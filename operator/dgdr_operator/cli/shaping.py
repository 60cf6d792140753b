"""What a user still decides about a finished plan: engine arguments by name, and the kind of manifest."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dgdr_operator.manifest import benchmark, rolebased, tuning
from dgdr_operator.manifest.releases import Release
from dgdr_operator.manifest.tuning import Change
from dgdr_operator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Engine arguments to change, and the kind of manifest: "dynamo" or "rbg"."""

    changes: tuple[Change, ...] = ()
    target: str = "dynamo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """What to deploy.

    graph, files: the plan's graph and engine files, engine arguments changed; objects: what to create, of the kind
    that was wished for; address: where clients go; notes: a sentence for each change.
    """

    graph: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]
    objects: tuple[Mapping[str, Any], ...]
    address: str
    notes: tuple[str, ...]


def read(flags: argparse.Namespace) -> Wishes:
    """The wishes that *flags* speak. Raises InvalidSpec for a change that is none."""
    return Wishes(changes=tuple(tuning.parse(text) for text in flags.set), target=flags.target)


def fitting(settings: Settings, wishes: Wishes) -> Settings:
    """*settings* under which the wishes can be met: RoleBasedGroups are made from graphs of v1beta1."""
    return replace(settings, graph_versions=("v1beta1",)) if wishes.target == "rbg" else settings


def shaped(objects: Sequence[Mapping[str, Any]], wishes: Wishes, release: Release) -> Shaped:
    """*objects* (a plan's, the graph last) as wished. Raises InvalidSpec and Unsupported where that cannot be."""
    made, notes = tuning.tuned(objects, wishes.changes) if wishes.changes else (tuple(objects), ())
    *files, graph = made
    if wishes.target == "rbg":
        made, address = (rolebased.group(graph, release),), rolebased.address(graph)
    else:
        address = benchmark.address(graph)
    return Shaped(graph=graph, files=tuple(files), objects=tuple(made), address=address, notes=notes)
