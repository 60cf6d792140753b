"""Which cluster the tests run on: one that is named, kind where Docker answers, otherwise our own on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from e2e.cluster import OURS, Cluster
from e2e.controlplane.build import BuildError, binary
from e2e.controlplane.plane import AUDIT_POLICY, loopback

KIND_NAME, KIND_LIMIT = f"dgdr-e2e-{os.getpid()}", "180s"


def choose(folder: Path) -> AbstractContextManager[Cluster]:
    """The cluster of this run, not yet started; *folder* takes its files."""
    named = os.environ.get("KUBECONFIG_E2E")
    if named:
        return external(Path(named), folder)
    return kind(folder) if has_kind() else loopback(folder)


def has_kind() -> bool:
    """Whether kind is here, and a Docker engine, and not only its command."""
    docker = shutil.which("docker")
    if docker is None or shutil.which("kind") is None:
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def external(kubeconfig: Path, folder: Path) -> Iterator[Cluster]:
    """The cluster that KUBECONFIG_E2E names; it is left as it was found."""
    if not kubeconfig.is_file():
        raise BuildError(f"KUBECONFIG_E2E names {str(kubeconfig)!r}, which is not a file")
    log = os.environ.get("DGDR_E2E_AUDIT_LOG")
    cluster = Cluster(
        origin="external",
        kubeconfig=kubeconfig.resolve(),
        folder=folder,
        program=kubectl_program(),
        disposable=False,
        audit_log=Path(log) if log else None,
    )
    try:
        yield cluster
    finally:
        cluster.kubectl("delete", "namespace,clusterrole,clusterrolebinding", "-l", f"{OURS}=true", "--wait=false")


@contextmanager
def kind(folder: Path) -> Iterator[Cluster]:
    """A kind cluster of this run, with its audit log in *folder*."""
    kubeconfig, logs = folder / "admin.kubeconfig", folder / "audit"
    logs.mkdir()
    config = folder / "kind.json"
    config.write_text(json.dumps(kind_config(logs)))
    common = ["--name", KIND_NAME, "--kubeconfig", str(kubeconfig)]
    create = ["kind", "create", "cluster", *common, "--config", str(config), "--wait", KIND_LIMIT]
    delete = ["kind", "delete", "cluster", *common]
    try:
        if subprocess.run(create, check=False).returncode != 0:
            raise BuildError(f"`{' '.join(create)}` failed; its words are above")
        yield Cluster(
            origin="kind",
            kubeconfig=kubeconfig,
            folder=folder,
            program=kubectl_program(),
            disposable=True,
            audit_log=logs / "audit.log",
        )
    finally:
        subprocess.run(delete, check=False)


def kind_config(logs: Path) -> dict[str, object]:
    """One node whose API server writes the audit log into *logs*.

    kubeadm spells extra arguments as a map in v1beta3 and as a list in v1beta4; which of them kind speaks depends on
    its own release, and it leaves out the patch of the other. Fields as in kind's and kubeadm's documentation.
    """
    inside = "/etc/dgdr-e2e"
    flags = {"audit-policy-file": f"{inside}/audit-policy.yaml", "audit-log-path": f"{inside}/logs/audit.log"}
    spelled = {"v1beta3": flags, "v1beta4": [{"name": name, "value": value} for name, value in flags.items()]}
    volume = {"name": "dgdr-e2e", "hostPath": inside, "mountPath": inside, "readOnly": False, "pathType": "Directory"}
    patches = [
        {
            "apiVersion": f"kubeadm.k8s.io/{version}",
            "kind": "ClusterConfiguration",
            "apiServer": {"extraArgs": arguments, "extraVolumes": [volume]},
        }
        for version, arguments in spelled.items()
    ]
    mounts = [
        {"hostPath": str(AUDIT_POLICY), "containerPath": f"{inside}/audit-policy.yaml"},
        {"hostPath": str(logs), "containerPath": f"{inside}/logs"},
    ]
    node = {"role": "control-plane", "kubeadmConfigPatches": list(map(json.dumps, patches)), "extraMounts": mounts}
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}


def kubectl_program() -> str:
    """The kubectl that we built, else the one on PATH; raises BuildError when there is neither."""
    try:
        return str(binary("kubectl"))
    except BuildError:
        installed = shutil.which("kubectl")
        if installed is None:
            raise
        return installed
