"""A checkpoint's own words decide the data type of every group of its weights."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, quantization, schemes
from estimator.errors import InvalidModelConfig
from estimator.model import Attention, Block, Experts, FeedForward, Model
from estimator.quantization import EXPERTS, GEMM, KV_BYTES, Declared, Dtypes

LAYERS = 10
ATTENTION = Attention(heads=8, kv_heads=8, head_dim=128)
DENSE = Block(count=2, mixer=ATTENTION, ffn=FeedForward(width=1024))
MIXTURE = Block(count=LAYERS - 2, mixer=ATTENTION, ffn=Experts(count=8, top=2, width=512, shared_width=512))


def declared(words: Mapping[str, Any] | None, *, architecture: str = "DeepseekV3ForCausalLM") -> Declared:
    model = Model(
        name="any/model",
        architecture=architecture,
        hidden=1024,
        vocab=32000,
        max_position=4096,
        blocks=(DENSE, MIXTURE),
        quantization=words,
    )
    return quantization.checkpoint(model)


def compressed(bits: int, kind: str, inputs: Mapping[str, Any] | None = None, **weights: object) -> dict[str, Any]:
    group = {"weights": {"num_bits": bits, "type": kind, **weights}, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


def mixed(targets: Mapping[str, str]) -> dict[str, Any]:
    listed = {name: {"quant_algo": algorithm} for name, algorithm in targets.items()}
    return {"quant_algo": "MIXED_PRECISION", "quantized_layers": listed}


@pytest.mark.parametrize(
    ("words", "gemm", "experts"),
    [
        (None, "bf16", "bf16"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8_block", "fp8_block"),
        ({"quant_method": "fp8", "activation_scheme": "dynamic"}, "fp8", "fp8"),
        ({"quant_method": "fp8", "activation_scheme": "static"}, "fp8_static", "fp8"),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, "fp8_static", "fp8"),
        ({"quant_algo": "FP8_PB_WO"}, "fp8_block", "fp8_block"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", "nvfp4"),
        ({"quant_algo": "W4A16_NVFP4"}, "nvfp4_wo", "nvfp4_wo"),
        ({"quant_method": "fbgemm_fp8"}, "fp8", "fp8"),
        ({"quant_method": "mxfp4"}, "bf16", "w4a16_mxfp4"),
        ({"quant_method": "mxfp8"}, "fp8_block", "fp8_block"),
        ({"quant_method": "w4afp8"}, "fp8_block", "w4afp8"),
        ({"quant_method": "awq"}, "int4_wo", "int4_wo"),
        ({"quant_method": "gptq", "bits": 8}, "int8_wo", "int8_wo"),
        (compressed(8, "float"), "fp8", "fp8"),
        (compressed(8, "float", strategy="block"), "fp8_block", "fp8_block"),
        (compressed(8, "int"), "int8_wo", "int8_wo"),
        (compressed(8, "int", {"num_bits": 8}), "sq", "sq"),
        (compressed(4, "int", group_size=32), "int4_wo", "int4_wo"),
        (compressed(4, "float", {"num_bits": 4}, group_size=16), "nvfp4", "nvfp4"),
        (compressed(4, "float", group_size=16), "nvfp4_wo", "nvfp4_wo"),
        (compressed(4, "float", group_size=32), "int4_wo", "w4a16_mxfp4"),
    ],
)
def test_the_checkpoint_decides_the_weight_types(words: Mapping[str, Any] | None, gemm: str, experts: str) -> None:
    found = declared(words)

    assert (found.gemm, found.attention_gemm, found.output_gemm, found.shared) == (gemm,) * 4
    assert found.experts == experts
    assert found.head == "bf16"
    assert all(found.origin.values())


def test_a_dynamic_config_group_makes_fp8_dynamic() -> None:
    group = {"input_activations": {"dynamic": True}, "weights": {"dynamic": False}}

    assert declared({"quant_algo": "FP8", "config_groups": {"group_0": group}}).gemm == "fp8"


@pytest.mark.parametrize(
    "words",
    [
        {"quant_method": "aqlm"},
        {"quant_algo": "W4A8_AWQ"},
        {"quant_method": "gptq", "bits": 3},
        {"quant_algo": "MIXED_PRECISION"},
        {"quant_method": "fp8", "ignore": ["re:("]},
        compressed(3, "int"),
        mixed({"model.layers.0.mlp.down_proj": "AQLM"}),
    ],
)
def test_an_unknown_scheme_is_refused_by_name(words: dict[str, Any]) -> None:
    with pytest.raises(InvalidModelConfig, match="quantization_config"):
        declared(words)


def test_a_misspelt_scheme_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidModelConfig, match="nearest: nvfp4"):
        declared({"quant_algo": "NVFP"})


NVFP4 = {"quant_algo": "NVFP4"}
WEIGHTS = ("gemm", "attention_gemm", "output_gemm", "experts", "shared")


@pytest.mark.parametrize("key", ["modules_to_not_convert", "exclude_modules", "ignore"])
@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (["lm_head"], set()),
        (["model.layers.*.self_attn"], {"attention_gemm", "output_gemm"}),
        (["re:.*self_attn.*", "re:.*shared_experts.*"], {"attention_gemm", "output_gemm", "shared"}),
        (["re:.*mlp\\.(gate|up|gate_up|down)_proj.*"], {"gemm"}),
        (["*.mlp.shared_expert.*"], {"shared"}),
        (["language_model.model.layers.*.self_attn*"], {"attention_gemm", "output_gemm"}),
        ([f"model.layers.{layer}.self_attn.q_b_proj" for layer in range(LAYERS)], {"attention_gemm"}),
        ([f"model.layers.{layer}.self_attn.o_proj" for layer in range(LAYERS)], {"output_gemm"}),
        ([f"model.layers.{layer}.self_attn.q_proj" for layer in range(2)], set()),
        ([f"model.layers.{layer}.mlp.gate" for layer in range(LAYERS)], set()),
        ([f"model.layers.{layer}.mlp.shared_experts*" for layer in range(2, LAYERS)], {"shared"}),
        (["model.layers.0*", "model.layers.1*"], {"gemm"}),
        (["mtp.layers.0*", "vision_tower*", "model.visual*"], set()),
    ],
)
def test_groups_that_a_checkpoint_leaves_out_stay_in_16_bits(key: str, patterns: list[str], excluded: set[str]) -> None:
    found = declared({**NVFP4, key: patterns})

    assert {role for role in WEIGHTS if getattr(found, role) == "bf16"} == excluded
    assert all("left out" in found.origin[role] for role in excluded)


def test_gemma_4_calls_its_shared_part_mlp() -> None:
    words = {**NVFP4, "exclude_modules": [f"model.language_model.layers.{layer}.mlp*" for layer in range(LAYERS)]}

    found = declared(words, architecture="Gemma4ForConditionalGeneration")

    assert (found.experts, found.shared) == ("nvfp4", "bf16")


def test_mixed_precision_is_what_most_layers_of_a_group_are_stored_in() -> None:
    targets = {f"model.layers.{layer}.mlp.experts.0.down_proj": "W4A16_NVFP4" for layer in range(2, LAYERS)}
    targets |= {f"model.layers.{layer}.self_attn.q_proj": "FP8" for layer in range(LAYERS)}
    targets |= {"model.layers.0.mlp.down_proj": "MXFP8", "model.layers.9.self_attn.q_proj": "NVFP4"}

    found = declared(mixed(targets))

    assert (found.experts, found.attention_gemm, found.gemm) == ("nvfp4_wo", "fp8_static", "fp8_block")
    assert (found.output_gemm, found.shared) == ("bf16", "bf16")


def test_the_head_is_quantised_only_where_it_is_named() -> None:
    assert declared(mixed({"lm_head": "NVFP4"})).head == "nvfp4"
    assert declared(NVFP4).head == "bf16"


# What the publishers' model cards and exclusion lists say, group by group.
@pytest.mark.parametrize(
    ("name", "gemm", "attention", "output", "experts", "shared", "kv"),
    [
        ("deepseek-ai/DeepSeek-R1", "fp8_block", "fp8_block", "fp8_block", "fp8_block", "fp8_block", None),
        ("nvidia/DeepSeek-R1-NVFP4", "nvfp4", "bf16", "bf16", "nvfp4", "nvfp4", None),
        ("nvidia/DeepSeek-V3.1-NVFP4", "nvfp4", "bf16", "nvfp4", "nvfp4", "nvfp4", "fp8"),
        ("nvidia/Kimi-K2.5-NVFP4", "nvfp4", "bf16", "bf16", "nvfp4", "nvfp4", "fp8"),
        ("nvidia/Kimi-K2.6-NVFP4", "bf16", "bf16", "bf16", "nvfp4", "bf16", "fp8"),
        ("moonshotai/Kimi-K2.5", "bf16", "bf16", "bf16", "int4_wo", "bf16", None),
        ("openai/gpt-oss-120b", "bf16", "bf16", "bf16", "w4a16_mxfp4", "bf16", None),
        ("MiniMaxAI/MiniMax-M2.5", "fp8_block", "fp8_block", "fp8_block", "fp8_block", "fp8_block", None),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "nvfp4", "nvfp4", "nvfp4", "nvfp4", "nvfp4", "fp8"),
        ("nvidia/Qwen3.5-397B-A17B-NVFP4", "bf16", "bf16", "bf16", "nvfp4", "bf16", "fp8"),
        ("nvidia/MiniMax-M3-NVFP4", "fp8_block", "fp8_block", "fp8_block", "nvfp4", "fp8_block", None),
        ("nvidia/Qwen3-32B-NVFP4", "nvfp4", "nvfp4", "nvfp4", "nvfp4", "nvfp4", "fp8"),
        ("Qwen/Qwen3-32B", "bf16", "bf16", "bf16", "bf16", "bf16", None),
    ],
)
def test_published_checkpoints_are_stored_as_their_cards_say(
    name: str, gemm: str, attention: str, output: str, experts: str, shared: str, kv: str | None
) -> None:
    found = quantization.checkpoint(catalogue.load(name))

    assert (found.gemm, found.attention_gemm, found.output_gemm) == (gemm, attention, output)
    assert (found.experts, found.shared, found.kv) == (experts, shared, kv)


def test_every_shipped_checkpoint_is_stored_in_types_that_have_a_price() -> None:
    for name in catalogue.names():
        found = quantization.checkpoint(catalogue.load(name))

        assert {found.gemm, found.attention_gemm, found.output_gemm, found.shared, found.head} <= set(GEMM), name
        assert found.experts in EXPERTS, name
        assert found.kv is None or found.kv in KV_BYTES, name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, None),
        ({"quant_method": "fp8"}, None),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, "fp8"),
        ({"quant_algo": "FP8", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "fp8"),
        ({"quant_algo": "FP8", "kv_cache_scheme": {"num_bits": 16}}, None),
    ],
)
def test_eight_bit_weights_alone_say_nothing_about_the_cache(
    words: dict[str, Any] | None, expected: str | None
) -> None:
    assert declared(words).kv == expected


@pytest.mark.parametrize(
    ("weights", "sm", "expected"),
    [
        ("fp8_block", 90, "fp8"),
        ("bf16", 90, "bf16"),
        ("fp8", 80, "bf16"),
        ("nvfp4", 100, "fp8"),
        ("w4a16_mxfp4", 90, "fp8"),
    ],
)
def test_a_planned_cache_is_8_bit_only_where_weights_and_gpu_already_are(weights: str, sm: int, expected: str) -> None:
    assert quantization.planned_kv(quantization.asked(weights), sm)[0] == expected


@pytest.mark.parametrize(
    ("dtype", "sm", "expected"),
    [
        ("nvfp4", 100, "nvfp4"),
        ("nvfp4", 90, "nvfp4_wo"),
        ("nvfp4", 80, "nvfp4_wo"),
        ("fp8_block", 89, "fp8_block"),
        ("fp8_block", 80, "fp8_wo"),
        ("fp8_static", 80, "fp8_wo"),
        ("w4afp8", 80, "int4_wo"),
        ("w4a8_mxfp4_mxfp8", 90, "w4a16_mxfp4"),
        ("bf16", 80, "bf16"),
    ],
)
def test_a_gpu_without_the_arithmetic_multiplies_in_16_bits(dtype: str, sm: int, expected: str) -> None:
    assert quantization.on_gpu(dtype, sm) == expected


@given(st.sampled_from(["gemm", "experts"]), st.data(), st.sampled_from([80, 89, 90, 100, 103, 120]))
def test_a_gpu_changes_how_weights_multiply_but_not_what_they_weigh(kind: str, data: st.DataObject, sm: int) -> None:
    table = GEMM if kind == "gemm" else EXPERTS
    dtype = data.draw(st.sampled_from(sorted(table)))

    difference = table[quantization.on_gpu(dtype, sm)].weight_bytes - table[dtype].weight_bytes

    assert 0 <= difference <= 2 / 32  # at most a 16-bit scale per 32 weights


@given(st.sampled_from(sorted({*GEMM, *EXPERTS})))
def test_what_a_user_asks_for_has_a_price_in_every_group(weights: str) -> None:
    found = quantization.asked(weights)

    assert {found.gemm, found.attention_gemm, found.output_gemm, found.shared} <= set(GEMM)
    assert found.experts in EXPERTS
    assert set(found.origin) == {*schemes.ROLES, "kv"}


# Sizes of the published files, in 1e9 bytes.
@pytest.mark.parametrize(("name", "published"), [("openai/gpt-oss-120b", 65.2), ("moonshotai/Kimi-K2.5", 594)])
def test_four_bit_experts_weigh_what_their_files_do(name: str, published: float) -> None:
    model = catalogue.load(name)
    dtype = EXPERTS[quantization.checkpoint(model).experts]

    mixtures = [(block.count, block.ffn) for block in model.blocks if isinstance(block.ffn, Experts)]
    weights = sum(count * ffn.count * 3 * model.hidden * ffn.width for count, ffn in mixtures) * dtype.weight_bytes

    assert 0.90 * published < weights / 1e9 < published  # attention and the vocabulary are the rest


def test_words_name_groups_only_where_they_differ() -> None:
    found = declared({**NVFP4, "exclude_modules": ["model.layers.*.self_attn*"]})
    dtypes = Dtypes(
        gemm=found.gemm,
        attention_gemm=found.attention_gemm,
        output_gemm=found.output_gemm,
        experts=found.experts,
        shared=found.shared,
        kv="fp8",
        attention="bf16",
        origin={**found.origin, "kv": "as asked", "attention": "the engine's"},
    )

    assert dtypes.words() == {
        "weights": "nvfp4 (checkpoint quant_algo nvfp4)",
        "attention weights": "bf16 (left out of the checkpoint's quantisation)",
        "kv cache": "fp8 (as asked)",
        "attention": "bf16 (the engine's)",
    }
