"""What a client asks an API server for, in the words that rights are written in, and what a test may answer instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Any
Object = dict[str, Any]
Name = tuple[str, str]
"""Namespace and name of an object."""

METHODS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
READING = ("get", "list", "watch", "review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: verb as RBAC names it, plural with its subresource, namespace and name ("" where there is none)."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    group: str = ""
    version: str = ""
    manager: str = ""
    dry_run: bool = False
    accept: str = ""
    continues: bool = False

    @property
    def plural(self) -> str:
        """The resource without its subresource."""
        return self.resource.partition("/")[0]

    @property
    def subresource(self) -> str:
        """ "status", or "" for the object as a whole."""
        return self.resource.partition("/")[2]

    @property
    def writes(self) -> bool:
        """Whether it asks for a change that stays."""
        return self.verb not in READING and not self.dry_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of the right answer.

    status: answer so (0: answer rightly, after *delay*); event: say 200 first, and then ERROR with this status on the
    watch; cut: close the connection, *after* the server has done its work or before; delay: seconds of silence first.
    """

    status: int = 0
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    event: bool = False
    cut: bool = False
    after: bool = False
    delay: float = 0.0


FaultHook = Callable[[Asked], Fault | None]


class Refusal(Exception):
    """An answer that is not yes: HTTP code, reason and details as in a Status object."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Object] | None = None) -> None:
        super().__init__(code, reason, message, causes)
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes or []

    def status(self) -> Object:
        """The Status object."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason, "code": self.code}
        return {**body, "details": {"causes": self.causes}} if self.causes else body


def parse(method: str, path: str, query: Mapping[str, str]) -> Asked | None:
    """What a request means; None where *path* is not that of a collection, an object or a part of one."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, place = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, place = parts[1], parts[2], parts[3:]
    else:
        return None
    inside = place[0] == "namespaces" and len(place) > 2 and place[2] not in ("status", "finalize")
    namespace, rest = (place[1], place[2:]) if inside else ("", place)
    plural, name, subresource = (*rest, "", "")[:3]
    return Asked(
        verb=_verb(method, plural, name, query),
        resource="/".join(filter(None, (plural, subresource))),
        namespace=namespace,
        name=name,
        group=group,
        version=version,
        manager=query.get("fieldManager", ""),
        dry_run="dryRun" in query,
        continues=bool(query.get("continue")),
    )


def _verb(method: str, plural: str, name: str, query: Mapping[str, str]) -> str:
    if plural.endswith("reviews") and method == "POST":
        return "review"
    if not name and method == "GET":
        return "watch" if query.get("watch") in ("true", "1") else "list"
    if not name and method == "DELETE":
        return "deletecollection"
    return METHODS.get(method, method.lower())
