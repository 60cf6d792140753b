"""Merge patches (RFC 7386) and JSON patches (RFC 6902)."""

from __future__ import annotations

import copy

from tests.fakes.asked import Json, Object, Refusal


def merge_patched(live: Json, patch: Json) -> Json:
    """*live* with the fields of *patch*; null removes."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    base = live if isinstance(live, dict) else {}
    kept = {name: value for name, value in base.items() if name not in patch}
    return {
        **kept,
        **{name: merge_patched(base.get(name), value) for name, value in patch.items() if value is not None},
    }


def json_patched(live: Object, steps: list[Object]) -> Object:
    """*live* after every step. Raises Refusal (422) at a step that cannot be taken."""
    body = copy.deepcopy(live)
    for step in steps:
        try:
            _step(body, step)
        except (KeyError, IndexError, ValueError, TypeError):
            raise Refusal(
                422, "Invalid", f"the server rejected our request due to an error in our request: {step}"
            ) from None
    return body


def _step(body: Object, step: Object) -> None:
    parent, last = _reach(body, step["path"])
    match step["op"]:
        case "add":
            _add(parent, last, step["value"])
        case "replace":
            _taken(parent, last)
            _add(parent, last, step["value"])
        case "remove":
            _taken(parent, last)
        case "test":
            if (parent[int(last)] if isinstance(parent, list) else parent[last]) != step["value"]:
                raise ValueError(step["path"])
        case "move" | "copy":
            source, name = _reach(body, step["from"])
            moved = copy.deepcopy(source[int(name)] if isinstance(source, list) else source[name])
            if step["op"] == "move":
                _taken(source, name)
            _add(parent, last, moved)
        case _:
            raise ValueError(step["op"])


def _reach(body: Json, pointer: str) -> tuple[Json, str]:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in way:
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body, last


def _add(parent: Json, last: str, value: Json) -> None:
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value


def _taken(parent: Json, last: str) -> Json:
    return parent.pop(int(last) if isinstance(parent, list) else last)
