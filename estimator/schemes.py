"""The quantisation vocabularies of published checkpoints, put into our words: a type per group of weights."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from estimator.errors import InvalidModelConfig

# The matrix that stands for its group, under the names that published checkpoints give it.
ROLES: Mapping[str, tuple[str, ...]] = {
    "gemm": ("mlp.down_proj", "feed_forward.down_proj", "mixer.down_proj"),
    "attention_gemm": (
        "self_attn.q_proj", "self_attn.qkv_proj", "self_attn.q_b_proj", "linear_attn.in_proj_qkv",
        "linear_attn.in_proj_qkvz", "mixer.q_proj", "mixer.in_proj",
    ),
    "output_gemm": ("self_attn.o_proj", "linear_attn.out_proj", "mixer.o_proj", "mixer.out_proj"),
    "experts": (
        "mlp.experts.0.down_proj", "block_sparse_moe.experts.0.w2", "feed_forward.experts.down_proj",
        "mixer.experts.0.down_proj",
    ),
    "shared": (
        "mlp.shared_experts.down_proj", "mlp.shared_expert.down_proj", "feed_forward.shared_expert.down_proj",
        "block_sparse_moe.shared_experts.down_proj", "mixer.shared_experts.down_proj",
    ),
    "head": ("lm_head",),
}  # fmt: skip

# Families whose module names mean something else than elsewhere: in Gemma 4, `mlp` runs beside `experts`.
_OWN_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Gemma4ForConditionalGeneration": {"experts": ("experts.0.down_proj",), "shared": ("mlp.down_proj",)},
}

_PLAIN = {
    "nvfp4": "nvfp4",
    "modelopt_fp4": "nvfp4",
    "w4a16_nvfp4": "nvfp4_wo",
    "mxfp8": "fp8_block",
    "fp8_pb_wo": "fp8_block",
    "fbgemm_fp8": "fp8",
    "w8a8_sq_per_channel": "sq",
    "w8a16": "int8_wo",
    "w4a16": "int4_wo",
    "w4a16_awq": "int4_wo",
    "mxfp4": "mxfp4",
    "w4afp8": "w4afp8",
}
# Types that only experts come in: what the other matrices of such a checkpoint are stored as. gpt-oss keeps them in
# 16 bits (its config.json), the 4-bit DeepSeek exports in blocks of 8-bit floats (SGLang documentation). Where
# compressed-tensors stores every matrix in MXFP4, the other weight-only type of 4 bits stands in for it.
_BESIDE_EXPERTS = {"mxfp4": "bf16", "mxfp4_everywhere": "int4_wo", "w4afp8": "fp8_block"}
_EXPERTS = {"fp8_static": "fp8", "mxfp4": "w4a16_mxfp4", "mxfp4_everywhere": "w4a16_mxfp4"}
_ELSEWHERE = re.compile(r"\b(mtp|vision|visual|vision_tower|vision_model|audio|mm_projector)\b")
"""Modules outside the language model, whose layer numbers are their own."""
_EVERY = "every layer"
_NVFP4_GROUP = 16
"""Weights per scale in NVFP4; in MXFP4 there are 32 (OCP Microscaling specification)."""
_LAYER = re.compile(r"^.*?\blayers\.(\d+)(?=[.*]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a published model says of its own weights.

    quantization: `hf_quant_config.json`'s `quantization` or config.json's `quantization_config`; layers: in how many
    layers each group of ROLES occurs.
    """

    model: str
    architecture: str
    quantization: Mapping[str, Any]
    layers: Mapping[str, int]

    def roles(self, pattern: str) -> list[str]:
        """The groups whose standing matrix *pattern* covers."""
        names = {**ROLES, **_OWN_NAMES.get(self.architecture, {})}
        return [role for role in names if any(self._covers(pattern, name) for name in names[role])]

    def _covers(self, pattern: str, name: str) -> bool:
        path = name if name == "lm_head" else f"layers.0.{name}"
        if pattern.startswith("re:"):
            try:
                return re.match(pattern[3:], f"model.{path}") is not None
            except re.error as error:
                raise self.bad("ignore", f"holds {pattern!r}: {error}") from None
        bare = re.sub(r"^.*?\b(?=layers\.)", "", pattern)
        return any(fnmatchcase(f".{path}.", f"*.{bare}{end}") for end in ("", ".", ".*"))

    def bad(self, field: str, problem: str) -> InvalidModelConfig:
        """The refusal of a field of the quantisation."""
        return InvalidModelConfig(self.model, f"quantization_config.{field}", problem)


