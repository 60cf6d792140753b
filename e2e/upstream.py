"""A stand-in for the platform's own controller of requests, up to the graph that it makes of a profiler's output.

It takes a request, starts the profiler's Job, and waits for the ConfigMap that the profiler would leave behind. One
step at a time, each seen in the cluster before the next, and every write a plain update of the whole object, as the
real one does it.
"""

from __future__ import annotations

import threading
from typing import Any

import yaml
from kubernetes import client

from e2e.cluster import Cluster
from e2e.dynamo_operator import connect

GROUP, REQUESTS, GRAPHS = "nvidia.com", "dynamographdeploymentrequests", "dynamographdeployments"
FINALIZER = "nvidia.com/finalizer"
DISCOVERED = {"gpuSku": "h200_sxm", "vramMb": 143771, "totalGpus": 8, "numGpusPerNode": 8, "interconnect": "nvlink"}
"""What it finds out about the hardware, and writes into every request."""
PAUSE = 0.2
PHASES = (
    "Initializing",
    "SweepingPrefill",
    "SweepingDecode",
    "SelectingConfig",
    "BuildingCurves",
    "GeneratingDGD",
    "Done",
)

Object = dict[str, Any]


class Upstream:
    """Works on all requests of one namespace. *faults*: what it met that it would not understand."""

    def __init__(self, cluster: Cluster, namespace: str, version: str) -> None:
        self._namespace = namespace
        self._place = (GROUP, version, namespace)
        connection = connect(config_file=str(cluster.kubeconfig))
        self._custom = client.CustomObjectsApi(connection)
        self._core = client.CoreV1Api(connection)
        self._batch = client.BatchV1Api(connection)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self.faults: list[str] = []

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and takes its finalizers along, as an uninstall has to."""
        self._closed.set()
        self._thread.join()
        for request in self._requests():
            request["metadata"]["finalizers"] = []
            self._replace(REQUESTS, request)
        self._custom.api_client.close()

    def _run(self) -> None:
        while not self._closed.wait(PAUSE):
            for request in self._requests():
                try:
                    self._step(request)
                except client.ApiException as error:
                    if error.status not in (404, 409):  # changed meanwhile: the next round sees the newer one
                        self.faults.append(f"{error.status}: {error.body}")

    def _step(self, request: Object) -> None:
        """The next thing that is missing."""
        phase = request.get("status", {}).get("phase", "")
        if request["metadata"].get("deletionTimestamp"):
            request["metadata"]["finalizers"] = []
            self._replace(REQUESTS, request)
        elif FINALIZER not in request["metadata"].get("finalizers", []):
            request["metadata"]["finalizers"] = [FINALIZER]
            self._replace(REQUESTS, request)
        elif phase in ("", "Pending"):
            self._begin(request)
        elif phase == "Profiling":
            self._wait(request)
        elif phase == "Ready" and request["spec"].get("autoApply", True):
            self._create(request)
        elif phase == "Deploying":
            self._follow(request)

    def _begin(self, request: Object) -> None:
        """Hardware into the spec; then away with an old answer, and the Job; then Profiling."""
        if DISCOVERED.items() - request["spec"].get("hardware", {}).items():
            request["spec"]["hardware"] = {**request["spec"].get("hardware", {}), **DISCOVERED}
            self._replace(REQUESTS, request)
            return
        if not self._job(request):
            self._forget(request)
            self._batch.create_namespaced_job(self._namespace, self._profiler(request))
            return
        status = {"phase": "Profiling", "profilingPhase": "Initializing", "profilingJobName": _job_name(request)}
        self._tell(request, **status)

    def _profiler(self, request: Object) -> Any:  # noqa: ANN401 -- where the client package types a model, it takes JSON too
        job = request["spec"].get("overrides", {}).get("profilingJob", {})
        pods = {"restartPolicy": "Never", "containers": [{"name": "profiler", "image": "profiler:1.4.0"}]}
        counts = {name: job[name] for name in ("completions", "parallelism") if name in job}
        spec = {"backoffLimit": 0, "template": {"spec": pods}, **counts}
        named = {"name": _job_name(request), "ownerReferences": [_owner(request)]}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": named, "spec": spec}

    def _wait(self, request: Object) -> None:
        """The Job has to be complete, and its output there."""
        job, output = self._job(request), self._output(request)
        if job is None or not any(one.type == "Complete" for one in job.status.conditions or ()):
            return
        if output is None:
            return
        if output["phase"] not in PHASES:
            self.faults.append(f"phase {output['phase']!r} is none of a profiler's")
        if output.get("profiler_status") == "failed":
            message = f"profiling failed: {output['profiler_error']}"
            self._tell(request, phase="Failed", profilingPhase=output["phase"], conditions=[_failed(message, request)])
        elif output.get("profiler_status") == "success":
            self._take(request, output["final_config.yaml"])

    def _take(self, request: Object, written: str) -> None:
        *files, graph = yaml.safe_load_all(written)
        if graph["kind"] != "DynamoGraphDeployment" or {one["kind"] for one in files} - {"ConfigMap"}:
            self.faults.append(f"{[one['kind'] for one in (*files, graph)]} is no plan")
        for one in files:
            self._core.create_namespaced_config_map(self._namespace, one)
        self._tell(request, phase="Ready", profilingPhase="Done", profilingResults={"selectedConfig": graph})

    def _create(self, request: Object) -> None:
        """The graph under its name, with the labels by which it is found again."""
        selected = request["status"]["profilingResults"]["selectedConfig"]
        name = f"{request['metadata']['name']}-dgd"
        labels = {
            "dgdr.nvidia.com/name": request["metadata"]["name"],
            "dgdr.nvidia.com/namespace": self._namespace,
            "nvidia.com/managed-by": "dynamo-operator",
        }
        body = {**selected, "metadata": {**selected["metadata"], "name": name, "labels": labels}}
        try:
            self._custom.create_namespaced_custom_object(*self._place, GRAPHS, body)
        except client.ApiException as error:
            if error.status != 409:
                raise
        self._tell(request, phase="Deploying", dgdName=name)

    def _follow(self, request: Object) -> None:
        graph: Any = self._custom.get_namespaced_custom_object(*self._place, GRAPHS, request["status"]["dgdName"])
        if graph.get("status", {}).get("state") == "successful":
            self._tell(request, phase="Deployed")

    def _requests(self) -> list[Object]:
        listed: Any = self._custom.list_namespaced_custom_object(*self._place, REQUESTS)
        found: list[Object] = listed["items"]
        return found

    def _replace(self, plural: str, body: Object) -> None:
        self._custom.replace_namespaced_custom_object(*self._place, plural, body["metadata"]["name"], body)

    def _tell(self, request: Object, **said: object) -> None:
        body = {**request, "status": {**request.get("status", {}), **said}}
        self._custom.replace_namespaced_custom_object_status(*self._place, REQUESTS, request["metadata"]["name"], body)

    def _job(self, request: Object) -> Any:  # noqa: ANN401 -- a model of the client package
        try:
            return self._batch.read_namespaced_job(_job_name(request), self._namespace)
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def _output(self, request: Object) -> dict[str, str] | None:
        try:
            found: Any = self._core.read_namespaced_config_map(_output_name(request), self._namespace)
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return dict(found.data)

    def _forget(self, request: Object) -> None:
        """What an earlier Job left is deleted before a new one starts."""
        if self._output(request) is not None:
            self._core.delete_namespaced_config_map(_output_name(request), self._namespace)


def _job_name(request: Object) -> str:
    return f"profile-{request['metadata']['name']}"


def _output_name(request: Object) -> str:
    return f"dgdr-output-{request['metadata']['name']}"


def _owner(request: Object) -> Object:
    metadata = request["metadata"]
    kind = {name: request[name] for name in ("apiVersion", "kind")}
    return {**kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}


def _failed(message: str, request: Object) -> Object:
    when = request["metadata"]["creationTimestamp"]
    said = {"reason": "SelectingConfigFailed", "message": message, "lastTransitionTime": when}
    return {"type": "Succeeded", "status": "False", **said}
