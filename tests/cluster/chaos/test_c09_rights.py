"""C09: a right is taken away while the controller runs, and given back."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.asked import Asked, Fault


def forbidden(asked: Asked) -> Fault:
    """What the API server says to somebody without the right."""
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    said = f'User "operator" cannot {asked.verb} resource "{asked.resource}" in API group "{asked.group}" {where}'
    return Fault(status=403, message=f"{asked.plural} is forbidden: {said}")


def lacking(verb: str, resource: str, namespace: str) -> object:
    """A fault hook that withholds one right."""
    return lambda asked: (
        forbidden(asked)
        if (asked.verb, asked.resource) == (verb, resource) and asked.namespace in (namespace, "")
        else None
    )


@pytest.mark.chaos
def test_c09_without_the_right_to_make_graphs_the_request_says_which_right_is_missing(stage: Stage) -> None:
    stage.proxy.fault = lacking("patch", GRAPHS, stage.namespace)  # type: ignore[assignment]  # a hook, by construction
    stage.ask()
    stage.eventually(lambda: stage.condition("chat", "Synced").get("reason") == "PermissionMissing", "the condition")
    said = stage.condition("chat", "Synced")["message"]

    stage.proxy.calm()

    assert f'cannot patch resource "{GRAPHS}"' in said
    stage.settled()


@pytest.mark.chaos
@pytest.mark.parametrize("right", [("patch", f"{REQUESTS}/status"), ("list", "nodes"), ("create", "events")], ids=str)
def test_c09_a_right_that_comes_back_is_used_again(stage: Stage, right: tuple[str, str]) -> None:
    stage.proxy.fault = lacking(*right, stage.namespace)  # type: ignore[assignment]  # a hook, by construction
    stage.ask()
    stage.eventually(lambda: any(p.code == 403 for p in stage.proxy.log[-200:]) or stage.right(), "the refusal")

    stage.proxy.calm()

    stage.settled()
    assert stage.replica.probe("healthz") == 200
