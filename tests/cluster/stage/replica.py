"""One replica of the controller in a process of its own, started, killed and started again as a kubelet would."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.processes import Child, NotReady, free_port

ROOT = Path(__file__).resolve().parents[3]
START_LIMIT = 90.0
HURRY: Mapping[str, float] = {
    "sweep.PERIOD": 1.0,
    "discovery.PERIOD": 1.0,
    "hearing.PATIENCE": 4.0,
    "run.KINDS_PERIOD": 1.0,
    "acting.DENIED_PAUSE": 2.0,
    "reconcile.LASTING_CAP": 10.0,
}
"""Waits that are minutes in production, as seconds for tests."""


class Replica:
    """The controller with *flags*, at the API server that *url* names, as the bearer of *token*."""

    def __init__(
        self, folder: Path, url: str, token: str, flags: Sequence[str] = (), hurry: Mapping[str, float] = HURRY
    ) -> None:
        self.port = free_port()
        kubeconfig = folder / f"replica-{self.port}.kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(url, token)))
        self.log = folder / f"replica-{self.port}.log"
        changes = [f"{name}={value}" for name, value in hurry.items()]
        probes = ["--probe-address=127.0.0.1", f"--probe-port={self.port}"]
        argv = [sys.executable, "-m", "tests.cluster.stage.hurried", *changes, "--", *flags, *probes]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
        path = os.pathsep.join((str(ROOT / "operator"), str(ROOT)))
        env = {**inherited, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        self._child = Child("the controller", argv, log=self.log, env=env)

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._child.running

    def begin(self) -> None:
        """Starts it, and does not wait."""
        self._child.start()

    def start(self) -> float:
        """Starts it and waits until it is ready; answers with the seconds that took, raises NotReady."""
        self.begin()
        return self.wait_ready()

    def start_stubbornly(self) -> None:
        """Starts it until it stays, as a kubelet would: on a busy machine a young leader may lose its lead."""
        for _ in range(3):
            try:
                self.start()
            except NotReady:
                continue
            return
        self.start()

    def wait_ready(self) -> float:
        """Waits until it is ready."""
        return self._child.wait_until(lambda: self.probe("readyz") == 200, seconds=START_LIMIT)

    def keep(self) -> None:
        """Starts it unless it runs, as a kubelet does for a container that ended."""
        if not self.running:
            self.begin()

    def probe(self, which: str) -> int:
        """The code that a probe answers with; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{which}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 where it has not been counted yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)

    def stop(self) -> tuple[int | None, float]:
        """SIGTERM, as a rolling update would; answers with the exit code and the seconds it took."""
        began = time.monotonic()
        return self._child.stop(seconds=30), time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL for the process alone, as the kernel would."""
        self._child.crash()

    def close(self) -> None:
        """Leaves nothing behind."""
        self._child.kill()

    def processes(self) -> list[int]:
        """The living processes of the controller, its estimators included."""
        return self._child.group()

    def resident(self) -> float:
        """Resident memory of the main process, MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def descriptors(self) -> int:
        """Open file descriptors of the main process."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def words(self) -> str:
        """The end of its log."""
        return self._child.words(20_000)

    def faults(self) -> list[str]:
        """The exceptions that escaped into its log. That the watch falls is no fault: the doorbell is made for it."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        return [line for line in lines if _is_fault(line)]


def _is_fault(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return line.startswith("Traceback")
    logger = str(said.get("logger", ""))
    return "traceback" in said and logger.startswith("dgdr_operator") and not logger.endswith(".doorbell")


def _kubeconfig(url: str, token: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": token}}],
    }
