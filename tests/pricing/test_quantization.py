"""A checkpoint's own words decide its data types."""

from typing import Any

import pytest

from estimator.errors import InvalidModelConfig
from estimator.quantization import checkpoint_gemm, checkpoint_kv, planned_kv


def compressed(bits: int, kind: str, strategy: str = "channel") -> dict[str, Any]:
    weights = {"num_bits": bits, "type": kind, "strategy": strategy}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        (None, "bf16"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}, "fp8_block"),
        ({"quant_method": "fp8", "activation_scheme": "dynamic"}, "fp8"),
        ({"quant_method": "fp8", "activation_scheme": "static"}, "fp8_static"),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, "fp8_static"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        (compressed(8, "float"), "fp8"),
        (compressed(8, "float", "block"), "fp8_block"),
        (compressed(8, "int"), "int8_wo"),
        (compressed(4, "int"), "int4_wo"),
    ],
)
def test_the_checkpoint_decides_the_weight_type(quantization: dict[str, Any] | None, expected: str) -> None:
    dtype, origin = checkpoint_gemm("any/model", quantization)

    assert dtype == expected
    assert origin


def test_a_dynamic_config_group_makes_fp8_dynamic() -> None:
    group = {"input_activations": {"dynamic": True}, "weights": {"dynamic": False}}

    assert checkpoint_gemm("any/model", {"quant_algo": "FP8", "config_groups": {"group_0": group}})[0] == "fp8"


@pytest.mark.parametrize("quantization", [{"quant_method": "aqlm"}, compressed(3, "int"), {"quant_algo": "W4A8_AWQ"}])
def test_an_unknown_scheme_is_refused_by_name(quantization: dict[str, Any]) -> None:
    with pytest.raises(InvalidModelConfig, match="quantization_config"):
        checkpoint_gemm("any/model", quantization)


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        (None, None),
        ({"quant_method": "fp8"}, None),
        ({"kv_cache_quant_algo": "FP8"}, "fp8"),
        ({"kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "fp8"),
        ({"kv_cache_scheme": {"num_bits": 16}}, None),
    ],
)
def test_eight_bit_weights_alone_say_nothing_about_the_cache(
    quantization: dict[str, Any] | None, expected: str | None
) -> None:
    assert checkpoint_kv(quantization) == expected


@pytest.mark.parametrize(
    ("gemm", "sm", "expected"),
    [("fp8_block", 90, "fp8"), ("bf16", 90, "bf16"), ("fp8", 80, "bf16"), ("nvfp4", 100, "fp8")],
)
def test_a_planned_cache_is_8_bit_only_where_weights_and_gpu_already_are(gemm: str, sm: int, expected: str) -> None:
    assert planned_kv(gemm, sm)[0] == expected
