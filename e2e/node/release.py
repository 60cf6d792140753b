"""The chart as a platform team installs it: by helm, into a namespace that enforces Pod Security `restricted`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from e2e.chart import FOLDER
from e2e.cluster import KubectlFailed
from e2e.node import image
from e2e.node.node import Node
from e2e.waiting import eventually

NAMESPACE, NAME = "dgdr-system", "dgdr-operator"
LIMIT = "180s"
REPOSITORY, TAG = image.OURS.split(":")

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The release on *machine*; *seconds*: how long each `helm upgrade --install --wait` took."""

    machine: Node
    seconds: list[float] = field(default_factory=list)

    def install(self, tag: str = TAG, *more: str) -> None:
        """Installs, or upgrades to *tag*, and waits until the pod is Ready. Raises NodeError."""
        self._namespace()
        began = time.monotonic()
        chosen = [
            f"--set=image.repository={REPOSITORY}",
            f"--set=image.tag={tag}",
            "--set=image.pullPolicy=Never",
            "--set=replicas=1",  # the tests follow one pod by its uid; leadership among several has tests of its own
            *more,
        ]
        place = ["--namespace", NAMESPACE, "--wait", "--timeout", LIMIT]
        self.machine.helm("upgrade", "--install", NAME, str(FOLDER), *place, *chosen)
        self.seconds.append(time.monotonic() - began)

    def uninstall(self) -> None:
        """`helm uninstall`."""
        self.machine.helm("uninstall", NAME, "--namespace", NAMESPACE, "--wait")

    def test(self) -> str:
        """`helm test`; raises NodeError with its words."""
        return self.machine.helm("test", NAME, "--namespace", NAMESPACE, "--timeout", LIMIT)

    def pod(self) -> Object:
        """The controller's living pod, or nothing."""
        living = self.pods()
        return living[0] if len(living) == 1 else {}

    def pods(self) -> list[Object]:
        """All living pods that are Ready."""
        listed = json.loads(self._kubectl("get", "pods", "-l", f"app.kubernetes.io/name={NAME}", "-o", "json"))["items"]
        return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)]

    def leader(self) -> str:
        """The name of the pod that holds the Lease, or nothing."""
        listed = json.loads(self._kubectl("get", "leases", "-o", "json"))["items"]
        holders = [str(lease["spec"].get("holderIdentity") or "") for lease in listed]
        names = [pod["metadata"]["name"] for pod in self.pods()]
        return next((name for name in names if any(name in holder for holder in holders)), "")

    def wait_ready(self, *, other_than: str = "") -> Object:
        """The controller's pod once it is Ready; *other_than*: the uid of one that does not count."""

        def look() -> Object:
            found = self.pod()
            return found if found and found["metadata"]["uid"] != other_than else {}

        return eventually(look, "the controller's pod to be Ready", seconds=120, pause=0.5)

    def kill(self, name: str = "") -> None:
        """Deletes the pod *name*, or all, without a grace."""
        which = [name] if name else ["-l", f"app.kubernetes.io/name={NAME}"]
        self._kubectl("delete", "pods", *which, "--grace-period=0", "--force")

    def words(self) -> str:
        """What the controller logged."""
        return self.machine.words(NAMESPACE)

    def report(self) -> str:
        """Everything that may explain why it does not come up."""
        try:
            seen = self._kubectl("describe", "pods") + self._kubectl("get", "events")
        except KubectlFailed as error:
            seen = str(error)
        return f"{seen[-6000:]}\n{self.words()[-4000:]}"

    def _namespace(self) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.machine.cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
        )

    def _kubectl(self, *arguments: str) -> str:
        return self.machine.cluster.kubectl("--namespace", NAMESPACE, *arguments)


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition says so."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
