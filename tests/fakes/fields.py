"""Objects as paths and leaves: what server-side apply compares, owns, merges and removes.

Paths and their JSON form (fieldsV1) as in https://kubernetes.io/docs/reference/using-api/server-side-apply/ : `f:` a
field, `k:` an item of a list with keys, `v:` an item of a set, `.` the item itself. Lists are atomic unless the schema
says otherwise.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping

from tests.fakes.asked import Json, Object

Path = tuple[str, ...]
METADATA: Json = {
    "properties": {
        "ownerReferences": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"]},
        "finalizers": {"x-kubernetes-list-type": "set"},
    }
}
CONDITIONS: Json = {
    "properties": {"conditions": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}}
}
NOBODYS = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "managedFields")
"""Metadata that no manager owns."""


class _Item:
    """The value of a path that stands for an item of a list: it is there, and its fields are paths of their own."""


ITEM = _Item()


def whole(schema: Json) -> Json:
    """The schema of a whole object: *schema*, or one that knows Kubernetes' own lists where anything goes."""
    known = (schema or {}).get("properties") or {"status": CONDITIONS}
    return {**(schema or {}), "properties": {**known, "metadata": METADATA}}


def stripped(body: Object) -> Object:
    """*body* without what identifies it and what the server writes."""
    metadata = {name: value for name, value in (body.get("metadata") or {}).items() if name not in NOBODYS}
    kept = {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata")}
    return {**kept, **({"metadata": metadata} if metadata else {})}


def flat(value: Json, schema: Json, path: Path = ()) -> dict[Path, Json]:
    """Every leaf of *value* by its path; items of lists with keys are there as ITEM besides."""
    found: dict[Path, Json] = {}
    _flatten(value, schema, path, found)
    return found


def _flatten(value: Json, schema: Json, path: Path, found: dict[Path, Json]) -> None:
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        for name, child in value.items():
            _flatten(child, below(schema, name), (*path, f"f:{name}"), found)
        return
    if isinstance(value, list) and value and keyed(schema):
        for item in value:
            where = (*path, _element(item, schema))
            found[where] = ITEM
            if isinstance(item, dict):
                _flatten(item, schema.get("items") or {}, where, found)
        return
    found[path] = value


def below(schema: Json, name: str) -> Json:
    """The schema of the field *name*."""
    known = (schema.get("properties") or {}).get(name)
    others = schema.get("additionalProperties")
    return known or (others if isinstance(others, dict) else {})


def keyed(schema: Json) -> bool:
    """Whether the items of a list have names of their own."""
    return schema.get("x-kubernetes-list-type") in ("map", "set")


def _element(item: Json, schema: Json) -> str:
    if schema["x-kubernetes-list-type"] == "set":
        return f"v:{json.dumps(item)}"
    known = (schema.get("items") or {}).get("properties") or {}
    keys = {key: item.get(key, (known.get(key) or {}).get("default")) for key in schema["x-kubernetes-list-map-keys"]}
    return f"k:{json.dumps(keys, sort_keys=True, separators=(',', ':'))}"


def merged(live: Json, said: Json, schema: Json) -> Json:
    """*live* with everything that *said* says."""
    if isinstance(live, dict) and isinstance(said, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        changed = {name: merged(live.get(name), value, below(schema, name)) for name, value in said.items()}
        return {**live, **changed}
    if isinstance(live, list) and isinstance(said, list) and keyed(schema):
        items = schema.get("items") or {}
        stands = {_element(item, schema): item for item in live}
        wanted = {_element(item, schema): item for item in said}
        return list({**stands, **{key: merged(stands.get(key), item, items) for key, item in wanted.items()}}.values())
    return copy.deepcopy(said)


def without(value: Json, gone: Collection[Path], schema: Json, path: Path = ()) -> Json:
    """*value* less the leaves and items in *gone*; a field that is emptied so goes with its last leaf."""
    if isinstance(value, dict):
        kept = {}
        for name, child in value.items():
            where = (*path, f"f:{name}")
            if where not in gone:
                left = without(child, gone, below(schema, name), where)
                if left or not child or left == child:
                    kept[name] = left
        return kept
    if isinstance(value, list) and keyed(schema):
        items = schema.get("items") or {}
        named = [((*path, _element(item, schema)), item) for item in value]
        return [without(item, gone, items, where) for where, item in named if where not in gone]
    return value


def encoded(paths: Collection[Path]) -> Object:
    """Paths as fieldsV1."""
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path[-1][0] in "kv":
            node["."] = {}
    for path in paths:
        _drop_dot_of_leaf(tree, path)
    return tree


def _drop_dot_of_leaf(tree: Object, path: Path) -> None:
    """An item without fields of its own is written as an empty object."""
    node = tree
    for element in path:
        node = node[element]
    if node.keys() == {"."}:
        node.clear()


def decoded(tree: Mapping[str, Json], path: Path = ()) -> Iterator[Path]:
    """The paths of a fieldsV1."""
    if path and (not tree or "." in tree):
        yield path
    for element, child in tree.items():
        if element != ".":
            yield from decoded(child, (*path, element))
