"""Turns what pydantic found into sentences: the field, the value, what is allowed, the nearest valid choice."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dgdr_operator.errors import nearest
from dgdr_operator.spec.words import show

Problem = tuple[str, str]

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "valid text",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "int_parsing_size": "a number of a sensible size",
}
_BOUNDS = {"greater_than": ("gt", "more than"), "less_than_equal": ("le", "at most")}


def sentences(error: ValidationError, schema: type[BaseModel], root: str) -> Iterable[Problem]:
    """One problem per mistake, in the order of the fields; *root* is the path of the validated object."""
    for found in error.errors(include_url=False):
        location = [str(step) for step in found["loc"]]
        path = ".".join([root, *(_printable(step) for step in location)])
        yield path, _sentence(dict(found), schema, location)


def _sentence(found: Mapping[str, Any], schema: type[BaseModel], location: list[str]) -> str:
    kind, value, context = found["type"], found["input"], found.get("ctx", {})
    if kind == "extra_forbidden":
        names = field_names(schema, location[:-1])
        return f"is not a field here: it has {', '.join(names)}{nearest(location[-1], names)}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        return f"must be {' or '.join(allowed)}, not {show(value)}{nearest(value, allowed)}"
    if kind in _BOUNDS:
        bound, phrase = _BOUNDS[kind]
        return f"must be {phrase} {context[bound]:.12g}, not {show(value)}"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {show(value)}"
    return {"missing": "is required", "value_error": str(context.get("error"))}.get(
        kind, f"is not valid: {found['msg']}"
    )


def field_names(schema: type[BaseModel], location: list[str]) -> list[str]:
    """The fields, as the request spells them, of the part of *schema* that *location* leads to."""
    for step in location:
        annotation = next(f.annotation for name, f in schema.model_fields.items() if step in {name, f.alias})
        parts = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
        schema = next(part for part in parts if issubclass(part, BaseModel))
    return [field.alias or name for name, field in schema.model_fields.items()]


def _printable(step: str) -> str:
    return step if step.isprintable() and len(step) <= 60 else show(step)  # noqa: PLR2004 -- as long as show() writes
