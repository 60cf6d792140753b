"""One question to the estimator, complete and free of units other than SI."""

from dataclasses import dataclass
from typing import Literal

from estimator.estimates import Mode
from estimator.hardware import System
from estimator.model import Model
from estimator.pins import FREE, Pins
from estimator.vacancy import Vacancy
from estimator.workload import Targets, Workload

DatabaseMode = Literal["measured", "hybrid", "analytical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Serve *workload* with *model* on at most *gpus* of *system* by one engine, keeping *targets*.

    backend_version: version of the measurements, None for the newest; modes: which shapes to consider;
    kv_dtype: "bf16" or "fp8", None for the best that checkpoint, engine and GPU allow;
    transfer_bandwidth: bytes per second of the link that moves keys and values from prefill to decode workers,
    None for the system's network; database_mode: measured rows only, also what is transferred from relatives and
    formulas where there are none, or formulas only; objective: the most output of the budget, or the quickest answers;
    balanced: busy experts are replicated (EPLB) where tokens are exchanged; top: ranked estimates to return per mode;
    pins: what the answer must be like; widest: GPUs that one worker may span, None for any number; vacancy: the free
    GPUs that workers have to fit on, None for any number in any pieces.
    """

    model: Model
    system: System
    backend: str
    gpus: int
    workload: Workload
    targets: Targets
    backend_version: str | None = None
    modes: tuple[Mode, ...] = ("aggregated", "disaggregated")
    kv_dtype: str | None = None
    transfer_bandwidth: float | None = None
    database_mode: DatabaseMode = "hybrid"
    objective: Literal["throughput", "latency"] = "throughput"
    balanced: bool = False
    top: int = 5
    pins: Pins = FREE
    widest: int | None = None
    vacancy: Vacancy | None = None

    def most(self, gpus: int) -> int:
        """Workers of so many GPUs that the budget pays and that find a place."""
        paid = self.gpus // gpus
        return paid if self.vacancy is None else min(paid, self.vacancy.most(gpus))
