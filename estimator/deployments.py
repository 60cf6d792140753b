"""Worker shapes and loads turned into whole deployments within a GPU budget, as columns.

A deployment is some copies of an aggregated worker, or a pool of prefill workers beside a pool of decode workers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from estimator import aggregated, disaggregated, memory
from estimator.candidates import LOADS
from estimator.disaggregated import DecodeWorker, Pools, PrefillWorker
from estimator.estimates import EVIDENCE, Estimate, Evidence, Latency, Load, Mode, OpTime, Role, Worker
from estimator.ops import Array, Counts, Mask
from estimator.problem import Problem
from estimator.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Deployments of one shape, arrays of shape (n,); *build* makes the full record of one row.

    label: what ranked deployments differ in, so that a list holds each kind once;
    starts: a worker starts at all; admits: it admits every planned request; itl is 0 where osl is 1;
    evidence: what the step time rests on.
    """

    mode: Mode
    label: str
    ttft: Array
    itl: Array
    request: Array
    tokens_per_second: Array
    gpus: Array
    concurrency: Array
    starts: Mask
    admits: Mask
    evidence: Evidence
    build: Callable[[int], Estimate]


def aggregated_rows(problem: Problem, step: Step) -> Rows:
    """Copies of one aggregated worker: all that fit the budget at every load, or every number at the load asked for."""
    workload, parallel = problem.workload, step.shape.parallel
    most = problem.most(parallel.gpus)
    pinned = problem.pins.size("aggregated", "batch")
    columns = aggregated.estimate(step, workload, LOADS if pinned is None else np.array([float(pinned)]))
    copies, rows = _copies(problem, columns, most, parallel.dp)
    if workload.request_rate is not None:
        columns = aggregated.at_rate(step, workload, columns.rows(rows), workload.request_rate / (copies * parallel.dp))
        rows = np.arange(len(rows))
    concurrency = copies * parallel.dp * columns.requests[rows]
    rate = copies * columns.request_rate[rows]
    ttft, itl = columns.ttft[rows], columns.itl[rows]

    def build(row: int) -> Estimate:
        return aggregated_estimate(problem, step, columns, int(rows[row]), int(copies[row]))

    return Rows(
        mode="aggregated",
        label=str(parallel),
        ttft=ttft,
        itl=itl,
        request=ttft + itl * (workload.osl - 1),
        tokens_per_second=rate * workload.osl,
        gpus=copies * parallel.gpus,
        concurrency=concurrency,
        starts=columns.starts[rows],
        admits=columns.admits[rows],
        evidence=step.evidence,
        build=build,
    )


def _copies(problem: Problem, columns: aggregated.Columns, most: int, ranks: int) -> tuple[Array, Counts]:
    """Copies and row of the columns per deployment; with a load, the smallest row that carries it, if any does."""
    workload, pinned = problem.workload, problem.pins.size("aggregated", "workers")
    if workload.concurrency is None and workload.request_rate is None:
        rows = np.arange(len(columns.requests) if 0 < (pinned or most) <= most else 0)
        return np.full(len(rows), float(pinned or most)), rows
    copies = np.arange(1, most + 1, dtype=float)
    copies = copies if pinned is None else copies[copies == pinned]
    carried = ranks * columns.requests if workload.request_rate is None else columns.request_rate
    asked = workload.concurrency if workload.request_rate is None else workload.request_rate
    enough = copies[:, None] * carried[None, :] >= (asked or 0)
    able = enough.any(axis=1)
    return copies[able], enough[able].argmax(axis=1)


