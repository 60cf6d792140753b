"""Models are found by name or read from a directory, and refused with the nearest choice."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, readers
from estimator.errors import EstimatorError, InvalidModelConfig, UnsupportedModel
from estimator.model import Attention, FeedForward
from estimator.readers.families import FAMILIES

QWEN = {
    "architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 64, "hidden_size": 5120, "num_attention_heads": 64,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 25600, "vocab_size": 151936,
    "max_position_embeddings": 40960, "tie_word_embeddings": False,
}  # fmt: skip


def test_at_least_a_hundred_and_twenty_checkpoints_load() -> None:
    assert len(catalogue.names()) >= 120
    for name in catalogue.names():
        assert catalogue.load(name).layers > 0


def test_what_is_shipped_stays_small(root: Path) -> None:
    assert sum(path.stat().st_size for path in (root / "estimator" / "models").glob("*.json")) < 200_000


def test_letter_case_does_not_matter() -> None:
    assert catalogue.load("qwen/qwen3-32b-fp8").quantization == catalogue.load("Qwen/Qwen3-32B-FP8").quantization


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnsupportedModel, match=r"nearest: .*Qwen/Qwen3-32B-FP8"):
        catalogue.load("Qwen/Qwen3-32-FP8")


@pytest.mark.parametrize(
    ("name", "gated"),
    [("meta-llama/Llama-3.1-8B", True), ("google/gemma-3-27b-it", True), ("Qwen/Qwen3-32B", False)],
)
def test_a_publisher_that_asks_for_a_licence_is_known(name: str, gated: bool) -> None:  # noqa: FBT001 - a column
    assert catalogue.is_gated(name) is gated


def test_a_directory_with_a_config_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}))

    found = catalogue.load(str(tmp_path))

    assert found.blocks[0].mixer == Attention(heads=64, kv_heads=8, head_dim=128, qk_norm=True)
    assert found.blocks[0].ffn == FeedForward(width=25600)
    assert (found.layers, found.hidden, found.nearest) == (64, 5120, "")
    assert found.quantization == {"quant_algo": "FP8"}


def test_numbers_that_json_does_not_have_are_tolerated(tmp_path: Path) -> None:
    text = json.dumps(QWEN)[:-1] + ', "rope_scale": Infinity, "other": [-Infinity, NaN]}'
    (tmp_path / "config.json").write_text(text)

    assert catalogue.load(str(tmp_path)).layers == 64


@pytest.mark.parametrize("text", ["{", "[]", '"text"', ""])
def test_a_broken_config_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)

    with pytest.raises(InvalidModelConfig, match=r"config\.json"):
        catalogue.load(str(tmp_path))


def test_a_directory_without_config_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelConfig, match=r"config\.json is missing"):
        catalogue.load(str(tmp_path))


def test_a_wrapper_around_a_language_model_is_read_through() -> None:
    inner = {key: value for key, value in QWEN.items() if key != "architectures"}
    words = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    wrapper = {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "vision_config": {"hidden_size": 1152},
        "text_config": {**inner, "quantization_config": words},
    }

    found = readers.read("some/model", wrapper)

    assert found.blocks == readers.read("some/model", QWEN).blocks
    assert (found.architecture, found.quantization) == ("Qwen3VLForConditionalGeneration", words)


# An architecture nobody here has read, with fields that give its layers away -> who stands in for it.
STRANGERS: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {},
    "Qwen3MoeForCausalLM": {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512},
    "DeepseekV3ForCausalLM": {
        "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    },
    "GlmMoeDsaForCausalLM": {
        "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "index_topk": 2048, "index_n_heads": 64, "index_head_dim": 128,
    },
    "Qwen3NextForCausalLM": {
        "linear_num_key_heads": 16, "linear_key_head_dim": 128, "linear_num_value_heads": 32,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    },
    "NemotronHForCausalLM": {
        "hybrid_override_pattern": "M*-" * 22, "mamba_num_heads": 64, "mamba_head_dim": 64, "ssm_state_size": 128,
        "n_groups": 8, "conv_kernel": 4, "chunk_size": 128,
    },
}  # fmt: skip


@pytest.mark.parametrize("family", STRANGERS)
def test_an_unknown_architecture_is_read_as_its_nearest_family_and_says_so(family: str) -> None:
    stranger = {**QWEN, **STRANGERS[family], "architectures": ["BrandNewForCausalLM"]}

    found = readers.read("some/model", stranger)

    assert (found.architecture, found.nearest) == ("BrandNewForCausalLM", family)
    assert found.blocks == readers.read("some/model", {**stranger, "architectures": [family]}).blocks


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": ["BertModel"]},
        {"architectures": ["NewForCausalLM"], "is_encoder_decoder": True},
        {"architectures": ["DeepseekV4ForCausalLM"], "compress_ratios": [0, 4, 128]},
        {"architectures": ["JambaForCausalLM"], "mamba_d_state": 16},
        {"architectures": ["NewForCausalLM"], "num_attention_heads": None},
    ],
)
def test_layers_like_no_family_are_refused_with_the_nearest(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match="nearest: ") as caught:
        readers.read("some/model", {**QWEN, **changes})

    assert set(caught.value.nearest) <= set(FAMILIES)


@pytest.mark.parametrize("field", ["num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"])
@pytest.mark.parametrize("value", [None, 0, -1, "64", 1.5, True, 10**30])
def test_a_missing_or_absurd_size_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidModelConfig, match=field):
        readers.read("some/model", {**QWEN, field: value})


MIXTURE = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"num_key_value_heads": 7}, "num_key_value_heads"),
        ({"layer_types": ["full_attention"] * 3}, "layer_types"),
        ({"layer_types": ["strange_attention"] * 64}, "layer_types"),
        ({"layer_types": ["sliding_attention"] * 64}, "sliding_window"),
        ({"attention_bias": "yes"}, "attention_bias"),
        ({"architectures": []}, "architectures"),
        ({"architectures": ["Qwen3MoeForCausalLM"], **MIXTURE, "num_experts_per_tok": 9}, "num_experts_per_tok"),
        ({"architectures": ["Qwen3MoeForCausalLM"], **MIXTURE, "mlp_only_layers": ["a"]}, "mlp_only_layers"),
        ({"architectures": ["DeepseekV3ForCausalLM"]}, "kv_lora_rank"),
        ({"architectures": ["NemotronHForCausalLM"]}, "hybrid_override_pattern"),
        ({"architectures": ["NemotronHForCausalLM"], "hybrid_override_pattern": "X" * 64}, "hybrid_override_pattern"),
        ({"architectures": ["DeciLMForCausalLM"]}, "block_configs"),
        ({"architectures": ["DeciLMForCausalLM"], "block_configs": [{}] * 64}, "attention"),
    ],
)
def test_a_contradiction_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidModelConfig, match=field):
        readers.read("some/model", {**QWEN, **changes})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=5,
)
FIELDS = sorted({*QWEN, *MIXTURE, *(field for fields in STRANGERS.values() for field in fields)})
EXTRA = [
    "quantization_config", "use_sliding_window", "sliding_window", "layer_types", "text_config", "block_configs",
    "moe_layer_freq", "first_k_dense_replace", "mlp_only_layers", "moe_layers_enum", "mlp_layer_types",
    "shared_expert_intermediate_size", "num_nextn_predict_layers", "layers_block_type", "use_qk_norm", "indexer_types",
]  # fmt: skip


@given(st.sampled_from(sorted(FAMILIES)), st.dictionaries(st.sampled_from([*FIELDS, *EXTRA]), JSON))
def test_no_config_whatever_raises_anything_but_our_errors(architecture: str, changes: dict[str, Any]) -> None:
    complete = {key: value for fields in STRANGERS.values() for key, value in fields.items()}

    with contextlib.suppress(EstimatorError):
        found = readers.read("some/model", {**QWEN, **complete, "architectures": [architecture], **changes})
        assert found.layers > 0


@given(st.text())
def test_no_name_whatever_raises_anything_but_our_errors(name: str) -> None:
    with contextlib.suppress(EstimatorError):
        assert catalogue.load(name).layers > 0
