"""Published rows become rows of ours: one vocabulary, one row per key, and each says who measured it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db import reading
from perf_db.catalog import PackName
from perf_db.naming import Frame
from perf_db.provenance import Provenance
from perf_db.table import Table

VLLM = PackName(system="h200_sxm", backend="vllm", version="0.12.0")


def tidied(name: str, *frames: Frame) -> Table:
    """The table of these files, the first one of the pack's own version."""
    files = [reading.Rows(frame=rows, own_version=place == 0) for place, rows in enumerate(frames)]
    return reading.tidy(name, files, VLLM).table


def frame(**columns: Any) -> Frame:  # noqa: ANN401 - a frame holds whatever the file does
    return {key: np.asarray(values) for key, values in columns.items()}


def test_decode_attention_counts_all_the_tokens_it_looks_at() -> None:
    shape = {"num_heads": [8], "num_key_value_heads": [1], "head_dim": [128], "batch_size": [1]}
    rows = frame(attn_dtype=["float16"], kv_cache_dtype=["fp8"], isl=[1], step=[127], latency=[0.5], **shape)

    found = tidied("generation_attention", rows)

    assert found.values("context") == (128,)
    assert found.values("window_size") == (0,)


def test_dispatch_and_combine_are_rows_of_their_own() -> None:
    shape = {"node_num": [1], "hidden_size": [7168], "num_topk": [8], "num_experts": [256], "num_token": [4]}
    times = {"dispatch_transmit_us": [30.0], "dispatch_notify_us": [2.0], "combine_transmit_us": [50.0]}
    sms = {"dispatch_sms": [20], "combine_sms": [20], "combine_notify_us": [1.0]}

    found = tidied("wideep_deepep_normal", frame(**shape, **times, **sms))

    assert found.where(phase="dispatch").seconds == pytest.approx([32e-6])
    assert found.where(phase="combine", sms=20).seconds == pytest.approx([51e-6])


def test_two_kernels_for_one_shape_are_told_apart() -> None:
    shape = {"mla_dtype": ["fp8"] * 2, "kv_cache_dtype": ["fp8"] * 2, "num_heads": [16] * 2, "batch_size": [1] * 2}
    rows = frame(**shape, isl=[8] * 2, step=[0] * 2, kernel_source=["fa3", "flashinfer"], latency=[1.0, 2.0])

    found = tidied("wideep_context_mla", rows)

    assert found.where(kernel="fa3").seconds == pytest.approx([1e-3])


@pytest.mark.parametrize(
    ("framework", "version", "kind"),
    [
        ("VLLM", "0.12.0", Provenance.MEASURED),
        ("vLLM", "0.12.0+cu130", Provenance.MEASURED),
        ("VLLM", "0.11.0", Provenance.REUSED),
        ("TRTLLM", "1.2.0rc5", Provenance.SIBLING),
    ],
)
def test_a_row_says_which_engine_and_version_it_was_measured_with(
    framework: str, version: str, kind: Provenance
) -> None:
    rows = frame(gemm_dtype=["fp8"], m=[1], n=[1], k=[1], latency=[1.0], framework=[framework], version=[version])

    assert tidied("gemm", rows).provenance.tolist() == [kind]


def test_a_past_that_has_no_place_in_the_keys_is_refused() -> None:
    shape = {"mla_dtype": ["fp8"], "kv_cache_dtype": ["fp8"], "num_heads": [16], "batch_size": [1]}

    with pytest.raises(ValueError, match="rows with a past"):
        tidied("context_mla", frame(**shape, isl=[8], step=[4], latency=[1.0]))


GEMM: dict[str, list[Any]] = {"m": [1], "n": [1], "k": [1], "framework": ["VLLM"]}


def test_a_slice_that_this_version_lacks_comes_from_another_one_and_says_so() -> None:
    own = frame(gemm_dtype=["fp8"], latency=[1.0], version=["0.12.0"], **GEMM)
    older = frame(gemm_dtype=["fp8"], latency=[5.0], version=["0.11.0"], **GEMM)
    oldest = frame(gemm_dtype=["int8_wo"], latency=[2.0], version=["0.10.0"], **GEMM)

    found = tidied("gemm", own, older, oldest)

    assert found.where(gemm_dtype="fp8").seconds == pytest.approx([1e-3])
    assert found.where(gemm_dtype="fp8").provenance.tolist() == [Provenance.MEASURED]
    assert found.where(gemm_dtype="int8_wo").seconds == pytest.approx([2e-3])
    assert found.where(gemm_dtype="int8_wo").provenance.tolist() == [Provenance.REUSED]


