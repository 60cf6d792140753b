"""Our definition of the request, upstream's, and the reader agree: what ours lets in, the others take."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import spec
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.spec import schema as fields
from tests.manifests import definitions, structural

KIND = "dynamographdeploymentrequests"
OURS = definitions.schemas(KIND, own=True)["v1beta1"]["properties"]["spec"]
LARGEST = 262_144
"""Bytes that an annotation may hold; client-side apply keeps a copy of the definition in one."""

FREE: Mapping[str, st.SearchStrategy[Any]] = {
    "dgd": st.just({"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeployment", "metadata": {"name": "mine"}}),
    "profilingJob": st.just({"template": {"spec": {"containers": []}}}),
    "model": st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,20}", fullmatch=True),
    "image": st.from_regex(r"[a-z0-9][-a-z0-9./]{0,10}:1\.[0-9]\.0", fullmatch=True),
    "runtimeVersionOverride": st.from_regex(r"[1-9]\.[0-9]\.[0-9]", fullmatch=True),
    "pvcName": st.from_regex(r"[a-z]([-a-z]{0,5}[a-z])?", fullmatch=True),
    "pvcModelPath": st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True),
    "pvcMountPath": st.from_regex(r"/opt/[a-z]{1,5}", fullmatch=True),
}


def values(schema: Mapping[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Anything that a part of our schema lets in."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if name in FREE:
        return FREE[name]
    low, high = schema.get("minimum", 0), schema.get("maximum", 10**12)
    leaves = {
        "boolean": st.booleans(),
        "integer": st.integers(low, min(high, 2**31 - 1)),
        "number": st.floats(low, high) | st.integers(1, high),
    }
    return leaves[schema["type"]] if schema["type"] in leaves else _objects(schema)


def _objects(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    required = set(schema.get("required", ()))
    parts = {key: values(below, key) for key, below in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {key: part for key, part in parts.items() if key in required},
        optional={key: part for key, part in parts.items() if key not in required},
    )


NEWER = {"kvRouter", "trustRemoteCode"}
"""Fields that release 1.6 adds to the definition of 1.5."""


def _older(tree: dict[str, Any]) -> dict[str, Any]:
    """*tree* without the newer fields."""
    return {key: _older(below) if isinstance(below, dict) else below for key, below in tree.items() if key not in NEWER}


@given(asked=values(OURS))
def test_what_ours_accepts_upstreams_accepts(asked: dict[str, Any]) -> None:
    for own, said in ((True, asked), (False, _older(asked))):
        body = {"apiVersion": "nvidia.com/v1beta1", "kind": "x", "metadata": {"name": "a"}, "spec": said}

        assert structural.faults(body, definitions.schemas(KIND, own=own)["v1beta1"]) == []


@given(asked=values(OURS))
def test_what_ours_accepts_the_reader_reads_unless_a_written_rule_forbids_it(asked: dict[str, Any]) -> None:
    body = {"metadata": {"name": "a"}, "spec": asked}

    try:
        spec.read(body)
    except InvalidSpec as refusal:
        paths = {path for path, _ in refusal.problems}
    else:
        paths = set()

    assert paths <= RULED


RULED = {
    "spec.workload",
    "spec.sla",
    "spec.searchStrategy",
    "spec.modelCache.pvcName",
}
"""Paths of the rules that tie fields together or name what is not supported; the definition has each as CEL."""


def test_every_rule_of_the_reader_is_a_rule_of_the_definition() -> None:
    ruled = {rule_path for rule_path, _ in _rules(OURS, "spec")}

    unruled = {path for path in RULED if not any(_same_branch(path, rule) for rule in ruled - {"spec"})}

    assert unruled == set()


def test_every_rule_says_what_to_do() -> None:
    rules = [rule for _, rule in _rules(OURS, "spec")]

    assert len(rules) >= len(RULED)
    assert all(len(rule["message"]) > 20 for rule in rules)


def test_ours_has_the_fields_of_the_reader() -> None:
    assert dict(_properties(OURS, "spec")).keys() == set(_fields(fields.Spec, "spec"))


def test_defaults_are_upstreams() -> None:
    upstream = definitions.schemas(KIND)["v1beta1"]["properties"]["spec"]
    theirs = {path: part.get("default") for path, part in _properties(upstream, "spec")}

    for path, part in _properties(OURS, "spec"):
        if not NEWER & set(path.split(".")):
            assert (path, part.get("default")) == (path, theirs[path])


def test_the_definition_is_small_enough_for_every_way_of_applying_it(root: Path) -> None:
    text = (root / "crds" / f"{KIND}.nvidia.com.yaml").read_text(encoding="utf-8")

    assert len(text.encode()) < LARGEST / 4
    assert yaml.safe_load(text)["metadata"]["name"] == f"{KIND}.nvidia.com"


@pytest.mark.parametrize("sku", fields.SKUS[:17])
def test_every_sku_of_release_1_5_is_a_choice(sku: str) -> None:
    assert sku in OURS["properties"]["hardware"]["properties"]["gpuSku"]["enum"]


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"{path}{rule.get('fieldPath', '')}", rule
    for name, below in schema.get("properties", {}).items():
        yield from _rules(below, f"{path}.{name}")


def _same_branch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _properties(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, below in schema.get("properties", {}).items():
        yield f"{path}.{name}", below
        if name not in {"profilingJob", "dgd", "planner"}:
            yield from _properties(below, f"{path}.{name}")


def _fields(model: type[fields.Part], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        spelt = field.alias or name
        yield f"{path}.{spelt}"
        parts = [part for part in getattr(field.annotation, "__args__", ()) if isinstance(part, type)]
        for part in parts:
            if issubclass(part, fields.Part):
                yield from _fields(part, f"{path}.{spelt}")
