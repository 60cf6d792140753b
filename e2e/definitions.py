"""The two nvidia.com kinds on a test cluster: upstream's definitions where they are at hand, otherwise our own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster import OURS, Cluster, KubectlFailed
from e2e.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("dynamographdeploymentrequests", "dynamographdeployments")

Definition = dict[str, Any]


class NoDefinition(Exception):
    """A kind cannot be had in the origin and version that a test asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose definitions ("upstream" or "own") and the one version that is served and stored."""

    whose: str
    version: str = "v1beta1"

    def __str__(self) -> str:
        return f"{self.whose}-{self.version}"


def upstream_folder() -> Path | None:
    """The folder of upstream's definitions: DGDR_UPSTREAM_CRDS (empty: none), else beside the repository, else None."""
    named = os.environ.get("DGDR_UPSTREAM_CRDS")
    if named is None:
        beside = ROOT.parent / "shared" / "upstream-crds"
        return beside if beside.is_dir() else None
    if named and not Path(named).is_dir():
        raise NoDefinition(f"DGDR_UPSTREAM_CRDS names {named!r}, which is not a folder")
    return Path(named) if named else None


def default_origin() -> Origin:
    """Upstream's v1beta1 when upstream's files are at hand, otherwise our own."""
    return Origin(whose="own" if upstream_folder() is None else "upstream")


def read(origin: Origin) -> list[Definition]:
    """Both definitions, cut down to one version; raises NoDefinition."""
    by_name = {definition["metadata"]["name"]: definition for definition in _documents(origin)}
    names = [f"{kind}.nvidia.com" for kind in KINDS]
    missing = [name for name in names if name not in by_name]
    if missing:
        raise NoDefinition(f"no {origin.whose} definition of {', '.join(missing)} among: {', '.join(sorted(by_name))}")
    return [one_version(by_name[name], origin.version) for name in names]


def one_version(definition: Definition, version: str) -> Definition:
    """*definition* with only *version*, served and stored, and no conversion webhook.

    The webhook that the definitions name does not run here, and conversion None changes an object's apiVersion alone:
    with two versions served, what is written in one would be read as nonsense in the other.
    """
    versions = {entry["name"]: entry for entry in definition["spec"]["versions"]}
    if version not in versions:
        raise NoDefinition(f"{definition['metadata']['name']} has no {version}, only {', '.join(versions)}")
    return {
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "metadata": {"name": definition["metadata"]["name"], "labels": {OURS: "true"}},
        "spec": {
            **definition["spec"],
            "conversion": {"strategy": "None"},
            "versions": [{**versions[version], "served": True, "storage": True}],
        },
    }


@contextmanager
def installed(cluster: Cluster, origin: Origin) -> Iterator[Origin]:
    """Serves both kinds as *origin* says while the context lasts; answers with the origin that is really there.

    A cluster that outlives the tests keeps definitions that are not ours: the objects of others depend on them.
    """
    foreign = [] if cluster.disposable else _foreign(cluster)
    if foreign:
        if not all(_serves(cluster, kind, origin.version) for kind in KINDS):
            raise NoDefinition(f"this cluster's {' and '.join(foreign)} do not serve {origin.version}")
        yield Origin(whose="cluster", version=origin.version)
        return
    cluster.apply(*read(origin))
    _wait_served(cluster, origin.version)
    try:
        yield origin
    finally:
        cluster.kubectl("delete", "crd", "-l", f"{OURS}=true", "--timeout=60s")


def _documents(origin: Origin) -> Iterator[Definition]:
    folder = upstream_folder()
    if origin.whose == "upstream" and folder is None:
        raise NoDefinition("upstream's definitions are not here: set DGDR_UPSTREAM_CRDS to the folder that has them")
    own: Iterable[Path] = (*(ROOT / "crds").glob("*.yaml"), *(ROOT / "e2e" / "crds").glob("*.yaml"))
    files = own if origin.whose == "own" or folder is None else [folder / f"nvidia.com_{kind}.yaml" for kind in KINDS]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # megabytes of schema: libyaml reads them ten times faster
    for file in files:
        with file.open() as text:
            yield from (document for document in yaml.load_all(text, Loader=loader) if document)


def _serves(cluster: Cluster, kind: str, version: str) -> bool:
    try:
        cluster.kubectl("get", "--raw", f"/apis/nvidia.com/{version}/{kind}?limit=1")
    except KubectlFailed:
        return False
    return True


def _foreign(cluster: Cluster) -> list[str]:
    """Which of the two definitions are there and were not installed by the tests."""
    listed = json.loads(cluster.kubectl("get", "crd", "-o", "json", "-l", f"{OURS}!=true"))["items"]
    return sorted({item["metadata"]["name"] for item in listed} & {f"{kind}.nvidia.com" for kind in KINDS})


def _wait_served(cluster: Cluster, version: str) -> None:
    """Waits until objects of both kinds can be listed, which is later than the definitions being accepted."""
    for kind in KINDS:
        eventually(partial(_serves, cluster, kind, version), f"{kind} {version} to be served")
