"""A stand-in for the platform's own controller of requests, up to the graph that it makes of a profiler's output.

It takes a request, starts the profiler's Job, and waits for the ConfigMap that the profiler would leave behind. One
step at a time, each seen in the cluster before the next, and every write a plain update of the whole object, as the
real one does it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import yaml

from e2e.cluster import OURS
from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"
HOOKS = "validatingwebhookconfigurations"
FINALIZER = "nvidia.com/finalizer"
WEBHOOK = "vdynamographdeploymentrequest.kb.io"
"""The admission webhook that comes with it, by which it is known."""
WITHOUT_PODS: Object = {"completions": 0, "parallelism": 0, "template": {"spec": {"containers": []}}}
"""The profiler's Job of a request that somebody else plans."""
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


@contextmanager
def at_work(api: Api, namespace: str = "", *, finishes: bool = False) -> Iterator[Upstream]:
    """The platform's own controller, in one namespace or in all, and its webhook, while the context lasts."""
    hook = _hook(f"upstream-{namespace or 'everywhere'}")
    api.apply(HOOKS, hook)
    stand_in = Upstream(api, namespace, finishes=finishes)
    stand_in.start()
    try:
        yield stand_in
    finally:
        stand_in.stop()
        api.delete(HOOKS, "", hook["metadata"]["name"])


