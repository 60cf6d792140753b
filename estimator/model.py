"""A model as the estimator sees it: blocks of layers, each a token mixer and a feed-forward part.

Names of fields are those of the configuration files where one exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estimator.errors import InvalidWorkload


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Grouped-query attention: heads, key-value heads, elements per head.

    qk_norm: queries and keys are normalised, head by head or, with norm_across, over all heads of a layer at once;
    window: tokens that a query sees, None for all; gated: an output gate doubles the query projection.
    """

    heads: int
    kv_heads: int
    head_dim: int
    qk_norm: bool = False
    norm_across: bool = False
    bias: bool = False
    window: int | None = None
    gated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): ranks and head sizes as in config.json.

    q_rank 0 means that queries are projected directly; index_top: tokens that a sparse index keeps, None for all.
    """

    heads: int
    q_rank: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    v_dim: int
    index_heads: int = 0
    index_dim: int = 0
    index_top: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaNet:
    """Gated delta net, a linear attention with a state of value_heads x key_dim x value_dim per sequence."""

    key_heads: int
    key_dim: int
    value_heads: int
    value_dim: int
    conv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpace:
    """Mamba-2: heads of head_dim with a state of *state* elements each; conv: kernel width; groups share B and C."""

    heads: int
    head_dim: int
    state: int
    conv: int
    groups: int
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """A dense feed-forward part; gated: two input matrices and a product, else one."""

    width: int
    gated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts: *count* experts of *width*, *top* per token, and a shared one of *shared_width* (0: none).

    gated: three matrices per expert, else two; latent: width that tokens are projected to before dispatch (0: none).
    """

    count: int
    top: int
    width: int
    shared_width: int = 0
    gated: bool = True
    latent: int = 0


Mixer = Attention | Latent | DeltaNet | StateSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """*count* equal layers: a token mixer, a feed-forward part, or both."""

    count: int
    mixer: Mixer | None
    ffn: FeedForward | Experts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A decoder-only language model.

    nextn: multi-token prediction layers that the checkpoint holds; tied: embedding and head share one table;
    quantization: what the checkpoint says about its own weights (None: 16-bit); nearest: the family that stands in
    for an architecture without a reader of its own ("" otherwise).
    """

    name: str
    architecture: str
    hidden: int
    vocab: int
    max_position: int
    blocks: tuple[Block, ...]
    tied: bool = False
    nextn: int = 0
    quantization: Mapping[str, Any] | None = None
    nearest: str = ""

    @property
    def layers(self) -> int:
        """Layers with a token mixer or experts: what is split over pipeline stages."""
        return sum(block.count for block in self.blocks)

    @property
    def mixers(self) -> tuple[Mixer, ...]:
        """The distinct token mixers, in order of appearance."""
        return tuple(dict.fromkeys(block.mixer for block in self.blocks if block.mixer is not None))

    @property
    def experts(self) -> Experts | None:
        """The widest mixture of experts, or None for a dense model."""
        found = [block.ffn for block in self.blocks if isinstance(block.ffn, Experts)]
        return max(found, key=lambda one: one.count * one.width, default=None)

    def check_length(self, tokens: int) -> None:
        """Raises InvalidWorkload for a request of more *tokens*, prompt and output, than the context holds."""
        if tokens > self.max_position:
            raise InvalidWorkload("isl + osl", tokens, f"at most the model's context of {self.max_position} tokens")
