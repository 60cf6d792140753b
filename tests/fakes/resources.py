"""The kinds that an API server serves: a few of Kubernetes' own, and those that definitions add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.fakes.asked import Asked, Json, Object, Refusal

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
DEFINITIONS = "customresourcedefinitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind in one version. schema: its OpenAPI schema, None where anything goes; status: it is apart from spec."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    counts_generations: bool = False
    schema: Json = None

    @property
    def api_version(self) -> str:
        """Group and version, as objects spell them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """The plural with its group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _builtin(group: str, version: str, kinds: Mapping[str, str], *, namespaced: bool = True) -> Iterator[Resource]:
    for plural, kind in kinds.items():
        generations = kind in ("Deployment", "Job", "CustomResourceDefinition")
        yield Resource(
            group=group,
            version=version,
            plural=plural,
            kind=kind,
            namespaced=namespaced,
            status=generations or kind in ("Node", "Pod", "Namespace", "PersistentVolumeClaim"),
            counts_generations=generations,
        )


CORE = {
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "pods": "Pod",
    "resourcequotas": "ResourceQuota",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
}
BUILTINS = (
    *_builtin("", "v1", CORE),
    *_builtin("", "v1", {"namespaces": "Namespace", "nodes": "Node"}, namespaced=False),
    *_builtin("events.k8s.io", "v1", {"events": "Event"}),
    *_builtin("coordination.k8s.io", "v1", {"leases": "Lease"}),
    *_builtin("apps", "v1", {"deployments": "Deployment"}),
    *_builtin("batch", "v1", {"jobs": "Job"}),
    *_builtin("apiextensions.k8s.io", "v1", {DEFINITIONS: "CustomResourceDefinition"}, namespaced=False),
    *_builtin(
        "admissionregistration.k8s.io",
        "v1",
        {"validatingwebhookconfigurations": "ValidatingWebhookConfiguration"},
        namespaced=False,
    ),
    *_builtin("authorization.k8s.io", "v1", {"selfsubjectaccessreviews": "SelfSubjectAccessReview"}, namespaced=False),
)


@dataclass(slots=True)
class Served:
    """All kinds that are served at this moment."""

    _kinds: dict[tuple[str, str, str], Resource] = field(
        default_factory=lambda: {(one.group, one.version, one.plural): one for one in BUILTINS}
    )

    def find(self, asked: Asked) -> Resource:
        """The kind that is asked for. Raises Refusal (404)."""
        found = self._kinds.get((asked.group, asked.version, asked.plural))
        known = found and (asked.subresource in ("", "scale") or (asked.subresource == "status" and found.status))
        if found is None or not known:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        return found

    def of(self, plural: str) -> Resource | None:
        """The first kind of that plural, in any version."""
        return next((one for (_, _, name), one in self._kinds.items() if name == plural), None)

    def define(self, definition: Object) -> None:
        """Serves what a CustomResourceDefinition says, and nothing else under that name."""
        spec = definition["spec"]
        self.withdraw(definition)
        for version in spec["versions"]:
            if version.get("served"):
                one = Resource(
                    group=spec["group"],
                    version=version["name"],
                    plural=spec["names"]["plural"],
                    kind=spec["names"]["kind"],
                    namespaced=spec["scope"] == "Namespaced",
                    status="status" in (version.get("subresources") or {}),
                    counts_generations=True,
                    schema=(version.get("schema") or {}).get("openAPIV3Schema"),
                )
                self.serve(one)

    def serve(self, one: Resource) -> None:
        """Serves one kind in one version."""
        self._kinds[one.group, one.version, one.plural] = one

    def withdraw(self, definition: Object) -> None:
        """Serves the defined kind no more, in any version."""
        spec = definition["spec"]
        gone = spec["group"], spec["names"]["plural"]
        self._kinds = {key: one for key, one in self._kinds.items() if (key[0], key[2]) != gone}

    def hide(self, plural: str) -> None:
        """Serves a kind no more, as if this server had never known it."""
        self._kinds = {key: one for key, one in self._kinds.items() if key[2] != plural}

    def discovery(self, path: str) -> Object | None:
        """The documents by which clients find out what there is; None if *path* is none of them, or not served."""
        parts = path.strip("/").split("/")
        match parts:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                groups = dict.fromkeys(one.group for one in self._kinds.values() if one.group)
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [self._group(name) for name in groups]}
            case ["apis", group]:
                return self._group(group)
            case ["api", version]:
                return self._list("", version)
            case ["apis", group, version]:
                return self._list(group, version)
        return None

    def _group(self, name: str) -> Object | None:
        versions = dict.fromkeys(one.version for one in self._kinds.values() if one.group == name)
        listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        if not listed:
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": listed, "preferredVersion": listed[0]}

    def _list(self, group: str, version: str) -> Object | None:
        found = [one for one in self._kinds.values() if (one.group, one.version) == (group, version)]
        if not found:
            return None
        listed = [entry for one in found for entry in _described(one)]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": found[0].api_version,
            "resources": listed,
        }


def _described(one: Resource) -> Iterator[Object]:
    common = {"singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
    yield {"name": one.plural, "verbs": VERBS, **common}
    if one.status:
        yield {"name": f"{one.plural}/status", "verbs": ["get", "patch", "update"], **common, "singularName": ""}
