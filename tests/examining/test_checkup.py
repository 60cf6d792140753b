"""Every fault that a deployment can have is found, named with its evidence, and answered with what to change."""

import copy
from collections.abc import Callable

import pytest

from dgdr_operator.report import checkup, findings
from dgdr_operator.report.evidence import Evidence, whole
from dgdr_operator.report.findings import Finding
from dgdr_operator.report.paper import Paper
from tests.examining import deployment as made
from tests.examining.deployment import Tree


def _bad(evidence: Evidence) -> list[Finding]:
    return [one for one in checkup.examine(evidence) if one.level != "ok"]


def _with(change: Callable[[Tree], object], *, name: str = "decode") -> Evidence:
    """A healthy deployment whose pods called *name* have changed."""
    pods = made.pods_of(made.a_graph())
    for pod in pods:
        if name in pod["metadata"]["name"]:
            change(pod)
    return made.healthy(pods=pods)


def _main(pod: Tree) -> Tree:
    container: Tree = pod["spec"]["containers"][0]
    return container


def test_a_healthy_deployment_has_no_findings_but_good_ones() -> None:
    found = checkup.examine(made.healthy())

    assert _bad(made.healthy()) == []
    assert {one.subject for one in found} >= {"RDMA", "shared memory", "model cache", "secret", "devices", "graph"}
    assert any("active: UCX over rc_mlx5" in one.seen for one in found)


def test_nothing_is_changed_by_looking() -> None:
    evidence = made.healthy()
    before = copy.deepcopy(evidence)

    checkup.examine(evidence)

    assert evidence == before


def test_an_aggregated_deployment_needs_no_rdma() -> None:
    written = made.a_graph(apart=False)
    evidence = made.healthy(pods=made.pods_of(written), graph=written, logs={})

    assert _bad(evidence) == []
    assert any("not needed" in one.seen for one in checkup.examine(evidence))


def _no_shared_memory(pod: Tree) -> None:
    mounts = _main(pod)["volumeMounts"]
    _main(pod)["volumeMounts"] = [one for one in mounts if one["mountPath"] != made.SHM]


def _disk(pod: Tree) -> None:
    next(one for one in pod["spec"]["volumes"] if one["name"] == "shared-memory")["emptyDir"] = {}


def _no_claim(pod: Tree) -> None:
    _main(pod)["volumeMounts"] = [one for one in _main(pod)["volumeMounts"] if one["name"] == "shared-memory"]


def _other_home(pod: Tree) -> None:
    _main(pod)["env"] = [{"name": "HF_HOME", "value": "/opt/elsewhere"}]


def _no_device(pod: Tree) -> None:
    _main(pod)["resources"] = {"limits": {"nvidia.com/gpu": "4"}, "requests": {"nvidia.com/gpu": "4"}}


def _only_tcp(pod: Tree) -> None:
    next(one for one in _main(pod)["env"] if one["name"] == "UCX_TLS")["value"] = "tcp,cuda_copy"


def _no_lock(pod: Tree) -> None:
    del _main(pod)["securityContext"]


def _killed(pod: Tree) -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    pod["status"]["containerStatuses"] = [{"name": "main", "restartCount": 3, "lastState": ended}]


def _restarted(pod: Tree) -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 1}}
    pod["status"]["containerStatuses"] = [{"name": "main", "restartCount": 2, "lastState": ended}]


def _looping(pod: Tree) -> None:
    _restarted(pod)
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}


