"""The scheduler of one attention rank: which prompts and sequences the next iteration holds.

Iterations that only decode and change nothing are taken in one stride, so that a request costs a few events whatever
the length of its answer.
"""

import math
from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from estimator.backends.engine import Policy
from estimator.replay.pace import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an engine's scheduler goes by.

    budget: tokens one iteration may hold; seats: sequences in flight; capacity: tokens the cache holds; reserve: part
    of the answer's length that must be free when a request is admitted (1: nothing is ever evicted); width: tokens
    that a decoding sequence brings to an iteration; accepted: tokens it leaves with, on average.
    """

    policy: Policy
    budget: int
    seats: int
    capacity: float = math.inf
    reserve: float = 1.0
    width: int = 1
    accepted: float = 1.0


class Request:
    """One request on its way: times in seconds (nan: not yet), lengths in tokens.

    left: prompt tokens still to be computed here; size: tokens that its cache holds when decoding begins;
    turns: decode iterations still to come when decoding begins; finish: the scheduler's turn at which it ends;
    surcharge: seconds that each of its prompt tokens takes beyond the price of a prompt of mean length.
    """

    __slots__ = ("done", "finish", "first", "left", "number", "osl", "prompt", "sent", "size", "surcharge", "turns")

    def __init__(self, number: int, prompt: int, osl: int) -> None:
        self.number, self.prompt, self.osl = number, prompt, osl
        self.sent = self.first = self.done = math.nan
        self.left = self.size = self.turns = self.finish = 0
        self.surcharge = 0.0


class Scheduler:
    """One rank: requests wait, are admitted first come first served, have their prompts computed, decode, and leave.

    It lives from stride to stride: begin() composes one and sets *due*, complete() applies it and returns who left.
    """

    def __init__(self, rules: Rules, pace: Pace) -> None:
        self.rules, self._pace = rules, pace
        self.due = math.inf
        self.evictions = 0
        self._waiting: deque[Request] = deque()
        self._prompts: deque[Request] = deque()
        self._running: list[tuple[int, int, Request]] = []
        self._fresh: list[Request] = []
        self._chunks: list[tuple[Request, int]] = []
        self._turn = self._turns = 0
        self._began = self._seconds = 0.0
        self._decoding = False
        self._reserved = self._filled = 0.0

    @property
    def load(self) -> int:
        """Requests that are here."""
        return len(self._waiting) + len(self._prompts) + len(self._running)

    @property
    def idle(self) -> bool:
        """Whether nothing is being computed: the next request starts at once."""
        return self.due == math.inf

    def accept(self, request: Request, now: float) -> bool:
        """Queue a request; True when it ends the present stride sooner, because it need not wait for room."""
        joins = not self._waiting and not self.idle and self._admits(request)
        self._waiting.append(request)
        if not joins or self._turns == 1:
            return False
        turns = max(math.ceil((now - self._began) / self._seconds), 1)
        if turns >= self._turns:
            return False
        self._turns, self.due = turns, self._began + turns * self._seconds
        return True

    def begin(self, now: float) -> None:
        """Compose the next stride; without work, *due* is infinite."""
        if self._overflows():
            self._evict()
        else:
            self._admit()
        self._chunks = self._composed()
        self._decoding = bool(self._running) and not (self._chunks and self.rules.policy == "prompt_only")
        sequences = len(self._running) if self._decoding else 0
        self._began, self._turns = now, 1
        if self._chunks:
            self._seconds = self._pace.mixed(sum(tokens for _, tokens in self._chunks), sequences)
            self._seconds += sum(tokens * request.surcharge for request, tokens in self._chunks)
        elif sequences:
            self._seconds, self._turns = self._pace.decode(sequences), self._undisturbed()
        else:
            self.due = math.inf
            return
        self.due = now + self._turns * self._seconds

    def complete(self) -> list[Request]:
        """Apply the stride that is due; the requests that it finished."""
        now, self.due = self.due, math.inf
        finished: list[Request] = []
        if self._decoding:
            self._turn += self._turns
            self._filled += self._turns * len(self._running) * self.rules.accepted
            for request in self._fresh:
                request.first = self._began + self._seconds if math.isnan(request.first) else request.first
            self._fresh.clear()
            while self._running and self._running[0][0] <= self._turn:
                finished.append(self._released(heappop(self._running)[-1]))
        for request, tokens in self._chunks:
            request.left -= tokens
            if request.left == 0:
                self._prompts.popleft()
                finished += self._answered(request, now)
        return finished

    def _answered(self, request: Request, now: float) -> list[Request]:
        """A prompt is computed, which yields a token: the request decodes, or was done with that."""
        request.first = now if math.isnan(request.first) else request.first
        request.finish = self._turn + request.turns
        if request.turns == 0:
            return [self._released(request)]
        heappush(self._running, (request.finish, request.number, request))
        return []

    def _undisturbed(self) -> int:
        """Turns until a sequence ends or the cache is full."""
        grows = len(self._running) * self.rules.accepted
        room = (self.rules.capacity - self._filled) / grows
        ends = self._running[0][0] - self._turn
        return ends if room >= ends else max(int(room), 1)

    def _admits(self, request: Request) -> bool:
        flying = len(self._prompts) + len(self._running)
        if flying == 0:
            return True
        fits = self._reserved + self._reservation(request) <= self.rules.capacity
        return fits and flying < self.rules.seats and self._filled + request.size <= self.rules.capacity

    def _reservation(self, request: Request) -> float:
        return request.size + self.rules.reserve * request.turns * self.rules.accepted

    def _admit(self) -> None:
        while self._waiting and self._admits(self._waiting[0]):
            request = self._waiting.popleft()
            self._reserved += self._reservation(request)
            self._filled += request.size
            if request.left:
                self._prompts.append(request)
            else:
                request.finish = self._turn + request.turns
                heappush(self._running, (request.finish, request.number, request))
                self._fresh.append(request)

    def _composed(self) -> list[tuple[Request, int]]:
        """Prompt tokens of the next iteration, first come first served."""
        rules = self.rules
        alone = rules.policy == "prompt_only" or not self._running
        room = rules.budget - (0 if alone else len(self._running) * rules.width)
        chunks: list[tuple[Request, int]] = []
        for request in self._prompts:
            whole = rules.policy == "whole_prompts"
            # A whole prompt beyond the budget runs when nothing else does: engines are configured so that none is.
            if whole and request.left > room and (chunks or not alone):
                break
            tokens = request.left if whole else min(request.left, room)
            if tokens <= 0:
                break
            chunks.append((request, tokens))
            room -= tokens
        return chunks

    def _overflows(self) -> bool:
        """Whether the next decode iteration needs more cache than there is, and somebody can make room."""
        grows = len(self._running) * self.rules.accepted
        return self._filled + grows > self.rules.capacity and len(self._prompts) + len(self._running) > 1

    def _evict(self) -> None:
        """The newest go back to the head of the queue, to be computed again, until the next iteration fits."""
        while self._overflows():
            self.evictions += 1
            if self._prompts:
                request = self._prompts.pop()
                self._forget(request, request.size)
            else:
                request = max(self._running, key=lambda entry: entry[1])[-1]
                self._running.remove((request.finish, request.number, request))
                heapify(self._running)
                self._fresh = [one for one in self._fresh if one is not request]
                self._forget(request, self._held(request))
                request.size = math.ceil(self._held(request))
                # Computing the prompt again yields the token of one of the turns that are left.
                request.turns = request.finish - self._turn - 1
            request.left = request.size
            self._waiting.appendleft(request)

    def _held(self, request: Request) -> float:
        """Tokens in the cache of a request that decodes."""
        return request.size + (self._turn - request.finish + request.turns) * self.rules.accepted

    def _forget(self, request: Request, held: float) -> None:
        self._reserved -= self._reservation(request)
        self._filled -= held

    def _released(self, request: Request) -> Request:
        self._forget(request, self._held(request))
        return request
