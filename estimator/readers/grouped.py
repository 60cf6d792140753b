"""Grouped-query attention, layer by layer: heads, head sizes, and how far each layer sees."""

from collections.abc import Callable, Sequence

from estimator.model import Attention
from estimator.readers.fields import Fields

Windows = Callable[[Fields], Sequence[int | None]]
"""Tokens that the queries of each layer see, None for all of them."""


def mixers(
    fields: Fields,
    *,
    windows: Windows | None = None,
    qk_norm: bool = False,
    norm_across: bool = False,
    bias: bool = False,
    gated: bool = False,
) -> list[Attention]:
    """One attention per layer. The flags: what the family does where the configuration is silent."""
    norm = qk_norm or fields.flag("use_qk_norm")
    biased = fields.flag("attention_bias", default=bias)
    local, full = _heads(fields, local=True), _heads(fields, local=False)
    return [
        Attention(
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            qk_norm=norm,
            norm_across=norm and norm_across,
            bias=biased,
            gated=gated,
            window=window,
        )
        for window in (windows or as_listed)(fields)
        for heads, kv_heads, head_dim in [full if window is None else local]
    ]


def _heads(fields: Fields, *, local: bool) -> tuple[int, int, int]:
    """Heads, key-value heads and head size; a few families give layers with a window sizes of their own."""
    heads = fields.size("num_attention_heads", "n_head", "n_heads")
    own_kv = "swa_num_key_value_heads" if local else "num_global_key_value_heads"
    own_dim = "swa_head_dim" if local else "global_head_dim"
    one = 1 if fields.flag("multi_query") else heads
    kv_heads = fields.size(own_kv, "num_key_value_heads", "num_kv_heads", default=one)
    head_dim = fields.size(own_dim, "head_dim", "attention_head_dim", default=max(1, fields.hidden // heads))
    if heads % kv_heads:
        raise fields.bad("num_key_value_heads", f"must divide num_attention_heads = {heads}")
    return heads, kv_heads, head_dim


def as_listed(fields: Fields) -> Sequence[int | None]:
    """What layer_types says; else a window from max_window_layers on where the configuration switches it on."""
    if fields.config.get("use_sliding_window") is False:
        return [None] * fields.layers
    if (kinds := fields.per_layer("layer_types")) is not None:
        return [_window(fields, kind) for kind in kinds]
    if (pattern := fields.per_layer("hybrid_layer_pattern")) is not None:  # MiMo-V2: 1 is a layer with a window
        return [fields.size("sliding_window") if local else None for local in pattern]
    if fields.flag("use_sliding_window"):
        window, first = fields.size("sliding_window"), fields.count("max_window_layers")
        return [None if layer < first else window for layer in range(fields.layers)]
    return [None] * fields.layers


def everywhere(fields: Fields) -> Sequence[int | None]:
    """A window in every layer, if there is a window (Mistral 7B)."""
    if fields.has("layer_types"):
        return as_listed(fields)
    return [fields.size("sliding_window") if fields.has("sliding_window") else None] * fields.layers


def alternating(fields: Fields) -> Sequence[int | None]:
    """A window in every other layer, from the first on (gpt-oss, Gemma 2)."""
    return _repeated(fields, every=2)


def mostly_local(fields: Fields) -> Sequence[int | None]:
    """A window in all but each sixth layer (Gemma 3; sliding_window_pattern says so where it differs)."""
    return _repeated(fields, every=fields.size("sliding_window_pattern", default=6))


def chunked(fields: Fields) -> Sequence[int | None]:
    """Attention within chunks in all but each fourth layer (Llama 4: the layers with rotary positions)."""
    if fields.has("layer_types"):
        return as_listed(fields)
    rotary = fields.per_layer("no_rope_layers") or None  # an empty list means the interval
    every = fields.size("no_rope_layer_interval", default=4)
    local = rotary or [(layer + 1) % every != 0 for layer in range(fields.layers)]
    return [fields.size("attention_chunk_size") if one else None for one in local]


def _repeated(fields: Fields, every: int) -> Sequence[int | None]:
    if fields.has("layer_types") or not fields.has("sliding_window"):
        return as_listed(fields)
    window = fields.size("sliding_window")
    return [window if (layer + 1) % every else None for layer in range(fields.layers)]


def _window(fields: Fields, kind: object) -> int | None:
    match kind:
        case "sliding_attention":
            return fields.size("sliding_window")
        case "chunked_attention":
            return fields.size("attention_chunk_size")
        case "full_attention":
            return None
    known = "full_attention, sliding_attention, chunked_attention"
    raise fields.bad("layer_types", f"holds {kind!r}; known here: {known}")
