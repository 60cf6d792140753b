"""The ground that all other tests against a real API server stand on: is it really there, and does it really judge?"""

from __future__ import annotations

import json
import secrets
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from e2e import audit, definitions
from e2e.cluster import Cluster, Identity, KubectlFailed
from e2e.definitions import Origin
from e2e.dynamo_operator import DynamoOperator
from e2e.waiting import eventually

EXAMPLES = Path(__file__).parent / "examples"
OWN = Origin(whose="own")


def request_for(namespace: str, **spec: object) -> str:
    """A DynamoGraphDeploymentRequest, as JSON."""
    return json.dumps(
        {
            "apiVersion": "nvidia.com/v1beta1",
            "kind": "DynamoGraphDeploymentRequest",
            "metadata": {"name": "small", "namespace": namespace},
            "spec": {"model": "Qwen/Qwen3-32B-FP8", **spec},
        }
    )


def test_the_server_is_the_release_that_go_mod_pins(cluster: Cluster) -> None:
    said = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]

    assert said.startswith(cluster.pinned_version or "v1.")


@pytest.mark.usefixtures("crds")
def test_both_kinds_are_served_in_one_version_only(cluster: Cluster) -> None:
    listed = json.loads(cluster.kubectl("get", "crd", "-o", "json"))["items"]

    served = {
        item["metadata"]["name"]: [version["name"] for version in item["spec"]["versions"] if version["served"]]
        for item in listed
        if item["spec"]["names"]["plural"] in definitions.KINDS
    }
    assert served == {f"{kind}.nvidia.com": ["v1beta1"] for kind in definitions.KINDS}


@pytest.mark.usefixtures("crds")
def test_an_unknown_gpu_is_refused_with_the_ones_that_are_known(cluster: Cluster, namespace: str) -> None:
    body = request_for(namespace, hardware={"gpuSku": "h200_smx"})

    with pytest.raises(KubectlFailed, match=r"gpuSku.*h200_smx.*h200_sxm.*h100_sxm"):
        cluster.kubectl("apply", "--server-side", "-f", "-", input=body)


@pytest.mark.usefixtures("crds")
@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_graph_written_by_hand_passes_a_dry_run_unpruned(cluster: Cluster, namespace: str, example: Path) -> None:
    command = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "json"]

    answer = json.loads(cluster.kubectl(*command, "--namespace", namespace, "-f", str(example)))

    components = {component["name"]: component for component in answer["spec"]["components"]}
    main = components["worker"]["podTemplate"]["spec"]["containers"][0]
    assert main["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "--tensor-parallel-size" in main["args"]


@pytest.mark.usefixtures("crds")
def test_a_graph_without_a_known_backend_is_refused(cluster: Cluster, namespace: str) -> None:
    graph = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": "small", "namespace": namespace},
        "spec": {"backendFramework": "tgi"},
    }

    with pytest.raises(KubectlFailed, match=r"backendFramework.*tgi.*vllm"):
        cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(graph))


def test_the_audit_log_tells_who_wrote_what(cluster: Cluster, namespace: str) -> None:
    me = cluster.identity(f"writer-{secrets.token_hex(3)}")
    cluster.kubectl("create", "role", "writer", "--resource=configmaps", "--verb=*", "-n", namespace)
    cluster.kubectl("create", "rolebinding", "writer", "--role=writer", f"--user={me.user}", "-n", namespace)
    eventually(partial(_may_write, cluster, namespace, me), "the right to write")
    since = audit.mark(cluster)
    mine = partial(audit.writes, cluster, since, user=me.user)

    cluster.kubectl("create", "configmap", "one", "-n", namespace, kubeconfig=me.kubeconfig)
    cluster.kubectl("get", "configmap", "one", "-n", namespace, kubeconfig=me.kubeconfig)
    cluster.kubectl("create", "configmap", "two", "-n", namespace, "--dry-run=server", kubeconfig=me.kubeconfig)
    cluster.kubectl("label", "configmap", "one", "a=b", "-n", namespace, kubeconfig=me.kubeconfig)
    cluster.kubectl("create", "configmap", "by-admin", "-n", namespace)
    cluster.kubectl("delete", "configmap", "one", "-n", namespace, kubeconfig=me.kubeconfig)

    eventually(lambda: [write for write in mine() if write.verb == "delete"], "the deletion in the audit log")
    assert [(write.verb, write.resource, write.name) for write in mine()] == [
        ("create", "configmaps", "one"),
        ("patch", "configmaps", "one"),
        ("delete", "configmaps", "one"),
    ]


def test_the_client_package_reads_what_kubectl_wrote(
    cluster: Cluster, crds: Origin, api: client.CustomObjectsApi, namespace: str
) -> None:
    cluster.kubectl("apply", "--server-side", "--namespace", namespace, "-f", str(EXAMPLES / "graph.yaml"))

    graph: Any = api.get_namespaced_custom_object(
        "nvidia.com", crds.version, namespace, definitions.KINDS[1], "small-dgd"
    )

    assert [component["name"] for component in graph["spec"]["components"]] == ["Frontend", "worker"]


def test_a_plain_user_has_no_rights(cluster: Cluster, namespace: str) -> None:
    nobody = cluster.identity("nobody")

    with pytest.raises(KubectlFailed, match=r"[Ff]orbidden"):
        cluster.kubectl("create", "configmap", "one", "-n", namespace, kubeconfig=nobody.kubeconfig)


