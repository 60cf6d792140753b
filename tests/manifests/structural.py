"""Does an object fit a structural schema? Unknown fields, which admission would prune in silence, are faults here."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_OPEN = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")


def faults(value: object, schema: Schema, path: str = "") -> list[str]:
    """Everything about *value* that *schema* does not allow, each with its path."""
    return list(_faults(value, schema, path))


def _faults(value: object, schema: Schema, path: str) -> Iterator[str]:
    if value is None:
        yield f"{path}: null"
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: neither a number nor text"
        return
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: {type(value).__name__} instead of {kind}"
        return
    yield from _scalar(value, schema, path)
    if isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)


def _scalar(value: object, schema: Schema, path: str) -> Iterator[str]:
    for one in (schema, *schema.get("allOf", ())):
        if "enum" in one and value not in one["enum"]:
            yield f"{path}: {value!r} is none of {one['enum']}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: {value!r} does not match {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path}: {len(value)} characters"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high or (schema.get("exclusiveMinimum") and value == low):
            yield f"{path}: {value} is out of range"


def _object(value: Mapping[str, Any], schema: Schema, path: str) -> Iterator[str]:
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    is_open = any(schema.get(mark) for mark in _OPEN) or path.endswith("metadata")
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: missing"
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: {len(value)} properties"
    for name, below in value.items():
        if name in properties:
            yield from _faults(below, properties[name], f"{path}.{name}")
        elif isinstance(rest, dict):
            yield from _faults(below, rest, f"{path}.{name}")
        elif not is_open and not rest:
            yield f"{path}.{name}: unknown field"


def _list(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items"
    for index, below in enumerate(value):
        yield from _faults(below, schema.get("items", {}), f"{path}[{index}]")
    if schema.get("x-kubernetes-list-type") == "map":
        keys = [tuple(entry.get(key) for key in schema["x-kubernetes-list-map-keys"]) for entry in value]
        for key in {key for key in keys if keys.count(key) > 1}:
            yield f"{path}: {key} twice"
