"""Runs the Job that measures a graph, and writes what came of it into one condition of the request."""

from collections.abc import Mapping

from dgdr_operator.controller import errors, forms, trial
from dgdr_operator.controller.cluster import JOBS, PODS, Cluster, Kind
from dgdr_operator.controller.world import Object

MANAGER = "dgdr-operator-trial"
"""Field manager of the Job and of the condition: part of every object we ever wrote, so it never changes."""
PAUSE = 20.0
"""Seconds until it is looked again how far the Job is."""


class Bench:
    """Where graphs are measured."""

    def __init__(self, cluster: Cluster, request_kind: Kind) -> None:
        self._cluster = cluster
        self._kind = request_kind

    async def measure(self, request: Object, job: Object, now: str) -> bool:
        """Makes the Job if there is none, and says how far it is. Returns whether that was the end of it."""
        try:
            condition = await self._step(job)
        except errors.Denied as error:
            condition = trial.denied(job, error.message)
        except errors.Rejected as error:
            condition = trial.failed(job, error.message)
        await self._tell(request, condition, now)
        return condition["reason"] in trial.FINAL

    async def _step(self, job: Object) -> Mapping[str, str]:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        try:
            live = await self._cluster.get(JOBS, namespace, name)
        except errors.NotFound:
            live = await self._cluster.apply(JOBS, job, manager=MANAGER)
        match trial.state(live):
            case "running":
                return trial.running(job)
            case "failed":
                return trial.failed(job, await self._last_words(namespace, name))
            case "complete":
                return trial.verdict(job, await self._last_words(namespace, name))

    async def _last_words(self, namespace: str, name: str) -> str:
        """What the container left behind when it ended, "" for nothing."""
        label = f"batch.kubernetes.io/job-name={name}"
        async for pods, _ in self._cluster.pages(PODS, forms.Object, namespace, labelSelector=label):
            for pod in pods:
                for status in (pod.get("status") or {}).get("containerStatuses") or ():
                    ended = (status.get("state") or {}).get("terminated") or {}
                    if ended.get("message"):
                        return str(ended["message"])
        return ""

    async def _tell(self, request: Object, condition: Mapping[str, str], now: str) -> None:
        """Writes the condition if it says anything new; nothing else of the status is touched."""
        live = trial.standing(request)
        if all(live.get(key) == value for key, value in condition.items()):
            return
        metadata = {name: request["metadata"][name] for name in ("name", "namespace", "uid")}
        since = live["lastTransitionTime"] if live.get("status") == condition["status"] else now
        written = {**condition, "lastTransitionTime": since}
        body = {
            "apiVersion": request["apiVersion"],
            "kind": request["kind"],
            "metadata": metadata,
            "status": {"conditions": [written]},
        }
        await self._cluster.apply(self._kind, body, manager=MANAGER, subresource="status")
