"""One config.json, whoever wrote it, into a Model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from estimator.errors import InvalidModelConfig, UnsupportedModel
from estimator.model import Block, Model
from estimator.readers import feedforward
from estimator.readers.families import FAMILIES, Layer
from estimator.readers.fields import Fields

_NESTED = ("text_config", "llm_config", "language_config")
"""Where multimodal wrappers keep the language model's configuration."""
_STATES = (
    "linear_attn_config",
    "ssm_state_size",
    "mamba_d_state",
    "mamba_num_heads",
    "linear_num_value_heads",
    "rwkv_version",
)
"""Fields that promise layers with a state; a stand-in with attention alone would be far off."""
_COMPRESSED = ("compress_ratios", "is_encoder_decoder")
"""Fields that, when set, promise attention that no family here has."""
_GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


def read(name: str, config: Mapping[str, Any], quantization: Mapping[str, Any] | None = None) -> Model:
    """The model that *config* (config.json) and *quantization* (hf_quant_config.json, if any) describe.

    An architecture without a reader is read as its nearest family, and says so in `nearest`. Raises UnsupportedModel
    where no family is near, InvalidModelConfig for a missing or absurd field.
    """
    inner = _language(config)
    fields = Fields(name, inner)
    architecture = _architecture(name, config, inner)
    nearest = "" if architecture in FAMILIES else _nearest(architecture, fields)
    family = FAMILIES[nearest or architecture]
    return Model(
        name=name,
        architecture=architecture,
        hidden=fields.hidden,
        vocab=fields.size("vocab_size"),
        max_position=fields.size("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
        blocks=_blocks(fields, family.layers(fields)),
        tied=_tied(name, config, inner, default=family.tied),
        nextn=fields.count("num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers"),
        quantization=_quantization(config, inner, quantization),
        nearest=nearest,
    )


def _language(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's own part of a multimodal configuration, or all of a plain one."""
    return next((config[key] for key in _NESTED if isinstance(config.get(key), Mapping)), config)


def _architecture(name: str, config: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    for part in (config, inner):
        listed = part.get("architectures")
        if isinstance(listed, list) and listed and isinstance(listed[0], str):
            return listed[0]
    raise InvalidModelConfig(name, "architectures", "is missing")


def _nearest(architecture: str, fields: Fields) -> str:
    """The family whose layers the configuration describes, by the fields that only such layers have."""
    if not architecture.endswith(_GENERATES) or any(fields.config.get(key) for key in _COMPRESSED):
        raise _unsupported(architecture, fields)
    if fields.has("kv_lora_rank") and not fields.has(*_STATES):
        return "GlmMoeDsaForCausalLM" if fields.has("index_topk") else "DeepseekV3ForCausalLM"
    if fields.has("linear_num_value_heads") and fields.has("linear_num_key_heads"):
        return "Qwen3NextForCausalLM"
    if fields.has("hybrid_override_pattern") and fields.has("mamba_num_heads"):
        return "NemotronHForCausalLM"
    if fields.has(*_STATES) or not fields.has("num_attention_heads", "n_head", "n_heads"):
        raise _unsupported(architecture, fields)
    return "Qwen3MoeForCausalLM" if feedforward.has_experts(fields) else "LlamaForCausalLM"


def _unsupported(architecture: str, fields: Fields) -> UnsupportedModel:
    near = get_close_matches(architecture, FAMILIES, n=3, cutoff=0.0)
    reason = f"architecture {architecture} has no price list and its layers are like no family's that has one"
    return UnsupportedModel(fields.name, reason, tuple(near))


def _blocks(fields: Fields, layers: Sequence[Layer]) -> tuple[Block, ...]:
    """Equal layers together, in order of first appearance."""
    if not layers:
        raise fields.bad("block_configs", "leaves no layer")
    return tuple(Block(count=count, mixer=mixer, ffn=ffn) for (mixer, ffn), count in Counter(layers).items())


def _tied(name: str, config: Mapping[str, Any], inner: Mapping[str, Any], *, default: bool) -> bool:
    """The wrapper's word on shared tables, if it has one, is about the language model's."""
    outer = Fields(name, config).flag("tie_word_embeddings", default=default)
    return Fields(name, inner).flag("tie_word_embeddings", default=outer)


def _quantization(
    config: Mapping[str, Any], inner: Mapping[str, Any], extra: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """What hf_quant_config.json adds to config.json's own words, wherever a wrapper keeps those."""
    found = [part.get("quantization_config") for part in (config, inner)]
    own = next((one for one in found if isinstance(one, Mapping)), None)
    declared = (extra or {}).get("quantization")
    if isinstance(declared, Mapping):
        return {**(own or {}), **declared}
    return own
