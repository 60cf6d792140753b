"""The packs that travel with the package: complete, attributed, and physically possible."""

import numpy as np
import pytest

from perf_db.catalog import Catalog, PackName
from perf_db.repair import RULES

ROWS = {
    "h100_sxm/sglang-0.5.6.post2": 74_222,
    "h100_sxm/trtllm-1.2.0rc5": 199_031,
    "h100_sxm/vllm-0.12.0": 64_284,
    "h200_sxm/sglang-0.5.6.post2": 66_760,
    "h200_sxm/trtllm-1.2.0rc5": 199_034,
    "h200_sxm/vllm-0.12.0": 64_284,
    "h100_sxm/nccl-2.27.3": 504,
    "h200_sxm/nccl-2.26.2": 504,
}
FOR_A_SEARCH = ("gemm", "context_attention", "generation_attention", "custom_allreduce")
BUDGET_BYTES = 1_500_000


def everything(catalog: Catalog) -> tuple[PackName, ...]:
    return (*catalog.packs(), *catalog.collectives())


def test_every_pack_opens_with_all_its_rows(catalog: Catalog) -> None:
    found = {}
    for name in everything(catalog):
        pack = catalog.open(name)
        tables = [pack.table(title) for title in pack.tables]
        found[str(name)] = sum(len(table) for table in tables if table is not None)

    assert found == ROWS


def test_the_packs_are_small(catalog: Catalog) -> None:
    assert sum(catalog.open(name).size for name in everything(catalog)) < BUDGET_BYTES


def test_every_engine_has_what_a_search_needs(catalog: Catalog) -> None:
    for name in catalog.packs():
        assert set(FOR_A_SEARCH) <= set(catalog.open(name).tables), name


def test_every_time_is_positive_and_finite(catalog: Catalog) -> None:
    for name in everything(catalog):
        for title in catalog.open(name).tables:
            table = catalog.open(name).table(title)
            assert table is not None
            assert np.isfinite(table.seconds).all(), (name, title)
            assert (table.seconds > 0).all(), (name, title)


def test_every_pack_says_who_measured_it_and_under_which_licence(catalog: Catalog) -> None:
    for name in everything(catalog):
        meta = catalog.open(name).meta
        assert "NVIDIA Corporation" in meta["attribution"]
        assert meta["licence"] == "Apache-2.0"
        assert {len(source["sha256"]) for source in meta["sources"]} == {64}


def test_source_rows_are_kept_or_accounted_for(catalog: Catalog) -> None:
    phases = {"wideep_deepep_ll": 2, "wideep_deepep_normal": 2}  # dispatch and combine become rows of their own
    for name in everything(catalog):
        pack = catalog.open(name)
        for source in pack.meta["sources"]:
            title = source["member"].rsplit("/", 1)[1].removesuffix("_perf.txt")
            left_out = sum(pack.meta["left_out"].get(title, {}).values())
            kept = pack.meta["tables"][title]["rows"]
            assert kept + left_out == source["rows"] * phases.get(title, 1), (name, title)


def test_the_log_counts_every_repaired_row_and_knows_its_rule(catalog: Catalog) -> None:
    for name in everything(catalog):
        pack = catalog.open(name)
        logged = {entry["table"] for entry in pack.meta["repairs"]}
        patched = {title for title in pack.tables if pack.patch(title) is not None}
        assert logged == patched
        assert {entry["rule"] for entry in pack.meta["repairs"]} <= set(RULES)
        for title in patched:
            patch = pack.patch(title)
            assert patch is not None
            rows = [entry["rows"] for entry in pack.meta["repairs"] if entry["table"] == title]
            assert max(rows) <= len(patch.rows) <= sum(rows)


@pytest.mark.parametrize("system", ["h100_sxm", "h200_sxm", "a100_sxm", "b200_sxm", "gb200", "l40s"])
def test_the_facts_of_a_system_are_whole(catalog: Catalog, system: str) -> None:
    facts = catalog.systems()[system]

    assert "aiconfigurator-core 0.12.0" in facts["source"]
    assert facts["gpu"]["flops_per_second"]["bf16"] > 1e14
    assert facts["gpu"]["memory_bandwidth_bytes_per_second"] > 8e11
    assert facts["node"]["intra_bandwidth_bytes_per_second"] > 0


def test_a_borrowed_collective_says_it_is_a_siblings(catalog: Catalog) -> None:
    pack = catalog.open(catalog.resolve("h200_sxm", "sglang").pack)

    assert pack.meta["tables"]["custom_allreduce"]["classes"] == {"sibling": 69}
