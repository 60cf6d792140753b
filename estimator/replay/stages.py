"""The ranks that a request passes: whole workers, or prefill workers and then decode workers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from estimator import disaggregated, memory
from estimator.errors import InvalidWorkload
from estimator.ops import Array, Counts
from estimator.pricing import Prices
from estimator.replay.pace import Pace
from estimator.replay.scheduler import Request, Rules, Scheduler
from estimator.replay.traffic import Traffic
from estimator.step import Step
from estimator.workload import Workload

_LENGTHS = 8
"""Prompt lengths at which prompts are priced on their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Ranks that do the same: the schedulers of all workers of one kind.

    delay: seconds before a request gets here; prefills, decodes: what happens here; prefix: prompt tokens whose keys
    and values are cached already; surcharge: seconds by which a token of a prompt of some length is dearer than the
    pace has it (below zero: cheaper).
    """

    rules: Rules
    pace: Pace
    ranks: int
    delay: float = 0.0
    prefills: bool = True
    decodes: bool = True
    prefix: int = 0
    surcharge: Callable[[int], float] | None = None

    def schedulers(self) -> tuple[Scheduler, ...]:
        """The ranks, empty."""
        return tuple(Scheduler(self.rules, self.pace) for _ in range(self.ranks))

    def enter(self, request: Request) -> None:
        """Prepare a request for what it does here: the first token comes with the last of its prompt, or, where the
        prompt was computed elsewhere, with the first decode iteration."""
        request.size = max(request.prompt - self.prefix, 1)
        request.left = request.size if self.prefills else 0
        request.surcharge = self.surcharge(request.prompt) if self.surcharge else 0.0
        iterations = math.ceil((request.osl - 1) / self.rules.accepted) + (not self.prefills)
        request.turns = iterations if self.decodes else 0

    def check(self, traffic: Traffic) -> None:
        """Raise InvalidWorkload when a request needs more cache than a rank has: it would wait for ever."""
        longest = int((traffic.isl + (traffic.osl if self.decodes else 0)).max())
        if longest - self.prefix > self.rules.capacity:
            room = f"at most the {self.rules.capacity:.0f} tokens that the cache holds"
            raise InvalidWorkload("isl + osl", longest, room)


def whole(step: Step, workload: Workload, requests: int, *, replicas: int = 1, budget: int | None = None) -> Stage:
    """*replicas* of one aggregated worker, configured for *requests* in flight per rank.

    Raises InvalidWorkload when the worker does not start.
    """
    engine, shape = step.shape.engine, step.shape
    tokens = engine.token_budget(workload.isl, requests) if budget is None else budget
    if engine.policy == "whole_prompts":
        tokens = max(tokens, workload.new_tokens)
    busy = tokens + (requests if engine.policy == "prompt_only" else 0)
    rules = replace(_rules(step, workload, busy, tokens), budget=tokens)
    ranks = replicas * shape.parallel.dp
    delay, prefix = engine.host.frontend, workload.prefix
    return Stage(rules=rules, pace=_pace(step, tokens), ranks=ranks, delay=delay, prefix=prefix)


def pools(
    prefill: tuple[Step, int], decode: tuple[Step, int], workload: Workload, *, requests: int, bandwidth: float
) -> tuple[Stage, Stage]:
    """A prefill pool before a decode pool, each a step and a number of workers; *bandwidth*: bytes per second of the
    link of one GPU between them; requests: sequences in flight per decode rank.

    Prefill ranks take prompts one by one, or as many at once as serve more per second. Raises InvalidWorkload when a
    worker does not start.
    """
    (source, sources), (sink, sinks) = prefill, decode
    worker = disaggregated.prefill_workers(source, workload)[-1]
    batch, budget = worker.batch, worker.budget
    feeding = replace(_rules(source, workload, budget, budget), seats=batch, budget=budget, reserve=1.0)
    width = 1 + workload.drafts
    decoding = _rules(sink, workload, requests * width, requests * width)
    # A sequence that was evicted is computed again here, in the engine's own chunks.
    budget = sink.shape.engine.token_budget(workload.isl, requests)
    links = min(source.shape.parallel.gpus, sink.shape.parallel.gpus)
    moving = disaggregated.transfer_seconds(source.shape, workload, bandwidth, links)
    return (
        Stage(
            rules=feeding,
            pace=_pace(source, max(worker.budget, workload.isl)),
            ranks=sources * source.shape.parallel.dp,
            delay=source.shape.engine.host.frontend,
            decodes=False,
            prefix=workload.prefix,
        ),
        Stage(
            rules=replace(decoding, budget=budget),
            pace=_pace(sink, budget),
            ranks=sinks * sink.shape.parallel.dp,
            delay=moving,
            prefills=False,
            prefix=workload.prefix,
        ),
    )


def surcharge(step: Step, prices: Prices, workload: Workload, isl: Counts) -> Callable[[int], float]:
    """Seconds by which a token of a prompt of some length is dearer than *step*, priced for the mean length, has it.

    Attention grows with the square of a prompt's length, so that per token the difference is nearly a straight line.
    """
    lengths = np.unique(np.geomspace(isl.min(), isl.max(), _LENGTHS).round().astype(int))
    per_token = [_dearer(step, prices, replace(workload, isl=int(length))) for length in lengths]
    return lambda length: float(np.interp(length, lengths, per_token))


def _dearer(step: Step, prices: Prices, workload: Workload) -> float:
    prefix = min(workload.prefix, workload.isl - 1)
    own = Step(step.shape, prices, replace(workload, prefix=prefix))
    tokens, nobody = np.asarray(float(workload.isl - prefix)), np.asarray(0.0)
    return float(own.mixed(tokens, nobody) - step.mixed(tokens, nobody)) / float(tokens)


def _pace(step: Step, tokens: int) -> Pace:
    return Pace(step.decode, step.mixed, tokens=tokens)


def _rules(step: Step, workload: Workload, busy: int, chunk: int) -> Rules:
    """The engine's rules with the cache that is left beside the activations of *busy* tokens.

    The cache is counted in tokens of a request of the workload's lengths: windows and states make short ones dearer.
    """
    engine, shape = step.shape.engine, step.shape
    used = memory.activations(shape, np.asarray(float(busy)))
    cache = memory.cache_budget(shape, memory.footprint(shape), used, chunk)
    length = workload.isl + workload.osl
    if not memory.holds(shape, cache, length):
        left = f"{float(cache) / 2**30:.1f} GiB of each GPU"
        raise InvalidWorkload("what is left for the cache", left, f"enough for one request of {length} tokens")
    shared, whole_one = _bytes(step, workload.prefix), _bytes(step, length)
    own = (whole_one - shared) / (workload.new_tokens + workload.osl)
    return Rules(
        policy=engine.policy,
        budget=chunk,
        seats=engine.max_sequences,
        capacity=float((cache - shared) / own) if own > 0 else math.inf,
        reserve=engine.admission_share,
        width=1 + workload.drafts,
        accepted=workload.tokens_per_iteration,
    )


def _bytes(step: Step, tokens: int) -> Array:
    return memory.cache_bytes(step.shape, np.asarray(float(tokens)))