def test_what_belongs_to_a_deleted_object_goes_with_it(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "parent", "-n", namespace)
    uid = cluster.kubectl("get", "configmap", "parent", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": uid}
    child = {"name": "child", "namespace": namespace, "ownerReferences": [owner]}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": child})

    cluster.kubectl("delete", "configmap", "parent", "-n", namespace)

    listing = partial(cluster.kubectl, "get", "configmap", "child", "-n", namespace, "--ignore-not-found", "-o", "name")
    eventually(lambda: not listing(), "the child to be collected")


def test_the_stand_in_brings_a_graph_to_successful(
    cluster: Cluster, namespace: str, dynamo_operator: DynamoOperator
) -> None:
    del dynamo_operator  # at work already
    cluster.kubectl("apply", "--server-side", "--namespace", namespace, "-f", str(EXAMPLES / "graph.yaml"))

    status = partial(_status, cluster, namespace)
    eventually(lambda: status().get("state") == "successful", "the graph to be successful")
    assert status()["observedGeneration"] == 1
    assert status()["components"]["worker"]["availableReplicas"] == 4


def test_the_stand_in_can_fail_a_graph_and_notices_its_next_generation(
    cluster: Cluster, namespace: str, dynamo_operator: DynamoOperator
) -> None:
    dynamo_operator.fail = True
    status = partial(_status, cluster, namespace)
    cluster.kubectl("apply", "--server-side", "--namespace", namespace, "-f", str(EXAMPLES / "graph.yaml"))
    eventually(lambda: status().get("state") == "failed", "the graph to fail")

    dynamo_operator.fail = False
    patch = json.dumps({"spec": {"labels": {"changed": "yes"}}})
    cluster.kubectl("patch", "dgd", "small-dgd", "-n", namespace, "--type=merge", "-p", patch)

    eventually(lambda: status().get("observedGeneration") == 2, "the new generation to be seen")
    eventually(lambda: status().get("state") == "successful", "the graph to recover")


def _may_write(cluster: Cluster, namespace: str, who: Identity) -> bool:
    question = ["auth", "can-i", "create", "configmaps", "-n", namespace, "--as", who.user]
    try:
        return "yes" in cluster.kubectl(*question)
    except KubectlFailed:
        return False


def _status(cluster: Cluster, namespace: str) -> dict[str, Any]:
    graph: dict[str, dict[str, Any]] = json.loads(
        cluster.kubectl("get", "dgd", "small-dgd", "-n", namespace, "-o", "json")
    )
    return graph.get("status", {})


@pytest.mark.skipif(definitions.upstream_folder() is None, reason="our own request has one version only")
@pytest.mark.parametrize(
    "crds", [Origin(whose="upstream", version="v1alpha1")], indirect=True, scope="session", ids=str
)
def test_the_older_version_can_be_served_alone(
    cluster: Cluster, crds: Origin, namespace: str, dynamo_operator: DynamoOperator
) -> None:
    assert dynamo_operator.version == crds.version == "v1alpha1"
    service = {"componentType": "worker", "replicas": 2, "resources": {"limits": {"gpu": "2"}}}
    spec = {"backendFramework": "vllm", "services": {"VLLMWorker": service}}

    cluster.apply(
        {
            "apiVersion": "nvidia.com/v1alpha1",
            "kind": "DynamoGraphDeployment",
            "metadata": {"name": "small-dgd", "namespace": namespace},
            "spec": spec,
        }
    )

    status = partial(_status, cluster, namespace)
    eventually(lambda: status().get("state") == "successful", "the graph to be successful")
    assert status()["services"]["VLLMWorker"]["availableReplicas"] == 2


@pytest.mark.parametrize("crds", [OWN], indirect=True, scope="session", ids=str)
class TestOurOwnDefinitions:
    """The same server, with the definitions that this project ships."""

    def test_a_request_that_is_right_is_accepted(self, cluster: Cluster, crds: Origin, namespace: str) -> None:
        assert crds == OWN
        body = request_for(namespace, workload={"isl": 4000, "osl": 500}, sla={"ttft": 600, "itl": 16.67})

        cluster.kubectl("apply", "--server-side", "-f", "-", input=body)

        assert "small" in cluster.kubectl("get", "dgdr", "-n", namespace)

    @pytest.mark.parametrize(
        ("words", "spec"),
        [
            (r"spec\.workload\.isl.*greater than or equal to 1", {"workload": {"isl": -1}}),
            (r"keep one of concurrency and requestRate", {"workload": {"concurrency": 8, "requestRate": 2}}),
            (r"keep e2eLatency, or ttft and itl", {"sla": {"ttft": 600, "itl": 16, "e2eLatency": 9000}}),
            (r"spec\.hardware\.totalGpus.*greater than or equal to 1", {"hardware": {"totalGpus": 0}}),
            (r"spec\.backend.*tgi.*vllm", {"backend": "tgi"}),
        ],
        ids=["a negative isl", "two loads", "two kinds of latency", "no gpus", "an unknown backend"],
    )
    @pytest.mark.usefixtures("crds")
    def test_a_request_that_makes_no_sense_is_refused_with_a_reason(
        self, cluster: Cluster, namespace: str, words: str, spec: dict[str, object]
    ) -> None:
        with pytest.raises(KubectlFailed, match=words):
            cluster.kubectl("apply", "--server-side", "-f", "-", input=request_for(namespace, **spec))

    @pytest.mark.usefixtures("crds")
    def test_a_graph_written_by_hand_is_accepted(self, cluster: Cluster, namespace: str) -> None:
        cluster.kubectl(
            "apply", "--server-side", "--validate=strict", "-n", namespace, "-f", str(EXAMPLES / "graph.yaml")
        )

        assert "small-dgd" in cluster.kubectl("get", "dgd", "-n", namespace)
