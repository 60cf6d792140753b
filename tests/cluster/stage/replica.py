"""One replica of the controller in a process of its own, started, killed and started again as a kubelet would."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.operator_process import Controller
from e2e.processes import NotReady, resident

HURRY: Mapping[str, float] = {
    "sweep.PERIOD": 1.0,
    "discovery.PERIOD": 1.0,
    "hearing.PATIENCE": 4.0,
    "run.KINDS_PERIOD": 1.0,
    "upstream.PERIOD": 1.0,
    "acting.DENIED_PAUSE": 2.0,
    "reconcile.LASTING_CAP": 10.0,
}
"""Waits that are minutes in production, as seconds for tests."""


class Replica(Controller):
    """The controller with *flags*, at the API server that *url* names, as the bearer of *token*."""

    start_limit = 90.0
    stop_limit = 30.0

    def __init__(
        self, folder: Path, url: str, token: str, flags: Sequence[str] = (), hurry: Mapping[str, float] = HURRY
    ) -> None:
        stem = folder / f"replica-{secrets.token_hex(3)}"
        kubeconfig = stem.with_suffix(".kubeconfig")
        kubeconfig.write_text(json.dumps(_kubeconfig(url, token)))
        changes = [f"{name}={value}" for name, value in hurry.items()]
        hurried = ["tests.cluster.stage.hurried", *changes, "--"]
        super().__init__(hurried, flags, kubeconfig=kubeconfig, log=stem.with_suffix(".log"))

    def start_stubbornly(self) -> None:
        """Starts it until it stays, as a kubelet would: on a busy machine a young leader may lose its lead."""
        for _ in range(3):
            try:
                self.start()
            except NotReady:
                continue
            return
        self.start()

    def keep(self) -> None:
        """Starts it unless it runs, as a kubelet does for a container that ended."""
        if not self.running:
            self.begin()

    def resident(self) -> float:
        """Resident memory of the main process, MiB."""
        return resident(self.pid)

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
