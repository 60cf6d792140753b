"""A whole cluster of one node on this machine: a control plane, a scheduler, a kubelet, and pods that really run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from e2e import helm
from e2e.cluster import Cluster, KubectlFailed
from e2e.controlplane import plane
from e2e.controlplane.build import binary, kubernetes_version
from e2e.node import image
from e2e.node.containers import Containers, containers
from e2e.node.network import API, Network, network
from e2e.node.tools import require, run
from e2e.processes import NotReady, free_port
from e2e.waiting import eventually

NAME = "node-0"
EVERYTHING = ("*",)
START_LIMIT = 120.0
"""Seconds until the node is Ready; it takes about ten, a machine that is busy with other things takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A cluster with one node that has our image, and helm in reach of it.

    words: what the containers of a namespace said; inside: how a command begins that is to reach it.
    """

    cluster: Cluster
    name: str
    image_size: str
    words: Callable[[str], str]
    inside: tuple[str, ...] = ()

    def helm(self, *arguments: str) -> str:
        """Runs helm as the administrator; raises NodeError."""
        return run(*self.inside, helm.program(), "--kubeconfig", self.cluster.kubeconfig, *arguments)


@contextmanager
def node(folder: Path) -> Iterator[Node]:
    """One of our own, in *folder*; raises BuildError, NodeError or NotReady."""
    require()
    images = image.store()
    archives = _archives(images, folder)
    with ExitStack() as stack:
        place = stack.enter_context(network())
        runtime = stack.enter_context(containers(folder / "containerd", place))
        for archive in archives:
            runtime.load(archive)
        cluster = _control_plane(stack, folder, place)
        stack.callback(_forget_pods, folder)
        _kubelet(stack, folder, place, runtime)
        eventually(lambda: _is_ready(cluster), f"{NAME} to be Ready", seconds=START_LIMIT, pause=0.5)
        stack.callback(_empty, cluster)
        words = partial(_words, folder / "pods")
        yield Node(
            cluster=cluster, name=NAME, image_size=images.size(image.OURS), words=words, inside=tuple(place.inside)
        )


def _words(pods: Path, namespace: str) -> str:
    """From the files of the kubelet: `kubectl logs` would need the node's name to resolve."""
    logs = sorted(pods.glob(f"{namespace}_*/*/*.log"), key=lambda log: log.stat().st_mtime)
    return "\n".join(log.read_text(errors="replace") for log in logs)


def _control_plane(stack: ExitStack, folder: Path, place: Network) -> Cluster:
    """As in tier 1, but in the namespace, with every controller and a scheduler."""
    stack.callback(shutil.rmtree, folder / "etcd", ignore_errors=True)
    port = free_port()
    plane.start(stack, "etcd", plane.etcd_flags(folder, port), folder, inside=place.inside)
    token = plane.write_secrets(folder)
    flags = [*plane.apiserver_flags(folder, port, 443, API), f"--advertise-address={API}", "--allow-privileged"]
    server = plane.start(stack, "kube-apiserver", flags, folder, inside=place.inside)
    certificate = folder / "certificates" / "apiserver.crt"
    server.wait_until(certificate.with_suffix(".key").is_file, seconds=START_LIMIT)
    url = f"https://{API}:443"
    kubeconfig = plane.write_kubeconfig(folder / "admin.kubeconfig", url=url, certificate=certificate, token=token)
    cluster = Cluster(
        origin="node",
        kubeconfig=kubeconfig,
        folder=folder,
        program=str(_wrapped(folder / "kubectl-inside", place, binary("kubectl"))),
        disposable=True,
        audit_log=folder / "audit.log",
        pinned_version=kubernetes_version(),
        logs=tuple(folder / f"{name}.log" for name in ("kube-apiserver", "kubelet", "containerd/containerd")),
    )
    server.wait_until(lambda: _answers(cluster), seconds=START_LIMIT)
    managed = plane.controller_flags(folder, kubeconfig, certificate, EVERYTHING)
    plane.start(stack, "kube-controller-manager", managed, folder, inside=place.inside)
    scheduling = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
    plane.start(stack, "kube-scheduler", scheduling, folder, inside=place.inside)
    return cluster


def _wrapped(path: Path, place: Network, program: Path) -> Path:
    """A command of its own that runs *program* in the namespace."""
    path.write_text(f'#!/bin/sh\nexec {" ".join(place.inside)} {program} "$@"\n')
    path.chmod(0o700)
    return path


def _answers(cluster: Cluster) -> bool:
    try:
        return cluster.kubectl("get", "--raw", "/readyz", "--request-timeout=2s") == "ok"
    except KubectlFailed:
        return False


def _kubelet(stack: ExitStack, folder: Path, place: Network, runtime: Containers) -> None:
    config = folder / "kubelet.yaml"
    config.write_text(yaml.safe_dump(_kubelet_config(folder, runtime)))
    root = folder / "kubelet"
    flags = [
        f"--config={config}",
        f"--kubeconfig={folder / 'admin.kubeconfig'}",
        f"--root-dir={root}",
        f"--cert-dir={root / 'pki'}",
        f"--hostname-override={NAME}",
        f"--node-ip={API}",
    ]
    plane.start(stack, "kubelet", flags, folder, inside=place.inside)


def _kubelet_config(folder: Path, runtime: Containers) -> dict[str, object]:
    """A kubelet that takes the machine as it finds it: any cgroups, a full disk, no DNS."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{runtime.socket}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "resolvConf": "",
        "failSwapOn": False,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageMaximumGCAge": "0s",
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(folder / "pods"),
        "volumePluginDir": str(folder / "kubelet" / "plugins"),
        "nodeStatusUpdateFrequency": "5s",
    }


def _is_ready(cluster: Cluster) -> bool:
    """Whether the node says so and no taint keeps pods away."""
    wanted = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}/{.spec.taints}{end}'
    return cluster.kubectl("get", "nodes", "-o", f"jsonpath={wanted}") == "True/"


def _empty(cluster: Cluster) -> None:
    """Takes every pod away while there is a kubelet to do it: networks and mounts go with them."""
    cluster.kubectl("delete", "deployments,jobs", "--all", "--all-namespaces", "--wait=false")
    cluster.kubectl("delete", "pods", "--all", "--all-namespaces", "--grace-period=1", "--wait=false")
    deadline = time.monotonic() + START_LIMIT
    while cluster.kubectl("get", "pods", "--all-namespaces", "-o", "name"):
        if time.monotonic() > deadline:
            raise NotReady("pods are still there after the tests; their mounts may be, too")
        time.sleep(0.5)


def _forget_pods(folder: Path) -> None:
    """What the kubelet mounted and no longer looks after; see containers for containerd's own."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mount = line.split()[1]
        if Path(mount).is_relative_to(folder / "kubelet"):
            run("umount", "--lazy", mount)


def _archives(images: image.Store, folder: Path) -> list[Path]:
    """The images of the node as archives in *folder*, built if need be; raises NodeError."""
    image.build(images)
    return [
        images.export(name, folder / f"image-{number}.tar") for number, name in enumerate((image.OURS, image.PAUSE))
    ]
