"""What a node needs of the machine: kind with Docker, or root and a few Debian packages; one message names them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from e2e.backends import has_kind
from e2e.controlplane.build import BuildError

PROGRAMS: Mapping[str, str] = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    "conntrack": "conntrack",
}
"""Program -> the Debian package that brings it."""

PLUGINS = Path("/usr/lib/cni")
"""Where Debian's containernetworking-plugins lie."""


PATIENCE = 300.0
"""Seconds that a package mirror may take."""


class NodeError(Exception):
    """A step of building or running the node failed; the text has the command and its words."""


def missing() -> str | None:
    """What has to be done before a node can run here, as one command; None when nothing has to."""
    if has_kind():
        return None
    if os.geteuid() != 0:
        return "a node of our own needs root"
    packages = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if not (PLUGINS / "bridge").is_file():
        packages.add("containernetworking-plugins")
    return f"apt-get install --no-install-recommends {' '.join(sorted(packages))}" if packages else None


def require() -> None:
    """Raises BuildError with what `missing` says, if it says anything."""
    said = missing()
    if said:
        raise BuildError(f"a node cannot run here yet: {said}")


def run(*command: str | Path, input: str | None = None) -> str:  # noqa: A002 -- the word that subprocess.run uses
    """Runs a command to its end and answers with stdout; raises NodeError with the end of its words."""
    arguments: Sequence[str] = [str(part) for part in command]
    done = subprocess.run(arguments, input=input, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NodeError(f"{' '.join(arguments)}: {(done.stderr.strip() or done.stdout.strip())[-2000:]}")
    return done.stdout


def install() -> None:
    """Fetches what is missing from the mirrors that this machine knows, where that is possible at all."""
    said = missing() or ""
    if said.startswith("apt-get") and shutil.which("apt-get"):
        for command in ("apt-get --quiet update", said.replace("apt-get", "apt-get --quiet --yes", 1)):
            sys.stderr.write(f"{command} ...\n")
            with suppress(subprocess.TimeoutExpired):
                quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                subprocess.run(command.split(), check=False, stdout=sys.stderr, env=quiet, timeout=PATIENCE)


def main() -> int:
    """0 when a node can run here, 1 with the one command that is missing when not; --install runs it first."""
    if "--install" in sys.argv[1:]:
        install()
    said = missing()
    if said:
        sys.stderr.write(f"a node cannot run here yet: {said}\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
