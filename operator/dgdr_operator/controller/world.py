"""What stands in the cluster for one request, and what can be done about it: the nouns of deciding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dgdr_operator.controller.safety import Gap
from dgdr_operator.planned import Planned
from dgdr_operator.request import OWN
from dgdr_operator.status import Type

Object = Mapping[str, Any]

DRIFT = f"{OWN}/drift"
"""Annotation: correct (default), report or ignore changes of the graph that are not ours."""
OWNER_LABELS = ("dgdr.nvidia.com/namespace", "dgdr.nvidia.com/name")
"""Labels by which a graph names its request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStatus:
    """Write this whole status."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyGraph:
    """Make the graph say this; *create*: none is known, so make sure that the name is free first."""

    graph: Object
    create: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRecord:
    """Write the report: the current plan, and the one that waits for the user's word."""

    plan: Planned
    pending: Planned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteGraph:
    """Delete this very graph, and no namesake: *because* another one has taken, or is to take, its place."""

    graph: Object
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Tell the user by an Event."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Hold the graph to its predictions: run this Job, or see how far it is."""

    job: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """Come back after so many seconds."""

    after: float


Action = ApplyStatus | ApplyGraph | ApplyRecord | DeleteGraph | Announce | Measure | LookAgain


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the cluster said to the last try: rejected for good, or denied for lack of a right; about which graph."""

    kind: Literal["rejected", "denied"]
    message: str
    graph: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The request, its graph, and the trouble with it, if any; lacking: companions of the graph that are not right.

    old: the graph that *graph* takes over from, while it stands; pending: the plan that would be made today, where it
    differs from the recorded one; room: free GPUs that a second graph could use, None where nobody knows;
    held: why nothing is done, as a reason and a message; gaps: what a graph misses that does not serve yet;
    unheeded: paths at which the cluster does not take what we say.
    """

    request: Object
    graph: Object | None = None
    trouble: Trouble | None = None
    lacking: tuple[str, ...] = ()
    old: Object | None = None
    pending: Planned | None = None
    room: int | None = None
    gaps: tuple[Gap, ...] = ()
    held: tuple[str, str] | None = None
    unheeded: frozenset[str] = frozenset()

    @property
    def status(self) -> Mapping[str, Any]:
        """The live status, empty if there is none."""
        return self.request.get("status") or {}

    @property
    def recorded_name(self) -> str | None:
        """The graph's name as recorded."""
        return self.status.get("dgdName")

    @property
    def known_name(self) -> str | None:
        """The graph's name as recorded, or, where that was wiped, of the graph of ours that stands."""
        standing = self.graph is not None and is_ours(self.graph, self.request)
        return self.recorded_name or (str((self.graph or {})["metadata"]["name"]) if standing else None)

    @property
    def recorded_graph(self) -> Object:
        """The graph as recorded when it was planned, empty if there is none."""
        return (self.status.get("profilingResults") or {}).get("selectedConfig") or {}

    @property
    def unreported(self) -> bool:
        """Whether the recorded plan may lack its report: it is written before the status says how the graph stands."""
        return bool(self.recorded_graph) and not self.condition(Type.SYNCED)

    @property
    def drift(self) -> str:
        """What the user wants done about changes that are not ours."""
        return str((self.request["metadata"].get("annotations") or {}).get(DRIFT, "correct"))

    def condition(self, kind: Type) -> Mapping[str, Any]:
        """The live condition of that type, empty if there is none."""
        return next((c for c in self.status.get("conditions") or () if c.get("type") == kind), {})

    @property
    def denied(self) -> str | None:
        """The sentence about a missing right, if one was missing."""
        return self.trouble.message if self.trouble and self.trouble.kind == "denied" else None


def at(body: Object, *path: str) -> Any:  # noqa: ANN401 - JSON
    """What *body* says at *path*; None where that is nothing, or where something on the way is no object.

    For requests, which say what their authors wrote: a definition may let any shape through.
    """
    found: Any = body
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def owner(graph: Object) -> tuple[str | None, str | None]:
    """Namespace and name of the request that the labels of *graph* name."""
    labels = graph["metadata"].get("labels") or {}
    return labels.get(OWNER_LABELS[0]), labels.get(OWNER_LABELS[1])


def is_ours(graph: Object, request: Object) -> bool:
    """Whether the labels of *graph* name *request*."""
    return owner(graph) == (request["metadata"].get("namespace"), request["metadata"]["name"])


def taken(graph: Object) -> str:
    """Who holds the name of *graph*, and what to do about it."""
    holder = owner(graph)[1]
    by = f"for the request {holder}" if holder else "by somebody else"
    name = graph["metadata"]["name"]
    return f"a graph called {name} was made {by}; delete it, or choose another name in overrides.dgd.metadata.name"
