"""Who owns which field of an object: server-side apply with its conflicts, and what plain writes do to owners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.fakes import fields
from tests.fakes.asked import Json, Object, Refusal
from tests.fakes.fields import ITEM, Path

Owners = dict["Writer", set[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """A field manager, the way it writes (Apply or Update), in which version, and to which part."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


def now() -> str:
    """The time as the API server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owners_of(body: Object) -> Owners:
    """The owners that *body* lists."""
    found: Owners = {}
    for entry in body["metadata"].get("managedFields") or ():
        writer = Writer(
            manager=entry["manager"],
            operation=entry["operation"],
            api_version=entry["apiVersion"],
            subresource=entry.get("subresource", ""),
        )
        found[writer] = set(fields.decoded(entry["fieldsV1"]))
    return found


def with_owners(body: Object, owners: Owners, before: Object | None) -> Object:
    """*body* with *owners* listed; the time of an entry moves only when the entry does."""
    known = {_identity(entry): entry for entry in (before or {"metadata": {}})["metadata"].get("managedFields") or ()}
    entries = [_entry(writer, paths, known) for writer, paths in owners.items() if paths]
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": {**metadata, **({"managedFields": entries} if entries else {})}}


def _identity(entry: Object) -> tuple[str, ...]:
    return tuple(str(entry.get(name, "")) for name in ("manager", "operation", "apiVersion", "subresource"))


def _entry(writer: Writer, paths: set[Path], known: dict[tuple[str, ...], Object]) -> Object:
    entry: Object = {"manager": writer.manager, "operation": writer.operation, "apiVersion": writer.api_version}
    entry |= {"time": now(), "fieldsType": "FieldsV1", "fieldsV1": fields.encoded(paths)}
    if writer.subresource:
        entry["subresource"] = writer.subresource
    before = known.get(_identity(entry))
    return before if before and before["fieldsV1"] == entry["fieldsV1"] else entry


def applied(live: Object | None, said: Object, writer: Writer, schema: Json, *, force: bool) -> tuple[Object, Owners]:
    """*live* after *writer* applied *said*, and who owns what then. Raises Refusal (409) on a conflict."""
    stands = live or {"metadata": {}}
    owners = owners_of(stands)
    wanted = fields.flat(fields.stripped(said), schema)
    there = fields.flat(fields.stripped(stands), schema)
    _settle(owners, writer, wanted, there, force=force)
    before = owners.pop(writer, set())
    others = set().union(*owners.values()) if owners else set()
    gone = {path for path in before - wanted.keys() if path not in others}
    kept = fields.without(stands, gone, schema)
    body = fields.merged(kept, said, schema)
    return body, {**owners, writer: set(wanted)}


def _settle(owners: Owners, writer: Writer, wanted: dict[Path, Json], there: dict[Path, Json], *, force: bool) -> None:
    """Takes from other owners what is given another value; raises Refusal unless *force*."""
    fought = {path for path, value in wanted.items() if value is not ITEM and path in there and there[path] != value}
    causes = []
    for other, paths in owners.items():
        disputed = paths & fought
        if other != writer and disputed:
            causes += [_cause(other, path) for path in sorted(disputed)]
            paths.difference_update(disputed)
    if causes and not force:
        listed = "\n".join(f"- {cause['field']}" for cause in causes)
        count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
        raise Refusal(409, "Conflict", f"Apply failed with {count}: {causes[0]['message']}:\n{listed}", causes)


def _cause(other: Writer, path: Path) -> Object:
    using = f" with subresource {other.subresource!r}" if other.subresource else ""
    via = f" using {other.api_version}" if other.operation == "Update" else ""
    spoken = "".join(f".{element[2:]}" if element[0] == "f" else f"[{element[2:]}]" for element in path)
    message = f'conflict with "{other.manager}"{using}{via}'
    return {"reason": "FieldManagerConflict", "message": message, "field": spoken}


def updated(live: Object | None, body: Object, writer: Writer, schema: Json) -> Owners:
    """Who owns what once *writer* has replaced *live* by *body*: whoever changes a field owns it alone."""
    stands = live or {"metadata": {}}
    before = fields.flat(fields.stripped(stands), schema)
    after = fields.flat(fields.stripped(body), schema)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    lost = changed | (before.keys() - after.keys())
    owners = {other: paths if other == writer else paths - lost for other, paths in owners_of(stands).items()}
    own = (owners.get(writer, set()) | changed) & after.keys()
    return {**owners, writer: own}
