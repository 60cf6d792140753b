"""Is there room: GPUs and RDMA devices of the nodes against what pods ask for, claims, pods that wait."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dgdr_operator.inventory import FABRIC, GPU
from dgdr_operator.report.evidence import Evidence, Pod, Tree, whole
from dgdr_operator.report.findings import Finding, fail, ok, warn

_DONE = frozenset({"Succeeded", "Failed"})
_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_RDMA_LABELS = ("nvidia.com/rdma.present", "feature.node.kubernetes.io/rdma.available")

Findings = Iterator[Finding]


def examine(evidence: Evidence, pods: Sequence[Pod]) -> list[Finding]:
    """Findings about where *pods* are, or why they are nowhere."""
    found = [*_waiting(pods), *_complete(evidence.graph)]
    if evidence.nodes is not None:
        found += _devices(evidence, evidence.nodes, pods)
        found += _labels(evidence.nodes, pods)
    if evidence.claims is not None:
        found += _claims(evidence.claims, pods)
    return found


def _waiting(pods: Sequence[Pod]) -> Findings:
    for pod in pods:
        for condition in pod.status.get("conditions") or ():
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                advice = "free or add what is missing, or plan for fewer GPUs"
                yield fail("scheduling", pod.name, str(condition.get("message") or condition.get("reason")), advice)


def _complete(graph: Tree | None) -> Findings:
    """What the platform itself says about the graph."""
    status = (graph or {}).get("status") or {}
    state = status.get("state")
    if state == "failed":
        reasons = [str(one.get("message")) for one in status.get("conditions") or () if one.get("status") == "False"]
        yield fail("graph", "", f"the platform says failed: {'; '.join(reasons)}", "kubectl describe dgd shows more")
    elif state and state != "successful":
        yield warn("graph", "", f"the platform says {state}", "wait for the pods, or look at those that do not run")
    elif state:
        yield ok("graph", "", "the platform says successful")


def _devices(evidence: Evidence, nodes: Sequence[Tree], pods: Sequence[Pod]) -> Findings:
    """Device by device: what nodes have, what pods hold, what the pods of this deployment still need."""
    have, held, needed = Counter[str](), Counter[str](), Counter[str]()
    for node in nodes:
        for name, count in ((node.get("status") or {}).get("allocatable") or {}).items():
            if name == GPU or FABRIC.fullmatch(name):
                have[name] += whole(count)
    placed = [pod for pod in map(_pod, evidence.pods) if pod.node and pod.status.get("phase") not in _DONE]
    for pod in placed:
        held.update(pod.devices)
    for pod in pods:
        needed.update({} if pod.node else pod.devices)
    for name in sorted({*(name for pod in pods for name in pod.devices), *needed}):
        yield _device(name, have[name], held[name], needed[name])


def _device(name: str, have: int, held: int, needed: int) -> Finding:
    free = have - held
    if not have:
        advice = "install its device plugin, or ask for the name that the nodes offer"
        return fail("devices", "", f"no node offers {name}", advice)
    if needed > free:
        advice = "free some, add nodes, or plan for fewer"
        return fail("devices", "", f"{needed} more {name} are needed, {max(free, 0)} of {have} are free", advice)
    return ok("devices", "", f"{name}: {have} on the nodes, {held} in use by the pods that were seen")


def _labels(nodes: Sequence[Tree], pods: Sequence[Pod]) -> Findings:
    """Nodes that say they have RDMA and offer no device of it."""
    if not any(pod.is_apart for pod in pods):
        return
    for node in nodes:
        labels = (node.get("metadata") or {}).get("labels") or {}
        offered = (node.get("status") or {}).get("allocatable") or {}
        told = any(labels.get(label) == "true" for label in _RDMA_LABELS)
        if told and not any(FABRIC.fullmatch(name) and whole(count) for name, count in offered.items()):
            seen = "labels promise RDMA, but no such device is allocatable"
            yield warn("devices", str(node["metadata"].get("name")), seen, "the RDMA device plugin is missing")


def _claims(claims: Sequence[Tree], pods: Sequence[Pod]) -> Findings:
    known = {one["metadata"]["name"]: one for one in claims}
    wanted: dict[str, list[Pod]] = {}
    for pod in pods:
        for volume in pod.spec.get("volumes") or ():
            if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                wanted.setdefault(name, []).append(pod)
    for name, users in wanted.items():
        yield _claim(name, known.get(name), {pod.node for pod in users if pod.node})


def _claim(name: str, claim: Tree | None, nodes: set[str]) -> Finding:
    if claim is None:
        return fail("model cache", "", f"the claim {name} does not exist", "create it, and put the weights there")
    phase = (claim.get("status") or {}).get("phase")
    if phase != "Bound":
        return fail("model cache", "", f"the claim {name} is {phase}", f"kubectl describe pvc {name} shows why")
    modes = (claim.get("spec") or {}).get("accessModes") or []
    if len(nodes) > 1 and not _SHARED & set(modes):
        seen = f"the claim {name} is {', '.join(modes)}, and its pods are on {len(nodes)} nodes"
        return fail("model cache", "", seen, "use a storage class that offers ReadWriteMany")
    return ok("model cache", "", f"the claim {name} is bound, {', '.join(modes)}")


def _pod(tree: Tree) -> Pod:
    return Pod(tree=tree)
