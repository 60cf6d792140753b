"""A Kubernetes control plane on loopback: etcd, API server and the few controllers that tests rely on."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from e2e.cluster import Cluster, write_private
from e2e.controlplane.build import BuildError, binary, kubernetes_version
from e2e.processes import Child, free_port

AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "job-controller",
)
START_LIMIT = 90.0
"""Seconds; a start takes about three, a machine that is busy with other things takes longer."""


@contextmanager
def loopback(folder: Path) -> Iterator[Cluster]:
    """Runs a control plane in *folder* for as long as the context lasts; raises BuildError or NotReady."""
    etcd_port, api_port = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder / "etcd", ignore_errors=True)
        etcd = start(stack, "etcd", etcd_flags(folder, etcd_port), folder)
        etcd.wait_until(lambda: _answers(f"http://127.0.0.1:{etcd_port}/health"), seconds=START_LIMIT)
        token = write_secrets(folder)
        server = start(stack, "kube-apiserver", apiserver_flags(folder, etcd_port, api_port), folder)
        certificate = folder / "certificates" / "apiserver.crt"
        server.wait_until(lambda: (certificate.with_suffix(".key")).is_file(), seconds=START_LIMIT)
        url = f"https://127.0.0.1:{api_port}"
        kubeconfig = write_kubeconfig(folder / "admin.kubeconfig", url=url, certificate=certificate, token=token)
        server.wait_until(lambda: _answers(f"{url}/readyz", certificate, token), seconds=START_LIMIT)
        start(stack, "kube-controller-manager", controller_flags(folder, kubeconfig, certificate), folder)
        yield Cluster(
            origin="loopback",
            kubeconfig=kubeconfig,
            folder=folder,
            program=str(binary("kubectl")),
            disposable=True,
            audit_log=folder / "audit.log",
            pinned_version=kubernetes_version(),
            logs=tuple(folder / f"{name}.log" for name in ("kube-apiserver", "kube-controller-manager")),
        )


def start(stack: ExitStack, name: str, flags: list[str], folder: Path, *, inside: Sequence[str] = ()) -> Child:
    """Starts a built binary until *stack* unwinds, its log in *folder*; *inside*: the command that leads the line."""
    child = Child(name, [*inside, str(binary(name)), *flags], log=folder / f"{name}.log")
    child.start()
    stack.callback(child.kill)  # nothing here is worth a graceful end: the data dies with the folder
    return child


def etcd_flags(folder: Path, port: int) -> list[str]:
    """etcd on loopback, in a hurry: its data lives in *folder* and dies with it."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_flags(folder: Path, etcd_port: int, port: int, address: str = "127.0.0.1") -> list[str]:
    """An API server on *address* that knows the tokens of `write_secrets` and keeps an audit log."""
    key = folder / "service-accounts.key"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--bind-address={address}",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--endpoint-reconciler-type=none",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=2000",  # megabytes: a rotation in mid-test would lose the count
    ]


def controller_flags(
    folder: Path, kubeconfig: Path, certificate: Path, controllers: Sequence[str] = CONTROLLERS
) -> list[str]:
    """A controller manager that runs *controllers*."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(controllers)}",
        f"--service-account-private-key-file={folder / 'service-accounts.key'}",
        f"--root-ca-file={certificate}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def write_secrets(folder: Path) -> str:
    """Writes the signing key and the administrator's token into *folder*; answers with the token."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise BuildError("openssl is not installed; install it with: apt-get install openssl")
    key = write_private(folder / "service-accounts.key", "")
    subprocess.run([openssl, "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    token = secrets.token_hex(16)
    write_private(folder / "tokens.csv", f'{token},admin,admin,"system:masters"\n')
    return token


def write_kubeconfig(path: Path, *, url: str, certificate: Path, token: str) -> Path:
    """A kubeconfig for the bearer of *token*; answers with *path*."""
    authority = base64.b64encode(certificate.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "e2e",
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "admin"}}],
        "clusters": [{"name": "e2e", "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": "admin", "user": {"token": token}}],
    }
    return write_private(path, json.dumps(config))


def _answers(url: str, certificate: Path | None = None, token: str = "") -> bool:
    """Whether a GET of *url* is answered with 200."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 -- our own address
    trust = None if certificate is None else ssl.create_default_context(cafile=str(certificate))
    try:
        with urllib.request.urlopen(request, timeout=2, context=trust) as answer:  # noqa: S310 -- our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
