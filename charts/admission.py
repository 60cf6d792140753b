"""The rules of our own request definition as those of a ValidatingAdmissionPolicy, where another owns the kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SELF = re.compile(r"\bself\b")
ROOT = "object"

Rule = dict[str, str]


def rules(definition: Mapping[str, Any]) -> list[Rule]:
    """Expression and message of every CEL rule and every bound in *definition*, the newest served version of it."""
    (version,) = (v for v in definition["spec"]["versions"] if v["name"] == "v1beta1")
    body = version["schema"]["openAPIV3Schema"]
    written = {name: part for name, part in body["properties"].items() if name != "status"}
    return list(_walk({**body, "properties": written}, ROOT, ()))


def _walk(schema: Mapping[str, Any], path: str, present: tuple[str, ...]) -> Iterator[Rule]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield _guarded(present, SELF.sub(path, rule["rule"]), f"{_field(path)}{rule['message']}")
    yield from _bounds(schema, path, present)
    for name, part in schema.get("properties", {}).items():
        inside = f"{path}.{name}"
        yield from _walk(part, inside, (*present, f"has({inside})"))


def _bounds(schema: Mapping[str, Any], path: str, present: tuple[str, ...]) -> Iterator[Rule]:
    for word, sign, limit in (("at least", ">=", schema.get("minimum")), ("at most", "<=", schema.get("maximum"))):
        if limit is not None:
            yield _guarded(present, f"{path} {sign} {_number(limit, schema)}", f"{_field(path)}must be {word} {limit}")


def _guarded(present: tuple[str, ...], expression: str, message: str) -> Rule:
    """The rule, said only of fields that are there; an object's metadata always is."""
    guard = " && ".join(present)
    whole = f"!({guard}) || ({expression})" if guard else expression
    return {"expression": whole, "message": message}


def _number(limit: float, schema: Mapping[str, Any]) -> str:
    """A literal of the field's own type: CEL does not compare an int with a double everywhere."""
    return f"{float(limit):f}" if schema["type"] == "number" else str(limit)


def _field(path: str) -> str:
    """How a message begins: where the value stands; nothing for the object as a whole, whose messages say it."""
    inside = path.removeprefix(ROOT).removeprefix(".")
    return f"{inside}: " if inside else ""