def _unpulled(pod: Tree) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x:1"'}
    pod["status"] = {"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]}


@pytest.mark.parametrize(
    ("change", "level", "subject", "seen", "advice"),
    [
        (_no_shared_memory, "fail", "shared memory", "64 MiB", "sharedMemory.size"),
        (_disk, "warn", "shared memory", "is a disk", "medium: Memory"),
        (_no_claim, "warn", "model cache", "no claim is mounted", "mount a claim"),
        (_other_home, "fail", "model cache", "HF_HOME is /opt/elsewhere", "/opt/models"),
        (_no_device, "fail", "RDMA", "asks for no RDMA device", "rdma/ib"),
        (_only_tcp, "fail", "RDMA", "UCX_TLS=tcp,cuda_copy", "rc_x"),
        (_no_lock, "warn", "RDMA", "may not lock memory", "IPC_LOCK"),
        (_killed, "fail", "memory", "killed for memory", "memory limit"),
        (_restarted, "warn", "restarts", "2 restarts, exit code 1", "--previous"),
        (_looping, "fail", "restarts", "2 restarts", "--previous"),
        (_unpulled, "fail", "image", "ImagePullBackOff: Back-off", "pull secret"),
    ],
)
def test_a_fault_of_a_pod_is_named_with_its_remedy(
    change: Callable[[Tree], None], level: str, subject: str, seen: str, advice: str
) -> None:
    bad = [one for one in _bad(_with(change)) if one.subject == subject]

    assert [(one.level, one.where) for one in bad] == [(level, "qwen32b-dgd-decode-0")]
    assert seen in bad[0].seen
    assert advice in bad[0].advice


@pytest.mark.parametrize(
    ("log", "level", "seen"),
    [
        (f"{made.STARTED}\n{made.SLOW_UCX}", "fail", "move over tcp"),
        (f"{made.STARTED}\nUCX WARN no RDMA transports available", "fail", "no RDMA transports"),
        ("KV Transfer metrics: Num=12, Throughput (MB/s)=104.2", "fail", "at 104 MB/s"),
        ("KV Transfer metrics: Num=12, Throughput (MB/s)=18400.0", "ok", "18400 MB/s"),
        ("nixl_cu12._bindings.nixlBackendError: NIXL_ERR_BACKEND", "fail", "NIXL_ERR_BACKEND"),
        ("ibv_reg_mr(address=0x7f, length=4096) failed: Cannot allocate memory", "fail", "ibv_reg_mr"),
        ("UCX ERROR Destination is unreachable", "fail", "unreachable"),
        (made.STARTED, "ok", "was instantiated"),
        ("NIXL INFO Backend LIBFABRIC was instantiated\nSelected provider is efa", "ok", "LIBFABRIC over efa"),
        ("INFO: Application startup complete.", "warn", "does not mention"),
    ],
)
def test_a_log_tells_which_way_keys_and_values_go(log: str, level: str, seen: str) -> None:
    logs = {**made.healthy().logs, "qwen32b-dgd-decode-0": log}

    told = [one for one in checkup.examine(made.healthy(logs=logs)) if one.where == "qwen32b-dgd-decode-0"]

    assert (level, True) in [(one.level, seen in one.seen) for one in told if one.subject == "RDMA"]


def test_a_log_that_was_not_given_is_asked_for() -> None:
    bad = _bad(made.healthy(logs={}))

    assert {one.seen for one in bad} == {"its log was not looked at"}
    assert all("--logs" in one.advice for one in bad)


def test_a_secret_that_is_missing_is_a_fault_unless_it_is_optional() -> None:
    optional = _bad(made.healthy(secrets=frozenset()))
    required = _with(lambda pod: _main(pod).update(envFrom=[{"secretRef": {"name": "token"}}]))

    assert {(one.level, one.subject) for one in optional} == {("warn", "secret")}
    assert ("fail", "token does not exist") in [(one.level, one.seen) for one in _bad(required)]


@pytest.mark.parametrize(
    ("claims", "seen"),
    [
        ((), "does not exist"),
        ((made.a_claim(phase="Pending"),), "is Pending"),
    ],
)
def test_a_claim_that_is_not_there_is_a_fault(claims: tuple[Tree, ...], seen: str) -> None:
    assert [seen in one.seen for one in _bad(made.healthy(claims=claims))] == [True]


def test_a_claim_for_one_node_is_a_fault_on_two() -> None:
    pods = made.pods_of(made.a_graph())
    pods[0]["spec"]["nodeName"] = "gpu-1"
    claims = (made.a_claim(mode="ReadWriteOnce"),)

    assert ["on 2 nodes" in one.seen for one in _bad(made.healthy(pods=pods, claims=claims))] == [True]
    assert _bad(made.healthy(claims=claims)) == []


def test_a_pod_that_waits_says_for_what_and_how_much_is_missing() -> None:
    pods = made.pods_of(made.a_graph())
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    for pod in pods:
        if "decode" in pod["metadata"]["name"]:
            del pod["spec"]["nodeName"]
            waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            pod["status"] = {"phase": "Pending", "conditions": [waits]}
    nodes = (made.a_node(**{"nvidia.com/gpu": "6"}),)

    seen = {(one.subject, one.seen) for one in _bad(made.healthy(pods=pods, nodes=nodes))}

    assert ("scheduling", message) in seen
    assert ("devices", "4 more nvidia.com/gpu are needed, 2 of 6 are free") in seen


def test_a_device_that_no_node_offers_is_a_fault() -> None:
    node = made.a_node()
    del node["status"]["allocatable"]["rdma/ib"]

    seen = [one.seen for one in _bad(made.healthy(nodes=(node,)))]

    assert seen == ["no node offers rdma/ib", "labels promise RDMA, but no such device is allocatable"]


def test_a_deployment_without_pods_is_a_fault() -> None:
    found = checkup.examine(Evidence(pods=()))

    assert [(one.level, one.subject) for one in found] == [("fail", "pods")]


def test_pods_of_other_graphs_are_not_examined_but_hold_devices() -> None:
    others = made.pods_of(made.a_graph())
    for pod in others:
        pod["metadata"]["labels"]["nvidia.com/dynamo-graph-deployment-name"] = "other"
        pod["metadata"]["name"] = "other"
    evidence = made.healthy()
    both = made.healthy(pods=[*evidence.pods, *others], nodes=(made.a_node(), made.a_node("gpu-1")))

    assert not any(one.where == "other" for one in checkup.examine(both))
    assert any("16 in use" in one.seen for one in checkup.examine(both))


def test_the_page_puts_the_worst_first_and_equal_findings_together() -> None:
    found = checkup.examine(_with(_no_shared_memory, name="prefill"))

    lines = findings.page(found, Paper(width=100)).splitlines()

    assert lines[0].startswith("fail  shared memory: qwen32b-dgd-prefill-0, qwen32b-dgd-prefill-1: no volume")
    assert lines[1].strip().startswith("→ set sharedMemory.size")
    assert lines[-1].startswith("2 fail, 0 warn, ")


@pytest.mark.parametrize(("text", "count"), [("8", 8), (8, 8), ("1k", 1000), ("500m", 0), ("", 0), (None, 0)])
def test_device_counts_are_read_as_the_api_writes_them(text: object, count: int) -> None:
    assert whole(text) == count
