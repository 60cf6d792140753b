"""Which architecture is read how: families of models, each by what its layers are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from estimator.model import Experts, FeedForward, Mixer
from estimator.readers import feedforward, grouped, hybrid, latent, searched
from estimator.readers.fields import Fields

Ffn = FeedForward | Experts
Layer = tuple[Mixer | None, Ffn | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the layers of an architecture are read; tied: one table for both ends where config.json is silent."""

    layers: Callable[[Fields], Sequence[Layer]]
    tied: bool = False


def _of(mixers: Callable[[Fields], Sequence[Mixer]], ffns: Callable[[Fields], Sequence[Ffn]]) -> Family:
    """A family whose every layer is a token mixer followed by a feed-forward part."""

    def layers(fields: Fields) -> Sequence[Layer]:
        return list(zip(mixers(fields), ffns(fields), strict=True))

    return Family(layers=layers)


_plain = grouped.mixers
_normed = partial(grouped.mixers, qk_norm=True)
_biased = partial(grouped.mixers, bias=True)
_normed_across = partial(grouped.mixers, qk_norm=True, norm_across=True)
_ungated = partial(feedforward.dense, gated=False)

_LLAMA = _of(_plain, feedforward.dense)
_MISTRAL = _of(partial(_plain, windows=grouped.everywhere), feedforward.dense)
_QWEN2 = _of(_biased, feedforward.dense)
_QWEN3 = _of(_normed, feedforward.dense)
_QWEN3_MOE = _of(_normed, feedforward.mixture)
_GPT = _of(_biased, _ungated)
_DEEPSEEK = _of(latent.mixers, feedforward.mixture)
_DELTA = _of(hybrid.delta_mixers, feedforward.mixture)
_GEMMA3 = _of(partial(_normed, windows=grouped.mostly_local), feedforward.dense)
_GEMMA4 = _of(_normed, partial(feedforward.mixture, beside=("intermediate_size",)))
_LLAMA4 = _of(partial(_plain, windows=grouped.chunked), partial(feedforward.mixture, beside=("intermediate_size",)))


def _sharing(family: Family) -> Family:
    return Family(layers=family.layers, tied=True)


# Sources: config.json and the modelling code of each family in Hugging Face transformers, or beside the checkpoint.
FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _MISTRAL,
    "Mistral3ForConditionalGeneration": _MISTRAL,
    "MiMoForCausalLM": _LLAMA,
    "Phi3ForCausalLM": _MISTRAL,
    "GraniteForCausalLM": _LLAMA,
    "SmolLM3ForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": _QWEN2,
    "Qwen2VLForConditionalGeneration": _QWEN2,
    "Qwen2_5_VLForConditionalGeneration": _QWEN2,
    "Qwen3ForCausalLM": _QWEN3,
    "Qwen3VLForConditionalGeneration": _QWEN3,
    "GemmaForCausalLM": _sharing(_LLAMA),
    "Gemma2ForCausalLM": _sharing(_of(partial(_plain, windows=grouped.alternating), feedforward.dense)),
    "Gemma3ForCausalLM": _sharing(_GEMMA3),
    "Gemma3ForConditionalGeneration": _sharing(_GEMMA3),
    "Gemma4ForConditionalGeneration": _sharing(_GEMMA4),
    "GPT2LMHeadModel": _sharing(_GPT),
    "GPTBigCodeForCausalLM": _sharing(_GPT),
    "GPTNeoXForCausalLM": _GPT,
    "OPTForCausalLM": _sharing(_GPT),
    "PhiForCausalLM": _GPT,
    "Starcoder2ForCausalLM": _sharing(_GPT),
    "NemotronForCausalLM": _of(_plain, _ungated),
    "MixtralForCausalLM": _of(partial(_plain, windows=grouped.everywhere), feedforward.mixture),
    "Qwen2MoeForCausalLM": _of(_biased, feedforward.mixture),
    "Qwen3MoeForCausalLM": _QWEN3_MOE,
    "Qwen3VLMoeForConditionalGeneration": _QWEN3_MOE,
    "MiniMaxM2ForCausalLM": _of(_normed_across, feedforward.mixture),
    "Glm4MoeForCausalLM": _of(_plain, feedforward.mixture),
    "MiMoV2FlashForCausalLM": _of(_plain, feedforward.mixture),
    "GptOssForCausalLM": _of(partial(_biased, windows=grouped.alternating), feedforward.mixture),
    "Llama4ForConditionalGeneration": _LLAMA4,
    "Llama4ForCausalLM": _LLAMA4,
    "DeepseekV2ForCausalLM": _DEEPSEEK,
    "DeepseekV3ForCausalLM": _DEEPSEEK,
    "KimiK25ForConditionalGeneration": _DEEPSEEK,
    "DeepseekV32ForCausalLM": _DEEPSEEK,
    "GlmMoeDsaForCausalLM": _DEEPSEEK,
    "Qwen3NextForCausalLM": _DELTA,
    "Qwen3_5ForConditionalGeneration": _DELTA,
    "Qwen3_5MoeForConditionalGeneration": _DELTA,
    "NemotronHForCausalLM": Family(layers=hybrid.nemotron),
    "DeciLMForCausalLM": Family(layers=searched.layers),
}
