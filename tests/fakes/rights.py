"""Role-based access: whether the rules of an account allow what it asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.fakes.asked import Asked, Object, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A rule as roles spell it, everywhere or in one namespace."""

    rule: Object
    namespace: str = ""

    def allows(self, asked: Asked) -> bool:
        """Whether the rule covers *asked*."""
        rule = self.rule
        return (
            self.namespace in ("", asked.namespace)
            and _has(rule.get("verbs"), asked.verb)
            and _has(rule.get("apiGroups"), asked.group)
            and _has(rule.get("resources"), asked.resource)
            and (not rule.get("resourceNames") or asked.name in rule["resourceNames"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and the grants it has; None: it may do anything."""

    user: str = "system:admin"
    grants: tuple[Grant, ...] | None = None

    def may(self, asked: Asked) -> bool:
        """Whether *asked* is allowed. Everybody may ask what they may do."""
        return self.grants is None or asked.verb == "review" or any(grant.allows(asked) for grant in self.grants)

    def check(self, asked: Asked) -> None:
        """Raises Refusal (403) in the API server's own words."""
        if self.may(asked):
            return
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        thing = f"{asked.plural}.{asked.group}" if asked.group else asked.plural
        named = f' "{asked.name}"' if asked.name else ""
        raise Refusal(
            403,
            "Forbidden",
            f'{thing}{named} is forbidden: User "{self.user}" cannot {asked.verb} resource "{asked.resource}" '
            f'in API group "{asked.group}" {where}',
        )


def grants(objects: Iterable[Object]) -> tuple[Grant, ...]:
    """The rules of all Roles and ClusterRoles among *objects*, as if each were bound to one account."""
    return tuple(
        Grant(rule=rule, namespace=body["metadata"].get("namespace", "") if body["kind"] == "Role" else "")
        for body in objects
        if body["kind"] in ("Role", "ClusterRole")
        for rule in body.get("rules") or ()
    )


def _has(allowed: Iterable[str] | None, wanted: str) -> bool:
    listed = tuple(allowed or ())
    return "*" in listed or wanted in listed
