"""The report of a request: one ConfigMap with its plan, the search behind it, what it changes, and the last plans.

Pure.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import yaml

from dgdr_operator import planned
from dgdr_operator.controller import recall
from dgdr_operator.controller.world import Object
from dgdr_operator.planned import Planned
from dgdr_operator.request import OWN

FORMAT = "1"
FORMAT_LABEL = f"{OWN}/report-format"
"""Says how the report is written; one in a format that is not ours is left as it is."""
KEPT = 5
"""Plans in the history."""
ROOM = 1_000_000
"""Bytes of a report; the API server takes 1,048,576 for a whole object."""
DISPENSABLE = ("report.html", "frontier.csv", "report.txt", "diff.txt", "pending.yaml")
"""What is left out, first to last, where a report would be too large."""
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The event loop waits while a plan is written: libyaml, where it is there, takes a quarter of the time."""
SEARCH = ("report.html", "frontier.csv", "report.txt")
"""What belongs to the search of one plan."""
FILES = frozenset({"plan-hash", "plan.yaml", "diff.txt", "history.json", "pending-hash", "pending.yaml", *SEARCH})
"""Everything that we ever write into a report; what else is in it is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a report is to say: the current plan, the one that waits for approval, the difference to what runs."""

    plan: Planned
    pending: Planned | None
    diff: str
    now: str


def name_of(request: Object) -> str:
    """What the report of *request* is called."""
    return planned.report_name(str(request["metadata"]["name"]))


def is_ours(live: Object | None) -> bool:
    """Whether *live* is free to be written: not there, or a report in the format we write."""
    if live is None:
        return True
    return (live["metadata"].get("labels") or {}).get(FORMAT_LABEL) == FORMAT


def build(request: Object, live: Object | None, draft: Draft) -> dict[str, Any]:
    """The report as it should be; *live*: as it is, for the history and for the search behind a plan that stays."""
    before: Mapping[str, str] = (live or {}).get("data") or {}
    same = before.get("plan-hash") == draft.plan.hash
    kept = {name: before[name] for name in SEARCH if same and name in before}
    data = {
        "plan-hash": draft.plan.hash,
        "plan.yaml": _text(draft.plan),
        "diff.txt": draft.diff,
        "history.json": _dumped(_grown(before.get("history.json", ""), draft.plan, draft.now)),
        **kept,
        **unpacked(draft.plan.report),
    }
    if draft.pending:
        data |= {"pending-hash": draft.pending.hash, "pending.yaml": _text(draft.pending)}
    metadata = request["metadata"]
    owner = {name: request[name] for name in ("apiVersion", "kind")} | {
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    labels = {f"{OWN}/request": metadata["name"], "nvidia.com/managed-by": "dgdr-operator", FORMAT_LABEL: FORMAT}
    named = {"name": name_of(request), "namespace": metadata["namespace"], "labels": labels, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": _fitting(data)}


def says(live: Object, wanted: Mapping[str, Any]) -> bool:
    """Whether the report *live* is its request's and says what is *wanted*, whatever ran when it was written."""
    owned = wanted["metadata"]["ownerReferences"][0] in (live["metadata"].get("ownerReferences") or ())
    said: Mapping[str, str] = live.get("data") or {}
    return owned and all(said.get(name) == wanted["data"].get(name) for name in FILES - {"diff.txt"})


def changes(live: Object, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the report *live* the one that is *wanted*, as a merge patch: files of ours that it does not have any
    more go, and what others added stays. It does not apply to a report that changed meanwhile.
    """
    gone = dict.fromkeys(FILES & (live.get("data") or {}).keys() - wanted["data"].keys())
    metadata = wanted["metadata"]
    ours = {one["uid"] for one in metadata["ownerReferences"]}
    others = [one for one in live["metadata"].get("ownerReferences") or () if one.get("uid") not in ours]
    meta = {"labels": metadata["labels"], "ownerReferences": [*others, *metadata["ownerReferences"]]}
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    return {"metadata": {**meta, **version}, "data": {**wanted["data"], **gone}}


def find(live: Object | None, plan: str) -> Planned | None:
    """The plan of that hash in the history of *live*."""
    return next((_planned(entry) for entry in history(live) if entry.get("plan") == plan), None)


def history(live: Object | None) -> list[dict[str, Any]]:
    """The plans that *live* remembers, newest first; none if somebody garbled the memory."""
    return planned.entries(((live or {}).get("data") or {}).get("history.json", ""))


def packed(files: Mapping[str, str]) -> bytes:
    """*files*, name by content, in few bytes."""
    return zlib.compress(json.dumps(dict(files)).encode()) if files else b""


@lru_cache(maxsize=8)
def unpacked(report: bytes) -> Mapping[str, str]:
    """What `packed` packed; equal requests, which often come together, have equal pages."""
    found: dict[str, str] = json.loads(zlib.decompress(report)) if report else {}
    return MappingProxyType(found)


def _text(plan: Planned) -> str:
    """What would be applied, for a person and for kubectl."""
    metadata = plan.graph["metadata"]
    plain = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != recall.COMPANIONS}
    graph = {**plan.graph, "metadata": {**metadata, "annotations": plain}}
    objects = [*recall.companions(plan.graph), _plain(graph)]
    return yaml.dump_all(objects, Dumper=_DUMPER, sort_keys=False, explicit_start=len(objects) > 1)


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Without tuples and mappings that YAML has no word for."""
    return json.loads(json.dumps(value))


def _grown(written: str, plan: Planned, now: str) -> list[dict[str, Any]]:
    """The history with *plan* at its head; a plan that comes back moves there."""
    entries = planned.entries(written)
    if entries and entries[0].get("plan") == plan.hash:
        return entries
    entry = {"plan": plan.hash, "at": now, "summary": plan.summary, "fabric": list(plan.fabric), "graph": plan.graph}
    return [entry, *(one for one in entries if one.get("plan") != plan.hash)][:KEPT]


def _planned(entry: Mapping[str, Any]) -> Planned | None:
    graph, fabric = entry.get("graph"), list(entry.get("fabric") or ())
    if not isinstance(graph, dict) or not isinstance(graph.get("metadata"), dict) or len(fabric) != 3:  # noqa: PLR2004 - ready, reason, message
        return None
    return Planned(graph=graph, summary=str(entry.get("summary", "")), fabric=(bool(fabric[0]), fabric[1], fabric[2]))


def _dumped(entries: list[dict[str, Any]]) -> str:
    return json.dumps(entries, indent=1)


def _fitting(data: dict[str, str]) -> dict[str, str]:
    """*data* within its room: pages go first, then old plans, and the plan itself never."""
    for name in DISPENSABLE:
        if _size(data) <= ROOM:
            break
        data.pop(name, None)
    for fewer in _shorter(data["history.json"]):
        if _size(data) <= ROOM:
            break
        data["history.json"] = fewer
    return data


def _shorter(written: str) -> Iterator[str]:
    entries = planned.entries(written)
    while len(entries) > 1:
        entries.pop()
        yield _dumped(entries)


def _size(data: Mapping[str, str]) -> int:
    return sum(len(value.encode()) for value in data.values())
