"""Multi-head latent attention, with or without a sparse index (DeepSeek V2 to V3.2, Kimi K2, GLM-5)."""

from collections.abc import Sequence

from estimator.model import Latent
from estimator.readers.fields import Fields


def mixers(fields: Fields) -> list[Latent]:
    """One latent attention per layer; layers that borrow the index of a layer below hold none of their own."""
    return [_mixer(fields, borrowed=borrowed) for borrowed in _borrowed(fields)]


def _borrowed(fields: Fields) -> Sequence[bool]:
    kinds = fields.per_layer("indexer_types") if fields.has("index_topk") else None
    return [False] * fields.layers if kinds is None else [kind == "shared" for kind in kinds]


def _mixer(fields: Fields, *, borrowed: bool) -> Latent:
    sparse = fields.has("index_topk")
    own_index = sparse and not borrowed
    return Latent(
        heads=fields.size("num_attention_heads"),
        q_rank=fields.count("q_lora_rank"),
        kv_rank=fields.size("kv_lora_rank"),
        nope_dim=fields.size("qk_nope_head_dim"),
        rope_dim=fields.size("qk_rope_head_dim"),
        v_dim=fields.size("v_head_dim"),
        index_heads=fields.size("index_n_heads") if own_index else 0,
        index_dim=fields.size("index_head_dim") if own_index else 0,
        index_top=fields.size("index_topk") if sparse else None,
    )
