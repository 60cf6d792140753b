"""What came out: records of priced deployments, and of a search that found none.

Seconds, bytes and tokens per second throughout; whoever shows them converts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from estimator.parallelism import Parallel

Mode = Literal["aggregated", "disaggregated"]
DOUBTFUL = frozenset({"transferred", "formula"})
"""Classes of evidence behind which no measurement of this very operation stands."""
DOUBTFUL_SHARE = 0.20
"""A plan that rests on more than this share of doubtful time is marked wherever it is shown."""
Evidence = Literal["measured", "transferred", "formula"]
"""What an estimate rests on: measurements of its operations, or to more than DOUBTFUL_SHARE not; the weaker class names
it."""
EVIDENCE: tuple[Evidence, ...] = ("measured", "transferred", "formula")
"""All of them, the best one first."""
Role = Literal["aggregated", "prefill", "decode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes per GPU of one worker.

    kv_cache: what the cache may hold; kv_needed: what the planned batch needs of it; capacity: the GPU's memory.
    """

    weights: float
    activations: float
    kv_cache: float
    kv_needed: float
    fixed: float
    capacity: float

    @property
    def used(self) -> float:
        """Weights, activations, fixed buffers and the cache that the planned batch needs."""
        return self.weights + self.activations + self.fixed + self.kv_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One kind of engine instance in a deployment.

    count: instances in one replica; batch_size: requests in flight per attention data-parallel rank;
    max_num_tokens: tokens that one step may hold, as the estimate assumed.
    """

    role: Role
    count: int
    parallel: Parallel
    batch_size: int
    max_num_tokens: int
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTime:
    """Seconds that one kind of operation takes in one iteration of *phase*, all layers together."""

    phase: Literal["prefill", "decode"]
    name: str
    seconds: float
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Means over requests, seconds; itl is None when osl is 1; ttft_terms sum to ttft."""

    ttft: float
    itl: float | None
    request: float
    ttft_terms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Traffic at which the latencies hold, over the whole deployment.

    concurrency: requests in flight; request_rate: requests per second; tokens_per_second: output tokens per second;
    utilisation: busy share of the bottleneck, 0 to 1.
    """

    concurrency: int
    request_rate: float
    tokens_per_second: float
    utilisation: float


Ends = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far an estimate is to be believed, learned from measured runs.

    probability: that all latency targets are kept; the others: intervals that hold nine times in ten, seconds and
    tokens per second, None where too little was measured to know.
    """

    probability: float
    ttft: Ends | None
    itl: Ends | None
    tokens_per_second: Ends | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One deployment with its predicted behaviour.

    backend_version: version of the measurements used; replicas: copies of the set of workers;
    provenance: share of the step time per class of evidence, summing to 1; breakdown: where a step's time goes;
    trust: None where no run of the engine was compared, or where nothing is promised.
    """

    mode: Mode
    backend: str
    backend_version: str
    replicas: int
    workers: tuple[Worker, ...]
    load: Load
    latency: Latency
    provenance: Mapping[str, float]
    breakdown: tuple[OpTime, ...]
    trust: Trust | None = None

    @property
    def gpus_per_replica(self) -> int:
        """GPUs of one replica."""
        return sum(worker.count * worker.parallel.gpus for worker in self.workers)

    @property
    def gpus(self) -> int:
        """GPUs of the whole deployment."""
        return self.replicas * self.gpus_per_replica

    @property
    def doubt(self) -> float:
        """Share of the step time that no measurement stands behind."""
        return sum(share for name, share in self.provenance.items() if name in DOUBTFUL)

    @property
    def is_doubtful(self) -> bool:
        """Whether that is too much for the plan to be shown without a mark."""
        return self.doubt > DOUBTFUL_SHARE

    @property
    def evidence(self) -> Evidence:
        """What the plan rests on."""
        return evidence(self.provenance)

    def worker(self, role: Role) -> Worker:
        """The worker of that role; KeyError if there is none."""
        for worker in self.workers:
            if worker.role == role:
                return worker
        raise KeyError(role)

    @property
    def tokens_per_second_per_gpu(self) -> float:
        """Output tokens per second and GPU used."""
        return self.load.tokens_per_second / self.gpus

    @property
    def tokens_per_second_per_user(self) -> float | None:
        """1 / itl, or None when there is no second token."""
        return None if self.latency.itl is None else 1 / self.latency.itl

    def __str__(self) -> str:
        if self.mode == "aggregated":
            return f"agg {self.workers[0].parallel} x{self.replicas}"
        parts = "+".join(f"{worker.count}{worker.role[0]}:{worker.parallel}" for worker in self.workers)
        return f"disagg {parts} x{self.replicas}"


def evidence(shares: Mapping[str, float]) -> Evidence:
    """What an estimate with these *shares* of step time per class of evidence rests on."""
    if shares.get("formula", 0.0) > DOUBTFUL_SHARE:
        return "formula"
    return "transferred" if sum(shares.get(name, 0.0) for name in DOUBTFUL) > DOUBTFUL_SHARE else "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer of a search that found something.

    choice: the best estimate that meets every target; aggregated, disaggregated: ranked, best first, one per
    parallel shape; frontier: the Pareto set over both modes, fastest for the user first;
    rejections: candidates ruled out, by reason; considered: candidates priced;
    dtypes: what was assumed about data types and which file or default decided each; notes: sentences for people.
    """

    choice: Estimate
    aggregated: tuple[Estimate, ...]
    disaggregated: tuple[Estimate, ...]
    frontier: tuple[Estimate, ...]
    rejections: Mapping[str, int]
    considered: int
    dtypes: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """The smallest change of one knob that alone makes the request feasible, and what would then run.

    knob: a field name of the request (ttft, itl, e2eLatency, confidence, totalGpus, isl, concurrency, requestRate);
    value in SI.
    """

    knob: str
    value: float
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """Why a search found nothing, with numbers.

    binding: the constraint that rules out the nearest point (ttft, itl, e2eLatency, confidence, memory, gpus, load,
    fabric);
    best_*: the optimum of that metric alone over everything that fits memory and the GPU budget;
    nearest: the estimate whose worst violation is smallest. All estimates are None when nothing fits memory, and
    then needed_bytes is the memory that one copy needs (weights and the cache of one request).
    """

    rejections: Mapping[str, int]
    binding: str
    best_ttft: Estimate | None = None
    best_itl: Estimate | None = None
    best_throughput: Estimate | None = None
    nearest: Estimate | None = None
    relaxations: tuple[Relaxation, ...] = ()
    needed_bytes: float | None = None
    notes: tuple[str, ...] = ()
