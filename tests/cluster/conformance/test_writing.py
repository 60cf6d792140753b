"""Creating, replacing, patching and deleting: the same on every API server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.api import MERGE, STEPS, Api, Refused
from tests.fakes.asked import Object

WIDGETS = "widgets"
Widget = Callable[..., Object]
Refusal = Callable[[Callable[[], object]], Refused]
Eventually = Callable[..., object]


def test_a_new_object_gets_an_identity(api: Api, widget: Widget) -> None:
    made = api.create(WIDGETS, widget())

    metadata = made["metadata"]
    assert metadata["uid"]
    assert metadata["generation"] == 1
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["creationTimestamp"].endswith("Z")


def test_versions_count_on_across_kinds(api: Api, widget: Widget, namespace: str) -> None:
    first = api.create(WIDGETS, widget())
    config = api.create("configmaps", {"metadata": {"name": "c", "namespace": namespace}})
    second = api.create(WIDGETS, widget("two"))

    versions = [int(one["metadata"]["resourceVersion"]) for one in (first, config, second)]
    assert versions == sorted(set(versions))


def test_a_name_is_made_up_where_only_its_beginning_is_given(api: Api, widget: Widget) -> None:
    body = widget()
    body["metadata"] = {"generateName": "some-", "namespace": body["metadata"]["namespace"]}

    made = api.create(WIDGETS, body)

    assert made["metadata"]["name"].startswith("some-")
    assert len(made["metadata"]["name"]) > len("some-")


def test_a_taken_name_is_refused(api: Api, widget: Widget, refusal: Refusal) -> None:
    api.create(WIDGETS, widget())

    refused = refusal(lambda: api.create(WIDGETS, widget()))

    assert (refused.code, refused.reason) == (409, "AlreadyExists")


def test_objects_live_in_namespaces_that_exist(api: Api, widget: Widget, refusal: Refusal) -> None:
    body = widget()
    body["metadata"]["namespace"] = "nowhere"

    assert refusal(lambda: api.create(WIDGETS, body)).code == 404


def test_a_changed_spec_is_a_generation_and_a_changed_label_is_none(api: Api, widget: Widget) -> None:
    body = api.create(WIDGETS, widget())
    labelled = api.replace(WIDGETS, {**body, "metadata": {**body["metadata"], "labels": {"a": "b"}}})
    grown = api.replace(WIDGETS, {**labelled, "spec": {**labelled["spec"], "size": 4}})

    assert labelled["metadata"]["generation"] == 1
    assert grown["metadata"]["generation"] == 2


def test_a_write_that_says_nothing_new_makes_no_version(api: Api, widget: Widget) -> None:
    body = api.create(WIDGETS, widget())

    again = api.replace(WIDGETS, body)

    assert again["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"]


def test_a_stale_body_is_not_written(api: Api, widget: Widget, refusal: Refusal) -> None:
    body = api.create(WIDGETS, widget())
    api.replace(WIDGETS, {**body, "spec": {"size": 4}})

    refused = refusal(lambda: api.replace(WIDGETS, {**body, "spec": {"size": 5}}))

    assert (refused.code, refused.reason) == (409, "Conflict")
    assert "the object has been modified" in str(refused)


def test_the_body_of_a_namesake_is_not_written(api: Api, widget: Widget, refusal: Refusal) -> None:
    body = api.create(WIDGETS, widget())
    metadata = {**body["metadata"], "uid": "another", "resourceVersion": ""}

    assert refusal(lambda: api.replace(WIDGETS, {**body, "metadata": metadata})).code == 409


def test_what_the_server_writes_cannot_be_written(api: Api, widget: Widget) -> None:
    body = api.create(WIDGETS, widget())
    forged = {**body["metadata"], "generation": 7, "creationTimestamp": "2001-01-01T00:00:00Z"}

    after = api.replace(WIDGETS, {**body, "metadata": forged, "spec": {"size": 4}})

    assert after["metadata"]["generation"] == 2
    assert after["metadata"]["creationTimestamp"] == body["metadata"]["creationTimestamp"]


def test_status_and_spec_are_apart(api: Api, widget: Widget) -> None:
    made = api.create(WIDGETS, {**widget(), "status": {"phase": "Early"}})
    whole = api.replace(WIDGETS, {**made, "spec": {"size": 4}, "status": {"phase": "Wrong"}})
    status = api.replace(WIDGETS, {**whole, "spec": {"size": 9}, "status": {"phase": "Right"}}, "status")

    assert "status" not in made
    assert "status" not in whole
    assert status["spec"]["size"] == 4
    assert status["status"] == {"phase": "Right"}
    assert status["metadata"]["generation"] == 2


def test_a_merge_patch_changes_and_removes(api: Api, widget: Widget, namespace: str) -> None:
    api.create(WIDGETS, widget(tags=["a"], labels={"x": "1", "y": "2"}))

    after = api.patch(WIDGETS, namespace, "one", {"spec": {"tags": ["b", "c"], "labels": {"x": None}}}, MERGE)

    assert after["spec"]["tags"] == ["b", "c"]
    assert after["spec"]["labels"] == {"y": "2"}


def test_a_json_patch_takes_its_steps(api: Api, widget: Widget, namespace: str) -> None:
    api.create(WIDGETS, widget(tags=["a"]))
    steps = [
        {"op": "test", "path": "/spec/size", "value": 3},
        {"op": "replace", "path": "/spec/size", "value": 4},
        {"op": "add", "path": "/spec/tags/-", "value": "b"},
        {"op": "add", "path": "/spec/labels", "value": {"x/y": "1"}},
        {"op": "remove", "path": "/spec/labels/x~1y"},
    ]

    after = api.patch(WIDGETS, namespace, "one", steps, STEPS)

    assert (after["spec"]["size"], after["spec"]["tags"], after["spec"]["labels"]) == (4, ["a", "b"], {})


def test_a_json_patch_that_cannot_be_taken_changes_nothing(
    api: Api, widget: Widget, namespace: str, refusal: Refusal
) -> None:
    body = api.create(WIDGETS, widget())

    refused = refusal(lambda: api.patch(WIDGETS, namespace, "one", [{"op": "remove", "path": "/spec/absent"}], STEPS))

    assert refused.code == 422
    assert api.get(WIDGETS, namespace, "one") == body


def test_a_dry_run_answers_and_stores_nothing(api: Api, widget: Widget, namespace: str) -> None:
    body = api.create(WIDGETS, widget())
    answered = api.apply(WIDGETS, widget(size=9), dryRun="All")

    assert answered["spec"]["size"] == 9
    assert api.get(WIDGETS, namespace, "one") == body


def test_a_finalizer_holds_an_object_until_it_is_taken_away(api: Api, widget: Widget, namespace: str) -> None:
    body = widget()
    body["metadata"]["finalizers"] = ["tests.dgdr-operator.io/hold"]
    api.create(WIDGETS, body)
    api.delete(WIDGETS, namespace, "one")
    held = api.get(WIDGETS, namespace, "one")

    api.patch(WIDGETS, namespace, "one", {"metadata": {"finalizers": None}})

    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    assert api.get(WIDGETS, namespace, "one") is None


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_a_deletion_may_name_which_object_it_means(
    api: Api, widget: Widget, namespace: str, refusal: Refusal, precondition: str
) -> None:
    body = api.create(WIDGETS, widget())
    right = body["metadata"][precondition]

    refused = refusal(lambda: api.delete(WIDGETS, namespace, "one", preconditions={precondition: "1" + right}))
    api.delete(WIDGETS, namespace, "one", preconditions={precondition: right})

    assert refused.code == 409
    assert api.get(WIDGETS, namespace, "one") is None


def test_what_belongs_to_a_deleted_object_goes_with_it(
    api: Api, widget: Widget, namespace: str, eventually: Eventually
) -> None:
    owner = api.create(WIDGETS, widget())
    reference = {name: owner[name] for name in ("apiVersion", "kind")}
    reference |= {name: owner["metadata"][name] for name in ("name", "uid")}
    child = {"metadata": {"name": "child", "namespace": namespace, "ownerReferences": [reference]}}
    api.create("configmaps", child)

    api.delete(WIDGETS, namespace, "one")

    eventually(lambda: api.get("configmaps", namespace, "child") is None, "the child to be collected")


def test_what_lives_in_a_deleted_namespace_goes_with_it(
    api: Api, widget: Widget, namespace: str, eventually: Eventually
) -> None:
    api.create(WIDGETS, widget())

    api.delete("namespaces", "", namespace)

    eventually(lambda: api.get(WIDGETS, namespace, "one") is None, "the widget to go")
    eventually(lambda: api.get("namespaces", "", namespace) is None, "the namespace to go")


def test_an_object_beyond_the_size_that_is_stored_is_refused(api: Api, widget: Widget, refusal: Refusal) -> None:
    refused = refusal(lambda: api.create(WIDGETS, widget(open={"text": "x" * 2_000_000})))

    assert refused.code >= 400
    assert "too large" in str(refused)