def aggregated_estimate(problem: Problem, step: Step, columns: aggregated.Columns, row: int, copies: int) -> Estimate:
    workload, parallel = problem.workload, step.shape.parallel
    requests = int(columns.requests[row])
    crew = _Crew(
        role="aggregated",
        count=1,
        batch=requests,
        budget=int(columns.budget[row]),
        activations=float(columns.activations[row]),
        cache=float(columns.cache[row]),
    )
    decoding = float(columns.decoding[row])
    chunk, beside = step.shape.engine.prompt_step(workload.new_tokens, float(columns.budget[row]), decoding)
    parts = (*step.breakdown("prefill", chunk, beside), *step.breakdown("decode", 0.0, decoding))
    terms = {name: float(values[row]) for name, values in columns.terms.items()}
    load = Load(
        concurrency=copies * parallel.dp * requests,
        request_rate=copies * float(columns.request_rate[row]),
        tokens_per_second=copies * float(columns.request_rate[row]) * workload.osl,
        utilisation=min(float(columns.utilisation[row]), 1.0),
    )
    return _record(problem, (crew.worker(problem, step),), load, (float(columns.itl[row]), terms), parts, copies)


def disaggregated_rows(
    problem: Problem, prefill: Iterable[PrefillWorker], decode: Iterable[DecodeWorker]
) -> list[Rows]:
    """Every pair of pools that the engine can join, within the budget, one Rows per pair of worker kinds."""
    decode = tuple(decode)
    bandwidth = problem.transfer_bandwidth or problem.system.node.inter_bandwidth
    found = []
    for source in prefill:
        for sink in decode:
            if not _joins(source, sink):
                continue
            pools = disaggregated.match(source, sink, problem.workload, problem.gpus, bandwidth, _counts(problem))
            if pools is not None:
                found.append(_pool_rows(problem, pools))
    return found


def _counts(problem: Problem) -> tuple[int | None, int | None]:
    """Prefill and decode workers, where they are pinned."""
    return problem.pins.size("prefill", "workers"), problem.pins.size("decode", "workers")


def _joins(prefill: PrefillWorker, decode: DecodeWorker) -> bool:
    """Whether decode workers of this tensor size can take keys and values from these prefill workers."""
    source, sink = prefill.step.shape.parallel.tp, decode.step.shape.parallel.tp
    rule = prefill.step.shape.engine.pairing
    return rule == "any" or (sink % source == 0 if rule == "multiple" else sink == source)


def _pool_rows(problem: Problem, pools: Pools) -> Rows:
    workload = problem.workload
    ttft, itl = pools.ttft, pools.decode.seconds[pools.row] / workload.tokens_per_iteration
    request = ttft + itl * (workload.osl - 1)
    prefill, decode = pools.prefill.step.shape.parallel, pools.decode.step.shape.parallel
    keep = _smallest_carrying(problem, pools, pools.rate * request)

    def build(row: int) -> Estimate:
        return _pool_estimate(problem, pools, int(keep[row]))

    return Rows(
        mode="disaggregated",
        label=f"{prefill.gpus} {decode}",
        ttft=ttft[keep],
        itl=itl[keep],
        request=request[keep],
        tokens_per_second=(pools.rate * workload.osl)[keep],
        gpus=(pools.prefill_count * prefill.gpus + pools.decode_count * decode.gpus)[keep].astype(float),
        concurrency=(pools.rate * request)[keep],
        starts=np.full(len(keep), fill_value=True),
        admits=pools.decode.admits[pools.row[keep]],
        evidence=max((pools.prefill.step.evidence, pools.decode.step.evidence), key=EVIDENCE.index),
        build=build,
    )


def _smallest_carrying(problem: Problem, pools: Pools, concurrency: Array) -> Counts:
    """All rows; with a load asked for, per pair of pool sizes only the smallest decode batch that carries it."""
    workload = problem.workload
    everything = _placeable(problem, pools)
    if workload.concurrency is None and workload.request_rate is None:
        return everything
    carried = concurrency if workload.request_rate is None else pools.rate
    asked = workload.concurrency if workload.request_rate is None else workload.request_rate
    able = everything[carried[everything] >= (asked or 0)]
    order = able[np.argsort(pools.row[able], kind="stable")]
    sizes = np.stack([pools.prefill_count[order], pools.decode_count[order]])
    _, first = np.unique(sizes, axis=1, return_index=True)
    return order[first]


