"""Steady state of a prefill pool that feeds a decode pool, rates matched.

The decode batch decides the rate; the prefill pool is a queue that serves it; keys and values travel between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from estimator import memory
from estimator.ops import Array, Counts, Mask
from estimator.parallelism import Parallel
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload

BUSIEST_PREFILL = 0.95
"""Prefill pools are never planned closer to saturation than this: queueing grows as 1 / (1 - utilisation)."""
LARGEST_PREFILL = 16384
"""Prompt tokens that one prefill iteration may hold: the engines' token budgets end here."""
_TRANSFER_START = 2e-3
_TRANSFER_EFFICIENCY = 0.8
"""Seconds to set a transfer up, and the share of the link that large transfers reach: published curves of
NIXL and Mooncake transfer engines (assumption, to be replaced by measurements)."""
_ARRIVALS_OPEN, _ARRIVALS_CLOSED = 1.0, 0.3
"""Squared coefficient of variation of arrivals at the prefill pool: Poisson; spread by a closed loop (assumption)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillWorker:
    """A prefill worker at one batch: seconds per batch, bytes, and whether it starts."""

    step: Step
    batch: int
    budget: int
    seconds: float
    starts: bool
    activations: float
    cache: float

    @property
    def rate(self) -> float:
        """Prompts per second at full load, all attention ranks together."""
        return self.batch * self.step.shape.parallel.dp / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeWorker:
    """A decode worker at every batch, arrays of shape (n,): seconds per iteration, requests per second, bytes."""

    step: Step
    batch: Array
    seconds: Array
    rate: Array
    starts: bool
    admits: Mask
    activations: Array
    cache: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Deployments of one prefill and one decode worker kind, arrays of shape (n,); row: index of the decode batch."""

    prefill: PrefillWorker
    decode: DecodeWorker
    prefill_count: Counts
    decode_count: Counts
    row: Counts
    rate: Array
    utilisation: Array
    terms: Mapping[str, Array]

    @property
    def ttft(self) -> Array:
        """Seconds to the first token."""
        return sum(self.terms.values(), np.zeros_like(self.rate))


def prefill_workers(step: Step, workload: Workload, only: int | None = None) -> list[PrefillWorker]:
    """The worker at every batch worth having: one prompt, and more only while that serves prompts faster.

    only: the one batch to look at.
    """
    if only is not None:
        return [_prefill_worker(step, workload, only)]
    found: list[PrefillWorker] = []
    for batch in (1, 2, 4, 8):
        if batch > 1 and batch * workload.new_tokens > LARGEST_PREFILL:
            break
        worker = _prefill_worker(step, workload, batch)
        if found and worker.rate < found[-1].rate * 1.02:
            break
        found.append(worker)
    return found


