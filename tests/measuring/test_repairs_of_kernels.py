"""Tables that time another kernel than the engine runs: one of several products, a fallback on a newer GPU."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from perf_db import kernels, sisters
from perf_db.catalog import Catalog, PackName
from perf_db.provenance import Provenance
from perf_db.roofline import Roof
from perf_db.table import Column, Table

ROOF = Roof(flops={"bf16": 2e15, "fp4": 8e15}, bandwidth=8e12)
OTHER = PackName(system="some_gpu", backend="vllm", version="1.0")
WIDTHS, TOKENS = (2048, 4096, 8192, 16384), (1, 16, 1024)


def table(name: str, columns: Mapping[str, tuple[object, ...]], seconds: np.ndarray) -> Table:
    """A table of the given columns, one value per row."""
    made = {key: Column.of(values) for key, values in columns.items()}
    return Table(name=name, columns=made, seconds=seconds, provenance=np.zeros(len(seconds), np.uint8))


def products(excess: float) -> Table:
    """GEMMs at the speed of light in 16 bits, and *excess* times slower than it in 4."""
    rows = [(dtype, n, k, m) for dtype in ("bf16", "nvfp4") for n in WIDTHS for k in WIDTHS for m in TOKENS]
    seconds = [
        float(ROOF.gemm(dtype, tuple(np.asarray(float(size)) for size in size_of)))  # type: ignore[arg-type]  # three
        * (excess if dtype == "nvfp4" else 1.0)
        for dtype, *size_of in rows
    ]
    keys = ("gemm_dtype", "n", "k", "m")
    return table("gemm", dict(zip(keys, zip(*rows, strict=True), strict=True)), np.asarray(seconds))


@pytest.mark.parametrize("excess", [1.5, 2.2, 2.9])
def test_narrow_weights_that_gain_something_stay(excess: float) -> None:
    assert not list(kernels.single_kernel(products(excess), siblings={OTHER: products(1.5)}, roof=ROOF))


def test_narrow_weights_that_gain_nothing_take_the_fastest_that_any_engine_measured() -> None:
    slow, sound = products(3.5), products(1.5)

    (change,) = kernels.single_kernel(slow, siblings={OTHER: sound}, roof=ROOF)

    assert change.evidence["excess"] == pytest.approx(3.5)
    assert (change.seconds == sound.seconds[change.rows]).all()
    assert {slow.columns["gemm_dtype"].values[code] for code in slow.columns["gemm_dtype"].codes[change.rows]} == {
        "nvfp4"
    }


def test_without_a_sound_sibling_nothing_is_taken() -> None:
    slow = products(3.5)

    assert not list(kernels.single_kernel(slow, siblings={}, roof=ROOF))
    assert not list(kernels.single_kernel(slow, siblings={OTHER: products(2.8)}, roof=ROOF))


def attention(seconds: float) -> Table:
    """Decode attention of 144 shapes that all take the same time."""
    rows = [("bf16", "fp8", heads, batch, context) for heads in range(12) for batch in range(3) for context in range(4)]
    keys = ("mla_dtype", "kv_cache_dtype", "num_heads", "batch_size", "context")
    return table("generation_mla", dict(zip(keys, zip(*rows, strict=True), strict=True)), np.full(len(rows), seconds))


def test_attention_slower_than_on_a_lesser_gpu_takes_its_time() -> None:
    (change,) = sisters.sister_system(attention(2e-5), sisters={OTHER: {"generation_mla": attention(1e-5)}})

    assert len(change.rows) == 144
    assert (change.seconds == 1e-5).all()
    assert change.evidence["median_ratio"] == pytest.approx(2)


def test_attention_a_little_slower_and_lent_rows_stay() -> None:
    lent = replace(attention(2e-5), provenance=np.full(144, Provenance.REUSED, np.uint8))
    lesser = {OTHER: {"generation_mla": attention(1e-5)}}

    assert not list(sisters.sister_system(attention(1.4e-5), sisters=lesser))
    assert not list(sisters.sister_system(lent, sisters=lesser))


def test_a_lesser_gpu_is_of_the_family_and_has_no_more_of_anything() -> None:
    facts = Catalog().systems()

    assert sisters.lesser("b300_sxm", facts) == ("b200_sxm",)
    assert sisters.lesser("gb200", facts) == ("b200_sxm", "b300_sxm", "gb300")  # the last is its equal
    assert sisters.lesser("h200_sxm", facts) == ("h100_sxm",)
    assert sisters.lesser("b200_sxm", facts) == ()


def test_both_rules_find_what_the_published_tables_hold_and_nothing_else() -> None:
    catalog = Catalog()
    found = {
        (str(pack), entry["rule"], entry["table"])
        for pack in catalog.packs()
        for entry in catalog.open(pack).meta["repairs"]
        if entry["rule"] in {"single-kernel", "sister-system"}
    }

    blackwell = ("b200_sxm", "b300_sxm", "gb200", "gb300")
    assert {one for one in found if one[1] == "single-kernel"} == {
        (f"{system}/trtllm-1.3.0rc20", "single-kernel", "gemm") for system in blackwell
    }
    assert {(pack.partition("/")[2], name) for pack, rule, name in found if rule == "sister-system"} == {
        ("vllm-0.24.0", "mla_context_module"),
        ("vllm-0.24.0", "mla_generation_module"),
        ("sglang-0.5.14", "encoder_attention"),
        ("sglang-0.5.14", "dsa_context_module"),
    }
