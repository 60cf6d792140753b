"""One network namespace for a whole cluster: nothing in it can reach the outside, and nothing outside reaches it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.node.tools import NodeError, run

API = "10.96.0.1"
"""The first address of the service range, and so the address of the Service `kubernetes`: bound by the API server
itself, reached by pods through the gateway of their bridge, it makes kube-proxy unnecessary."""

NAMESPACES = Path("/run/netns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The namespace *name*."""

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What leads a command that runs in it. `ip netns exec` would hide the cgroups from the kubelet."""
        return ("nsenter", f"--net={NAMESPACES / self.name}", "--")


@contextmanager
def network() -> Iterator[Network]:
    """A namespace with loopback and the API server's address; those that pods leave behind go with it."""
    name = f"dgdr-{os.getpid()}"
    before = _known()
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "address", "add", f"{API}/32", "dev", "lo")
        yield Network(name=name)
    finally:
        for left in sorted(_known() - before):
            with contextlib.suppress(NodeError):
                run("ip", "netns", "delete", left)


def _known() -> set[str]:
    return {path.name for path in NAMESPACES.iterdir()} if NAMESPACES.is_dir() else set()
