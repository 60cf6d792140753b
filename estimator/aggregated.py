"""Steady state of one worker that prefills and decodes with continuous batching.

In steady state every decode iteration of g sequences finishes g/D requests (D iterations each, osl - 1 unless tokens
are drafted), which are replaced at once, so it brings g/D new prompts whatever the speed; only the shape of the prompt
steps depends on the engine's policy. That gives a fixed point in g, solved for all loads together by damped iteration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from estimator import lockstep, memory, mixing
from estimator.ops import Array, Counts, Mask
from estimator.step import Step
from estimator.workload import Benchmark, Workload

_ITERATIONS, _CLOSE = 60, 1e-5
"""Rounds at most, and the change per request below which no more are needed; overload takes the most."""
_DAMPING = 0.4
_LEAST_SHARE = 0.01
"""At least this share of the requests in flight is decoding: keeps the iteration inside its domain."""
_BUSIEST = 0.98
"""Share of a worker's time that prompts can take: beyond it the requests that do not decode wait in the queue."""
_ARRIVAL_VARIANCE = 0.10
"""Queueing of prompts behind prompts relative to Poisson arrivals: closed-loop arrivals are spread by decode
lengths. Obtained by comparing this formula with an event-driven simulation over 150 operating points."""
_TINY = 1e-9
_STRETCH, _STEEPEST = 1.05, 0.93
"""How the slope of a step over its batch is taken, and where it is held: beyond, a worker is about to drown."""
_HELD = 0.9
"""Share beyond which the queueing formula is held: closed loops cannot grow a queue without bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One worker at every load, arrays of shape (n,).

    requests: in flight on one attention rank; budget: tokens per step; itl, request_rate: of one worker;
    terms: parts of ttft; fits: the worker starts and admits every request; short: bytes it lacks to start;
    decoding: mean sequences decoding; prompt_share: share of iterations that carry prompts;
    activations, cache: bytes.
    """

    requests: Array
    budget: Array
    itl: Array
    request_rate: Array
    utilisation: Array
    terms: Mapping[str, Array]
    starts: Mask
    admits: Mask
    decoding: Array
    activations: Array
    cache: Array

    def rows(self, chosen: Counts) -> "Columns":
        """These loads, in the order given."""
        picked = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "terms"}
        terms = {name: values[chosen] for name, values in self.terms.items()}
        return Columns(terms=terms, **{name: values[chosen] for name, values in picked.items()})

    @property
    def ttft(self) -> Array:
        """Seconds to the first token."""
        return sum(self.terms.values(), np.zeros_like(self.requests))


def estimate(
    step: Step,
    workload: Workload,
    requests: Array,
    budget: Array | None = None,
    *,
    benchmark: Benchmark | None = None,
) -> Columns:
    """One worker at loads of *requests* in flight per rank, shape (n,); *budget* overrides the tokens per step.

    With a *benchmark*, the means over its requests.
    """
    engine, shape = step.shape.engine, step.shape
    budget = _budget(step, workload, requests, budget)
    used = memory.activations(shape, budget + (requests if engine.policy == "prompt_only" else 0))
    cache = memory.cache_budget(shape, memory.footprint(shape), used, int(budget.max()))
    room = np.minimum(memory.admitted(shape, cache, workload), engine.max_sequences)
    waves = benchmark is not None and benchmark.alike and engine.policy == "prompt_only" and workload.osl > 1
    state = (_in_waves if waves else _solve)(step, workload, np.clip(room, 1, requests), budget)
    terms = _first_token(step, state, requests, np.maximum(room, 1))
    if benchmark is not None and not waves:
        crowd = mixing.in_a_crowd(step, workload, state.decoding, budget)
        terms |= _in_company(benchmark, requests, state.service, crowd)
    return Columns(
        requests=requests,
        budget=budget,
        itl=state.step / workload.tokens_per_iteration,
        request_rate=state.rate * shape.parallel.dp,
        utilisation=state.busy,
        terms=terms,
        starts=memory.holds(shape, cache, workload.isl + workload.osl),
        admits=room >= requests,
        decoding=state.decoding,
        activations=used,
        cache=cache,
    )


def at_rate(step: Step, workload: Workload, closed: Columns, rate: Array) -> Columns:
    """The workers of *closed* when requests come at random, *rate* per second and rank, shape (n,).

    *closed*: the steady states for whose requests they are configured, one per rate, each able to serve it.
    """
    state = _open(step, workload, rate, closed.budget)
    room = np.maximum(closed.requests, 1)
    return replace(
        closed,
        itl=state.step / workload.tokens_per_iteration,
        request_rate=rate * step.shape.parallel.dp,
        utilisation=state.busy,
        terms=_first_token(step, state, np.minimum(state.decoding, room), room),
        decoding=state.decoding,
        admits=closed.admits & (state.busy < _BUSIEST) & (state.decoding <= room),
    )


