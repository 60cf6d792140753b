"""A model as the estimator sees it: shapes read from a Hugging Face config.json.

Names of fields are those of the configuration files where one exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estimator.errors import InvalidModelConfig, UnsupportedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Grouped-query attention: heads, key-value heads, elements per head; window None means full attention."""

    heads: int
    kv_heads: int
    head_dim: int
    qk_norm: bool = False
    bias: bool = False
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A decoder-only language model.

    ffn: width of the gated feed-forward block; tied: embedding and head share one table;
    quantization: what the checkpoint says about its own weights (None: 16-bit).
    """

    name: str
    architecture: str
    layers: int
    hidden: int
    ffn: int
    vocab: int
    max_position: int
    attention: Attention
    tied: bool
    quantization: Mapping[str, Any] | None = None
