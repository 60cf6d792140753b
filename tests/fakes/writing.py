"""Creating, replacing, patching, applying and deleting objects, by the API server's rules."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes import fields, managing, patches, schema
from tests.fakes.asked import Asked, Json, Object, Refusal
from tests.fakes.managing import Owners, Writer
from tests.fakes.resources import Resource
from tests.fakes.store import Store

APPLY, MERGE, STEPS = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
SERVERS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion", "namespace", "name")
"""Metadata that clients cannot change."""


@dataclass(frozen=True, slots=True)
class Writes:
    """The write half of an API server over *store*. *gone* hears of every object that is deleted for good."""

    store: Store
    gone: Callable[[Resource, Object], None]

    def create(self, kind: Resource, asked: Asked, body: Object) -> Object:
        """A new object. Raises Refusal: taken name, invalid body, missing or dying namespace."""
        metadata = dict(body.get("metadata") or {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        if not metadata.get("name"):
            raise Refusal(422, "Invalid", f"{kind.kind} is invalid: metadata.name: Required value: name is required")
        if metadata.get("resourceVersion"):
            raise Refusal(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        named = {**body, "metadata": {**metadata, **({"namespace": asked.namespace} if asked.namespace else {})}}
        if self.store.get(kind.plural, (asked.namespace, metadata["name"])):
            message = f'{kind.full_name} "{metadata["name"]}" already exists'
            raise Refusal(409, "AlreadyExists", message)
        return self._born(kind, asked, named, None)

    def _born(self, kind: Resource, asked: Asked, body: Object, owners: Owners | None) -> Object:
        self._check_namespace(kind, asked)
        body = _identified(kind, {name: value for name, value in body.items() if name != "status" or not kind.status})
        body = _checked(kind, body)
        taken = {name: value for name, value in body["metadata"].items() if name not in SERVERS[:5]}
        born = {"uid": str(uuid.uuid4()), "creationTimestamp": managing.now()}
        generation = {"generation": 1} if kind.counts_generations else {}
        body = {**body, "metadata": {**taken, **born, **generation}}
        if owners is None:
            owners = managing.updated(None, body, _writer(kind, asked, "Update"), fields.whole(kind.schema))
        body = managing.with_owners(body, owners, None)
        return body if asked.dry_run else self.store.write(kind.plural, body)

    def _check_namespace(self, kind: Resource, asked: Asked) -> None:
        """Where namespaces are kept at all, objects live in those that exist and do not end."""
        spaces = self.store.objects["namespaces"]
        if not (kind.namespaced and spaces):
            return
        space = spaces.get(("", asked.namespace))
        if space is None:
            raise Refusal(404, "NotFound", f'namespaces "{asked.namespace}" not found')
        if space["metadata"].get("deletionTimestamp"):
            because = "because it is being terminated"
            message = f"unable to create new content in namespace {asked.namespace} {because}"
            raise Refusal(403, "Forbidden", f'{kind.full_name} "{asked.name}" is forbidden: {message}')

    def update(self, kind: Resource, asked: Asked, body: Object) -> Object:
        """Replaces an object. Raises Refusal: stale resourceVersion, another uid, invalid body."""
        live = self.live(kind, asked)
        return self._replaced(kind, asked, live, body)

    def patch(self, kind: Resource, asked: Asked, content_type: str, body: Json, *, force: bool) -> tuple[Object, bool]:
        """Changes an object; also says whether it is new, which only apply may make it."""
        if content_type == APPLY:
            return self._apply(kind, asked, body, force=force)
        live = self.live(kind, asked)
        if content_type == STEPS:
            changed = patches.json_patched(live, body)
        elif content_type in (MERGE, STRATEGIC):
            changed = patches.merge_patched(live, body)
        else:
            raise Refusal(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
            )
        return self._replaced(kind, asked, live, changed), False

    def live(self, kind: Resource, asked: Asked) -> Object:
        """The object as it stands. Raises Refusal (404)."""
        found = self.store.get(kind.plural, (asked.namespace, asked.name))
        if found is None:
            raise Refusal(404, "NotFound", f'{kind.full_name} "{asked.name}" not found')
        return found

    def _apply(self, kind: Resource, asked: Asked, body: Object, *, force: bool) -> tuple[Object, bool]:
        if not asked.manager:
            raise Refusal(422, "Invalid", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
        live = self.store.get(kind.plural, (asked.namespace, asked.name))
        metadata = body.get("metadata") or {}
        if live is None and asked.subresource:
            raise Refusal(404, "NotFound", f'{kind.full_name} "{asked.name}" not found')
        if live is None and metadata.get("uid"):
            raise Refusal(409, "Conflict", f"uid mismatch: the provided object specified uid {metadata['uid']}")
        said = _own_part(kind, asked, {**body, "metadata": {**metadata, "name": asked.name}})
        if kind.schema:
            said = schema.pruned(said, kind.schema, root=True)
        writer, shape = _writer(kind, asked, "Apply"), fields.whole(kind.schema)
        changed, owners = managing.applied(live, said, writer, shape, force=force)
        if live is None:
            place = {"namespace": asked.namespace} if asked.namespace else {}
            fresh = {**changed, "metadata": {**changed["metadata"], **place}}
            return self._born(kind, asked, fresh, owners), True
        _check_same(kind, live, body, whole=False)
        return self._finish(kind, asked, live, changed, lambda _: owners), False

    def _replaced(self, kind: Resource, asked: Asked, live: Object, body: Object) -> Object:
        _check_same(kind, live, body, whole=asked.verb == "update")
        writer, shape = _writer(kind, asked, "Update"), fields.whole(kind.schema)
        return self._finish(kind, asked, live, body, lambda changed: managing.updated(live, changed, writer, shape))

    def _finish(
        self, kind: Resource, asked: Asked, live: Object, body: Object, own: Callable[[Object], Owners]
    ) -> Object:
        """Keeps what this request may not change, checks the rest, and stores it if it says anything new."""
        kept = {name: live["metadata"][name] for name in SERVERS if name in live["metadata"]}
        said = {name: value for name, value in body["metadata"].items() if name not in SERVERS}
        body = _checked(kind, _identified(kind, {**body, "metadata": {**said, **kept}}), live)
        if kind.status:
            body = _joined(body, live, asked.subresource)
        body = managing.with_owners(body, own(body), live)
        if body == live:
            return live
        if kind.counts_generations and _desired(body) != _desired(live):
            generation = live["metadata"].get("generation", 0) + 1
            body = {**body, "metadata": {**body["metadata"], "generation": generation}}
        if asked.dry_run:
            return body
        stored = self.store.write(kind.plural, body)
        return self._bury(kind, stored)

    def delete(self, kind: Resource, asked: Asked, options: Object) -> Object:
        """Deletes, or marks for deletion while finalizers hold. Raises Refusal where a precondition does not."""
        live = self.live(kind, asked)
        metadata = live["metadata"]
        for name, wanted in (options.get("preconditions") or {}).items():
            if wanted is not None and metadata.get(name) != wanted:
                told = f"Precondition failed: {name.upper()} in precondition: {wanted}, {name.upper()} in object meta"
                raise Refusal(409, "Conflict", _cannot(kind, asked.name, f"{told}: {metadata.get(name)}"))
        if asked.dry_run:
            return live
        if not metadata.get("finalizers"):
            gone = self.store.remove(kind.plural, (asked.namespace, asked.name))
            self.gone(kind, gone)
            return gone
        if metadata.get("deletionTimestamp"):
            return live
        marked = {**metadata, "deletionTimestamp": managing.now()}
        return self.store.write(kind.plural, {**live, "metadata": marked})

    def _bury(self, kind: Resource, body: Object) -> Object:
        """An object that is marked for deletion goes with its last finalizer."""
        metadata = body["metadata"]
        if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
            return body
        gone = self.store.remove(kind.plural, (metadata.get("namespace", ""), metadata["name"]))
        self.gone(kind, gone)
        return gone


def _writer(kind: Resource, asked: Asked, operation: str) -> Writer:
    manager = asked.manager or "unknown"
    return Writer(manager=manager, operation=operation, api_version=kind.api_version, subresource=asked.subresource)


def _own_part(kind: Resource, asked: Asked, body: Object) -> Object:
    """Of an applied body, what its endpoint is about: the status, or all but the status."""
    if not kind.status:
        return body
    if asked.subresource == "status":
        metadata = {"name": asked.name}
        return {name: value for name, value in body.items() if name in ("apiVersion", "kind", "status")} | {
            "metadata": metadata
        }
    return {name: value for name, value in body.items() if name != "status"}


def _identified(kind: Resource, body: Object) -> Object:
    version, name = body.get("apiVersion", kind.api_version), body.get("kind", kind.kind)
    if version != kind.api_version or (name != kind.kind and not kind.schema):
        told = f'{name} in version "{version}" cannot be handled as a {kind.kind}'
        raise Refusal(400, "BadRequest", told)
    if name != kind.kind:
        told = f'{kind.kind}.{kind.group} is invalid: kind: Invalid value: "{name}": must be {kind.kind}'
        raise Refusal(422, "Invalid", told)
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind}


def _joined(body: Object, live: Object, subresource: str) -> Object:
    """The part of *body* that its endpoint is about, and the rest as it stands."""
    status, rest = (body, live) if subresource == "status" else (live, body)
    joined = {name: value for name, value in rest.items() if name != "status"}
    return {**joined, **({"status": status["status"]} if "status" in status else {})}


def _checked(kind: Resource, body: Object, live: Object | None = None) -> Object:
    """*body* pruned and with defaults. Raises Refusal (422) for what is wrong in it and was not wrong in *live*."""
    if not kind.schema:
        return body
    filled: Object = schema.defaulted(schema.pruned(body, kind.schema, root=True), kind.schema)
    known = set(schema.problems(live, kind.schema)) if live else ()
    found = [problem for problem in schema.problems(filled, kind.schema) if problem not in known]
    if not found:
        return filled
    what = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    thing = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    raise Refusal(422, "Invalid", f'{thing} "{body["metadata"]["name"]}" is invalid: {what}')


def _check_same(kind: Resource, live: Object, body: Object, *, whole: bool) -> None:
    """A body that was read from an older version, or from a namesake, is not written; *whole*: by a plain update."""
    metadata = body.get("metadata") or {}
    name, uid = live["metadata"]["name"], live["metadata"]["uid"]
    said = metadata.get("uid", uid)
    if said != uid and whole:
        told = f"Precondition failed: UID in precondition: {said}, UID in object meta: {uid}"
        raise Refusal(409, "Conflict", _cannot(kind, name, told))
    if said != uid:
        told = f'metadata.uid: Invalid value: "{said}": field is immutable'
        raise Refusal(422, "Invalid", f'{kind.kind}.{kind.group} "{name}" is invalid: {told}')
    version = metadata.get("resourceVersion")
    if version and version != live["metadata"]["resourceVersion"]:
        told = "the object has been modified; please apply your changes to the latest version and try again"
        raise Refusal(409, "Conflict", _cannot(kind, name, told))


def _cannot(kind: Resource, name: str, why: str) -> str:
    return f'Operation cannot be fulfilled on {kind.full_name} "{name}": {why}'


def _desired(body: Object) -> Object:
    return {name: value for name, value in body.items() if name not in ("metadata", "status")}
