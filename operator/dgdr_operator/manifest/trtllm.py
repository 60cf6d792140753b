"""The command line and the engine file of one TensorRT-LLM worker."""

from dataclasses import dataclass
from typing import Any

from dgdr_operator.manifest.parts import Serving
from dgdr_operator.manifest.releases import Release
from dgdr_operator.manifest.sites import BLACKWELL
from estimator.backends.trtllm import ENGINE
from estimator.estimates import Worker
from estimator.parallelism import Parallel

FOLDER = "/opt/dynamo/engine"
"""Where the engine files are mounted."""

_MOVED_LAYERS = 1
"""Layers whose busy experts are placed anew in one iteration; 0 would keep the first placement for ever."""

_TOKENS_STEP = 32
_TRANSFER_SLACK = 500
_LARGEST_GRAPH_STEP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """What the engine file depends on besides the worker: the GPU, its memory in bytes, and how many a node has.

    experts: of a layer of the model.
    """

    sku: str
    capacity: float
    per_node: int
    experts: int = 0


def arguments(worker: Worker, serving: Serving, release: Release) -> tuple[str, ...]:
    """Everything the engine file can say stays out of the command line: one key, one place."""
    flags = ["--model-path", serving.model, "--served-model-name", serving.name]
    flags += ["--extra-engine-args", f"{FOLDER}/{file_name(worker)}"]
    flags += [] if worker.role == "aggregated" else ["--disaggregation-mode", worker.role]
    return tuple([*flags, release.kv_events_flag] if serving.kv_router else flags)


def file_name(worker: Worker) -> str:
    """The engine file of the worker's role."""
    return f"{worker.role}.yaml"


def engine_file(worker: Worker, serving: Serving, gpus: Gpus) -> dict[str, Any]:
    """The content of the engine file."""
    parallel = worker.parallel
    content: dict[str, Any] = {
        "backend": "pytorch",
        "tensor_parallel_size": parallel.tp * parallel.dp,
        "pipeline_parallel_size": parallel.pp,
        "enable_attention_dp": parallel.dp > 1,
        "enable_chunked_prefill": worker.role != "decode",
        "max_batch_size": worker.batch_size,
        "max_num_tokens": _tokens(worker),
        "kv_cache_config": {
            "free_gpu_memory_fraction": ENGINE.memory_fraction(gpus.capacity, worker.max_num_tokens, parallel),
            "dtype": serving.kv_dtype,
            "tokens_per_block": ENGINE.cache_block,
            "enable_block_reuse": serving.prefix_caching,
        },
        "cuda_graph_config": {"enable_padding": True, "batch_sizes": _graph_sizes(worker.batch_size)},
        "disable_overlap_scheduler": worker.role == "prefill",
        "print_iter_log": False,
    }
    if serving.context is not None:
        content["max_seq_len"] = serving.context
    if parallel.moe_ep * parallel.moe_tp > 1:
        content |= {"moe_expert_parallel_size": parallel.moe_ep, "moe_tensor_parallel_size": parallel.moe_tp}
        content["moe_config"] = {"backend": _experts(parallel, gpus)}
        if serving.copies:
            slots = gpus.experts + serving.copies
            content["moe_config"]["load_balancer"] = {"num_slots": slots, "layer_updates_per_iter": _MOVED_LAYERS}
    if worker.role != "aggregated":
        buffer = _ceil(serving.isl + serving.osl + _TRANSFER_SLACK)
        content["cache_transceiver_config"] = {"backend": "DEFAULT", "max_tokens_in_buffer": buffer}
    return content


def _experts(parallel: Parallel, gpus: Gpus) -> str:
    """Kernels that exchange tokens across nodes exist for Blackwell only; on Hopper they crash."""
    wide = parallel.moe_ep > gpus.per_node and gpus.sku.startswith(BLACKWELL)
    return "WIDEEP" if wide else "CUTLASS"


def _tokens(worker: Worker) -> int:
    return _ceil(worker.batch_size) if worker.role == "decode" else worker.max_num_tokens


def _graph_sizes(largest: int) -> list[int]:
    """Powers of two up to 64, then steps of 32 ranks, and the largest itself: sorted, unique."""
    powers = [1 << exponent for exponent in range(7) if 1 << exponent < largest]
    return [*powers, *range(_LARGEST_GRAPH_STEP + _TOKENS_STEP, largest, _TOKENS_STEP), largest]


def _ceil(tokens: int) -> int:
    return -(-tokens // _TOKENS_STEP) * _TOKENS_STEP
