"""Laws that hold on every way through a request's life, whatever users, the Dynamo operator and the nodes do."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dgdr_operator import status
from dgdr_operator.controller import graphs, handover, recall, review
from dgdr_operator.controller.answers import Answer, Refused, Working
from dgdr_operator.controller.world import DRIFT, ApplyGraph, ApplyStatus, DeleteGraph
from dgdr_operator.planned import APPROVE, PAUSE, Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import Model, graph, planned

ENGINES = st.sampled_from(["vllm", "sglang"])
STATES = st.sampled_from(["initializing", "pending", "successful", "failed"])
REFUSALS = st.sampled_from(
    [
        Refused(why="invalid", message="spec.model is empty"),
        Refused(why="infeasible", message="infeasible: ttft<=1ms", feasible="InfeasibleSLA"),
        Refused(why="timed-out", message="planning took longer than 60 s"),
    ]
)


class Life(RuleBasedStateMachine):
    """One request. Every rule is something that happens; after each, the controller comes to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.answer: Answer = Working(seconds=0.1)
        self.until_killed: int | None = None
        self._plan(replicas=2, engine="vllm", workers=("worker",))

    def _plan(self, *, replicas: int, engine: str, workers: tuple[str, ...]) -> None:
        body = graph(replicas=replicas, engine=engine, workers=workers)
        self.answer = planned(body, self.model.request)

    @rule(
        replicas=st.integers(1, 3), engine=ENGINES, workers=st.sampled_from([("worker",), ("prefill", "decode")]),
        auto_apply=st.booleans(),
    )  # fmt: skip
    def the_user_edits_the_spec(
        self, *, replicas: int, engine: str, workers: tuple[str, ...], auto_apply: bool
    ) -> None:
        generation = self.model.request["metadata"]["generation"] + 1
        annotations = self.model.request["metadata"]["annotations"]
        fresh = worlds.request(generation=generation, annotations=annotations, auto_apply=auto_apply)
        self.model.request = {**fresh, **({"status": self.model.status} if self.model.status else {})}
        self._plan(replicas=replicas, engine=engine, workers=workers)

    @rule(answer=REFUSALS | st.builds(Working, seconds=st.floats(0, 5)))
    def the_user_edits_the_spec_into_one_without_a_plan(self, answer: Answer) -> None:
        self.the_user_edits_the_spec(replicas=1, engine="vllm", workers=("worker",), auto_apply=True)
        self.answer = answer

    @rule(drift=st.sampled_from(["correct", "report", "ignore"]))
    def the_user_says_what_to_do_about_drift(self, drift: str) -> None:
        self.model.request["metadata"]["annotations"][DRIFT] = drift

    @rule(strategy=st.sampled_from(["hold", "blue-green", "recreate"]))
    def the_user_says_what_to_do_about_another_shape(self, strategy: str) -> None:
        self.model.request["metadata"]["annotations"][review.STRATEGY] = strategy

    @rule(pause=st.sampled_from(["true", "false"]))
    def the_user_pauses_and_resumes(self, pause: str) -> None:
        self.model.request["metadata"]["annotations"][PAUSE] = pause

    @rule(policy=st.sampled_from(["keep", "delete"]))
    def the_user_says_whether_the_graph_goes_along(self, policy: str) -> None:
        self.model.request["metadata"]["annotations"][review.DELETION] = policy

    @precondition(lambda self: isinstance(self.answer, Planned))
    @rule()
    def the_user_approves_the_plan(self) -> None:
        self.model.request["metadata"]["annotations"][APPROVE] = getattr(self.answer, "hash", "")

    @rule(replicas=st.none() | st.integers(1, 3), engine=ENGINES)
    def the_nodes_change(self, replicas: int | None, engine: str) -> None:
        body = graph(replicas=replicas or 1, engine=engine)
        self.model.pending = planned(body, self.model.request) if replicas else None

    @rule(room=st.none() | st.integers(0, 4))
    def gpus_come_and_go(self, room: int | None) -> None:
        self.model.room = room

    @precondition(lambda self: self.model.standing)
    @rule(first=st.booleans())
    def somebody_deletes_a_graph(self, *, first: bool) -> None:
        names = sorted(self.model.standing)
        del self.model.standing[names[0] if first else names[-1]]

    @precondition(lambda self: self.model.graph)
    @rule(replicas=st.integers(0, 9))
    def somebody_edits_the_graph(self, replicas: int) -> None:
        body: dict[str, Any] = self.model.graph or {}
        body["spec"]["components"][-1]["replicas"] = replicas
        body["metadata"]["generation"] += 1

    @precondition(lambda self: self.model.graph)
    @rule(state=STATES, current=st.booleans(), rolling=st.booleans())
    def the_dynamo_operator_reports(self, state: str, *, current: bool, rolling: bool) -> None:
        self.model.report(state, current=current, rolling=rolling)

    @rule()
    def somebody_wipes_the_status(self) -> None:
        self.model.request.pop("status", None)

    @rule(actions=st.integers(0, 3))
    def the_controller_will_be_killed(self, actions: int) -> None:
        self.until_killed = actions

    @invariant()
    def the_controller_comes_to_rest_and_keeps_the_laws(self) -> None:
        for _ in range(9):
            wanted = self.model.decide(self.answer)
            writes = [action for action in wanted if isinstance(action, ApplyStatus | ApplyGraph | DeleteGraph)]
            if not writes:
                break
            assert sum(isinstance(action, ApplyStatus) for action in wanted) <= 1
            for action in wanted[: self.until_killed]:
                self._check(action)
                self.model.perform(action)
                self._no_more_stand_than_the_status_names()
            self.until_killed = None
        else:
            raise AssertionError(wanted)

        self._nothing_is_claimed_that_is_not_so()

    def _no_more_stand_than_the_status_names(self) -> None:
        assert len(self.model.standing) <= 2
        if len(self.model.standing) == 2 and self.model.status:
            named = {self.model.status.get("dgdName"), *map(handover.replaced, self.model.standing.values())}
            assert self.model.standing.keys() <= named

    def _check(self, action: object) -> None:
        paused = review.paused(self.model.request)
        assert not (paused and isinstance(action, ApplyGraph | DeleteGraph)), "paused means paused"
        if isinstance(action, ApplyStatus):
            allowed = status.EDGES[status.Phase(self.model.phase) if self.model.phase else None]
            assert action.status["phase"] in allowed
        if isinstance(action, ApplyGraph):
            recorded = recall.recorded(self.model.request)
            assert recorded is not None, "a graph was made before it was recorded"
            assert recorded.graph == action.graph
            assert self.model.status["dgdName"] == action.graph["metadata"]["name"]

    def _nothing_is_claimed_that_is_not_so(self) -> None:
        recorded = recall.remembered(self.model.request)
        if recorded and any(condition["type"] == "Synced" for condition in self.model.status["conditions"]):
            assert [record.plan.hash for record in self.model.records[-1:]] == [recorded.hash]
        if self.model.phase == "Deployed":
            assert self.model.graph is not None
            assert graphs.state(self.model.graph).serving
        if self.model.status:
            generation = self.model.request["metadata"]["generation"]
            waiting = isinstance(self.answer, Working) and self.answer.seconds < 1
            waiting |= review.paused(self.model.request)
            assert waiting or self.model.status["observedGeneration"] == generation


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestEveryLife = Life.TestCase
