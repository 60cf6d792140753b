"""Who may do what: the same on every API server."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.stage.ground import Ground
from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

Refusal = Callable[[Callable[[], object]], Refused]


def operator(ground: Ground) -> Api:
    """The API server as the controller meets it."""
    return Api(ground.api.url, ground.token, ground.api.authority)


def test_what_the_chart_does_not_grant_is_forbidden_in_words_that_name_the_right(
    ground: Ground, namespace: str, refusal: Refusal
) -> None:
    refused = refusal(lambda: operator(ground).delete("namespaces", "", namespace))

    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert 'cannot delete resource "namespaces" in API group ""' in str(refused)


def test_what_the_chart_grants_is_allowed(ground: Ground) -> None:
    assert operator(ground).list("dynamographdeploymentrequests")["kind"] == "DynamoGraphDeploymentRequestList"


def test_everybody_may_ask_what_they_may_do(ground: Ground) -> None:
    def may(verb: str, resource: str, group: str = "nvidia.com") -> bool:
        spec: Object = {"resourceAttributes": {"verb": verb, "resource": resource, "group": group}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        answer = operator(ground).call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return bool(answer.body["status"]["allowed"])

    assert may("list", "dynamographdeployments")
    assert not may("deletecollection", "namespaces", "")


def test_a_stranger_is_not_let_in(ground: Ground, refusal: Refusal) -> None:
    stranger = Api(ground.api.url, "no such token", ground.api.authority)

    assert refusal(lambda: stranger.list("namespaces")).code == 401
