"""The images of the node, built by buildah without any registry: a Debian base, ours, and a pause."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.backends import has_kind
from e2e.controlplane.build import BuildError, alone_in, say
from e2e.node.tools import NodeError, require, run

ROOT = Path(__file__).resolve().parents[2]
BASE, OURS, PAUSE = "localhost/dgdr-base:bookworm", "localhost/dgdr-operator:dev", "localhost/pause:1"
SUITE = "bookworm"
INSIDE_BASE = "python3,python3-venv,ca-certificates"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
FOREVER = "2147483647"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where buildah keeps images: a folder of ours, beside no other tool's."""

    folder: Path
    driver: str

    def buildah(self, *arguments: str) -> str:
        """Runs buildah on this store; raises NodeError."""
        return run(*self._command(), *arguments)

    def loudly(self, *arguments: str) -> None:
        """The same, with its words on our own terminal: a build of a minute that says nothing looks dead."""
        if subprocess.run([*self._command(), *arguments], check=False, stdout=sys.stderr).returncode != 0:
            raise NodeError(f"buildah {arguments[0]} failed; its words are above")

    def has(self, image: str) -> bool:
        """Whether *image* is there."""
        return image in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def size(self, image: str) -> str:
        """How big the unpacked image is, as buildah words it: 468 MB."""
        return self.buildah("images", "--format", "{{.Size}}", image).splitlines()[0]

    def export(self, image: str, archive: Path) -> Path:
        """Writes *image* as an archive that containerd imports."""
        archive.unlink(missing_ok=True)
        self.buildah("push", "--quiet", image, f"docker-archive:{archive}:{image}")
        return archive

    def _command(self) -> list[str]:
        place = ["--root", str(self.folder / self.driver), "--runroot", str(self.folder / "run")]
        return ["buildah", "--storage-driver", self.driver, *place]


def store() -> Store:
    """The store of this checkout; DGDR_NODE_CACHE moves it."""
    folder = Path(os.environ.get("DGDR_NODE_CACHE") or ROOT / ".cache" / "node")
    folder.mkdir(parents=True, exist_ok=True)
    return Store(folder=folder, driver="overlay" if _lays_over(folder) else "vfs")


def _lays_over(folder: Path) -> bool:
    """Whether the kernel can lay one folder over another there; without, every layer is a whole copy."""
    if "overlay" not in Path("/proc/filesystems").read_text():
        return False
    return run("stat", "--file-system", "--format=%T", folder).strip() != "overlayfs"


def build(images: Store, base: str = "") -> None:
    """All three images; the base and the pause only once, ours as often as the sources change. Raises NodeError."""
    with alone_in(images.folder):
        if not base and not images.has(BASE):
            _base(images)
        if not images.has(PAUSE):
            _pause(images)
        _ours(images, base or BASE)


def _base(images: Store) -> None:
    """A Debian with Python and nothing else, for machines that reach a Debian mirror and no registry."""
    tree = images.folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    say(f"a {SUITE} base ...")
    run("debootstrap", "--variant=minbase", f"--include={INSIDE_BASE}", SUITE, tree)
    for left in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(tree / left, ignore_errors=True)
    archive = images.folder / "base.tar"
    run("tar", "-C", tree, "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*", "-cf", archive, ".")
    with _container(images) as container:
        images.buildah("add", "--quiet", container, str(archive), "/")
        images.buildah("commit", "--quiet", container, BASE)
    shutil.rmtree(tree)
    archive.unlink()


def _pause(images: Store) -> None:
    """What holds a pod's network while its containers come and go."""
    with _container(images) as container:
        images.buildah("copy", "--quiet", container, str(shutil.which("busybox")), "/busybox")
        images.buildah("config", "--cmd", f"/busybox sleep {FOREVER}", container)
        images.buildah("commit", "--quiet", container, PAUSE)


def _ours(images: Store, base: str) -> None:
    given = {"BASE": base, **{name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ}}
    trust = []
    if AUTHORITIES.is_file():  # what this machine trusts, for the time of the build
        given["PIP_CERT"] = str(AUTHORITIES)
        trust = [f"--volume={AUTHORITIES}:{AUTHORITIES}:ro"]
    chosen = [f"--build-arg={name}={value}" for name, value in given.items()]
    layers = f"--layers={'true' if images.driver == 'overlay' else 'false'}"  # a copy per step costs more than it saves
    images.loudly("bud", layers, "--isolation=chroot", "--network=host", *trust, *chosen, f"--tag={OURS}", str(ROOT))


def by_docker(base: str = "", tag: str = OURS) -> str:
    """Ours, built by Docker on *base*, or the Dockerfile's own; how big it is unpacked. Raises NodeError."""
    chosen = [f"--build-arg=BASE={base}"] if base else []
    command = ["docker", "build", "--tag", tag, *chosen, str(ROOT)]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        raise NodeError("docker build failed; its words are above")
    size = run("docker", "image", "inspect", "--format", "{{.Size}}", tag)
    return f"{int(size) / 1e6:.0f} MB"


@contextmanager
def _container(images: Store) -> Iterator[str]:
    name = images.buildah("from", "scratch").strip()
    try:
        yield name
    finally:
        images.buildah("rm", name)


def main() -> int:
    """`make image` where there is no Docker: builds ours, and says how big it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="", help="base image to build on (default: a Debian made here)")
    parser.add_argument("--tag", default="", help="another name for the image")
    given = parser.parse_args()
    try:
        require()
        if has_kind():
            tag = given.tag or OURS
            say(f"{tag}: {by_docker(given.base, tag)} unpacked")
            return 0
        images = store()
        build(images, given.base)
        if given.tag:
            images.buildah("tag", OURS, given.tag)
    except (BuildError, NodeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    say(f"{given.tag or OURS}: {images.size(OURS)} unpacked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
