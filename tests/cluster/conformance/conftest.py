"""A kind made for asking an API server how it behaves, and a namespace to ask in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.stage.ground import Ground
from tests.fakes.api import GROUPS, Api, Refused
from tests.fakes.asked import Object

GROUP, PLURAL = "tests.dgdr-operator.io", "widgets"
SPEC: Object = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 100},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
        "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "amount": {"x-kubernetes-int-or-string": True},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "note": {"type": "string", "nullable": True},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "count": {"type": "integer", "default": 1},
                    "weight": {"type": "integer"},
                },
            },
        },
    },
}
STATUS: Object = {
    "type": "object",
    "properties": {
        "phase": {"type": "string"},
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
            },
        },
    },
}
DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}},
            }
        ],
    },
}

Widget = Callable[..., Object]


@pytest.fixture(scope="session")
def api(ground: Ground, eventually: Callable[..., Any]) -> Iterator[Api]:
    """The administrator of an API server that serves widgets."""
    GROUPS[PLURAL] = f"/apis/{GROUP}/v1"
    ground.api.create("customresourcedefinitions", DEFINITION)

    def served() -> bool:
        try:
            return not ground.api.list(PLURAL)["items"]
        except Refused:
            return False

    eventually(served, "widgets to be served")
    yield ground.api
    ground.api.delete("customresourcedefinitions", "", DEFINITION["metadata"]["name"])


@pytest.fixture
def widget(namespace: str) -> Widget:
    """Makes the body of a widget; *name* and the fields of its spec may be chosen."""

    def body(name: str = "one", **spec: object) -> Object:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 3, **spec}}

    return body


def refusal(of: Callable[[], object]) -> Refused:
    """The refusal that *of* meets."""
    with pytest.raises(Refused) as caught:
        of()
    return caught.value


@pytest.fixture(name="refusal")
def refusal_fixture() -> Callable[[Callable[[], object]], Refused]:
    """Calls what must be refused, and answers with the refusal."""
    return refusal
