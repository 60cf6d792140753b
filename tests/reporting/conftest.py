"""Hand-made answers: pages are pure, so nothing has to be searched to test them."""

from collections.abc import Callable, Mapping

import pytest

from dgdr_operator.report.asked import Asked
from estimator.estimates import Estimate, Infeasible, Latency, Load, Memory, Outcome, Relaxation, Role, Worker
from estimator.model import Attention, Block, FeedForward, Model
from estimator.parallelism import Parallel
from estimator.workload import Targets, Workload

GIB = 2**30
SURE = {"measured": 0.6, "interpolated": 0.4}
OSL = 500


def _worker(role: Role, count: int, tp: int, batch: int) -> Worker:
    memory = Memory(
        weights=16.7 * GIB, activations=0.4 * GIB, kv_cache=90 * GIB, kv_needed=3.8 * GIB, fixed=3.8 * GIB,
        capacity=141 * GIB,
    )  # fmt: skip
    return Worker(
        role=role, count=count, parallel=Parallel(tp=tp), batch_size=batch, max_num_tokens=8192, memory=memory
    )


def _estimate(  # a deployment has this many facts that pages show
    workers: tuple[Worker, ...],
    *,
    replicas: int,
    rate: float,
    ttft: float,
    itl: float | None,
    evidence: Mapping[str, float] = SURE,
    backend: str = "vllm",
) -> Estimate:
    serving = workers[-1]
    return Estimate(
        mode="aggregated" if len(workers) == 1 else "disaggregated",
        backend=backend,
        backend_version="0.12.0",
        replicas=replicas,
        workers=workers,
        load=Load(
            concurrency=serving.batch_size * serving.count * replicas,
            request_rate=rate / OSL,
            tokens_per_second=rate,
            utilisation=0.8,
        ),
        latency=Latency(
            ttft=ttft, itl=itl, request=ttft + (itl or 0) * (OSL - 1), ttft_terms={"queue": 0.1, "prefill": ttft - 0.1}
        ),
        provenance=evidence,
        breakdown=(),
    )


@pytest.fixture
def estimate() -> Callable[..., Estimate]:
    return _estimate


@pytest.fixture
def worker() -> Callable[..., Worker]:
    return _worker


@pytest.fixture
def aggregated() -> tuple[Estimate, ...]:
    """Three aggregated plans for eight GPUs, best first."""
    return (
        _estimate((_worker("aggregated", 1, 2, 14),), replicas=4, rate=3178.48, ttft=0.50914, itl=0.016485),
        _estimate((_worker("aggregated", 1, 4, 24),), replicas=2, rate=2799.2, ttft=0.41258, itl=0.016399),
        _estimate((_worker("aggregated", 1, 8, 32),), replicas=1, rate=1884.96, ttft=0.48257, itl=0.015946),
    )


@pytest.fixture
def disaggregated() -> tuple[Estimate, ...]:
    """Two disaggregated plans for eight GPUs, the second one resting on formulas."""
    return (
        _estimate(
            (_worker("prefill", 2, 2, 1), _worker("decode", 1, 4, 60)), replicas=1, rate=4174.16, ttft=0.38811,
            itl=0.01299,
        ),
        _estimate(
            (_worker("prefill", 1, 2, 1), _worker("decode", 1, 2, 40)), replicas=2, rate=4170.0, ttft=0.38811,
            itl=0.0158, evidence={"measured": 0.7, "formula": 0.3},
        ),
    )  # fmt: skip


@pytest.fixture
def asked() -> Asked:
    layer = Block(count=64, mixer=Attention(heads=64, kv_heads=8, head_dim=128), ffn=FeedForward(width=25600))
    model = Model(
        name="Qwen/Qwen3-32B-FP8", architecture="Qwen3ForCausalLM", hidden=5120, vocab=151936, max_position=40960,
        blocks=(layer,),
    )  # fmt: skip
    return Asked(
        model=model,
        system="h200_sxm",
        gpus=8,
        backend="vllm",
        backend_version="0.12.1",
        workload=Workload(isl=4000, osl=OSL),
        targets=Targets(ttft=0.6, itl=0.01667),
        packs=("h200_sxm/vllm 0.12.0",),
        notes=("vllm 0.12.1 was not measured: 0.12.0 stands in",),
    )


@pytest.fixture
def outcome(aggregated: tuple[Estimate, ...], disaggregated: tuple[Estimate, ...]) -> Outcome:
    return Outcome(
        choice=disaggregated[0],
        aggregated=aggregated,
        disaggregated=disaggregated,
        frontier=(disaggregated[0],),
        rejections={"ttft": 1200, "memory": 30, "itl": 0},
        considered=2345,
        dtypes={"weights": "fp8_block (checkpoint)"},
        notes=("a note of the search",),
    )


@pytest.fixture
def infeasible(aggregated: tuple[Estimate, ...]) -> Infeasible:
    return Infeasible(
        rejections={"itl": 30, "ttft": 1200},
        binding="ttft",
        best_ttft=aggregated[1],
        best_itl=aggregated[2],
        best_throughput=aggregated[0],
        nearest=aggregated[1],
        relaxations=(
            Relaxation(knob="ttft", value=0.412584, estimate=aggregated[1]),
            Relaxation(knob="totalGpus", value=16, estimate=aggregated[2]),
        ),
    )
