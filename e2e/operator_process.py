"""The controller as a user runs it: a process of its own, under rights of its own, that a test may kill."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import Identity
from e2e.processes import Child, free_port

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT = 60.0
"""Seconds until the readiness probe must have answered; a start takes about two."""


class OperatorProcess:
    """`python -m dgdr_operator` with *flags*, logging to *log*, as *identity*."""

    def __init__(self, identity: Identity, flags: Sequence[str], *, log: Path) -> None:
        self.identity = identity
        self.port = free_port()
        probes = ["--probe-address=127.0.0.1", f"--probe-port={self.port}"]
        argv = [sys.executable, "-m", "dgdr_operator", *flags, *probes]
        self._child = Child("the controller", argv, log=log, env=_environment(identity))

    @property
    def user(self) -> str:
        """The name under which the audit log knows its writes."""
        return self.identity.user

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._child.running

    def begin(self) -> None:
        """Starts it, and does not wait: without some rights it never becomes ready."""
        self._child.start()

    def start(self) -> float:
        """Starts it and waits until it is ready; answers with the seconds that took, raises NotReady."""
        self.begin()
        return self._child.wait_until(self.ready, seconds=START_LIMIT)

    def ready(self) -> bool:
        """Whether its readiness probe answers 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> int | None:
        """SIGTERM, as a rolling update would; answers with the exit code."""
        return self._child.stop()

    def kill(self) -> int | None:
        """SIGKILL for the process alone, as a crash would; its estimators must find out by themselves."""
        return self._child.crash()

    def close(self) -> None:
        """Leaves nothing behind."""
        self._child.kill()

    def processes(self) -> list[int]:
        """The living processes of the controller, its estimators included."""
        return self._child.group()

    def restart(self) -> float:
        """Stops it if it lives, then starts it again; answers as start does."""
        self.stop()
        return self.start()

    def words(self) -> str:
        """The end of its log."""
        return self._child.words()


def _environment(identity: Identity) -> dict[str, str]:
    """Our own environment with the identity's kubeconfig, and the packages of this checkout importable."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    path = os.pathsep.join((str(ROOT / "operator"), str(ROOT)))
    return {**inherited, "KUBECONFIG": str(identity.kubeconfig), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
