"""Examines a deployment from what was seen of it: pods that run, memory, model, secret, devices, RDMA."""

from collections.abc import Iterator

from dgdr_operator.inventory import FABRIC, GPU
from dgdr_operator.report import placement, transports
from dgdr_operator.report.evidence import Evidence, Pod
from dgdr_operator.report.findings import Finding, fail, ok, warn
from dgdr_operator.report.transports import Transport

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_SHM = "/dev/shm"  # noqa: S108 -- where pods have it
_FAST = frozenset({"rc", "dc", "rc_x", "dc_x", "rc_mlx5", "dc_mlx5", "rc_verbs", "all"})

Findings = Iterator[Finding]


def examine(evidence: Evidence) -> list[Finding]:
    """Everything found; pods are looked at one by one, then the cluster they stand in."""
    pods = evidence.examined()
    if not pods:
        return [fail("pods", "", "none of this deployment", "apply the graph, or check --namespace and --graph")]
    found = [finding for pod in pods for check in (_running, _memory, _model) for finding in check(pod)]
    found += [finding for pod in pods for finding in _secret(pod, evidence.secrets)]
    found += placement.examine(evidence, pods)
    return found + list(_rdma(evidence, pods))


def _running(pod: Pod) -> Findings:
    """Images, restarts, and memory that ran out."""
    quiet = True
    for status in pod.statuses():
        waiting = (status.get("state") or {}).get("waiting") or {}
        ended = (status.get("lastState") or {}).get("terminated") or (status.get("state") or {}).get("terminated") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _PULLING:
            quiet = False
            seen = f"{reason}: {message or status.get('image', '')}"
            yield fail("image", pod.name, seen, "check the image's name and tag, and the pull secret of its registry")
        if ended.get("reason") == "OOMKilled":
            quiet = False
            advice = "raise the memory limit above shared memory plus the engine, or lower sharedMemory.size"
            yield fail("memory", pod.name, f"container {status.get('name')} was killed for memory", advice)
        elif status.get("restartCount", 0):
            quiet = False
            seen = f"{status['restartCount']} restarts, exit code {ended.get('exitCode', '?')}"
            told = fail if reason == "CrashLoopBackOff" else warn
            yield told("restarts", pod.name, seen, f"kubectl logs {pod.name} --previous shows why")
    if quiet and pod.status.get("phase") == "Running":
        yield ok("pods", pod.name, "running, no restarts")


def _memory(pod: Pod) -> Findings:
    """Collectives and the transfer of keys and values stage through /dev/shm."""
    if GPU not in pod.devices:
        return
    volume = pod.mounts.get(_SHM)
    if volume is None:
        yield fail("shared memory", pod.name, f"no volume at {_SHM}: 64 MiB", "set sharedMemory.size, 16Gi or more")
        return
    folder = volume.get("emptyDir") or {}
    if folder.get("medium") != "Memory":
        yield warn("shared memory", pod.name, f"{_SHM} is a disk", "its emptyDir needs medium: Memory")
    else:
        yield ok("shared memory", pod.name, f"{folder.get('sizeLimit', 'no limit')} at {_SHM}")


def _model(pod: Pod) -> Findings:
    """The claim that holds the model, and the folder the engine looks in."""
    claims = {path: volume for path, volume in pod.mounts.items() if "persistentVolumeClaim" in volume}
    home = pod.env.get("HF_HOME", "").rstrip("/")
    if not claims:
        if GPU in pod.devices:
            advice = "mount a claim with the weights: every pod start downloads the model otherwise"
            yield warn("model cache", pod.name, "no claim is mounted", advice)
    elif home and home not in claims:
        advice = f"set HF_HOME to {next(iter(claims))}, or mount the claim there"
        yield fail("model cache", pod.name, f"HF_HOME is {home}, where no claim is mounted", advice)
    else:
        path = home or next(iter(claims))
        yield ok("model cache", pod.name, f"{claims[path]['persistentVolumeClaim'].get('claimName')} at {path}")


