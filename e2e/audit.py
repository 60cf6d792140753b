"""Counts writes: reads the API server's audit log, which knows every one of them and who made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.cluster import Cluster


class NoAuditLog(Exception):
    """This cluster's audit log cannot be read, so writes cannot be counted."""

    def __str__(self) -> str:
        return (
            "writes cannot be counted here: set DGDR_E2E_AUDIT_LOG to the API server's audit log (JSON lines, policy "
            "e2e/controlplane/audit-policy.yaml), or unset KUBECONFIG_E2E to use a cluster of the tests' own"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request that asked for a change; *resource* is plural and carries its subresource: "pods", "pods/status"."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    at: str


def mark(cluster: Cluster) -> int:
    """A place in the log: pass it to `writes` as *since* to see only what came after."""
    if cluster.audit_log is None:
        raise NoAuditLog
    return cluster.audit_log.stat().st_size if cluster.audit_log.exists() else 0


def writes(cluster: Cluster, since: int, *, user: str | None = None, resource: str | None = None) -> list[Write]:
    """The writes after *since*, oldest first, refused ones included (see code), dry runs left out.

    The server writes a line before it has sent the last byte of its answer or shortly after, so a test that has just
    seen the answer polls for the line. Raises NoAuditLog.
    """
    if cluster.audit_log is None:
        raise NoAuditLog
    with cluster.audit_log.open("rb") as log:
        log.seek(since)
        lines = log.read().splitlines(keepends=True)
    events = [json.loads(line) for line in lines if line.endswith(b"\n")]
    found = [_write(event) for event in events if "dryRun=" not in event["requestURI"]]
    return [write for write in found if user in (None, write.user) and resource in (None, write.resource)]


def _write(event: Mapping[str, Any]) -> Write:
    target = event.get("objectRef", {})
    return Write(
        user=event["user"]["username"],
        verb=event["verb"],
        resource="/".join(filter(None, (target.get("resource"), target.get("subresource")))),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        at=event["stageTimestamp"],
    )
