"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.fakes.asked import Object, Refusal

Test = Callable[[Object], bool]
OTHER_FIELDS = {
    "pods": ("spec.nodeName", "status.phase"),
    "secrets": ("type",),
    "events": ("reason", "type", "regarding.name"),
}
"""Fields besides name and namespace that may be selected by, per plural."""
IN = re.compile(r"^(?P<key>\S+)\s+(?P<word>in|notin)\s+\((?P<values>[^)]*)\)$")


def selector(plural: str, query: Mapping[str, str]) -> Test:
    """Whether an object is meant by the selectors of *query*. Raises Refusal (400)."""
    labels = [_label(term) for term in _terms(query.get("labelSelector", ""))]
    chosen = [_field(plural, term) for term in _terms(query.get("fieldSelector", ""))]
    return lambda body: all(test(body) for test in (*labels, *chosen))


def _terms(text: str) -> list[str]:
    """Split at commas that are not between parentheses."""
    return [term.strip() for term in re.split(r",(?![^(]*\))", text) if term.strip()]


def _label(term: str) -> Test:
    def labels(body: Object) -> Mapping[str, str]:
        return body["metadata"].get("labels") or {}

    listed = IN.match(term)
    if listed:
        key, wanted = listed["key"], listed["word"] == "in"
        values = {value.strip() for value in listed["values"].split(",")}
        return lambda body: (labels(body).get(key) in values) == wanted
    if "!=" in term:
        key, _, value = term.partition("!=")
        return lambda body: labels(body).get(key.strip()) != value.strip()
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return lambda body: labels(body).get(key.strip()) == value.strip()
    if term.startswith("!"):
        return lambda body: term[1:].strip() not in labels(body)
    return lambda body: term in labels(body)


def _field(plural: str, term: str) -> Test:
    path, sign, value = re.split(r"(!=|==|=)", term, maxsplit=1)
    if path not in ("metadata.name", "metadata.namespace", *OTHER_FIELDS.get(plural, ())):
        raise Refusal(400, "BadRequest", f"field label not supported: {path}")

    def chosen(body: Object) -> bool:
        found: object = body
        for name in path.split("."):
            found = found.get(name, "") if isinstance(found, Mapping) else ""
        return (found == value) != (sign == "!=")

    return chosen
