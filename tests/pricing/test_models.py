"""Models are found by name or read from a directory, and refused with the nearest choice."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, model
from estimator.errors import EstimatorError, InvalidModelConfig, UnsupportedModel

QWEN = {
    "architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 64, "hidden_size": 5120, "num_attention_heads": 64,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 25600, "vocab_size": 151936,
    "max_position_embeddings": 40960, "tie_word_embeddings": False,
}  # fmt: skip


def test_every_shipped_checkpoint_loads() -> None:
    assert len(catalogue.names()) >= 60
    for name in catalogue.names():
        assert catalogue.load(name).layers > 0


def test_letter_case_does_not_matter() -> None:
    assert catalogue.load("qwen/qwen3-32b-fp8").quantization == catalogue.load("Qwen/Qwen3-32B-FP8").quantization


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnsupportedModel, match=r"nearest: .*Qwen/Qwen3-32B-FP8"):
        catalogue.load("Qwen/Qwen3-32-FP8")


def test_a_directory_with_a_config_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}))

    found = catalogue.load(str(tmp_path))

    assert (found.layers, found.hidden, found.attention.kv_heads) == (64, 5120, 8)
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


def test_an_unknown_architecture_is_refused_with_the_nearest_family() -> None:
    with pytest.raises(UnsupportedModel, match="nearest: Qwen2ForCausalLM"):
        model.read("some/model", {**QWEN, "architectures": ["Qwen2AudioForCausalLM"]})


@pytest.mark.parametrize("field", ["num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"])
@pytest.mark.parametrize("value", [None, 0, -1, "64", 1.5, True])
def test_a_missing_or_absurd_size_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidModelConfig, match=field):
        model.read("some/model", {**QWEN, field: value})


def test_head_counts_must_divide() -> None:
    with pytest.raises(InvalidModelConfig, match="num_key_value_heads must divide"):
        model.read("some/model", {**QWEN, "num_key_value_heads": 7})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*QWEN, "quantization_config", "use_sliding_window"]), JSON))
def test_no_config_whatever_raises_anything_but_our_errors(changes: dict[str, Any]) -> None:
    with contextlib.suppress(EstimatorError):
        assert model.read("some/model", {**QWEN, **changes}).layers > 0


@given(st.text())
def test_no_name_whatever_raises_anything_but_our_errors(name: str) -> None:
    with contextlib.suppress(EstimatorError):
        assert catalogue.load(name).layers > 0