def expert_type(dtype: str) -> str:
    """The type that experts are computed in when a checkpoint's matrices are of type *dtype*."""
    return _EXPERTS.get(dtype, dtype)


def read(checkpoint: Checkpoint) -> dict[str, tuple[str, str]]:
    """For each group of ROLES, the type that a checkpoint stores it in and where it says so.

    Raises InvalidModelConfig for a scheme we do not know.
    """
    if not checkpoint.quantization:
        return dict.fromkeys(ROLES, ("bf16", "config.json names no quantisation"))
    scheme, where = _scheme(checkpoint.quantization)
    if scheme == "mixed_precision":
        found = _mixed(checkpoint)
    else:
        dtype = _weights(checkpoint, scheme, where)
        found = _everywhere(dtype, f"checkpoint {where} {scheme}")
    excluded = _excluded(checkpoint)
    found |= dict.fromkeys(excluded, ("bf16", "left out of the checkpoint's quantisation"))
    return _without_the_absent(found, checkpoint.layers)


def _without_the_absent(found: dict[str, tuple[str, str]], layers: Mapping[str, int]) -> dict[str, tuple[str, str]]:
    """Groups that a model does not have take the type of one that it has, so that no checkpoint looks mixed for it."""
    gemm = next((role for role in ("gemm", "shared") if layers[role]), "attention_gemm")
    dtype, origin = found[gemm]
    stand_ins = {"gemm": found[gemm], "shared": found[gemm], "experts": (expert_type(dtype), origin)}
    return found | {role: one for role, one in stand_ins.items() if not layers[role]}


def cache_type(quantization: Mapping[str, Any] | None) -> str | None:
    """The KV cache type that a checkpoint declares (ModelOpt exports do), or None."""
    declared = (quantization or {}).get("kv_cache_quant_algo") or (quantization or {}).get("kv_cache_scheme")
    if isinstance(declared, Mapping):
        return "fp8" if declared.get("num_bits") == 8 else None  # noqa: PLR2004 - a width is a number
    return "fp8" if str(declared).lower() == "fp8" else None


def _scheme(quantization: Mapping[str, Any]) -> tuple[str, str]:
    where = "quant_algo" if quantization.get("quant_algo") else "quant_method"
    return str(quantization.get(where) or "").lower(), where


def _everywhere(dtype: str, origin: str) -> dict[str, tuple[str, str]]:
    """One type for all groups but the head, which engines keep in 16 bits unless the checkpoint names it."""
    plain = (_BESIDE_EXPERTS.get(dtype, dtype), origin)
    found = dict.fromkeys(ROLES, plain) | {"experts": (expert_type(dtype), origin)}
    return found | {"head": ("bf16", "16-bit unless the checkpoint names it")}


def _weights(checkpoint: Checkpoint, scheme: str, where: str) -> str:
    if scheme == "compressed-tensors":
        return _compressed_tensors(checkpoint)
    if scheme == "fp8":
        return _fp8(checkpoint.quantization)
    bits = checkpoint.quantization.get("bits", 4)
    if scheme in {"awq", "gptq"} and bits in (4, 8):
        return f"int{bits}_wo"
    if scheme in _PLAIN:
        return _PLAIN[scheme]
    near = get_close_matches(scheme, (*_PLAIN, "fp8", "compressed-tensors", "awq", "gptq", "mixed_precision"), n=1)
    hint = f"; nearest: {near[0]}" if near else ""
    raise checkpoint.bad(where, f"is {scheme!r}, which we do not know yet{hint}")