def _placeable(problem: Problem, pools: Pools) -> Counts:
    """Rows whose workers find a place beside each other."""
    if problem.vacancy is None:
        return np.arange(len(pools.rate))
    sizes = (pools.prefill.step.shape.parallel.gpus, pools.decode.step.shape.parallel.gpus)
    return np.flatnonzero(problem.vacancy.fits(sizes, (pools.prefill_count, pools.decode_count)))


def _pool_estimate(problem: Problem, pools: Pools, row: int) -> Estimate:
    workload, source, sink = problem.workload, pools.prefill, pools.decode
    at = int(pools.row[row])
    batch = int(sink.batch[at])
    feeding = _Crew(
        role="prefill",
        count=int(pools.prefill_count[row]),
        batch=source.batch,
        budget=source.budget,
        activations=source.activations,
        cache=source.cache,
    )
    decoding = _Crew(
        role="decode",
        count=int(pools.decode_count[row]),
        batch=batch,
        budget=batch,
        activations=float(sink.activations[at]),
        cache=float(sink.cache[at]),
    )
    workers = (feeding.worker(problem, source.step), decoding.worker(problem, sink.step))
    tokens = float(min(source.batch * workload.new_tokens, source.budget))
    parts = (*source.step.breakdown("prefill", tokens, 0.0), *sink.step.breakdown("decode", 0.0, float(batch)))
    terms = {name: float(values[row]) for name, values in pools.terms.items()}
    itl, rate = float(sink.seconds[at]) / workload.tokens_per_iteration, float(pools.rate[row])
    request = sum(terms.values()) + itl * (workload.osl - 1)
    load = Load(
        concurrency=max(round(rate * request), 1),
        request_rate=rate,
        tokens_per_second=rate * workload.osl,
        utilisation=float(pools.utilisation[row]),
    )
    return _record(problem, workers, load, (itl, terms), parts, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crew:
    """Workers of one role: how many, how loaded, and the bytes that goes with it."""

    role: Role
    count: int
    batch: int
    budget: int
    activations: float
    cache: float

    def worker(self, problem: Problem, step: Step) -> Worker:
        """The record of one of them."""
        return Worker(
            role=self.role,
            count=self.count,
            parallel=step.shape.parallel,
            batch_size=self.batch,
            max_num_tokens=self.budget,
            memory=memory.record(step.shape, self.activations, self.cache, self.batch, problem.workload),
        )


def _record(
    problem: Problem,
    workers: tuple[Worker, ...],
    load: Load,
    times: tuple[float, dict[str, float]],
    parts: tuple[OpTime, ...],
    replicas: int,
) -> Estimate:
    itl, terms = times
    ttft, osl = sum(terms.values()), problem.workload.osl
    return Estimate(
        mode="aggregated" if len(workers) == 1 else "disaggregated",
        backend=problem.backend,
        backend_version=problem.backend_version or "",
        replicas=replicas,
        workers=workers,
        load=load,
        latency=Latency(ttft=ttft, itl=itl if osl > 1 else None, request=ttft + itl * (osl - 1), ttft_terms=terms),
        provenance=_shares(parts, problem.workload.iterations),
        breakdown=parts,
    )


def _shares(parts: tuple[OpTime, ...], iterations: float) -> dict[str, float]:
    """Share of a request's time per class of evidence: one prefill iteration and its decode iterations."""
    weight = {"prefill": 1.0, "decode": iterations}
    times: dict[str, float] = {}
    for part in parts:
        times[part.provenance] = times.get(part.provenance, 0.0) + part.seconds * weight[part.phase]
    total = sum(times.values())
    return {word: seconds / total for word, seconds in times.items() if seconds > 0}
