"""Files of Kubernetes objects, YAML or JSON: read whole or refused in one sentence."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dgdr_operator.cli.options import UsageError

_DEEPEST = 100
"""Levels of nesting: no object has more, and the fast loader recurses and would take the whole process with it."""


def read(name: str) -> Iterator[Any]:
    """Every document of the file *name* ("-": standard input) that is not empty. Raises UsageError and OSError."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        _check_depth(name, text)
        yield from (one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None)
    except yaml.MarkedYAMLError as problem:
        where = problem.problem_mark
        line = f", line {where.line + 1}" if where else ""
        raise UsageError(f"{name}{line} is not YAML: {problem.problem}") from None
    except (yaml.YAMLError, ValueError) as problem:
        raise UsageError(f"{name} is not YAML: {problem}") from None


def objects(name: str, kind: str) -> list[Mapping[str, Any]]:
    """The objects of *kind* in the file *name*, those inside lists included. Raises UsageError if it holds others."""
    found: list[Any] = []
    for one in read(name):
        if not isinstance(one, Mapping):
            raise UsageError(f"{name} holds no {kind} objects")
        items = one.get("items", [one])
        found += items if isinstance(items, list) else []
    if not all(isinstance(one, Mapping) and one.get("kind", kind) == kind for one in found):
        raise UsageError(f"{name} holds objects that are no {kind}s")
    return found


def _check_depth(name: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise UsageError(f"{name} is not YAML of an object: it is nested more than {_DEEPEST} levels deep")
