"""Layers with a state instead of a cache: gated delta nets (Qwen3-Next, Qwen3.5) and Mamba-2 (Nemotron-H)."""

from collections.abc import Mapping, Sequence

from estimator.model import Attention, DeltaNet, Experts, FeedForward, Mixer, StateSpace
from estimator.readers import feedforward, grouped
from estimator.readers.fields import Fields

# Letters of Nemotron-H's hybrid_override_pattern, and the words of its newer layers_block_type.
_LETTERS: Mapping[str, str] = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}


def delta_mixers(fields: Fields) -> list[Mixer]:
    """A gated delta net in the linear layers; full attention, its output gated, in the others."""
    plain = Fields(fields.name, {**fields.config, "layer_types": None})  # kinds of attention are read here
    full = grouped.mixers(plain, qk_norm=True, gated=fields.flag("attn_output_gate", default=True))
    return [_delta(fields) if one else attention for one, attention in zip(_linear(fields), full, strict=True)]


def _linear(fields: Fields) -> Sequence[bool]:
    kinds = fields.per_layer("layer_types")
    if kinds is None:
        every = fields.size("full_attention_interval", default=4)
        return [(layer + 1) % every != 0 for layer in range(fields.layers)]
    for kind in kinds:
        if kind not in ("linear_attention", "full_attention"):
            raise fields.bad("layer_types", f"holds {kind!r}; known here: linear_attention, full_attention")
    return [kind == "linear_attention" for kind in kinds]


def _delta(fields: Fields) -> DeltaNet:
    keys, values = fields.size("linear_num_key_heads"), fields.size("linear_num_value_heads")
    if values % keys:
        raise fields.bad("linear_num_value_heads", f"must be a multiple of linear_num_key_heads = {keys}")
    return DeltaNet(
        key_heads=keys,
        key_dim=fields.size("linear_key_head_dim"),
        value_heads=values,
        value_dim=fields.size("linear_value_head_dim"),
        conv=fields.size("linear_conv_kernel_dim"),
    )


def nemotron(fields: Fields) -> list[tuple[Mixer | None, FeedForward | Experts | None]]:
    """Each layer is one thing: Mamba-2, attention, experts or a dense part, the last two with one input matrix."""
    kinds = _kinds(fields)
    parts: dict[str, tuple[Mixer | None, FeedForward | Experts | None]] = {}
    for kind in dict.fromkeys(kinds):
        parts[kind] = _part(fields, kind)
    return [parts[kind] for kind in kinds]


def _kinds(fields: Fields) -> Sequence[str]:
    pattern = fields.config.get("hybrid_override_pattern")
    if isinstance(pattern, str) and len(pattern) >= fields.layers:
        return [_LETTERS.get(letter, letter) for letter in pattern[: fields.layers]]
    listed = fields.per_layer("layers_block_type")
    if listed is None:
        raise fields.bad("hybrid_override_pattern", "must name the kind of every layer")
    return [str(kind) for kind in listed]


def _part(fields: Fields, kind: str) -> tuple[Mixer | None, FeedForward | Experts | None]:
    match kind:
        case "mamba":
            return _mamba(fields), None
        case "attention":
            return _attention(fields), None
        case "moe":
            return None, feedforward.experts(fields, gated=False)
        case "mlp":
            return None, feedforward.dense(fields, gated=False)[0]
    known = ", ".join(f"{letter} ({word})" for letter, word in _LETTERS.items())
    raise fields.bad("hybrid_override_pattern", f"holds {kind!r}; known: {known}")


def _attention(fields: Fields) -> Attention:
    return grouped.mixers(fields)[0]


def _mamba(fields: Fields) -> StateSpace:
    heads, groups = fields.size("mamba_num_heads"), fields.size("n_groups")
    if heads % groups:
        raise fields.bad("n_groups", f"must divide mamba_num_heads = {heads}")
    return StateSpace(
        heads=heads,
        head_dim=fields.size("mamba_head_dim"),
        state=fields.size("ssm_state_size"),
        conv=fields.size("conv_kernel"),
        groups=groups,
        chunk=fields.size("chunk_size"),
    )
