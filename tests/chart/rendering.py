"""What `helm template` makes of the chart, as objects."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

RELEASE, NAMESPACE = "plan", "dgdr-system"


class Refused(Exception):
    """Helm would not render; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The chart in *folder*, rendered by *helm*."""

    folder: Path
    helm: str

    def run(self, *arguments: str) -> str:
        """Helm's words; raises Refused with those of a failure."""
        done = subprocess.run([self.helm, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def render(self, *arguments: str, values: Path | None = None, release: str = RELEASE) -> list[Object]:
        """All objects of a release, those of `helm test` included."""
        chosen = ["--values", str(values)] if values else []
        text = self.run("template", release, str(self.folder), "--namespace", NAMESPACE, *chosen, *arguments)
        return [body for body in yaml.safe_load_all(text) if body]

    @property
    def samples(self) -> list[Path]:
        """The value files of ci/."""
        return sorted((self.folder / "ci").glob("*.yaml"))


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """Those of one kind, without what only `helm test` makes."""
    return [body for body in objects if body["kind"] == kind and not is_hook(body)]


def is_hook(body: Object) -> bool:
    """Whether only `helm test` makes it."""
    return "helm.sh/hook" in (body["metadata"].get("annotations") or {})


def pods(objects: list[Object]) -> Iterator[Object]:
    """Pod specs, from pods and from templates of pods."""
    for body in objects:
        if body["kind"] == "Pod":
            yield body["spec"]
        elif body["kind"] == "Deployment":
            yield body["spec"]["template"]["spec"]


def container(objects: list[Object]) -> Object:
    """The controller's container."""
    (deployment,) = of_kind(objects, "Deployment")
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)