class Upstream:
    """Works on all requests of one namespace, or of all. *faults*: what it met that it would not understand.

    *finishes*: where nobody else does, it says itself that a Job without pods is complete.
    """

    def __init__(self, api: Api, namespace: str = "", *, finishes: bool = False) -> None:
        self.faults: list[str] = []
        self._api = api
        self._namespace = namespace
        self._finishes = finishes
        self._deaf = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """It starts Jobs, and does not read what they leave behind, for a while."""
        self._deaf.set()
        try:
            yield
        finally:
            self._deaf.clear()

    def stop(self) -> None:
        """Ends, and takes its finalizers along, as an uninstall has to."""
        self._closed.set()
        self._thread.join()
        for request in self._requests():
            with suppress(Refused):  # gone meanwhile
                self._release(request)

    def _run(self) -> None:
        while not self._closed.wait(PAUSE):
            for request in self._requests():
                try:
                    self._step(request)
                except Refused as refused:
                    if not _passing(refused):
                        self.faults.append(str(refused))

    def _release(self, request: Object) -> None:
        metadata = request["metadata"]
        if metadata.get("finalizers"):
            self._api.patch(REQUESTS, metadata["namespace"], metadata["name"], {"metadata": {"finalizers": None}})

    def _step(self, request: Object) -> None:
        """The next thing that is missing."""
        phase = request.get("status", {}).get("phase", "")
        if request["metadata"].get("deletionTimestamp"):
            self._release(request)
        elif FINALIZER not in request["metadata"].get("finalizers", []):
            request["metadata"]["finalizers"] = [FINALIZER]
            self._api.replace(REQUESTS, request)
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
            self._api.replace(REQUESTS, request)
            return
        if not self._job(request):
            self._forget(request)
            self._start(request)
            return
        status = {"phase": "Profiling", "profilingPhase": "Initializing", "profilingJobName": _job_name(request)}
        self._tell(request, **status)

    def _start(self, request: Object) -> None:
        job = self._api.create("jobs", self._profiler(request))
        if self._finishes and job["spec"].get("completions") == 0:
            done = {"type": "Complete", "status": "True"}
            self._api.replace("jobs", {**job, "status": {"conditions": [done]}}, "status")

    def _profiler(self, request: Object) -> Object:
        job = request["spec"].get("overrides", {}).get("profilingJob", {})
        pods = {"restartPolicy": "Never", "containers": [{"name": "profiler", "image": "profiler:1.4.0"}]}
        counts = {name: job[name] for name in ("completions", "parallelism") if name in job}
        spec = {"backoffLimit": 0, "template": {"spec": pods}, **counts}
        place = {"name": _job_name(request), "namespace": request["metadata"]["namespace"]}
        named = {**place, "ownerReferences": [_owner(request)]}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": named, "spec": spec}

    def _wait(self, request: Object) -> None:
        """The Job has to be complete, and its output there."""
        job, output = self._job(request), self._output(request)
        conditions = ((job or {}).get("status") or {}).get("conditions") or ()
        if output is None or self._deaf.is_set() or not any(one["type"] == "Complete" for one in conditions):
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
            placed = {**one["metadata"], "namespace": request["metadata"]["namespace"]}
            self._api.create("configmaps", {**one, "metadata": placed})
        self._tell(request, phase="Ready", profilingPhase="Done", profilingResults={"selectedConfig": graph})

    def _create(self, request: Object) -> None:
        """The graph under its name, with the labels by which it is found again."""
        selected = request["status"]["profilingResults"]["selectedConfig"]
        name = f"{request['metadata']['name']}-dgd"
        labels = {
            "dgdr.nvidia.com/name": request["metadata"]["name"],
            "dgdr.nvidia.com/namespace": request["metadata"]["namespace"],
            "nvidia.com/managed-by": "dynamo-operator",
        }
        placed = {"name": name, "namespace": request["metadata"]["namespace"], "labels": labels}
        body = {**selected, "metadata": {**selected["metadata"], **placed}}
        try:
            self._api.create(GRAPHS, body)
        except Refused as refused:
            if refused.code != 409:
                raise
        self._tell(request, phase="Deploying", dgdName=name)

    def _follow(self, request: Object) -> None:
        graph = self._api.get(GRAPHS, request["metadata"]["namespace"], request["status"]["dgdName"]) or {}
        if (graph.get("status") or {}).get("state") == "successful":
            self._tell(request, phase="Deployed")

    def _requests(self) -> list[Object]:
        found: list[Object] = self._api.list(REQUESTS, self._namespace)["items"]
        return found

    def _tell(self, request: Object, **said: object) -> None:
        self._api.replace(REQUESTS, {**request, "status": {**request.get("status", {}), **said}}, "status")

    def _job(self, request: Object) -> Object | None:
        return self._api.get("jobs", request["metadata"]["namespace"], _job_name(request))

    def _output(self, request: Object) -> dict[str, str] | None:
        found = self._api.get("configmaps", request["metadata"]["namespace"], output_name(request))
        return dict(found["data"]) if found else None

    def _forget(self, request: Object) -> None:
        """What an earlier Job left is deleted before a new one starts."""
        self._api.delete("configmaps", request["metadata"]["namespace"], output_name(request))


def _passing(refused: Refused) -> bool:
    """Whether the object changed or went meanwhile, or its namespace ends: the next round sees how it stands now."""
    return refused.code in (404, 409) or "being terminated" in str(refused)


def _hook(name: str) -> Object:
    """Its webhook, for nothing that anybody would ever create."""
    hook = {
        "name": WEBHOOK,
        "clientConfig": {"url": "https://127.0.0.1:1/never"},
        "rules": [{"apiGroups": ["nvidia.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["none"]}],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**kind, "metadata": {"name": name, "labels": {OURS: "true"}}, "webhooks": [hook]}


def _job_name(request: Object) -> str:
    return f"profile-{request['metadata']['name']}"


def output_name(request: Object) -> str:
    """The ConfigMap that a profiler would leave behind."""
    return f"dgdr-output-{request['metadata']['name']}"


def _owner(request: Object) -> Object:
    metadata = request["metadata"]
    kind = {name: request[name] for name in ("apiVersion", "kind")}
    return {**kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}


def _failed(message: str, request: Object) -> Object:
    when = request["metadata"]["creationTimestamp"]
    said = {"reason": "SelectingConfigFailed", "message": message, "lastTransitionTime": when}
    return {"type": "Succeeded", "status": "False", **said}
