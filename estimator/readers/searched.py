"""Models whose layers an architecture search chose one by one (DeciLM: Llama Nemotron Super and Ultra)."""

from typing import Any

from estimator.model import Attention, FeedForward
from estimator.readers.fields import Fields

_ROUNDED_TO = 256
"""Widths are rounded up to a multiple of this (DeciLM's modeling code, as Llama's `multiple_of`)."""


def layers(fields: Fields) -> list[tuple[Attention | None, FeedForward | None]]:
    """Each block's attention and feed-forward part; parts that the search removed are None, empty blocks are gone."""
    listed = fields.per_layer("block_configs")
    if listed is None:
        raise fields.bad("block_configs", "is missing")
    found = [_block(fields, block) for block in listed]
    return [(mixer, ffn) for mixer, ffn in found if mixer is not None or ffn is not None]


def _block(fields: Fields, block: Any) -> tuple[Attention | None, FeedForward | None]:  # noqa: ANN401 - any JSON
    if not isinstance(block, dict):
        raise fields.bad("block_configs", "must be a list of objects")
    one = Fields(fields.name, block)
    return _attention(fields, one.within("attention")), _feed_forward(fields, one.within("ffn"))


def _attention(model: Fields, block: Fields) -> Attention | None:
    if _is_gone(block):
        return None
    heads, per_group = model.size("num_attention_heads"), block.size("n_heads_in_group")
    if heads % per_group:
        raise model.bad("block_configs", f"n_heads_in_group = {per_group} must divide num_attention_heads = {heads}")
    head_dim = model.size("head_dim", default=max(1, model.hidden // heads))
    return Attention(heads=heads, kv_heads=heads // per_group, head_dim=head_dim)


def _feed_forward(model: Fields, block: Fields) -> FeedForward | None:
    if _is_gone(block):
        return None
    if block.has("intermediate_size"):
        return FeedForward(width=block.size("intermediate_size"))
    share = block.config.get("ffn_mult")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < _WIDEST:
        raise model.bad("block_configs", f"ffn_mult must be a positive number below {_WIDEST}, not {share!r}")
    width = int(2 * share * model.hidden / 3)
    return FeedForward(width=max(1, -(-width // _ROUNDED_TO)) * _ROUNDED_TO)


def _is_gone(block: Fields) -> bool:
    if block.flag("replace_with_linear"):
        raise block.bad("block_configs", "replaces a part by a linear layer, which has no price list yet")
    return block.flag("no_op")


_WIDEST = 1000
"""No feed-forward part is a thousand times as wide as the model."""
