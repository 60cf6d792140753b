"""containerd of our own: root, state, socket and network plugins of this run, and the images it starts from."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.node.image import PAUSE
from e2e.node.network import Network
from e2e.node.tools import PLUGINS, NodeError, run
from e2e.processes import Child

PODS = "10.244.0.0/24"
START_LIMIT = 30.0

CONFIG = """version = 2
root = "{folder}/root"
state = "{state}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""
"""Keys as in containerd's own documentation of its CRI plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """A running containerd; *state* is short, since a socket's path has 107 characters."""

    state: Path

    @property
    def socket(self) -> Path:
        """Where the kubelet finds it."""
        return self.state / "containerd.sock"

    def ctr(self, *arguments: str) -> str:
        """Runs ctr in the kubelet's own containerd namespace; raises NodeError."""
        return run("ctr", "--address", self.socket, "--namespace", "k8s.io", *arguments)

    def load(self, archive: Path) -> None:
        """Imports the images of an archive."""
        self.ctr("image", "import", "--snapshotter", "native", str(archive))

    def clear(self) -> None:
        """Ends every container that is left, so that none outlives the tests."""
        for task in self.ctr("task", "list", "--quiet").split():
            with contextlib.suppress(NodeError):
                self.ctr("task", "delete", "--force", task)


@contextmanager
def containers(folder: Path, network: Network) -> Iterator[Containers]:
    """containerd with its files in *folder*, in *network*; raises NotReady."""
    state = Path("/run") / network.name
    for place in (folder, folder / "cni", state):
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(_pod_network(network)))
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder, state=state, pause=PAUSE, plugins=PLUGINS))
    found = Containers(state=state)
    daemon = Child(
        "containerd", [*network.inside, "containerd", "--config", str(config)], log=folder / "containerd.log"
    )
    daemon.start()
    try:
        daemon.wait_until(lambda: _answers(found), seconds=START_LIMIT)
        yield found
        found.clear()
    finally:
        daemon.stop()
        _unmount(folder, state)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(folder / "root", ignore_errors=True)


def _pod_network(network: Network) -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isDefaultGateway": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "dataDir": f"/run/{network.name}/addresses"},
    }
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def _answers(found: Containers) -> bool:
    try:
        return "io.containerd.grpc.v1" in found.ctr("plugins", "list") if found.socket.exists() else False
    except NodeError:
        return False


def _unmount(*folders: Path) -> None:
    """Everything that is still mounted below *folders*, innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    below = [mount for mount in mounts if any(Path(mount).is_relative_to(folder) for folder in folders)]
    for mount in sorted(below, key=len, reverse=True):
        with contextlib.suppress(NodeError):
            run("umount", "--lazy", mount)
