"""The queue: no key twice, none in two hands, none lost, and patience that grows with failures."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dgdr_operator.controller.workqueue import FIRST_DELAY, OVERDUE, Key, Ledger, Workqueue

KEYS = st.sampled_from([("ns", name) for name in "abc"])
KEY: Key = ("ns", "a")


class Counter(RuleBasedStateMachine):
    """Anything may be added, taken and put down in any order; what was asked for is always done afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = 0.0
        self.owed: set[Key] = set()
        self.held: set[Key] = set()

    @rule(key=KEYS)
    def somebody_rings(self, key: Key) -> None:
        self.ledger.add(key)
        self.owed.add(key)

    @rule(key=KEYS, delay=st.floats(0, 5))
    def somebody_asks_for_later(self, key: Key, delay: float) -> None:
        self.ledger.add_at(key, self.now + delay)
        self.owed.add(key)

    @rule()
    def a_worker_takes(self) -> None:
        key = self.ledger.take(self.now)
        if key is not None:
            assert key not in self.held
            self.held.add(key)
            self.owed.discard(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), good=st.booleans())
    def a_worker_puts_down(self, *, data: st.DataObject, good: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.held.discard(key)
        if good:
            self.ledger.done(key)
        else:
            self.ledger.failed(key, self.now, cap=15)
            self.owed.add(key)

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def a_key_waits_at_most_once(self) -> None:
        line = [*self.ledger.ready, *self.ledger.late]
        assert len(line) == len(set(line))

    def teardown(self) -> None:
        """All workers put down what they hold, time passes: everything owed is handed out."""
        for key in self.held:
            self.ledger.done(key)
        self.now += 1000
        while (due := self.ledger.take(self.now)) is not None:
            self.owed.discard(due)
            self.ledger.done(due)
        assert not self.owed


Counter.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestEveryOrder = Counter.TestCase


@given(failures=st.integers(1, 60), cap=st.floats(1, 300))
def test_patience_doubles_up_to_the_cap(failures: int, cap: float) -> None:
    ledger, delays = Ledger(), []
    for _ in range(failures):
        ledger.add(KEY)
        assert ledger.take(0.0) == KEY
        delays.append(ledger.failed(KEY, 0.0, cap=cap))

    assert delays == [min(cap, FIRST_DELAY * 2**tries) for tries in range(failures)]


def test_success_forgets_the_failures() -> None:
    ledger = Ledger()
    for end in (lambda: ledger.failed(KEY, 0.0, cap=15), lambda: ledger.done(KEY)):
        ledger.add(KEY)
        ledger.take(0.0)
        end()

    ledger.add(KEY)
    ledger.take(0.0)

    assert ledger.failed(KEY, 0.0, cap=15) == FIRST_DELAY


def test_the_server_may_ask_for_more_patience_than_the_cap() -> None:
    ledger = Ledger()
    ledger.add(KEY)
    ledger.take(0.0)

    assert ledger.failed(KEY, 0.0, cap=15, least=40) == 40


def test_what_the_server_asked_to_wait_for_is_waited_for_whatever_happens_meanwhile() -> None:
    ledger = Ledger()
    ledger.add(KEY)
    ledger.take(0.0)
    ledger.add(KEY)
    ledger.failed(KEY, 0.0, cap=15.0, least=20.0)

    early = ledger.take(1.0)
    ledger.add(KEY)
    still_early, due = ledger.take(19.9), ledger.take(20.0)

    assert (early, still_early, due) == (None, None, KEY)


def test_a_key_that_is_taken_is_not_looked_at_again_for_what_was_asked_before() -> None:
    ledger = Ledger()
    ledger.add_at(KEY, 5.0)
    ledger.add(KEY)
    ledger.take(1.0)
    ledger.add_at(KEY, 7.0)
    ledger.done(KEY)

    assert (ledger.take(6.0), ledger.take(7.0), ledger.take(100.0)) == (None, KEY, None)


def test_first_tries_go_before_retries() -> None:
    ledger = Ledger()
    ledger.add_at(("ns", "again"), 0.0)
    ledger.take(1.0)
    ledger.failed(("ns", "again"), 1.0, cap=15)
    ledger.add(("ns", "new"))

    assert ledger.take(100.0) == ("ns", "new")
    assert ledger.take(100.0) == ("ns", "again")


def test_another_look_waits_for_those_with_news_and_moves_up_with_news_of_its_own() -> None:
    ledger = Ledger()
    for name in ("written", "again"):
        ledger.add(("ns", name), late=0.0)
    ledger.add(("ns", "new"))
    ledger.add(("ns", "again"))

    assert [ledger.take(1.0) for _ in range(3)] == [("ns", "new"), ("ns", "again"), ("ns", "written")]


def test_a_second_look_is_taken_in_time_where_news_never_end() -> None:
    ledger = Ledger()
    ledger.add(("ns", "written"), late=0.0)
    taken = []
    for second in range(40):
        ledger.add(("ns", f"new-{second}"))
        ledger.add(("ns", f"newer-{second}"))
        taken.append(ledger.take(float(second)))

    assert taken.index(("ns", "written")) == OVERDUE


async def test_a_waiting_worker_wakes_when_the_bell_rings() -> None:
    queue = Workqueue(asyncio.get_running_loop().time)
    taker = asyncio.create_task(queue.take())
    await asyncio.sleep(0)

    queue.add(KEY)

    assert await taker == KEY


async def test_a_waiting_worker_wakes_when_a_key_is_due() -> None:
    queue = Workqueue(asyncio.get_running_loop().time)

    queue.add_after(KEY, 0.01)

    assert await queue.take() == KEY


async def test_a_closed_queue_hands_out_nothing() -> None:
    queue = Workqueue(asyncio.get_running_loop().time)
    taker = asyncio.create_task(queue.take())
    await asyncio.sleep(0)

    queue.close()
    queue.add(KEY)

    assert await taker is None
    assert await queue.take() is None
