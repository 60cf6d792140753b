"""What the chart can be told: read from values.yaml and its comments, written as JSON schema and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

DIALECT = "http://json-schema.org/draft-07/schema#"
TYPES: Mapping[type, str] = {
    bool: "boolean",
    str: "string",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
}
STEP = 2
"""Blanks by which values.yaml indents a group."""


class Undescribed(Exception):
    """A value without a comment, or with one that is no JSON schema; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One key of values.yaml. *rules*: the JSON schema of its @ lines; *default*: what stands behind the colon."""

    path: tuple[str, ...]
    description: str
    rules: Mapping[str, Any]
    default: Any

    @property
    def is_group(self) -> bool:
        """Whether it only holds other values, each with a comment of its own."""
        return isinstance(self.default, dict) and "additionalProperties" not in self.rules

    @property
    def name(self) -> str:
        """As `--set` spells it."""
        return ".".join(self.path)


def read(text: str) -> list[Value]:
    """The values of *text*, in order. Raises Undescribed."""
    tree = yaml.safe_load(text)
    return [_value(tree, path, comment) for path, comment in _keys(text)]


def _keys(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every key that a comment can describe, with the comment lines right above it; open maps are not entered."""
    path: list[str] = []
    comment: list[str] = []
    closed: int | None = None
    for line in text.splitlines():
        depth, content = (len(line) - len(line.lstrip())) // STEP, line.strip()
        if content.startswith("#"):
            comment.append(content.removeprefix("#").strip())
            continue
        if content and (closed is None or depth <= closed):
            path[depth:] = [content.partition(":")[0]]
            closed = depth if any("additionalProperties" in said for said in comment) else None
            yield tuple(path), comment
        comment = []


def _value(tree: Any, path: tuple[str, ...], comment: list[str]) -> Value:  # noqa: ANN401 -- YAML is anything
    default = tree
    for key in path:
        default = default[key]
    rules: dict[str, Any] = {}
    for line in comment:
        if line.startswith("@"):
            rules |= _json(line[1:], path)
    said = " ".join(line for line in comment if not line.startswith("@"))
    found = Value(path=path, description=said, rules=rules, default=default)
    if not said and not found.is_group and path[0] != "resources":
        raise Undescribed(f"{found.name} has no comment")
    return found


def _json(text: str, path: tuple[str, ...]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise Undescribed(f"the @ line of {'.'.join(path)} is not JSON: {error}") from error
    return found


def schema(values: list[Value]) -> dict[str, Any]:
    """The JSON schema that Helm holds every install and upgrade to: no key that values.yaml does not have."""
    root: dict[str, Any] = {"$schema": DIALECT, "type": "object", "additionalProperties": False, "properties": {}}
    for value in values:
        parent = root
        for key in value.path[:-1]:
            parent = parent["properties"][key]
        parent["properties"][value.path[-1]] = _property(value)
    return root


def _property(value: Value) -> dict[str, Any]:
    described = {"description": value.description} if value.description else {}
    shape = {"additionalProperties": False, "properties": {}} if value.is_group else {"default": value.default}
    return {**described, "type": TYPES[type(value.default)], **shape, **value.rules}


def table(values: list[Value]) -> str:
    """The rows of README.md, without the groups."""
    rows = [f"| `{v.name}` | {_cell(v)} | `{json.dumps(v.default)}` |" for v in values if not v.is_group]
    return "\n".join(("| value | what it is | default |", "|---|---|---|", *rows))


def _cell(value: Value) -> str:
    choices = value.rules.get("enum")
    listed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return (value.description + listed).replace("|", "\\|")
