"""What would change: every leaf named once, in a line for each and in one sentence for all."""

from __future__ import annotations

import copy

from dgdr_operator.controller import differ
from tests.reconciling.worlds import graph


def test_equal_graphs_differ_in_nothing() -> None:
    assert differ.changes(graph(), graph()) == []
    assert differ.sentence([]) == "nothing that is seen in the pods"


def test_replicas_are_told_with_their_numbers_and_all_else_is_counted() -> None:
    after = graph(replicas=4)
    main = after["spec"]["components"][1]["podTemplate"]["spec"]["containers"][0]
    main["args"], main["image"] = ["--tp", "4", "--more"], "engine:2.0.0"

    found = differ.changes(graph(), after)

    assert differ.sentence(found) == "worker.replicas 2 -> 4, 2 in args, image"
    assert "~ spec.components[worker].replicas: 2 -> 4" in map(str, found)
    assert "+ spec.components[worker].podTemplate.spec.containers[main].args[2]: '--more'" in map(str, found)


def test_what_others_added_is_told_only_where_the_whole_object_is_compared() -> None:
    live = copy.deepcopy(graph())
    live["metadata"]["labels"]["team"] = "blue"

    assert differ.changes(live, graph()) == []
    assert [str(change) for change in differ.changes(live, graph(), whole=True)] == ["- metadata.labels.team: 'blue'"]


def test_our_own_bookkeeping_is_no_change() -> None:
    after = graph()
    after["metadata"]["annotations"]["dgdr-operator.io/plan"] = "another"

    assert differ.changes(graph(), after) == []


def test_components_that_come_and_go_are_named() -> None:
    found = differ.changes(graph(), graph(workers=("prefill",)), whole=True)

    assert differ.sentence(found) == "components[prefill], components[worker]"


def test_a_long_list_of_changes_ends_in_a_count() -> None:
    after = graph()
    after["spec"]["components"][1] |= {f"field{number}": number for number in range(9)}

    assert differ.sentence(differ.changes(graph(), after)).endswith("and 5 more")


def test_a_long_value_is_cut() -> None:
    after = graph(engine="x" * 500)

    assert all(len(str(change)) < 600 for change in differ.changes(graph(), after))
    assert any(str(change).endswith("...") for change in differ.changes(graph(), after))
