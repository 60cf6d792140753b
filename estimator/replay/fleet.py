"""The clock: requests are sent, travel from stage to stage, and are answered, event by event."""

import math
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count

import numpy as np

from estimator.replay.scheduler import Request, Scheduler
from estimator.replay.stages import Stage
from estimator.replay.summary import Played
from estimator.replay.traffic import Traffic


def play(stages: Sequence[Stage], traffic: Traffic) -> Played:
    """Send *traffic* through *stages*, the first to the last; raises InvalidWorkload for a request that fits no cache.

    Deterministic: what happens at the same instant happens in a fixed order, and nothing is drawn here.
    """
    for stage in stages:
        stage.check(traffic)
    return _Run(stages, traffic).played()


class _Run:
    """One run: the events to come, earliest first."""

    def __init__(self, stages: Sequence[Stage], traffic: Traffic) -> None:
        self._stages, self._traffic = stages, traffic
        self._ranks = [stage.schedulers() for stage in stages]
        self._requests = [
            Request(number, int(isl), int(osl))
            for number, (isl, osl) in enumerate(zip(traffic.isl, traffic.osl, strict=True))
        ]
        self._events: list[tuple[float, int, int, Request | Scheduler]] = []
        self._order = count()
        self._next = 0
        self._touched: dict[Scheduler, int] = {}

    def played(self) -> Played:
        """Play to the end."""
        self._open()
        while self._events:
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                _, _, stage, what = heappop(self._events)
                if isinstance(what, Request):
                    self._arrive(stage, what, now)
                elif what.due == now:
                    self._complete(stage, what, now)
            self._begin(now)
        return self._recorded()

    def _open(self) -> None:
        times = self._traffic.times
        if times is None:
            times = np.zeros(min(self._traffic.clients, len(self._requests)))
        for time in times.tolist():
            self._send(time)

    def _send(self, now: float) -> None:
        request = self._requests[self._next]
        self._next += 1
        request.sent = now
        self._travel(0, request, now)

    def _travel(self, stage: int, request: Request, now: float) -> None:
        heappush(self._events, (now + self._stages[stage].delay, next(self._order), stage, request))

    def _arrive(self, stage: int, request: Request, now: float) -> None:
        """The rank with the fewest requests takes it, the first of them among equals."""
        self._stages[stage].enter(request)
        rank = min(self._ranks[stage], key=lambda one: one.load)
        if rank.accept(request, now):
            self._await(stage, rank)
        elif rank.idle:
            self._touched[rank] = stage

    def _complete(self, stage: int, rank: Scheduler, now: float) -> None:
        finished = rank.complete()
        self._touched[rank] = stage
        for request in finished:
            if stage + 1 < len(self._stages):
                request.first = math.nan
                self._travel(stage + 1, request, now)
                continue
            request.done = now
            if self._traffic.times is None and self._next < len(self._requests):
                self._send(now)

    def _begin(self, now: float) -> None:
        """Ranks go on only when everything that happens now has happened, so that they see all of it."""
        for rank, stage in self._touched.items():
            rank.begin(now)
            if not rank.idle:
                self._await(stage, rank)
        self._touched.clear()

    def _await(self, stage: int, rank: Scheduler) -> None:
        heappush(self._events, (rank.due, next(self._order), stage, rank))

    def _recorded(self) -> Played:
        return Played(
            sent=np.array([request.sent for request in self._requests]),
            first=np.array([request.first for request in self._requests]),
            done=np.array([request.done for request in self._requests]),
            osl=self._traffic.osl,
            evictions=sum(rank.evictions for ranks in self._ranks for rank in ranks),
        )
