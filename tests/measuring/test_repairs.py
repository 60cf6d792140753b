"""A repair replaces what cannot be the engine's own time, says so, and leaves everything else alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db import launches, repair, rules
from perf_db.catalog import Catalog, PackName
from perf_db.change import Change
from perf_db.codec import WORST_ERROR
from perf_db.provenance import Provenance
from perf_db.roofline import Roof
from perf_db.sisters import Sisters
from perf_db.table import Column, Table

MakeTable = Callable[..., Table]
ROOF = Roof(flops={"bf16": 1e15, "fp8": 2e15}, bandwidth=4e12)
FACTS = {"gpu": {"flops_per_second": dict(ROOF.flops), "memory_bandwidth_bytes_per_second": ROOF.bandwidth}}
VLLM, SGLANG = (PackName(system="some_gpu", backend=backend, version="1.0") for backend in ("vllm", "sglang"))
WIDTHS, TOKENS = (512, 1024, 3072, 4096, 8192), (1, 16, 2048, 4096)


def gemms(launch: dict[str, float], utilisation: dict[str, float]) -> Table:
    """A GEMM table: per data type a launch time in seconds and a share of the speed of light."""
    rows = [(dtype, n, k, m) for dtype in sorted(launch) for n in WIDTHS for k in WIDTHS for m in TOKENS]
    keys = zip(("gemm_dtype", "n", "k", "m"), zip(*rows, strict=True), strict=True)
    columns = {key: Column.of(values) for key, values in keys}
    seconds = [
        launch[dtype] + float(ROOF.gemm(dtype, (np.asarray(n), np.asarray(k), np.asarray(m)))) / utilisation[dtype]
        for dtype, n, k, m in rows
    ]
    classes = np.zeros(len(rows), dtype=np.uint8)
    return Table(name="gemm", columns=columns, seconds=np.asarray(seconds), provenance=classes)


HEALTHY = gemms({"bf16": 3e-6, "fp8_block": 3e-6}, {"bf16": 0.8, "fp8_block": 0.7})


def alone_in_its_family(_: PackName) -> Sisters:
    return {}


def repaired(table: Table) -> repair.Repairs:
    packs = {VLLM: {"gemm": table}, SGLANG: {"gemm": HEALTHY}}
    return repair.repair(packs, {}, {"some_gpu": FACTS}, alone_in_its_family)[VLLM]


def test_a_table_that_times_the_launch_takes_its_siblings_rows() -> None:
    found = repaired(gemms({"bf16": 3e-6, "fp8_block": 60e-6}, {"bf16": 0.8, "fp8_block": 0.7}))

    assert [entry["rule"] for entry in found.log] == ["launch-floor"]
    assert found.log[0]["evidence"]["donor"] == "some_gpu/sglang-1.0"
    assert found.patches["gemm"].seconds.tolist() == HEALTHY.where(gemm_dtype="fp8_block").seconds.tolist()


def test_a_shape_smaller_than_the_donors_costs_at_least_a_launch() -> None:
    slow = gemms({"bf16": 3e-6, "fp8_block": 60e-6}, {"bf16": 0.8, "fp8_block": 0.7})
    donor = HEALTHY.take(np.flatnonzero(np.minimum(HEALTHY.numbers("n"), HEALTHY.numbers("k")) > WIDTHS[0]))

    found = repair.repair({VLLM: {"gemm": slow}}, {SGLANG: donor}, {"some_gpu": FACTS}, alone_in_its_family)[VLLM]

    assert found.patches["gemm"].seconds.min() == donor.where(gemm_dtype="fp8_block").seconds.min()


def test_a_slow_launch_of_a_fallback_without_fp8_arithmetic_is_found_though_not_flat() -> None:
    fallback = gemms({"bf16": 3e-6, "fp8_block": 20e-6}, {"bf16": 0.8, "fp8_block": 0.25})

    assert launches.symptoms(fallback, "fp8_block").flatness > 1.1
    assert [entry["rule"] for entry in repaired(fallback).log] == ["launch-floor"]


@pytest.mark.parametrize(
    ("launch", "utilisation"),
    [(10e-6, 0.7), (60e-6, None), (3e-6, 0.3)],
    ids=["an extra kernel", "bf16", "slow, no launch"],
)
def test_a_table_that_is_only_somewhat_slow_stays(launch: float, utilisation: float | None) -> None:
    dtype = "fp8_block" if utilisation else "bf16"
    times = {"bf16": 3e-6, "fp8_block": 3e-6} | {dtype: launch}
    shares = {"bf16": 0.8, "fp8_block": utilisation or 0.7}

    assert repaired(gemms(times, shares)).log == ()


def alone(table: Table) -> repair.Repairs:
    return repair.repair({VLLM: {"gemm": table}}, {}, {"some_gpu": FACTS}, alone_in_its_family)[VLLM]


def test_without_a_sibling_the_formula_stands_in_for_rows_that_are_slower() -> None:
    table = gemms({"bf16": 3e-6, "fp8_block": 60e-6}, {"bf16": 0.8, "fp8_block": 0.7})
    measured = table.where(gemm_dtype="fp8_block")

    found = alone(table)

    assert [entry["evidence"]["donor"] for entry in found.log] == ["the formula"]
    shape = measured.numbers("n"), measured.numbers("k"), measured.numbers("m")
    assert (found.patches["gemm"].seconds <= measured.seconds).all()
    assert (found.patches["gemm"].seconds < measured.seconds / 2)[shape[2] <= 16].all()
    assert (found.patches["gemm"].seconds > ROOF.gemm("fp8_block", shape)).all()


@pytest.mark.parametrize(
    ("launch", "utilisation"), [(10e-6, 0.7), (20e-6, 0.25)], ids=["an extra kernel", "slow but not flat"]
)
def test_without_a_sibling_only_a_flat_table_is_replaced(launch: float, utilisation: float) -> None:
    assert alone(gemms({"bf16": 3e-6, "fp8_block": launch}, {"bf16": 0.8, "fp8_block": utilisation})).log == ()


def test_a_data_type_whose_light_is_unknown_is_not_replaced_by_a_formula() -> None:
    strange = gemms({"bf16": 3e-6, "fp8_block": 60e-6}, {"bf16": 0.8, "fp8_block": 0.7})
    column = strange.columns["gemm_dtype"]
    renamed = Column(values=("bf16", "int3"), codes=column.codes)

    assert alone(replace(strange, columns={**strange.columns, "gemm_dtype": renamed})).log == ()


def test_a_sibling_that_was_imported_earlier_is_a_witness() -> None:
    slow = gemms({"bf16": 3e-6, "fp8_block": 60e-6}, {"bf16": 0.8, "fp8_block": 0.7})

    found = repair.repair({VLLM: {"gemm": slow}}, {SGLANG: HEALTHY}, {"some_gpu": FACTS}, alone_in_its_family)

    assert list(found) == [VLLM]
    assert found[VLLM].log[0]["rule"] == "launch-floor"


TIMES = st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=20)


def collective(times: list[float]) -> Table:
    codes = np.arange(len(times), dtype=np.int16)
    columns = {
        "num_gpus": Column(values=(2,), codes=np.zeros(len(times), dtype=np.int16)),
        "message_size": Column(values=tuple(2**power for power in range(len(times))), codes=codes),
    }
    return Table(
        name="nccl", columns=columns, seconds=np.asarray(times), provenance=np.zeros(len(times), dtype=np.uint8)
    )


def after(table: Table, changes: list[Change]) -> np.ndarray:
    seconds = table.seconds.copy()
    for change in changes:
        seconds[change.rows] = change.seconds
    return seconds


@given(TIMES)
def test_a_collective_never_costs_more_than_a_larger_one(times: list[float]) -> None:
    table = collective(times)

    seconds = after(table, list(rules.lower_envelope(table, tolerance=0.0)))

    assert (seconds <= table.seconds).all()
    assert (np.diff(seconds) >= -2 * WORST_ERROR * seconds[1:]).all()


@given(TIMES)
def test_a_curve_that_rises_needs_no_repair(times: list[float]) -> None:
    assert not list(rules.lower_envelope(collective(sorted(times)), tolerance=0.0))


def test_the_envelope_looks_along_one_curve_only(make_table: MakeTable) -> None:
    table = make_table("nccl", [1e-3, 2e-3, 1e-6, 2e-6], num_gpus=[2, 2, 4, 4], message_size=[1, 2, 1, 2])

    assert not list(rules.lower_envelope(table, tolerance=0.0))


def test_small_dips_of_expert_kernels_are_kernel_switches(make_table: MakeTable) -> None:
    table = make_table("moe", [1.0, 0.9, 2.0, 1.0], inter_size=[64] * 4, num_tokens=[1, 2, 4, 8])

    (change,) = rules.lower_envelope(table, tolerance=0.2)

    assert change.rows.tolist() == [2]
    assert change.seconds.tolist() == [1.0]


def test_no_shipped_gemm_beats_the_speed_of_light(catalog: Catalog) -> None:
    for name in catalog.packs():
        table = catalog.open(name).table("gemm")
        assert table is not None
        roof = Roof.of(catalog.systems()[name.system])
        for dtype in map(str, table.values("gemm_dtype")):
            rows = table.where(gemm_dtype=dtype)
            light = roof.gemm(dtype, (rows.numbers("n"), rows.numbers("k"), rows.numbers("m")))
            assert (rows.seconds >= light * (1 - 2 * WORST_ERROR)).all(), (name, dtype)


def test_no_shipped_decode_attention_beats_the_speed_of_light(catalog: Catalog) -> None:
    for name in catalog.packs():
        table = catalog.open(name).table("generation_attention")
        assert table is not None
        roof = Roof.of(catalog.systems()[name.system])
        for dtype in map(str, table.values("kv_cache_dtype")):
            rows = table.where(kv_cache_dtype=dtype, window_size=0)
            heads = rows.numbers("num_heads"), rows.numbers("num_key_value_heads")
            seen, batch = rows.numbers("context") - 1, rows.numbers("batch_size")
            light = roof.decode_attention(dtype, heads, batch, seen, rows.numbers("head_dim"))
            assert (rows.seconds >= light * (1 - 2 * WORST_ERROR)).all(), (name, dtype)


def test_the_only_gemm_tables_replaced_are_vllms_block_scaled_fp8(catalog: Catalog) -> None:
    replaced = {
        (str(name), entry["evidence"]["dtype"], entry["evidence"]["donor"])
        for name in catalog.packs()
        for entry in catalog.open(name).meta["repairs"]
        if entry["rule"] == "launch-floor"
    }
    older = {(f"{system}/vllm-0.12.0", f"{system}/sglang-0.5.6.post2") for system in ("h100_sxm", "h200_sxm")}
    deep_gemm = ("b200_sxm", "b300_sxm", "gb200", "gb300", "h100_sxm", "h200_sxm")
    newer = {(f"{system}/vllm-0.24.0", f"{system}/sglang-0.5.14") for system in deep_gemm}
    without_deep_gemm = {("l40s/vllm-0.24.0", "l40s/trtllm-1.3.0rc20")}

    assert replaced == {(pack, "fp8_block", donor) for pack, donor in older | newer | without_deep_gemm}


@pytest.mark.parametrize(
    ("system", "version", "donor"),
    [("h200_sxm", "0.12.0", "sglang"), ("h200_sxm", "0.24.0", "sglang"), ("l40s", "0.24.0", "trtllm")],
)
def test_a_replaced_table_reads_as_its_donor_and_the_measured_one_is_still_there(
    catalog: Catalog, system: str, version: str, donor: str
) -> None:
    vllm = catalog.open(catalog.resolve(system, "vllm", version).pack)
    measured = catalog.open(vllm.name, repaired=False).table("gemm")
    named = next(entry["evidence"]["donor"] for entry in vllm.meta["repairs"] if entry["rule"] == "launch-floor")
    other = catalog.open(catalog.resolve(system, donor, named.partition("-")[2]).pack, repaired=False).table("gemm")
    ours = vllm.table("gemm")
    assert ours is not None
    assert measured is not None
    assert other is not None

    rows, theirs = (table.where(gemm_dtype="fp8_block") for table in (ours, other))
    shared = np.isin(_shapes(rows), _shapes(theirs))

    assert shared.mean() > 0.8  # the donor has no row at the others, they lie between its rows
    assert (rows.seconds[shared] >= theirs.seconds[np.isin(_shapes(theirs), _shapes(rows))] * (1 - WORST_ERROR)).all()
    assert rows.seconds.min() >= theirs.seconds.min() * (1 - WORST_ERROR)
    assert (rows.provenance == Provenance.REPAIRED).all()
    assert np.median(measured.where(gemm_dtype="fp8_block").seconds / rows.seconds) > 2


def _shapes(rows: Table) -> np.ndarray:
    """One number per (n, k, m): all are below 2**17."""
    n, k, m = (rows.numbers(name).astype(np.int64) for name in ("n", "k", "m"))
    return (n << 34) + (k << 17) + m
