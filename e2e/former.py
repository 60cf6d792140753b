"""The previous version: its chart, what it left in a namespace, and itself, out of the history of this repository."""

from __future__ import annotations

import json
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from dgdr_operator.planned import PAUSE
from tests.fakes.api import Api
from tests.fakes.asked import Object

FOLDER = Path(__file__).parent / "previous"
PACKAGES = ("operator", "estimator", "perf_db")
REQUESTS, GRAPHS, FILES = "dynamographdeploymentrequests", "dynamographdeployments", "configmaps"
KINDS = {"DynamoGraphDeploymentRequest": REQUESTS, "DynamoGraphDeployment": GRAPHS, "ConfigMap": FILES}
USER, OURS, STATUS, PLATFORM = "user", "dgdr-operator", "dgdr-operator-status", "dynamo-operator-manager"
"""Who wrote: the requests, the graphs, our statuses, and those of the graphs."""
PHASES = {
    "served": "Deployed",
    "engine": "Deployed",
    "paused": "Deployed",
    "quick": "Deploying",
    "starting": "Deploying",
    "shown": "Ready",
    "refused": "Failed",
    "planning": "Profiling",
}
"""The phase in which it left each sort of request."""

Version = tuple[str, int]
"""resourceVersion and generation of an object: one moves with every write, the other with its spec."""


class NoHistory(Exception):
    """This copy of the repository does not reach back to the previous version."""

    def __str__(self) -> str:
        return "the previous version is not in this copy of the repository: git fetch --unshallow brings it"


def released() -> list[Object]:
    """The objects of the previous chart, as Helm rendered them."""
    return [body for body in yaml.safe_load_all((FOLDER / "chart.yaml").read_text()) if body]


def source(folder: Path) -> Path:
    """Its packages, in *folder*. Raises NoHistory."""
    archive = folder / "former.zip"
    commit = (FOLDER / "commit").read_text().strip()
    command = ["git", "archive", "--format=zip", f"--output={archive}", commit, *PACKAGES]
    if subprocess.run(command, cwd=FOLDER.parents[1], capture_output=True, check=False).returncode != 0:
        raise NoHistory
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder


class Left:
    """What it left in *namespace*, so many *copies* of each sort, each part written by the same hands as then."""

    def __init__(self, api: Api, namespace: str, copies: int) -> None:
        self.namespace = namespace
        self._api = api
        self._text = (FOLDER / "objects.yaml").read_text()
        with ThreadPoolExecutor(8) as hands:
            list(hands.map(self._restore, map(str, range(copies))))

    def requests(self) -> dict[str, Object]:
        """All requests, by name."""
        return self._all(REQUESTS)

    def versions(self) -> dict[str, Version]:
        """The versions of all graphs, and of all ConfigMaps that they mount."""
        mounted = {name: body["metadata"] for name, body in self._all(FILES).items() if "-engine-" in name}
        graphs = {name: body["metadata"] for name, body in self._all(GRAPHS).items()}
        return {name: (one["resourceVersion"], one.get("generation", 0)) for name, one in (graphs | mounted).items()}

    def _restore(self, copy: str) -> None:
        text = self._text.replace("NAMESPACE", self.namespace).replace("COPY", copy)
        bodies = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        bodies += _paused(bodies, copy)
        uids: dict[str, Object] = {}
        for kind, plural in KINDS.items():
            for body in (one for one in bodies if one["kind"] == kind):
                body["metadata"]["namespace"] = self.namespace
                if plural == FILES:
                    body["metadata"]["ownerReferences"] = [uids[body["metadata"]["name"].partition("-engine-")[0]]]
                uids[body["metadata"]["name"]] = self._write(plural, body)

    def _write(self, plural: str, body: Object) -> Object:
        """Writes *body* and its status; answers with the reference of who is owned by it."""
        status = body.pop("status", None)
        written = self._api.apply(plural, body, USER if plural == REQUESTS else OURS)
        if status:
            place = {key: body["metadata"][key] for key in ("name", "namespace")}
            told = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": place, "status": status}
            self._api.apply(plural, told, STATUS if plural == REQUESTS else PLATFORM, "status")
        return {key: body[key] for key in ("apiVersion", "kind")} | {
            key: written["metadata"][key] for key in ("name", "uid")
        }

    def _all(self, plural: str) -> dict[str, Object]:
        return {body["metadata"]["name"]: body for body in self._api.list(plural, self.namespace)["items"]}


def sort_of(name: str) -> str:
    """Which sort of request *name* is one of."""
    return name.partition("-")[0]


def _paused(bodies: list[Object], copy: str) -> list[Object]:
    """What was served, under another name, and somebody then paused it."""
    served = json.dumps([one for one in bodies if sort_of(one["metadata"]["name"]) == "served"])
    twins: list[Object] = json.loads(served.replace(f"served-{copy}", f"paused-{copy}"))
    twins[0]["metadata"]["annotations"] = {PAUSE: "true"}
    return twins