def _groups(quantization: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    groups = quantization.get("config_groups")
    return [group for group in groups.values() if isinstance(group, Mapping)] if isinstance(groups, Mapping) else []


def _part(group: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = group.get(name)
    return part if isinstance(part, Mapping) else {}


def _fp8(quantization: Mapping[str, Any]) -> str:
    """Scales per block, per token as it comes (dynamic), or fixed in the checkpoint (static, ModelOpt's default)."""
    if quantization.get("weight_block_size"):
        return "fp8_block"
    parts = [_part(group, name) for group in _groups(quantization) for name in ("input_activations", "weights")]
    dynamic = quantization.get("activation_scheme") == "dynamic" or any(part.get("dynamic") for part in parts)
    return "fp8" if dynamic else "fp8_static"


def _compressed_tensors(checkpoint: Checkpoint) -> str:
    group: Mapping[str, Any] = next(iter(_groups(checkpoint.quantization)), {})
    weights, inputs = _part(group, "weights"), _part(group, "input_activations")
    match weights.get("num_bits"), weights.get("type"):
        case 8, "float":
            return "fp8_block" if weights.get("strategy") == "block" else "fp8"
        case 8, "int":
            return "sq" if inputs else "int8_wo"
        case 4, "int":
            return "int4_wo"
        case 4, "float" if weights.get("group_size") == _NVFP4_GROUP:
            return "nvfp4" if inputs else "nvfp4_wo"
        case 4, "float":
            return "mxfp4_everywhere"
        case bits, kind:
            raise checkpoint.bad("config_groups", f"has weights of {bits} bits, type {kind}")


def _mixed(checkpoint: Checkpoint) -> dict[str, tuple[str, str]]:
    """The commonest type of each group's named layers; groups that nobody names stay in 16 bits."""
    listed = checkpoint.quantization.get("quantized_layers")
    if not isinstance(listed, Mapping):
        raise checkpoint.bad("quantized_layers", "is missing in mixed precision")
    votes: dict[str, Counter[str]] = {role: Counter() for role in ROLES}
    for (tail, scheme), count in Counter(_targets(listed)).items():
        for role in checkpoint.roles(tail):
            votes[role][scheme] += count
    named = {role: ballot.most_common(1)[0][0] for role, ballot in votes.items() if ballot}
    found = dict.fromkeys(ROLES, ("bf16", "not among the checkpoint's quantized_layers"))
    return found | {role: _listed(checkpoint, role, scheme) for role, scheme in named.items()}


def _listed(checkpoint: Checkpoint, role: str, scheme: str) -> tuple[str, str]:
    dtype = "fp8_static" if scheme == "fp8" else _weights(checkpoint, scheme, "quantized_layers")
    dtype = expert_type(dtype) if role == "experts" else _BESIDE_EXPERTS.get(dtype, dtype)
    return dtype, f"checkpoint quantized_layers {scheme}"


def _targets(listed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, how in listed.items():
        if isinstance(how, Mapping) and not _ELSEWHERE.search(name):
            yield _LAYER.sub("layers.0", name), str(how.get("quant_algo") or "").lower()


def _excluded(checkpoint: Checkpoint) -> set[str]:
    """Groups that the checkpoint's exclusions keep in 16 bits in at least half of their layers."""
    tails: dict[str, set[str]] = {}
    for pattern in _patterns(checkpoint.quantization):
        numbered = None if pattern.startswith("re:") else _LAYER.match(pattern)
        tail = _LAYER.sub("layers.0", pattern) if numbered else pattern
        tails.setdefault(tail, set()).add(numbered.group(1) if numbered else _EVERY)
    covered: dict[str, set[str]] = {role: set() for role in ROLES}
    for tail, numbers in tails.items():
        for role in checkpoint.roles(tail):
            covered[role] |= numbers
    layers = checkpoint.layers
    return {role for role, numbers in covered.items() if _EVERY in numbers or 2 * len(numbers) >= layers[role] > 0}


def _patterns(quantization: Mapping[str, Any]) -> Iterable[str]:
    for key in ("modules_to_not_convert", "exclude_modules", "ignore"):
        listed = quantization.get(key)
        if isinstance(listed, list):
            yield from (str(pattern) for pattern in listed if not _ELSEWHERE.search(str(pattern)))
