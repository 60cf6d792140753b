"""A model as the estimator sees it: shapes read from a Hugging Face config.json.

Names of fields are those of the configuration files where one exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from estimator.errors import InvalidModelConfig, UnsupportedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Grouped-query attention: heads, key-value heads, elements per head."""

    heads: int
    kv_heads: int
    head_dim: int
    qk_norm: bool = False
    bias: bool = False


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


# Dense grouped-query decoders with a gated feed-forward block: architecture -> q/k norm.
_DENSE = {
    "LlamaForCausalLM": False,
    "MistralForCausalLM": False,
    "MiMoForCausalLM": False,
    "Qwen2ForCausalLM": False,
    "Qwen3ForCausalLM": True,
}


def read(name: str, config: Mapping[str, Any], quantization: Mapping[str, Any] | None = None) -> Model:
    """The model that *config* (config.json) and *quantization* (hf_quant_config.json, if any) describe.

    Raises UnsupportedModel for an architecture without a price list, InvalidModelConfig for a missing or absurd field.
    """
    architecture = _architecture(name, config)
    fields = _Fields(name, config)
    heads = fields.size("num_attention_heads")
    hidden = fields.size("hidden_size")
    attention = Attention(
        heads=heads,
        kv_heads=fields.size("num_key_value_heads", default=heads),
        head_dim=fields.size("head_dim", default=hidden // heads),
        qk_norm=_DENSE[architecture],
        bias=bool(config.get("attention_bias", architecture == "Qwen2ForCausalLM")),
    )
    if attention.heads % attention.kv_heads:
        raise InvalidModelConfig(name, "num_key_value_heads", f"must divide num_attention_heads = {heads}")
    if config.get("use_sliding_window") or (architecture == "MistralForCausalLM" and config.get("sliding_window")):
        raise UnsupportedModel(name, "sliding-window attention has no price list yet")
    return Model(
        name=name,
        architecture=architecture,
        layers=fields.size("num_hidden_layers"),
        hidden=hidden,
        ffn=fields.size("intermediate_size"),
        vocab=fields.size("vocab_size"),
        max_position=fields.size("max_position_embeddings"),
        attention=attention,
        tied=bool(config.get("tie_word_embeddings", False)),
        quantization=_quantization(config, quantization),
    )


def _architecture(name: str, config: Mapping[str, Any]) -> str:
    listed = config.get("architectures")
    if not isinstance(listed, list) or not listed:
        raise InvalidModelConfig(name, "architectures", "is missing")
    architecture = str(listed[0])
    if architecture not in _DENSE:
        near = get_close_matches(architecture, _DENSE, n=1, cutoff=0.0)
        known = ", ".join(_DENSE)
        raise UnsupportedModel(name, f"architecture {architecture} has no price list; known: {known}", tuple(near))
    return architecture


def _quantization(config: Mapping[str, Any], extra: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    own = config.get("quantization_config")
    declared = (extra or {}).get("quantization")
    if isinstance(declared, Mapping):
        return {**(own or {}), **declared}
    return own if isinstance(own, Mapping) else None


class _Fields:
    """Positive integers out of a configuration, or InvalidModelConfig naming the field."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self._name = name
        self._config = config

    def size(self, key: str, *, default: int | None = None) -> int:
        value = self._config.get(key)
        value = default if value is None else value
        if value is None:
            raise InvalidModelConfig(self._name, key, "is missing")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidModelConfig(self._name, key, f"must be a positive integer, not {value!r}")
        return value
