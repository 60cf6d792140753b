"""What ResourceQuotas leave of a namespace's GPUs."""

from collections.abc import Iterable, Mapping
from typing import Any

from dgdr_operator.inventory.amounts import GPU, count, inner

REQUESTS = f"requests.{GPU}"


def left(quotas: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """GPUs that may still be requested, by namespace, for those with a quota on them; the tightest of several."""
    found: dict[str, int] = {}
    for quota in quotas:
        status = inner(quota, "status")
        hard = inner(status, "hard") or inner(inner(quota, "spec"), "hard")
        if REQUESTS in hard:
            namespace = str(inner(quota, "metadata").get("namespace", ""))
            rest = max(0, count(hard[REQUESTS]) - count(inner(status, "used").get(REQUESTS)))
            found[namespace] = min(rest, found.get(namespace, rest))
    return found
