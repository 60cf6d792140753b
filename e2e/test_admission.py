"""The chart's admission policies on a real API server: what they refuse, in which words, and what they let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import chart, definitions
from e2e.cluster import Cluster, Identity, KubectlFailed
from e2e.user import User, example, with_spec
from e2e.waiting import eventually

Object = dict[str, Any]

REFUSED: dict[str, tuple[Object, str]] = {
    "two-loads": ({"workload": {"concurrency": 4, "requestRate": 2}}, "keep one of concurrency and requestRate"),
    "two-promises": ({"sla": {"e2eLatency": 900, "ttft": 100}}, "keep e2eLatency, or ttft and itl"),
    "thorough": ({"searchStrategy": "thorough", "backend": "auto"}, "thorough needs one backend"),
    "blanks": ({"model": "two words"}, "spec.model: must be one word without blanks"),
    "no-tokens": ({"workload": {"isl": 0}}, "spec.workload.isl: must be at least 1"),
    "no-time": ({"sla": {"ttft": -1}}, "spec.sla.ttft: must be at least"),
    "path": ({"modelCache": {"pvcName": "c", "pvcModelPath": "../x"}}, "spec.modelCache.pvcModelPath"),
    "home": ({"modelCache": {"pvcName": "c", "pvcMountPath": "/root/x"}}, "must lie outside home directories"),
}
"""Name -> fields of the spec, and what the refusal says."""


@pytest.fixture
def policies(
    cluster: Cluster, namespace: str, crds: definitions.Origin, identities: dict[str, Identity]
) -> Iterator[None]:
    """All of them, for this test's namespace only, once they are at work."""
    del crds  # must be there: the expressions are checked against the kind
    admission = {"requests": True, "selfRestraint": True, "site": {"allowedSkus": ["h200_sxm"], "maxGpus": 16}}
    account = {"create": False, "name": "operator"}
    objects = chart.rendered(
        "--show-only=templates/admission.yaml",
        admission=admission,
        serviceAccount=account,
        watch={"namespaces": [namespace]},
    )
    cluster.apply(*objects)
    eventually(lambda: all_at_work(cluster, namespace, identities["operator"]), "the policies to be at work", pause=0.5)
    yield
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.kubectl("delete", "-f", "-", "--wait=false", input=body)


def all_at_work(cluster: Cluster, namespace: str, operator: Identity) -> bool:
    """Whether each of the three policies refuses already: the API server takes them up one by one, a little later.

    Where the definition has the rules of the first one too, it always speaks before it.
    """
    request = placed(example("01", "probe"), namespace)
    unlabelled: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "probe", "namespace": namespace},
    }
    unpermitted = with_spec(request, hardware={"gpuSku": "a100_sxm", "totalGpus": 8})
    answers = [
        said(cluster, with_spec(request, model="two words")),
        said(cluster, unlabelled, operator),
        said(cluster, unpermitted),
    ]
    return all("denied" in answer or "Invalid value" in answer for answer in answers)


def placed(body: Object, namespace: str) -> Object:
    """*body* in *namespace*."""
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


def said(cluster: Cluster, body: Object, identity: Identity | None = None) -> str:
    """What the API server says against *body* in a dry run; nothing when it takes it."""
    login = identity.kubeconfig if identity else None
    try:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(body), kubeconfig=login)
    except KubectlFailed as refusal:
        return refusal.words
    return ""


@pytest.mark.usefixtures("policies")
def test_what_the_rules_forbid_is_refused_in_their_words(cluster: Cluster, namespace: str) -> None:
    told = {
        name: said(cluster, with_spec(placed(example("01", name), namespace), **fields))
        for name, (fields, _) in REFUSED.items()
    }

    missing = {name: told[name] for name, (_, words) in REFUSED.items() if words not in told[name]}
    # Where the definition has the rule too, it may speak first, in other words.
    assert {name: words for name, words in missing.items() if "Invalid value" not in words} == {}


@pytest.mark.usefixtures("policies")
def test_every_example_that_names_what_the_site_allows_passes(cluster: Cluster, namespace: str) -> None:
    for number in ("01", "02", "04", "05"):
        hardware = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
        body = with_spec(placed(example(number), namespace), hardware=hardware)

        assert said(cluster, body) == "", number


@pytest.mark.usefixtures("policies")
def test_the_site_has_its_own_limits(cluster: Cluster, namespace: str) -> None:
    body = placed(example("01", "greedy"), namespace)

    assert "this cluster allows h200_sxm" in said(
        cluster, with_spec(body, hardware={"gpuSku": "a100_sxm", "totalGpus": 8})
    )
    assert "at most 16" in said(cluster, with_spec(body, hardware={"gpuSku": "h200_sxm", "totalGpus": 64}))
    assert "say how many" in said(cluster, with_spec(body, hardware={"gpuSku": "h200_sxm"}))


@pytest.mark.usefixtures("policies")
def test_the_controller_writes_only_what_carries_its_label(
    cluster: Cluster, namespace: str, identities: dict[str, Identity]
) -> None:
    metadata: Object = {"name": "some", "namespace": namespace}
    foreign: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    ours = {**foreign, "metadata": {**metadata, "labels": {"nvidia.com/managed-by": "dgdr-operator"}}}

    assert "carries the label" in said(cluster, foreign, identities["operator"])
    assert said(cluster, ours, identities["operator"]) == ""
    assert said(cluster, foreign) == "", "others are left alone"


@pytest.mark.usefixtures("policies", "operator")
def test_under_all_of_them_a_request_still_becomes_a_graph(user: User) -> None:
    user.apply(example("01", "r"))

    assert user.wait_graph("r-dgd")["metadata"]["labels"]["nvidia.com/managed-by"] == "dgdr-operator"