def _prefill_worker(step: Step, workload: Workload, batch: int) -> PrefillWorker:
    engine, shape = step.shape.engine, step.shape
    wanted = max(engine.token_budget(workload.isl, 0), batch * workload.new_tokens)
    budget = wanted if engine.policy == "whole_prompts" else min(wanted, LARGEST_PREFILL)
    tokens = batch * workload.new_tokens
    chunks = -(-tokens // budget)
    seconds = float(chunks * step.mixed(np.asarray(tokens / chunks), np.asarray(0.0)))
    used = memory.activations(shape, np.asarray(float(budget)))
    cache = memory.cache_budget(shape, memory.footprint(shape), used, budget)
    return PrefillWorker(
        step=step,
        batch=batch,
        budget=budget,
        seconds=seconds,
        starts=bool(memory.holds(shape, cache, workload.isl, batch)),
        activations=float(used),
        cache=float(cache),
    )


def decode_worker(step: Step, workload: Workload, batch: Array) -> DecodeWorker:
    """The worker decoding *batch* sequences per rank, shape (n,)."""
    engine, shape = step.shape.engine, step.shape
    seconds = step.decode(batch)
    used = memory.activations(shape, batch * (1 + workload.drafts))
    cache = memory.cache_budget(shape, memory.footprint(shape), used, int(batch.max()))
    room = np.minimum(memory.admitted(shape, cache, workload), engine.max_sequences)
    return DecodeWorker(
        step=step,
        batch=batch,
        seconds=seconds,
        rate=batch * shape.parallel.dp / (max(workload.iterations, 1) * seconds),
        starts=bool(memory.holds(shape, cache, workload.isl + workload.osl).any()),
        admits=room >= batch,
        activations=used,
        cache=cache,
    )


def transfer_seconds(shape: Shape, workload: Workload, bandwidth: float, links: int) -> float:
    """Seconds to move one prompt's cache over *links* links of *bandwidth* bytes per second each."""
    whole = replace(shape, parallel=Parallel())
    moved = float(memory.cache_bytes(whole, np.asarray(float(workload.isl))))
    return _TRANSFER_START + moved / (_TRANSFER_EFFICIENCY * links * bandwidth)


def match(
    prefill: PrefillWorker,
    decode: DecodeWorker,
    workload: Workload,
    gpus: int,
    bandwidth: float,
    pinned: tuple[int | None, int | None] = (None, None),
) -> Pools | None:
    """Every pair of pools within *gpus* that keeps the prefill pool below its limit; None if there is none.

    For each number and batch of decode workers: the fewest prefill workers that serve their rate, and up to two more.
    pinned: numbers of prefill and decode workers that are decided already.
    """
    prefill_gpus, decode_gpus = prefill.step.shape.parallel.gpus, decode.step.shape.parallel.gpus
    most = (gpus - prefill_gpus) // decode_gpus
    if most < 1 or not (prefill.starts and decode.starts):
        return None
    counts, rows, spare = _grid(most, len(decode.batch))
    rate = counts * decode.rate[rows]
    needed = np.ceil(rate / (prefill.rate * BUSIEST_PREFILL))
    servers = needed + spare if pinned[0] is None else np.where(spare == 0, float(pinned[0]), 0.0)
    within = (servers * prefill_gpus + counts * decode_gpus <= gpus) & (needed <= servers)
    within &= (counts == pinned[1]) if pinned[1] is not None else True
    if not within.any():
        return None
    rate, servers, counts, rows = rate[within], servers[within], counts[within], rows[within]
    busy: Array = rate / (servers * prefill.rate)
    moved = transfer_seconds(prefill.step.shape, workload, bandwidth, min(prefill_gpus, decode_gpus))
    return Pools(
        prefill=prefill,
        decode=decode,
        prefill_count=servers.astype(np.intp),
        decode_count=counts,
        row=rows,
        rate=rate,
        utilisation=busy,
        terms=_terms(prefill, workload, moved, decode.seconds[rows], (np.asarray(servers, float), busy)),
    )


def _grid(most: int, batches: int) -> tuple[Counts, Counts, Counts]:
    """Decode workers x decode batch x prefill workers to spare, flat."""
    counts, rows, spare = np.indices((most, batches, 3), dtype=np.intp).reshape(3, -1)
    return counts + 1, rows, spare


def _terms(
    prefill: PrefillWorker, workload: Workload, moved: float, first_step: Array, pool: tuple[Array, Array]
) -> dict[str, Array]:
    servers, busy = pool
    variance = _ARRIVALS_OPEN if workload.request_rate is not None else _ARRIVALS_CLOSED
    return {
        "frontend": np.full_like(busy, prefill.step.shape.engine.host.frontend),
        "queue": wait_seconds(prefill.seconds, servers, busy, variance),
        "prefill": np.full_like(busy, prefill.seconds),
        "transfer": np.full_like(busy, moved),
        "first step": first_step,
    }


def wait_seconds(service: float, servers: Array, busy: Array, variance: float) -> Array:
    """Mean wait before service in a pool of servers, near-deterministic service (Sakasegawa 1977)."""
    crowd = busy ** (np.sqrt(2 * (servers + 1)) - 1)
    wait: Array = variance / 2 * service * crowd / (servers * (1 - busy))
    return wait
