"""The packs that travel with the package: complete, attributed, and physically possible."""

from collections import Counter

import numpy as np
import pytest

from perf_db.catalog import Catalog, PackName
from perf_db.repair import RULES

ROWS = {
    "a100_sxm/sglang-0.5.10": 97_662,
    "a100_sxm/trtllm-1.0.0": 50_995,
    "a100_sxm/vllm-0.14.0": 26_218,
    "b200_sxm/sglang-0.5.14": 649_295,
    "b200_sxm/trtllm-1.3.0rc20": 555_090,
    "b200_sxm/vllm-0.24.0": 447_656,
    "b300_sxm/sglang-0.5.14": 628_505,
    "b300_sxm/trtllm-1.3.0rc20": 519_878,
    "b300_sxm/vllm-0.24.0": 416_391,
    "gb200/sglang-0.5.14": 623_851,
    "gb200/trtllm-1.3.0rc20": 558_050,
    "gb200/vllm-0.24.0": 420_322,
    "gb300/sglang-0.5.14": 627_693,
    "gb300/trtllm-1.3.0rc20": 519_890,
    "gb300/vllm-0.24.0": 443_109,
    "h100_sxm/sglang-0.5.6.post2": 74_222,
    "h100_sxm/sglang-0.5.14": 577_540,
    "h100_sxm/trtllm-1.2.0rc5": 206_651,
    "h100_sxm/trtllm-1.3.0rc20": 435_676,
    "h100_sxm/vllm-0.12.0": 64_284,
    "h100_sxm/vllm-0.24.0": 356_494,
    "h200_sxm/sglang-0.5.6.post2": 66_760,
    "h200_sxm/sglang-0.5.14": 571_546,
    "h200_sxm/trtllm-1.2.0rc5": 207_914,
    "h200_sxm/trtllm-1.3.0rc20": 435_865,
    "h200_sxm/vllm-0.12.0": 64_284,
    "h200_sxm/vllm-0.24.0": 376_021,
    "l40s/sglang-0.5.14": 225_855,
    "l40s/trtllm-1.3.0rc20": 339_912,
    "l40s/vllm-0.24.0": 300_859,
    "a100_sxm/nccl-2.27.3": 504,
    "b200_sxm/nccl-2.27.3": 504,
    "b200_sxm/nccl-2.29.2": 504,
    "b300_sxm/nccl-2.27": 504,
    "b300_sxm/nccl-2.29.2": 504,
    "gb200/nccl-2.23": 336,
    "gb200/nccl-2.29.2": 336,
    "gb300/nccl-2.27": 336,
    "gb300/nccl-2.29.2": 336,
    "h100_sxm/nccl-2.27.3": 504,
    "h100_sxm/nccl-2.29.2": 504,
    "h200_sxm/nccl-2.26.2": 504,
    "h200_sxm/nccl-2.29.2": 504,
    "l40s/nccl-2.27.3": 504,
}
FOR_A_SEARCH = ("gemm", "context_attention", "generation_attention", "custom_allreduce")
BUDGET_BYTES = 20_000_000
SYSTEMS = ("h100_sxm", "h200_sxm", "a100_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300", "l40s")
FREE = {"computescale", "dsv4_csa_topk_calib", "glm5_topk_module"}  # some engines fuse these kernels into the next one


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


def test_every_time_is_finite_and_only_fused_kernels_are_free(catalog: Catalog) -> None:
    for name in everything(catalog):
        for title in catalog.open(name).tables:
            table = catalog.open(name).table(title)
            assert table is not None
            assert np.isfinite(table.seconds).all(), (name, title)
            assert title in FREE or (table.seconds > 0).all(), (name, title)
            assert (table.seconds >= 0).all(), (name, title)


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
        published: Counter[str] = Counter()
        for source in pack.meta["sources"]:
            title = source["member"].rsplit("/", 1)[1].rpartition("_perf.")[0]
            published[title] += source["rows"] * phases.get(title, 1)
        for title, rows in published.items():
            left = pack.meta["left_out"].get(title, {})
            gone = sum(left.get(reason, 0) for reason in ("repeated", "superseded", "unusable"))
            assert pack.meta["tables"][title]["rows"] + gone == rows, (name, title)


def test_repeated_runs_agree_or_their_spread_is_told(catalog: Catalog) -> None:
    for name in everything(catalog):
        for title, left in catalog.open(name).meta["left_out"].items():
            assert ("spread" in left) == (left["repeated"] > 0), (name, title)


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


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_facts_of_a_system_are_whole(catalog: Catalog, system: str) -> None:
    facts = catalog.systems()[system]

    assert "aiconfigurator-core 0.12.0" in facts["source"]
    assert facts["gpu"]["flops_per_second"]["bf16"] > 1e14
    assert facts["gpu"]["memory_bandwidth_bytes_per_second"] > 8e11
    assert facts["node"]["intra_bandwidth_bytes_per_second"] > 0


def test_a_borrowed_collective_says_it_is_a_siblings(catalog: Catalog) -> None:
    pack = catalog.open(catalog.resolve("h200_sxm", "sglang", "0.5.6.post2").pack)

    assert pack.meta["tables"]["custom_allreduce"]["classes"] == {"sibling": 69}
