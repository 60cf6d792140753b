"""P1: one graph per request, never two; its name stands in the status before it exists."""

from __future__ import annotations

from dgdr_operator.controller.modes import MODE
from tests.cluster.stage.stage import PLUGGABLE, Stage, in_modes
from tests.cluster.stage.witness import broken
from tests.cluster.user import GRAPHS

NAMES = ("a", "b", "c")


@in_modes("owner", "plugin")
def test_p01_one_graph_per_request_whoever_makes_it(stage: Stage) -> None:
    for name in NAMES:
        stage.ask(name)
    stage.replica.kill()
    stage.replica.start()
    stage.settled(*NAMES)

    assert made(stage) == [f"{name}-dgd" for name in NAMES]


@in_modes("owner")
def test_p01_an_edit_makes_no_second_graph(stage: Stage) -> None:
    for name in NAMES:
        stage.ask(name)
    stage.settled(*NAMES)
    for name in NAMES:
        stage.ask(name, workload={"isl": 2900, "osl": 290})
    stage.eventually(lambda: all(stage.status(name)["observedGeneration"] == 2 for name in NAMES), "the edits")
    stage.settled(*NAMES)

    assert made(stage) == [f"{name}-dgd" for name in NAMES]


@in_modes("auto")
def test_p01_when_the_platform_comes_in_the_middle_no_request_has_two(stage: Stage) -> None:
    with stage.alone():
        for name in NAMES:
            stage.ask(name, overrides=PLUGGABLE)
        stage.until("Deployed", "a")
        with stage.visited():
            stage.ask("late", overrides=PLUGGABLE)  # nobody may have seen the platform yet: it is either's
            stage.ask("told", overrides=PLUGGABLE, annotations={MODE: "plugin"})
            stage.until_frozen("a")
            stage.settled(*NAMES, "late", "told")

        assert made(stage) == [f"{name}-dgd" for name in (*NAMES, "late", "told")]
        assert stage.answer("told")
        assert not stage.answer("a")


def made(stage: Stage) -> list[str]:
    """The names of all graphs that ever were, after the protocol was judged."""
    protocol = stage.cast.witness.protocol(stage.namespace)
    assert broken(protocol) == []
    return sorted(one.name[1] for one in protocol if (one.plural, one.type) == (GRAPHS, "ADDED"))
