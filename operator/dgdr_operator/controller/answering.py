"""Our answer to the platform's own controller: the ConfigMap that it waits for when it plans. Pure.

It takes the place of the profiler's output; the Job that would have made it has no pods. The ConfigMap is written only
when that Job stands, since the platform's controller deletes what is older.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from dgdr_operator.controller import recall
from dgdr_operator.controller.answers import Refused
from dgdr_operator.controller.world import OWNER_LABELS, Object
from dgdr_operator.planned import Planned
from dgdr_operator.request import OWN

STOPPED_AT = "SelectingConfig"
"""The phase of profiling in which a plan is not found; the platform's controller knows no others than its own."""
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_LABELS = (*OWNER_LABELS, "nvidia.com/managed-by")
"""Labels that the platform's controller writes by itself."""


def job_name(request: Object) -> str | None:
    """The Job for which the platform's controller waits now; None while it does not wait."""
    status: Mapping[str, Any] = request.get("status") or {}
    return status.get("profilingJobName") if status.get("phase") == "Profiling" else None


def is_expected(request: Object, job: Object) -> bool:
    """Whether *job* is this request's, of this life, and has no pods."""
    owners = {one.get("uid") for one in job["metadata"].get("ownerReferences") or ()}
    return request["metadata"]["uid"] in owners and (job.get("spec") or {}).get("completions") == 0


def name_of(request: Object) -> str:
    """What the ConfigMap is called."""
    return f"dgdr-output-{request['metadata']['name']}"


def is_given(request: Object, live: Object | None) -> bool:
    """Whether *live* is an answer to this very request."""
    if live is None:
        return False
    owners = {one.get("uid") for one in live["metadata"].get("ownerReferences") or ()}
    return request["metadata"]["uid"] in owners and bool((live.get("data") or {}).get("profiler_status"))


def output(request: Object, answer: Planned | Refused) -> dict[str, Any]:
    """The ConfigMap that says *answer*."""
    metadata = request["metadata"]
    names = (metadata["namespace"], metadata["name"], "dynamo-operator")
    owner = {name: request[name] for name in ("apiVersion", "kind")} | {
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    named = {
        "name": name_of(request),
        "namespace": metadata["namespace"],
        "labels": dict(zip(_LABELS, names, strict=True)),
        "ownerReferences": [owner | {"controller": True}],
    }
    data = _success(answer) if isinstance(answer, Planned) else _failure(answer)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


def _success(plan: Planned) -> dict[str, str]:
    objects = [*(_unlabelled(one) for one in recall.companions(plan.graph)), _unlabelled(plan.graph)]
    written = yaml.dump_all(objects, Dumper=_DUMPER, sort_keys=False, explicit_start=len(objects) > 1)
    return {"phase": "Done", "message": plan.summary, "profiler_status": "success", "final_config.yaml": written}


def _failure(refusal: Refused) -> dict[str, str]:
    said = {"profiler_status": "failed", "profiler_error": refusal.message}
    return {"phase": STOPPED_AT, "message": refusal.message, **said}


def _unlabelled(body: Object) -> dict[str, Any]:
    """*body* without the names that tie it to us: the platform's controller ties it to itself."""
    metadata = dict(body["metadata"])
    metadata["labels"] = {name: value for name, value in (metadata.get("labels") or {}).items() if name not in _LABELS}
    metadata["annotations"] = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if not name.startswith(f"{OWN}/")
    }
    kept = {name: value for name, value in metadata.items() if value != {}}
    return {**body, "metadata": kept}
