"""Which columns make a row of each table what it is, in sort order. What they mean is told in perf_db/table.py."""

from collections.abc import Mapping, Sequence

_ATTENTION = (
    *("attn_dtype", "kv_cache_dtype", "head_dim", "window_size", "num_key_value_heads", "num_heads"),
    "batch_size",
)
_MLA = ("mla_dtype", "kv_cache_dtype", "num_heads", "batch_size")
_BLOCK = ("architecture", "model", "mla_dtype", "kv_cache_dtype", "gemm_type", "num_heads", "batch_size")
_INDEXED = ("architecture", "model", "indexer", *_BLOCK[2:])
_SCORED = ("architecture", "model", "score_mode", *_BLOCK[2:])
_EXPERTS = ("hidden_size", "inter_size", "topk", "num_experts")
_MOE = ("moe_dtype", "distribution", *_EXPERTS, "moe_tp_size", "moe_ep_size", "num_tokens")
_MLP = ("quant_type", "hidden_size", "intermediate_size", "num_token")
_DEEPEP = ("phase", "node_num", "hidden_size", "num_topk", "num_experts")
_STATE = ("part", "kernel", "phase")
_DELTA = (*_STATE, "num_k_heads", "num_v_heads", "head_k_dim", "head_v_dim", "d_conv", "batch_size", "seq_len")
_SCAN = (*_STATE, "nheads", "n_groups", "head_dim", "d_state", "d_conv", "chunk_size", "batch_size", "seq_len")

KEYS: Mapping[str, Sequence[str]] = {
    "gemm": ("gemm_dtype", "n", "k", "m"),
    "computescale": ("quant_dtype", "k", "m"),
    "scale_matrix": ("quant_dtype", "k", "m"),
    "context_attention": (*_ATTENTION, "isl"),
    "generation_attention": (*_ATTENTION, "context"),
    "encoder_attention": ("attn_dtype", "head_dim", "num_heads", "batch_size", "isl"),
    "context_mla": (*_MLA, "isl"),
    "generation_mla": (*_MLA, "context"),
    "mla_context_module": (*_BLOCK, "isl"),
    "mla_generation_module": (*_BLOCK, "context"),
    "wideep_context_mla": ("kernel", *_MLA, "isl"),
    "wideep_generation_mla": ("kernel", *_MLA, "context"),
    "mla_bmm": ("op_name", "bmm_dtype", "num_heads", "num_tokens"),
    "dsa_context_module": (*_INDEXED, "past", "isl"),
    "dsa_generation_module": (*_INDEXED, "context"),
    "msa_context_module": (*_BLOCK, "past", "isl"),
    "msa_generation_module": (*_BLOCK, "context"),
    "dsv4_csa_context_module": (*_BLOCK, "past", "isl"),
    "dsv4_csa_generation_module": (*_BLOCK, "context"),
    "dsv4_csa_topk_calib": (*_SCORED, "past", "isl"),
    "dsv4_hca_context_module": (*_BLOCK, "past", "isl"),
    "dsv4_hca_generation_module": (*_BLOCK, "context"),
    "dsv4_hca_attn_module": (*_BLOCK, "past", "isl"),
    "dsv4_paged_mqa_logits_module": (*_BLOCK, "past", "isl"),
    "glm5_dsa_attn_module": (*_BLOCK, "past", "isl"),
    "glm5_mqa_logits_module": (*_BLOCK, "past", "isl"),
    "glm5_topk_module": (*_SCORED, "past", "isl"),
    "gdn": _DELTA,
    "kda": _DELTA,
    "mamba2": _SCAN,
    "mhc_module": ("architecture", "op_name", "hc_mult", "hidden_size", "num_tokens"),
    "moe": _MOE,
    "wideep_context_moe": _MOE,
    "wideep_generation_moe": _MOE,
    "wideep_moe": ("moe_dtype", "distribution", *_EXPERTS, "num_slots", "moe_tp_size", "moe_ep_size", "num_tokens"),
    "dsv4_megamoe_module": ("phase", *_MOE),
    "wideep_context_mlp": _MLP,
    "wideep_generation_mlp": _MLP,
    "custom_allreduce": ("allreduce_dtype", "num_gpus", "variant", "message_size"),
    "nccl": ("op_name", "nccl_dtype", "num_gpus", "message_size"),
    "moe_a2a": (
        *("comm_backend", "phase", "comm_dtype", "ep_size", "node_num", "hidden_size", "topk", "num_experts", "sms"),
        "num_tokens",
    ),
    "trtllm_alltoall": (
        *("op_name", "kernel", "moe_dtype", "hidden_size", "topk", "num_experts", "moe_ep_size", "distribution"),
        "num_tokens",
    ),
    "wideep_deepep_normal": (*_DEEPEP, "sms", "num_token"),
    "wideep_deepep_ll": (*_DEEPEP, "num_token"),
}
SIZES = frozenset({
    *("n", "k", "m", "batch_size", "isl", "past", "context", "seq_len", "num_tokens", "num_token", "message_size"),
    *("num_heads", "num_key_value_heads", "num_k_heads", "num_v_heads", "nheads", "n_groups", "kernel"),
})  # fmt: skip
"""Columns along which a table is a grid, or which an engine picks by size, like its kernel; the others make a slice."""
CHOSEN_BY_ENGINE = frozenset({"moe"})
"""Tables whose rows of several kernels are all kept, with a column `kernel`: an option of the engine picks one."""
NEVER = frozenset({
    *("framework", "version", "device", "kernel_source", "beam_width", "tp_size", "seconds", "latency", "avg_ms"),
    *("power", "power_limit", "provenance"),
})  # fmt: skip
"""Columns that are no keys in tables we do not know."""