def _budget(step: Step, workload: Workload, requests: Array, asked: Array | None) -> Array:
    """Tokens per step: those asked for, else as our manifests set them; a prompt that is not cut must fit."""
    engine = step.shape.engine
    if asked is None:
        asked = np.array([engine.token_budget(workload.isl, int(n)) for n in requests], float)
    return np.maximum(asked, workload.new_tokens) if engine.policy == "whole_prompts" else asked


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The fixed point: seconds per iteration, requests per second, and what a prompt waits for."""

    step: Array
    boundary: Array
    rate: Array
    busy: Array
    queue: Array
    service: Array
    decoding: Array


def _first_token(step: Step, state: _State, requests: Array, room: Array) -> dict[str, Array]:
    """What a request waits for before its first token, seconds; who finds no *room* waits for others to leave."""
    return {
        "frontend": np.full_like(requests, step.shape.engine.host.frontend, dtype=float),
        "boundary": state.boundary,
        "queue": state.queue,
        "prefill": state.service,
        "admission": np.maximum(requests - room, 0) / state.rate,
    }


def _in_company(benchmark: Benchmark, requests: Array, service: Array, crowd: Array) -> dict[str, Array]:
    """What prompts of a benchmark wait for each other, seconds: the first wave for half of its own prompts; later, if
    all are alike, each for the one before it, since those that end together are followed together."""
    terms = {"first wave": (requests - 1) / (2 * benchmark.rounds) * crowd}
    if benchmark.alike:
        terms["convoy"] = service * (requests - 1) / requests
    return terms


def _solve(step: Step, workload: Workload, requests: Array, budget: Array) -> _State:
    """Damped iteration from four fifths of the requests decoding, until nothing moves."""
    others = (requests - 1) / requests
    decodes = max(workload.iterations, 1)
    sequences = 0.8 * requests
    for _ in range(_ITERATIONS):
        seconds, service, occupied = mixing.iteration(step, workload, sequences, budget, others)
        rate = sequences / (decodes * seconds)
        busy = np.minimum(rate * occupied, _HELD)
        queue = _ARRIVAL_VARIANCE * busy / (1 - busy) * occupied * others
        able = sequences * _BUSIEST / np.maximum(rate * occupied, _TINY)
        wanted = np.minimum(requests - rate * (queue + service), able)
        after = (1 - _DAMPING) * sequences + _DAMPING * np.maximum(wanted, _LEAST_SHARE * requests)
        # Each load stops where it is close enough, so that its answer does not hang on the loads beside it.
        moving = np.abs(after - sequences) > _CLOSE * requests
        if not moving.any():
            break
        sequences = np.where(moving, after, sequences)
    # Little's law: who neither decodes nor is being computed waits.
    queue = np.maximum(queue, (requests / rate - decodes * seconds - service) * (others > 0))
    if workload.osl == 1:
        return _prompts_only(requests, service)
    return _State(
        step=seconds,
        boundary=seconds / 2,
        rate=rate,
        busy=rate * occupied,
        queue=queue,
        service=service,
        decoding=sequences,
    )


def _open(step: Step, workload: Workload, rate: Array, budget: Array) -> _State:
    """Requests that know nothing of each other: a Poisson stream of prompts, and as many sequences as it keeps alive.

    A request is more often there when many are, so it sees half a sequence more than the mean, and more where steps
    slow down with the batch. Prompts queue as in M/D/1: their times are nearly alike.
    """
    alone, decodes = np.ones_like(rate), max(workload.iterations, 1)
    sequences = np.maximum(rate * decodes * step.decode(alone), _TINY)
    for _ in range(_ITERATIONS):
        seconds, service, occupied = mixing.iteration(step, workload, _seen(step, sequences), budget, alone)
        busy = np.minimum(rate * occupied, _BUSIEST)
        sequences = (1 - _DAMPING) * sequences + _DAMPING * rate * decodes * seconds
    return _State(
        step=seconds,
        boundary=seconds / 2,
        rate=rate,
        busy=busy,
        queue=busy / (1 - busy) / 2 * occupied,
        service=service,
        decoding=sequences,
    )


def _seen(step: Step, sequences: Array) -> Array:
    """Sequences beside which a request decodes when *sequences* do on average."""
    more = sequences * _STRETCH
    steeper = np.log(step.decode(more) / step.decode(sequences)) / np.log(_STRETCH)
    seen: Array = sequences + 0.5 / (1 - np.clip(steeper, 0, _STEEPEST))
    return seen


def _in_waves(step: Step, workload: Workload, requests: Array, budget: Array) -> _State:
    """Requests of equal lengths where prompts pause decoding: nobody waits for the end of an iteration."""
    wave = lockstep.wave(step, workload, requests, budget)
    return _State(
        step=wave.iteration,
        boundary=np.zeros_like(wave.iteration),
        rate=wave.rate,
        busy=wave.busy,
        queue=np.maximum(wave.first - wave.prefill, 0),
        service=np.minimum(wave.prefill, wave.first),
        decoding=requests,
    )


def _prompts_only(requests: Array, service: Array) -> _State:
    """Requests of one output token: the worker only prefills, first come first served."""
    rate = 1 / service
    nothing = np.zeros_like(service)
    wait = (requests - 1) * service
    return _State(
        step=nothing,
        boundary=nothing,
        rate=rate,
        busy=np.ones_like(service),
        queue=wait,
        service=service,
        decoding=nothing,
    )
