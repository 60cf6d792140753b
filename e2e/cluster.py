"""The Kubernetes API server under test, whoever runs it: kubectl, identities, and where its audit log lies."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HOME = "dgdr-e2e"
"""The namespace that holds the service accounts of the tests."""

OURS = "dgdr-operator.io/e2e"
"""The label of what the tests put beside the namespaces of others, and may delete again."""

MANAGER = "dgdr-e2e"
"""The field manager under which the tests apply."""


class KubectlFailed(Exception):
    """kubectl ended with an error; the text is what it said."""

    def __init__(self, arguments: tuple[str, ...], words: str) -> None:
        super().__init__(arguments, words)
        self.arguments = arguments
        self.words = words

    def __str__(self) -> str:
        return f"kubectl {' '.join(self.arguments)}: {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user with rights of its own; *user* is the name that the audit log knows it by."""

    user: str
    token: str
    kubeconfig: Path


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An API server that tests may write to.

    *origin* says who runs it: external, kind or loopback. *disposable*: it ends with the tests.
    *audit_log* is None where the server's log cannot be read. *pinned_version* is None where we do not choose it.
    *logs*: the files that may explain a failure. *folder* takes what the tests write for themselves.
    """

    origin: str
    kubeconfig: Path
    folder: Path
    program: str
    disposable: bool
    audit_log: Path | None = None
    pinned_version: str | None = None
    logs: tuple[Path, ...] = ()

    def kubectl(self, *arguments: str, input: str | None = None, kubeconfig: Path | None = None) -> str:  # noqa: A002 -- the word that subprocess.run uses
        """Runs kubectl as the administrator, or as *kubeconfig* says; answers with stdout, raises KubectlFailed."""
        login = {"KUBECONFIG": str(kubeconfig or self.kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl")}
        done = subprocess.run(
            [self.program, *arguments],
            input=input,
            env={**os.environ, **login},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KubectlFailed(arguments, done.stderr.strip())
        return done.stdout

    def apply(self, *objects: object) -> None:
        """Applies *objects* on the server side, taking over whatever fields they name."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-f", "-", input=body)

    @cached_property
    def url(self) -> str:
        """The address of the API server."""
        return self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")

    def identity(self, name: str) -> Identity:
        """A service account *name*, without rights until someone binds some to it, and a kubeconfig that uses it."""
        self.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME, "labels": {OURS: "true"}}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": HOME}},
        )
        token = self.kubectl("create", "token", name, "--namespace", HOME, "--duration", "12h").strip()
        return Identity(user=f"system:serviceaccount:{HOME}:{name}", token=token, kubeconfig=self._login(name, token))

    def _login(self, name: str, token: str) -> Path:
        config = json.loads(self.kubectl("config", "view", "--minify", "--raw", "--flatten", "-o", "json"))
        config["users"] = [{"name": name, "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = name
        return write_private(self.folder / f"{name}.kubeconfig", json.dumps(config))


def write_private(path: Path, text: str) -> Path:
    """Writes *text* to a file that nobody else can read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
