"""Feed-forward parts, layer by layer: dense, or a mixture of experts, and which layers are which."""

from collections.abc import Sequence

from estimator.model import Experts, FeedForward
from estimator.readers.fields import Fields

_DENSE_WIDTH = (
    "intermediate_size_mlp",
    "dense_intermediate_size",
    "intermediate_size",
    "n_inner",
    "ffn_dim",
    "ffn_hidden_size",
)
_COUNT = ("num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts")
_TOP = ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts", "moe_top_k", "moe_k")
_SHARED_WIDTH = (
    "shared_expert_intermediate_size",
    "moe_shared_expert_intermediate_size",
    "shared_intermediate_size",
    "share_expert_dim",
)


def dense(fields: Fields, *, gated: bool = True) -> list[FeedForward]:
    """The same dense part in every layer; where no width is given it is four times the hidden size (GPT-2)."""
    width = fields.size(*_DENSE_WIDTH, default=None if gated else 4 * fields.hidden)
    return [FeedForward(width=width, gated=gated)] * fields.layers


def has_experts(fields: Fields) -> bool:
    """Whether there is a mixture of experts; an explicit 0 of either number means none."""
    return fields.count(*_COUNT) > 0 and fields.count(*_TOP) > 0


def mixture(fields: Fields, *, beside: tuple[str, ...] = ()) -> list[FeedForward | Experts]:
    """Experts in the sparse layers, dense parts in the others; *beside*: keys of a dense width that all tokens take."""
    sparse = sparse_layers(fields) if has_experts(fields) else [False] * fields.layers
    routed = experts(fields, beside=beside) if any(sparse) else None
    plain = None if all(sparse) else dense(fields)[0]
    found = [routed if one else plain for one in sparse]
    return [part for part in found if part is not None]


def experts(fields: Fields, *, gated: bool = True, beside: tuple[str, ...] = ()) -> Experts:
    """The mixture of experts of one sparse layer."""
    count, top = fields.size(*_COUNT), fields.size(*_TOP)
    if top > count:
        raise fields.bad(_TOP[0], f"must be at most the number of experts, {count}, not {top}")
    width = fields.size("moe_intermediate_size", "moe_ffn_hidden_size", "intermediate_size")
    own = fields.count(*beside, *_SHARED_WIDTH)
    shared = own or fields.count("n_shared_experts", "num_shared_experts") * width
    latent = fields.count("moe_latent_size")
    return Experts(count=count, top=top, width=width, shared_width=shared, gated=gated, latent=latent)


def sparse_layers(fields: Fields) -> Sequence[bool]:
    """Whether each layer has experts: every rule that the configuration states must agree."""
    first, dense_only = fields.count("first_k_dense_replace"), fields.indices("mlp_only_layers") or frozenset()
    listed, kinds = fields.indices("moe_layers_enum"), fields.per_layer("mlp_layer_types")
    steps = [fields.size(key, default=1) for key in ("decoder_sparse_step", "interleave_moe_layer_step")]
    frequent = _frequency(fields)
    return [
        layer >= first
        and layer not in dense_only
        and (listed is None or layer in listed)
        and (kinds is None or kinds[layer] == "sparse")
        and all((layer + 1) % step == 0 for step in steps)
        and frequent[layer]
        for layer in range(fields.layers)
    ]


def _frequency(fields: Fields) -> Sequence[bool]:
    """moe_layer_freq: every which layer, or a list of 0 and 1."""
    if isinstance(fields.config.get("moe_layer_freq"), list):
        return [bool(one) for one in fields.per_layer("moe_layer_freq") or ()]
    every = fields.size("moe_layer_freq", default=1)
    return [layer % every == 0 for layer in range(fields.layers)]
