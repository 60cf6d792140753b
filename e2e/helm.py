"""Helm, built once from its own module into a cache; `python -m e2e.helm` builds it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from e2e.controlplane.build import BuildError, alone_in, go_command, kubernetes_version, say

ROOT = Path(__file__).resolve().parents[1]
VERSION = "v3.18.6"
MODULE = "helm.sh/helm/v3"
BUILD_COMMAND = "python -m e2e.helm"


def cache_folder() -> Path:
    """Where this version lives; DGDR_HELM_CACHE moves the parent."""
    return Path(os.environ.get("DGDR_HELM_CACHE") or ROOT / ".cache" / "helm") / VERSION


def program() -> str:
    """The built helm; raises BuildError, with the command that builds it, when it is not there."""
    path = cache_folder() / "helm"
    if not path.is_file():
        raise BuildError(f"helm is not built yet: run `{BUILD_COMMAND}` (minutes the first time, nothing after)")
    return str(path)


def flags() -> str:
    """Linker flags: helm's own version, and the Kubernetes that `helm template` and `helm lint` imagine."""
    major, minor = kubernetes_version().removeprefix("v").split(".")[:2]
    imagined = {"k8sVersionMajor": major, "k8sVersionMinor": minor}
    stamps = {f"{MODULE}/internal/version.version": VERSION}
    for package in ("chartutil", "lint/rules"):
        stamps |= {f"{MODULE}/pkg/{package}.{key}": value for key, value in imagined.items()}
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def build() -> Path:
    """Builds helm unless it is there, and answers where it is; raises BuildError."""
    folder = cache_folder()
    with alone_in(folder):
        target = folder / "helm"
        if not target.is_file():
            started = time.monotonic()
            say(f"helm {VERSION} ...")
            command = [go_command(), "install", "-trimpath", f"-ldflags={flags()}", f"{MODULE}/cmd/helm@{VERSION}"]
            environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": ""}
            if subprocess.run(command, env=environment, check=False).returncode != 0:
                raise BuildError(f"`{' '.join(command)}` failed; its words are above")
            say(f"helm {VERSION}: {time.monotonic() - started:.0f} s, {target.stat().st_size / 1e6:.0f} MB")
    return target


def main() -> int:
    """0 when helm is there, 1 with one message when not."""
    try:
        say(str(build()))
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
