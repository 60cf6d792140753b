"""Kubernetes Events: constant reasons, and a name made of their content, so that a repeat is not a second Event."""

import logging
import socket
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from dgdr_operator.controller import errors
from dgdr_operator.controller.cluster import EVENTS, MANAGER, Cluster
from dgdr_operator.controller.world import Announce, Object

log = logging.getLogger(__name__)

NOTE_LIMIT = 1024
"""Characters of a note that events.k8s.io/v1 accepts."""
NAME_LIMIT = 200
"""Characters of a request's name kept in an Event's name, which has 253."""


async def announce(cluster: Cluster, request: Object, action: Announce) -> None:
    """Tells it once. An Event is a courtesy: that it could not be told is logged and forgotten."""
    body = event(request, action, datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))
    try:
        await cluster.create(EVENTS, request["metadata"]["namespace"], body)
    except errors.Conflict:
        return
    except errors.ClusterError as error:
        log.warning("no Event: %s", error, extra={"reason": action.reason})


def event(request: Object, action: Announce, now: str) -> dict[str, Any]:
    """The Event for *action*; its name depends on what it says and about which generation, not on when."""
    metadata = request["metadata"]
    said = "\n".join((metadata["uid"], str(metadata.get("generation")), action.reason, action.note))
    name = f"{metadata['name'][:NAME_LIMIT]}.{sha256(said.encode()).hexdigest()[:16]}"
    regarding = {name: metadata[name] for name in ("name", "namespace", "uid")}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "eventTime": now,
        "reportingController": MANAGER,
        "reportingInstance": f"{MANAGER}-{socket.gethostname()}"[:128],
        "action": "Reconcile",
        "type": action.type,
        "reason": action.reason,
        "note": action.note[:NOTE_LIMIT],
        "regarding": {"apiVersion": request["apiVersion"], "kind": request["kind"], **regarding},
    }
