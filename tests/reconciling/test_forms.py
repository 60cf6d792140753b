"""Objects as text: what is kept of them is kept as it was, and a list is read like its objects one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.controller import forms
from dgdr_operator.inventory import Node, Usage, server
from dgdr_operator.inventory.objects import Pod

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
parts = st.dictionaries(st.text(), values, max_size=4)
words = st.dictionaries(st.text(), st.text(), max_size=3)


def there_and_back(found: forms.Kept) -> dict[str, Any]:
    """As text, and read again."""
    return forms.unpacked(forms.packed(found))


@given(parts, parts, words, words)
def test_what_is_kept_comes_back_as_it_was(
    spec: dict[str, Any], status: dict[str, Any], labels: dict[str, str], annotations: dict[str, str]
) -> None:
    metadata = {"namespace": "ns", "name": "a", "uid": "u", "labels": labels, "annotations": annotations}
    body = {"apiVersion": "nvidia.com/v1beta1", "kind": "Any", "metadata": metadata, "spec": spec, "status": status}

    assert there_and_back(forms.kept(body)) == body


@given(st.lists(parts, max_size=4))
def test_a_list_is_read_like_its_objects_one_by_one(specs: list[dict[str, Any]]) -> None:
    bodies = [{"metadata": {"name": f"r{number}"}, "spec": spec} for number, spec in enumerate(specs)]
    text = json.dumps({"metadata": {"resourceVersion": "7"}, "items": bodies}).encode()

    found = forms.page(text, forms.Kept)

    assert found.metadata.resource_version == "7"
    assert [there_and_back(one) for one in found.items or ()] == [there_and_back(forms.kept(body)) for body in bodies]


@pytest.mark.parametrize("status", [None, "ready", [], 7])
def test_a_status_that_is_no_object_is_none(status: object) -> None:
    found = forms.kept({"metadata": {"name": "a"}, "status": status})

    assert "status" not in there_and_back(found)
    assert forms.glimpse(found)["status"] == {}


@given(parts)
def test_applied_text_is_yaml_and_says_the_same(body: dict[str, Any]) -> None:
    assert json.loads(forms.yaml(body)) == body


def test_what_is_skipped_of_a_node_is_nothing_that_the_inventory_reads() -> None:
    node = {
        "metadata": {
            "name": "n",
            "labels": {"nvidia.com/gpu.product": "NVIDIA-H200", "nvidia.com/gpu.memory": "143771"},
        },
        "spec": {"unschedulable": True, "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"nvidia.com/gpu": "8", "rdma/ib": "1"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": [{"names": ["large"], "sizeBytes": 1}],
        },
    }

    read = forms.page(json.dumps({"metadata": {}, "items": [node]}).encode(), Node).items or []

    assert "images" not in read[0]["status"]
    assert server(read[0], {}) == server(node, {})


def test_what_is_skipped_of_a_pod_is_nothing_that_is_counted() -> None:
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "2"}}, "image": "large"}
    pod = {
        "metadata": {"namespace": "ns", "name": "p", "labels": {"nvidia.com/dynamo-graph-deployment-name": "g"}},
        "spec": {"nodeName": "n", "containers": [gpu, gpu], "initContainers": [{**gpu, "restartPolicy": "Always"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }

    read = forms.page(json.dumps({"metadata": {}, "items": [pod]}).encode(), Pod).items or []

    assert Usage(read).by_node == Usage([pod]).by_node == {"n": 6}
    assert Usage(read).by_graph == Usage([pod]).by_graph


@pytest.mark.parametrize(
    "text", ["<html>please log in</html>", '{"items": []}', "", "[]", '{"metadata": {}, "items": [7]}']
)
def test_what_is_no_list_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        forms.page(text.encode(), forms.Kept)
