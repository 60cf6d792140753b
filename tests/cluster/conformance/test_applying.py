"""Server-side apply: owners, conflicts and removals, the same on every API server."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

WIDGETS = "widgets"
Widget = Callable[..., Object]
Refusal = Callable[[Callable[[], object]], Refused]


def owned(body: Object, manager: str) -> Object:
    """What *manager* owns of the object, as fieldsV1; empty if nothing."""
    return next((one["fieldsV1"] for one in body["metadata"]["managedFields"] if one["manager"] == manager), {})


def test_apply_creates_and_owns_what_it_says(api: Api, widget: Widget) -> None:
    made = api.apply(WIDGETS, widget(tags=["a"], parts=[{"name": "p"}]), "me")

    parts: Object = {'k:{"name":"p"}': {".": {}, "f:name": {}}}
    assert owned(made, "me") == {"f:spec": {"f:size": {}, "f:tags": {}, "f:parts": parts}}
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == (
        "Apply",
        made["apiVersion"],
        "FieldsV1",
    )


def test_apply_again_makes_no_version(api: Api, widget: Widget) -> None:
    made = api.apply(WIDGETS, widget(), "me")

    again = api.apply(WIDGETS, widget(), "me")

    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_what_is_left_out_is_removed_and_what_others_said_stays(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(code="abc", labels={"mine": "1", "ours": "1"}), "me")
    api.apply(WIDGETS, widget(labels={"ours": "1", "theirs": "1"}), "them")

    after = api.apply(WIDGETS, widget(), "me")

    assert "code" not in after["spec"]
    assert after["spec"]["labels"] == {"ours": "1", "theirs": "1"}


def test_lists_with_keys_are_merged_and_others_replaced(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(tags=["a"], parts=[{"name": "p", "weight": 1}]), "me")

    after = api.apply(WIDGETS, widget(parts=[{"name": "q"}, {"name": "p", "count": 4}]), "them")

    assert {part["name"]: part for part in after["spec"]["parts"]} == {
        "p": {"name": "p", "weight": 1, "count": 4},
        "q": {"name": "q", "count": 1},
    }
    assert after["spec"]["tags"] == ["a"]


def test_an_item_goes_when_its_last_owner_leaves_it_out(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(parts=[{"name": "p"}, {"name": "q"}]), "me")

    after = api.apply(WIDGETS, widget(parts=[{"name": "q"}]), "me")

    assert [part["name"] for part in after["spec"]["parts"]] == ["q"]


def test_a_value_of_another_is_a_conflict_that_names_both(
    api: Api, widget: Widget, namespace: str, refusal: Refusal
) -> None:
    api.apply(WIDGETS, widget(size=3), "them")

    refused = refusal(lambda: api.apply(WIDGETS, widget(size=4), "me", force="false"))

    assert (refused.code, refused.reason) == (409, "Conflict")
    (cause,) = refused.body["details"]["causes"]
    assert cause["reason"] == "FieldManagerConflict"
    assert cause["field"] == ".spec.size"
    assert cause["message"] == 'conflict with "them"'
    stands = api.get(WIDGETS, namespace, "one")
    assert stands is not None
    assert stands["spec"]["size"] == 3


def test_equal_values_are_shared_and_no_conflict(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(size=3), "them")

    after = api.apply(WIDGETS, widget(size=3), "me", force="false")

    assert owned(after, "them") == owned(after, "me") == {"f:spec": {"f:size": {}}}


def test_force_takes_the_field_over(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(size=3, code="a"), "them")

    after = api.apply(WIDGETS, widget(size=4), "me")

    assert after["spec"]["size"] == 4
    assert owned(after, "me") == {"f:spec": {"f:size": {}}}
    assert owned(after, "them") == {"f:spec": {"f:code": {}}}


def test_a_plain_write_takes_what_it_changes(api: Api, widget: Widget, refusal: Refusal) -> None:
    api.apply(WIDGETS, widget(size=3, code="a"), "me")
    stands = api.apply(WIDGETS, widget(size=3, code="a"), "me")
    api.call(
        "PUT",
        api.path(WIDGETS, stands["metadata"]["namespace"], "one"),
        {**stands, "spec": {"size": 5, "code": "a"}},
        fieldManager="hand",
    )

    refused = refusal(lambda: api.apply(WIDGETS, widget(size=3, code="a"), "me", force="false"))

    (cause,) = refused.body["details"]["causes"]
    assert cause["field"] == ".spec.size"
    assert cause["message"] == 'conflict with "hand" using tests.dgdr-operator.io/v1'


def test_status_is_owned_apart(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(), "me")
    conditions = [{"type": "Ready", "status": "True"}]
    body = {**widget(size=9), "status": {"phase": "Up", "conditions": conditions}}

    after = api.apply(WIDGETS, body, "me", "status")

    assert after["spec"]["size"] == 3
    assert after["metadata"]["generation"] == 1
    entries = {one.get("subresource", ""): one["fieldsV1"] for one in after["metadata"]["managedFields"]}
    said: Object = {".": {}, "f:type": {}, "f:status": {}}
    assert entries["status"] == {"f:status": {"f:phase": {}, "f:conditions": {'k:{"type":"Ready"}': said}}}
    assert entries[""] == {"f:spec": {"f:size": {}}}


def test_a_condition_that_is_left_out_is_removed(api: Api, widget: Widget) -> None:
    api.apply(WIDGETS, widget(), "me")
    both = [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "True"}]
    api.apply(WIDGETS, {**widget(), "status": {"conditions": both}}, "me", "status")

    after = api.apply(WIDGETS, {**widget(), "status": {"conditions": both[:1]}}, "me", "status")

    assert after["status"]["conditions"] == both[:1]


def test_status_of_what_does_not_exist_cannot_be_applied(api: Api, widget: Widget, refusal: Refusal) -> None:
    refused = refusal(lambda: api.apply(WIDGETS, {**widget(), "status": {"phase": "Up"}}, "me", "status"))

    assert (refused.code, refused.reason) == (404, "NotFound")


def test_apply_may_name_which_object_it_means(api: Api, widget: Widget, refusal: Refusal) -> None:
    made = api.apply(WIDGETS, widget(), "me")
    right, wrong = widget(size=4), widget(size=5)
    right["metadata"]["uid"], wrong["metadata"]["uid"] = made["metadata"]["uid"], "another"

    refused = refusal(lambda: api.apply(WIDGETS, wrong, "me"))
    after = api.apply(WIDGETS, right, "me")

    assert (refused.code, refused.reason) == (422, "Invalid")
    assert "metadata.uid" in str(refused)
    assert after["spec"]["size"] == 4


def test_a_uid_is_never_created(api: Api, widget: Widget, refusal: Refusal) -> None:
    body = widget()
    body["metadata"]["uid"] = "another"

    assert refusal(lambda: api.apply(WIDGETS, body, "me")).code == 409


def test_owner_references_are_merged_by_uid(api: Api, widget: Widget, namespace: str) -> None:
    owner = api.create(WIDGETS, widget("owner"))
    reference = {"apiVersion": owner["apiVersion"], "kind": "Widget", "name": "owner", "uid": owner["metadata"]["uid"]}
    config: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}}
    api.apply("configmaps", {**config, "data": {"a": "1"}}, "them")

    after = api.apply(
        "configmaps", {**config, "metadata": {**config["metadata"], "ownerReferences": [reference]}}, "me"
    )

    assert after["data"] == {"a": "1"}
    assert [one["uid"] for one in after["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]


def test_a_pair_of_escapes_is_no_yaml(api: Api, widget: Widget, refusal: Refusal) -> None:
    refused = refusal(lambda: api.apply(WIDGETS, widget(note="\U0001f600"), "me"))

    assert refused.code == 400
    assert "invalid Unicode character escape code" in str(refused)
