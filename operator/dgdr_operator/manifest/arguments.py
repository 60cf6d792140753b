"""Which engine arguments a user may set, of what type they are, and what we write when nobody does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["whole", "number", "switch", "word", "list"]

_SWITCHES = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument: *name* as its flag without dashes or its path in the engine file.

    default: what we write unless told otherwise, in words; also: its names in other releases;
    off: the flag that says no, for switches that have one.
    """

    name: str
    kind: Kind
    default: str
    also: tuple[str, ...] = ()
    off: str = ""


ARGUMENTS: Mapping[str, tuple[Argument, ...]] = {
    "vllm": (
        Argument(name="max-num-seqs", kind="whole", default="1024, or twice the planned batch; prefill: the batch"),
        Argument(name="max-num-batched-tokens", kind="whole", default="tokens of one step, as planned"),
        Argument(name="max-model-len", kind="whole", default="isl + osl + 1500, at most the model's"),
        Argument(name="kv-cache-dtype", kind="word", default="fp8 or auto, as planned"),
        Argument(name="gpu-memory-utilization", kind="number", default="the engine's"),
        Argument(name="block-size", kind="whole", default="the engine's"),
        Argument(name="enable-prefix-caching", kind="switch", default="false", off="no-enable-prefix-caching"),
        Argument(name="enforce-eager", kind="switch", default="false"),
        Argument(name="trust-remote-code", kind="switch", default="false"),
    ),
    "sglang": (
        Argument(name="max-running-requests", kind="whole", default="512, or twice the planned batch; prefill: it"),
        Argument(name="max-prefill-tokens", kind="whole", default="isl + 1500"),
        Argument(name="chunked-prefill-size", kind="whole", default="tokens of one step, as planned"),
        Argument(name="context-length", kind="whole", default="isl + osl + 1500, at most the model's"),
        Argument(name="kv-cache-dtype", kind="word", default="fp8_e4m3 or auto, as planned"),
        Argument(name="mem-fraction-static", kind="number", default="the engine's"),
        Argument(name="page-size", kind="whole", default="the engine's"),
        Argument(
            name="cuda-graph-max-bs", kind="whole", default="requests per rank, at most 512",
            also=("cuda-graph-max-bs-decode",),
        ),
        Argument(name="disable-radix-cache", kind="switch", default="true"),
        Argument(name="enable-mixed-chunk", kind="switch", default="as the release of Dynamo has it"),
        Argument(name="attention-backend", kind="word", default="the engine's"),
        Argument(name="trust-remote-code", kind="switch", default="false"),
    ),
    "trtllm": (
        Argument(name="max_batch_size", kind="whole", default="the planned batch"),
        Argument(name="max_num_tokens", kind="whole", default="tokens of one step, as planned"),
        Argument(name="max_seq_len", kind="whole", default="isl + osl + 1500, at most the model's"),
        Argument(name="enable_chunked_prefill", kind="switch", default="true; decode: false"),
        Argument(name="disable_overlap_scheduler", kind="switch", default="false; prefill: true"),
        Argument(name="kv_cache_config.free_gpu_memory_fraction", kind="number", default="as planned"),
        Argument(name="kv_cache_config.dtype", kind="word", default="fp8 or auto, as planned"),
        Argument(name="kv_cache_config.tokens_per_block", kind="whole", default="32"),
        Argument(name="kv_cache_config.enable_block_reuse", kind="switch", default="false"),
        Argument(name="cuda_graph_config.batch_sizes", kind="list", default="powers of two and steps to the batch"),
        Argument(name="cuda_graph_config.enable_padding", kind="switch", default="true"),
        Argument(name="cache_transceiver_config.max_tokens_in_buffer", kind="whole", default="isl + osl + 500"),
        Argument(name="moe_config.backend", kind="word", default="by the GPU"),
    ),
}  # fmt: skip
"""By engine. Sources: the engines' command line references and TensorRT-LLM's LLM API options."""

_ALIASES: Mapping[str, Mapping[str, str]] = {
    "max_batch_size": {"vllm": "max-num-seqs", "sglang": "max-running-requests"},
    "max_num_seqs": {"sglang": "max-running-requests", "trtllm": "max_batch_size"},
    "max_num_tokens": {"vllm": "max-num-batched-tokens", "sglang": "chunked-prefill-size"},
    "max_seq_len": {"vllm": "max-model-len", "sglang": "context-length"},
    "tokens_per_block": {"vllm": "block-size", "sglang": "page-size", "trtllm": "kv_cache_config.tokens_per_block"},
    "kv_cache_dtype": {"trtllm": "kv_cache_config.dtype"},
    "kv_cache_free_gpu_memory_fraction": {
        "vllm": "gpu-memory-utilization", "sglang": "mem-fraction-static",
        "trtllm": "kv_cache_config.free_gpu_memory_fraction",
    },
    "cuda_graph_batch_sizes": {"trtllm": "cuda_graph_config.batch_sizes"},
}  # fmt: skip
"""Names that AIConfigurator's --generator-set uses for every engine -> ours."""


def plain(name: str) -> str:
    """A name without the differences of spelling."""
    return name.lower().replace("-", "_")


def find(backend: str, name: str) -> Argument | None:
    """The argument of *backend* that *name* means, in any spelling, or None."""
    wanted = plain(_ALIASES.get(plain(name), {}).get(backend, name))
    for argument in ARGUMENTS[backend]:
        if wanted in {plain(one) for one in (argument.name, *argument.also)}:
            return argument
    return None


def read(argument: Argument, text: str) -> Any:  # noqa: ANN401 -- what the kind says
    """*text* as a value of the argument's kind. Raises ValueError with a sentence."""
    try:
        match argument.kind:
            case "whole":
                return int(text)
            case "number":
                return float(text)
            case "switch":
                return _SWITCHES[text.lower()]
            case "list":
                return [int(word) for word in text.strip("[]").split(",")]
            case _:
                return text
    except (ValueError, KeyError):
        wanted = {"whole": "a whole number", "number": "a number", "switch": "true or false", "list": "1,2,4,..."}
        raise ValueError(f"must be {wanted[argument.kind]}, not {text!r}") from None
