"""What one worker is: a model, a way of splitting it, data types, an engine and the system it runs on."""

from dataclasses import dataclass

from estimator.backends.engine import Engine
from estimator.hardware import System
from estimator.model import Experts, Latent, Model
from estimator.parallelism import Parallel
from estimator.quantization import Dtypes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of worker.

    balanced: busy experts are to have copies (EPLB).
    """

    model: Model
    parallel: Parallel
    dtypes: Dtypes
    engine: Engine
    system: System
    balanced: bool = False

    @property
    def group(self) -> int:
        """GPUs that share the experts of a layer: moe_tp x moe_ep."""
        return self.parallel.moe_tp * self.parallel.moe_ep

    @property
    def exchanges(self) -> bool:
        """Whether tokens travel to their experts in all-to-all kernels instead of collectives.

        Engines do so when experts spread over more GPUs than one node joins; TensorRT-LLM on Blackwell always
        (its NVLink kernel) when attention is data-parallel and experts are whole.
        """
        if self.parallel.dp == 1 or self.parallel.moe_tp > 1 or self.model.experts is None:
            return False
        nvlink = self.engine.name == "trtllm" and self.system.gpu.sm >= _BLACKWELL
        return nvlink or self.group > self.system.node.gpus

    @property
    def replicates(self) -> bool:
        """Whether busy experts have copies: only where tokens are exchanged, as engines do it nowhere else."""
        return self.balanced and self.exchanges

    @property
    def is_latent(self) -> bool:
        """Whether any layer attends in a compressed space."""
        return any(isinstance(mixer, Latent) for mixer in self.model.mixers)

    @property
    def experts(self) -> Experts | None:
        """The model's mixture of experts, if it has one."""
        return self.model.experts


_BLACKWELL = 100
"""Compute capability (x 10) of data-centre Blackwell GPUs."""
