"""The controller as a user runs it: a process of its own, under rights of its own, that a test may kill."""

from __future__ import annotations

import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from e2e.cluster import Identity
from e2e.processes import Child, free_port

ROOT = Path(__file__).resolve().parents[1]


class Controller:
    """`python -m *module*` with *flags*, logging to *log*, at the cluster that *kubeconfig* names.

    source: where its packages are.
    """

    start_limit: ClassVar[float] = 60.0
    """Seconds until the readiness probe must have answered; a start takes about two."""
    stop_limit: ClassVar[float] = 15.0
    """Seconds that it has after SIGTERM."""

    def __init__(
        self, module: Sequence[str], flags: Sequence[str], *, kubeconfig: Path, log: Path, source: Path = ROOT
    ) -> None:
        self.port = free_port()
        self.log = log
        probes = ["--probe-address=127.0.0.1", f"--probe-port={self.port}"]
        argv = [sys.executable, "-m", *module, *flags, *probes]
        self._child = Child("the controller", argv, log=log, env=_environment(kubeconfig, source))

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
        return self.wait_ready()

    def wait_ready(self) -> float:
        """Waits until it is ready; answers with the seconds that took, raises NotReady."""
        return self._child.wait_until(self.ready, seconds=self.start_limit)

    def ready(self) -> bool:
        """Whether its readiness probe answers 200."""
        return self.probe("readyz") == 200

    def probe(self, which: str) -> int:
        """The code that a probe answers with; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{which}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metrics(self) -> str:
        """What it says of itself to Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 where it has not been counted yet."""
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", self.metrics(), re.MULTILINE)
        return sum(float(value) for value in found)

    def stop(self) -> int | None:
        """SIGTERM, as a rolling update would; answers with the exit code."""
        return self._child.stop(self.stop_limit)

    def kill(self) -> int | None:
        """SIGKILL for the process alone, as a crash would; its estimators must find out by themselves."""
        return self._child.crash()

    def close(self) -> None:
        """Leaves nothing behind."""
        self._child.kill()

    def restart(self) -> float:
        """Stops it if it lives, then starts it again; answers as start does."""
        self.stop()
        return self.start()

    def processes(self) -> list[int]:
        """The living processes of the controller, its estimators included."""
        return self._child.group()

    def words(self) -> str:
        """The end of its log."""
        return self._child.words()


class OperatorProcess(Controller):
    """`python -m dgdr_operator` with *flags*, logging to *log*, as *identity*."""

    def __init__(self, identity: Identity, flags: Sequence[str], *, log: Path, source: Path = ROOT) -> None:
        super().__init__(["dgdr_operator"], flags, kubeconfig=identity.kubeconfig, log=log, source=source)
        self.user = identity.user
        """The name under which the audit log knows its writes."""


def _environment(kubeconfig: Path, source: Path) -> dict[str, str]:
    """Our own environment with this kubeconfig, and the packages in *source* importable."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    path = os.pathsep.join((str(source / "operator"), str(source)))
    return {**inherited, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