def _secret(pod: Pod, secrets: frozenset[str] | None) -> Findings:
    """The token that gated models ask for."""
    references = [one["secretRef"] for one in pod.main.get("envFrom") or () if one.get("secretRef")]
    if not references and GPU in pod.devices:
        yield warn("secret", pod.name, "no Secret is referenced", "gated models need HF_TOKEN from one")
    for one in references:
        name = one.get("name", "?")
        if secrets is None:
            yield ok("secret", pod.name, f"{name} is referenced; whether it exists was not looked at")
        elif name in secrets:
            yield ok("secret", pod.name, f"{name} exists")
        else:
            advice = f"kubectl create secret generic {name} --from-literal=HF_TOKEN=..."
            told = warn if one.get("optional") else fail
            yield told("secret", pod.name, f"{name} does not exist", advice)


def _rdma(evidence: Evidence, pods: list[Pod]) -> Findings:
    """Every pod that hands keys and values to another one."""
    apart = [pod for pod in pods if pod.is_apart]
    # Workers that a planner counts are called decode workers even where nobody prefills for them.
    apart = apart if any(pod.kind == "prefill" or "--disaggregation-mode" in pod.words for pod in apart) else []
    if not apart:
        yield ok("RDMA", "", "not needed: no prefill or decode pods")
    for pod in apart:
        log = evidence.logs.get(pod.name)
        yield from _settings(pod)
        if log is None:
            advice = f"kubectl logs {pod.name} > {pod.name}.log, and give its folder with --logs"
            yield warn("RDMA", pod.name, "its log was not looked at", advice)
        else:
            yield from _spoken(pod, transports.read(log))


def _settings(pod: Pod) -> Findings:
    """What the manifest does for RDMA."""
    if not any(FABRIC.fullmatch(name) for name in pod.devices):
        advice = "ask for the RDMA device of the nodes (limits and requests, such as rdma/ib), one per GPU"
        yield fail("RDMA", pod.name, "the pod asks for no RDMA device: keys and values move over TCP", advice)
    chosen = pod.env.get("UCX_TLS")
    if chosen is not None and not _FAST & set(chosen.split(",")):
        yield fail("RDMA", pod.name, f"UCX_TLS={chosen} leaves no RDMA transport", "add rc_x,rc,dc_x,dc to UCX_TLS")
    security = pod.main.get("securityContext") or {}
    added = (security.get("capabilities") or {}).get("add") or ()
    if not security.get("privileged") and "IPC_LOCK" not in added and "FI_PROVIDER" not in pod.env:
        advice = "add the capability IPC_LOCK (as root), unless the nodes lift the limit on locked memory"
        yield warn("RDMA", pod.name, "the container may not lock memory", advice)


def _spoken(pod: Pod, said: Transport) -> Findings:
    """What the worker's log says."""
    for trouble in said.troubles:
        yield fail("RDMA", pod.name, f'log: "{trouble.line}"', trouble.advice)
    if said.is_slow:
        rate = "" if said.rate is None else f" at {said.rate:.0f} MB/s"
        over = f" over {', '.join(sorted(said.networks))}" if said.networks else ""
        advice = "RDMA is not active: check the device plugin, the resource requests and UCX_NET_DEVICES"
        yield fail("RDMA", pod.name, f"keys and values move{over}{rate}", advice)
    elif said.networks or said.rate is not None:
        rate = "" if said.rate is None else f", {said.rate:.0f} MB/s at least"
        network = ", ".join(sorted(said.networks)) or "a fast network"
        yield ok("RDMA", pod.name, f"active: {said.backend or 'NIXL'} over {network}{rate}")
    elif said.backend and not said.troubles:
        yield ok(
            "RDMA", pod.name, f"NIXL's backend {said.backend} was instantiated; set UCX_LOG_LEVEL=info to see networks"
        )
    elif said.is_silent:
        advice = "the log may begin after the start, or the engine has no NIXL: look at the whole log"
        yield warn("RDMA", pod.name, "the log does not mention NIXL or UCX", advice)
