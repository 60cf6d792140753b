"""Structural schemas of custom resources: what is pruned, what is filled in, and what is refused.

Rules as in https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ . Rules in
CEL (x-kubernetes-validations) are left to a real API server.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator

from tests.fakes.asked import Json

OPEN = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
SELF_DESCRIBED = ("apiVersion", "kind", "metadata")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def pruned(value: Json, schema: Json, *, root: bool = False) -> Json:
    """*value* without the fields that *schema* does not know."""
    if isinstance(value, list):
        return [pruned(item, schema.get("items") or {}) for item in value]
    if not isinstance(value, dict):
        return value
    known, others = schema.get("properties") or {}, schema.get("additionalProperties")
    kept = {}
    for name, child in value.items():
        if root and name in SELF_DESCRIBED:
            kept[name] = child
        elif name in known:
            kept[name] = pruned(child, known[name])
        elif isinstance(others, dict):
            kept[name] = pruned(child, others)
        elif others or schema.get(OPEN):
            kept[name] = child
    return kept


def defaulted(value: Json, schema: Json) -> Json:
    """*value* with the defaults of *schema* where nothing is said."""
    if isinstance(value, list):
        return [defaulted(item, schema.get("items") or {}) for item in value]
    if not isinstance(value, dict):
        return value
    known, others = schema.get("properties") or {}, schema.get("additionalProperties")
    filled = dict(value)
    for name, child in known.items():
        absent = name not in filled or (filled[name] is None and not child.get("nullable"))
        if absent and "default" in child:
            filled[name] = copy.deepcopy(child["default"])
        if name in filled:
            filled[name] = defaulted(filled[name], child)
    if isinstance(others, dict):
        filled = {name: child if name in known else defaulted(child, others) for name, child in filled.items()}
    return filled


def problems(value: Json, schema: Json, path: str = "") -> Iterator[str]:
    """What is wrong with *value*, as the API server would say it."""
    if value is None and schema.get("nullable"):
        return
    wrong = _type_problem(value, schema, path)
    if wrong:
        yield wrong
        return
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(json.dumps(choice) for choice in schema["enum"])
        yield f"{path}: Unsupported value: {json.dumps(value)}: supported values: {choices}"
    match value:
        case str():
            yield from _of_text(value, schema, path)
        case bool():
            return
        case int() | float():
            yield from _of_number(value, schema, path)
        case list():
            yield from _of_list(value, schema, path)
        case dict():
            yield from _of_object(value, schema, path)


def _type_problem(value: Json, schema: Json, path: str) -> str | None:
    wanted = schema.get("type")
    if schema.get(INT_OR_STRING):
        fits, wanted = isinstance(value, int | str) and not isinstance(value, bool), "integer or string"
    elif wanted is None:
        return None
    else:
        whole = wanted == "integer" and isinstance(value, float) and value.is_integer()
        fits = whole or (isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool)))
    if fits:
        return None
    there = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    kind = there.get(type(value), "null")
    return f'{path}: Invalid value: "{kind}": {path} in body must be of type {wanted}: "{kind}"'


def _of_text(value: str, schema: Json, path: str) -> Iterator[str]:
    said = f"{path}: Invalid value: {json.dumps(value)}: {path} in body should"
    if len(value) < schema.get("minLength", 0):
        yield f"{said} be at least {schema['minLength']} chars long"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path}: Too long: may not be more than {schema['maxLength']} bytes"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{said} match '{schema['pattern']}'"


def _of_number(value: float, schema: Json, path: str) -> Iterator[str]:
    said = f"{path}: Invalid value: {json.dumps(value)}: {path} in body should be"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        yield f"{said} greater than {'' if schema.get('exclusiveMinimum') else 'or equal to '}{low}"
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        yield f"{said} less than {'' if schema.get('exclusiveMaximum') else 'or equal to '}{high}"
    if schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
        yield f"{said} an int32"


def _of_list(value: list[Json], schema: Json, path: str) -> Iterator[str]:
    if len(value) > schema.get("maxItems", len(value)):
        yield f"{path}: Too many: {len(value)}: must have at most {schema['maxItems']} items"
    if len(value) < schema.get("minItems", 0):
        yield f"{path}: Invalid value: {len(value)}: {path} in body should have at least {schema['minItems']} items"
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, dict)] if keys else []
    for position, key in enumerate(seen):
        if key in seen[:position]:
            named = json.dumps(dict(zip(keys, key, strict=True)), separators=(",", ":"))
            yield f"{path}[{position}]: Duplicate value: {named}"
    for position, item in enumerate(value):
        yield from problems(item, schema.get("items") or {}, f"{path}[{position}]")


def _of_object(value: dict[str, Json], schema: Json, path: str) -> Iterator[str]:
    known, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if value.get(name) is None and not known.get(name, {}).get("nullable"):
            yield f"{path}.{name}: Required value".removeprefix(".")
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: Too many: {len(value)}: must have at most {schema['maxProperties']} items"
    for name, child in value.items():
        below = known.get(name, others if isinstance(others, dict) else {})
        if path or name not in SELF_DESCRIBED:
            yield from problems(child, below, f"{path}.{name}".removeprefix("."))
