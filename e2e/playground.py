"""Lends the cluster of the tests to a person: `python -m e2e.playground [COMMAND ...]` from the repository root.

Runs COMMAND, or the user's shell, with KUBECONFIG and PATH set; the cluster ends when the command does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e import backends, definitions
from e2e.controlplane.build import BuildError
from e2e.definitions import NoDefinition
from e2e.processes import NotReady


def main() -> int:
    """The exit code of the command; 1, with one message, when there is no cluster to run it on."""
    command = sys.argv[1:] or [os.environ.get("SHELL", "sh")]
    try:
        with tempfile.TemporaryDirectory(prefix="dgdr-") as folder:
            return _run(command, Path(folder))
    except (BuildError, NoDefinition, NotReady) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _run(command: list[str], folder: Path) -> int:
    with backends.choose(folder) as cluster, definitions.installed(cluster, definitions.default_origin()) as origin:
        sys.stderr.write(f"a {cluster.origin} cluster with the {origin} definitions; it ends with this command\n")
        path = os.pathsep.join((str(Path(cluster.program).parent), os.environ.get("PATH", "")))
        env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