def test_a_file_of_another_version_is_reused_whatever_its_rows_say() -> None:
    borrowed = frame(gemm_dtype=["fp8"], latency=[1.0], version=["0.12.0"], **GEMM)

    found = reading.tidy("gemm", [reading.Rows(frame=borrowed, own_version=False)], VLLM).table

    assert found.provenance.tolist() == [Provenance.REUSED]


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9))
def test_of_repeated_runs_the_lower_median_stays(runs: list[float]) -> None:
    rows = frame(
        gemm_dtype=["fp8"] * len(runs), latency=runs, **{key: GEMM[key] * len(runs) for key in ("m", "n", "k")}
    )

    read = reading.tidy("gemm", [reading.Rows(frame=rows)], VLLM)

    assert read.table.seconds == pytest.approx([sorted(runs)[(len(runs) - 1) // 2] * 1e-3])
    assert read.repeated == len(runs) - 1
    assert read.spread == pytest.approx(max(runs) / min(runs), abs=1e-3)


EXPERTS = {
    "moe_dtype": ["nvfp4"] * 2,
    "distribution": ["balanced"] * 2,
    "hidden_size": [64] * 2,
    "inter_size": [8] * 2,
    "topk": [2] * 2,
    "num_experts": [8] * 2,
    "moe_tp_size": [1] * 2,
    "moe_ep_size": [1] * 2,
    "num_tokens": [1] * 2,
}


def test_kernels_of_experts_are_told_apart_and_the_fastest_can_be_asked_for() -> None:
    found = tidied("moe", frame(**EXPERTS, kernel_source=["min_latency", "cutlass"], latency=[1.0, 2.0]))

    assert found.where(kernel="cutlass").seconds == pytest.approx([2e-3])
    assert found.fastest("kernel").seconds == pytest.approx([1e-3])
    assert "kernel" not in found.fastest("kernel").columns


def test_of_two_attention_kernels_the_one_that_timed_most_shapes_stays() -> None:
    shape = {"attn_dtype": ["bf16"] * 3, "kv_cache_dtype": ["bf16"] * 3, "head_dim": [128] * 3, "num_heads": [8] * 3}
    rest = {"num_key_value_heads": [8] * 3, "batch_size": [1] * 3, "isl": [4, 4, 8], "step": [0] * 3}
    kernels = ["rare", "usual", "usual"]

    found = tidied("context_attention", frame(**shape, **rest, kernel_source=kernels, latency=[1.0, 2.0, 3.0]))

    assert found.seconds == pytest.approx([2e-3, 3e-3])
    assert "kernel" not in found.columns


def test_exchanges_of_experts_are_published_in_microseconds() -> None:
    shape = {"comm_backend": ["deepep_ll"], "phase": ["dispatch"], "comm_dtype": ["default"], "ep_size": [8]}
    rest = {"node_num": [1], "hidden_size": [7168], "topk": [8], "num_experts": [256], "sms": [0], "num_tokens": [1]}
    times = {"transmit_us": [30.0], "notify_us": [2.0], "latency": [32.0]}

    assert tidied("moe_a2a", frame(**shape, **rest, **times)).seconds == pytest.approx([32e-6])


def test_a_sparse_block_keeps_its_past_its_indexer_and_a_short_model_name() -> None:
    block = {"architecture": ["GlmMoeDsaForCausalLM"], "model": ["zai-org/GLM-5.2-FP8"], "mla_dtype": ["bfloat16"]}
    rest = {"kv_cache_dtype": ["fp8_e4m3"], "gemm_type": ["fp8_block"], "num_heads": [8], "batch_size": [1]}
    tokens = {"isl": [4], "step": [1024], "tp_size": [8], "latency": [1.0]}

    found = tidied("dsa_context_module", frame(**block, **rest, **tokens, op_name=["dsa_context_module_skip_indexer"]))

    assert found.where(model="GLM-5.2", indexer="skipped", kv_cache_dtype="fp8", past=1024, isl=4).seconds.tolist()


@pytest.mark.parametrize(
    ("kernel", "part"),
    [
        ("causal_conv1d_update", "convolution"),
        ("chunk_gated_delta_rule", "recurrence"),
        ("fused_recurrent_kda_packed_decode", "recurrence"),
        ("fused_kda_decode", "both"),
    ],
)
def test_a_kernel_of_linear_attention_says_which_part_it_computes(kernel: str, part: str) -> None:
    heads = {"num_k_heads": [4], "num_v_heads": [8], "head_k_dim": [128], "head_v_dim": [128], "d_conv": [4]}
    sizes = {"phase": ["generation"], "batch_size": [1], "seq_len": [1], "latency": [1.0]}

    found = tidied("kda", frame(kernel_source=[kernel], **heads, **sizes))

    assert found.values("part") == (part,)
