"""The same scheduler written the slow and obvious way, one iteration at a time, as a check on strides and heaps."""

from dataclasses import dataclass, field

import numpy as np

from estimator.ops import Array
from estimator.replay import Rules, Traffic


@dataclass
class _One:
    """A request: what is left of its prompt and of its answer."""

    number: int
    prompt: int
    decodes: int


@dataclass
class Plodder:
    """One rank with cache for everybody; *decode* and *mixed* are seconds by sequences, and by tokens and sequences."""

    rules: Rules
    clock: float = 0.0
    queue: list[_One] = field(default_factory=list)
    running: list[_One] = field(default_factory=list)

    def play(self, traffic: Traffic) -> tuple[Array, Array]:
        """Seconds of the first and of the last token of every request."""
        count = len(traffic.isl)
        first, done = np.zeros(count), np.zeros(count)
        coming = [
            _One(number, int(isl), int(osl) - 1)
            for number, (isl, osl) in enumerate(zip(traffic.isl, traffic.osl, strict=True))
        ]
        while coming or self.queue or self.running:
            self._let_in(coming, traffic)
            if not self.queue and not self.running:
                assert traffic.times is not None
                self.clock = float(traffic.times[coming[0].number])
                continue
            for one in self._iterate():
                if not first[one.number]:
                    first[one.number] = self.clock
                done[one.number] = self.clock
        return first, done

    def _let_in(self, coming: list[_One], traffic: Traffic) -> None:
        while coming:
            if traffic.times is None and len(self.queue) + len(self.running) >= traffic.clients:
                return
            if traffic.times is not None and traffic.times[coming[0].number] > self.clock:
                return
            self.queue.append(coming.pop(0))

    def _iterate(self) -> list[_One]:
        """One iteration; the requests that got a token."""
        seated = self.queue[: max(self.rules.seats - len(self.running), 0)]
        alone = self.rules.policy == "prompt_only" or not self.running
        room = self.rules.budget - (0 if alone else len(self.running))
        taken: list[tuple[_One, int]] = []
        for one in seated:
            tokens = min(one.prompt, room)
            if tokens < one.prompt and self.rules.policy == "whole_prompts":
                tokens = one.prompt if alone and not taken else 0
            if tokens <= 0:
                break
            taken.append((one, tokens))
            room -= tokens
        paused = bool(taken) and self.rules.policy == "prompt_only"
        moving = [] if paused else list(self.running)
        self.clock += 10e-3 + 0.1e-3 * len(moving) + 20e-6 * sum(tokens for _, tokens in taken)
        return self._advance(moving, taken)

    def _advance(self, moving: list[_One], taken: list[tuple[_One, int]]) -> list[_One]:
        for one in moving:
            one.decodes -= 1
        for one, tokens in taken:
            one.prompt -= tokens
        answered = [one for one, _ in taken if one.prompt == 0]
        self.queue = [one for one in self.queue if one.prompt]
        self.running = [one for one in (*self.running, *answered) if one.decodes]
        return [*moving, *answered]
