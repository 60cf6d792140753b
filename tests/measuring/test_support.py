"""Which families of operations each engine was measured for on each system, in columns that do not depend on it."""

from pathlib import Path

import pytest

from perf_db.catalog import Catalog, Pack
from perf_db.keys import KEYS

DENSE = {"gemm", "context_attention", "generation_attention", "custom_allreduce", "moe"}
LATENT = {
    "sglang": {"context_mla", "generation_mla", "mla_bmm"},
    "vllm": {"mla_context_module", "mla_generation_module"},
}
LATENT["trtllm"] = LATENT["sglang"] | LATENT["vllm"]
SPARSE = {"dsa_context_module", "dsa_generation_module", "msa_context_module", "msa_generation_module"}
WIDE = {"sglang": {"wideep_deepep_ll", "wideep_deepep_normal", "wideep_context_moe", "wideep_generation_moe"}}
WIDE |= {"trtllm": {"wideep_moe", "moe_a2a"}, "vllm": {"moe_a2a"}}
NEWEST = {"sglang": "0.5.14", "trtllm": "1.3.0rc20", "vllm": "0.24.0"}
IN_DATA_CENTRES = ("h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300")
ENGINES = tuple(NEWEST)
ALWAYS_SAID = ("gemm_dtype", "attn_dtype", "kv_cache_dtype", "moe_dtype", "mla_dtype", "gemm_type", "nccl_dtype")


def newest(catalog: Catalog, system: str, backend: str) -> Pack:
    return catalog.open(catalog.resolve(system, backend).pack)


@pytest.mark.parametrize("system", IN_DATA_CENTRES)
@pytest.mark.parametrize("backend", ENGINES)
def test_data_centre_systems_have_every_family(catalog: Catalog, system: str, backend: str) -> None:
    pack = newest(catalog, system, backend)

    assert pack.name.version == NEWEST[backend]
    assert set(pack.tables) >= DENSE | LATENT[backend] | SPARSE | WIDE[backend] | {"gdn", "encoder_attention"}


@pytest.mark.parametrize("system", ["a100_sxm", "l40s"])
@pytest.mark.parametrize("backend", ENGINES)
def test_older_and_smaller_systems_have_dense_models_and_experts(catalog: Catalog, system: str, backend: str) -> None:
    assert set(newest(catalog, system, backend).tables) >= DENSE


@pytest.mark.parametrize("system", IN_DATA_CENTRES)
def test_collectives_of_four_kinds_are_there(catalog: Catalog, system: str) -> None:
    table = newest(catalog, system, "nccl").table("nccl")

    assert table is not None
    assert table.values("op_name") == ("all_gather", "all_reduce", "alltoall", "reduce_scatter")
    assert 4 in table.values("num_gpus")


def test_a_table_has_the_same_columns_whoever_measured_it(catalog: Catalog) -> None:
    for name in (*catalog.packs(), *catalog.collectives()):
        pack = catalog.open(name)
        for title in pack.tables:
            table = pack.table(title)
            assert table is not None
            columns = [column for column in table.columns if not (title == "moe" and column == "kernel")]
            assert tuple(columns) == tuple(KEYS[title]), (name, title)


def test_sixteen_bits_are_called_bf16_everywhere(catalog: Catalog) -> None:
    strangers = {"float16", "bfloat16", "half", "fp8_e4m3"}
    for name in (*catalog.packs(), *catalog.collectives()):
        pack = catalog.open(name)
        for title in pack.tables:
            table = pack.table(title)
            assert table is not None
            for column in set(ALWAYS_SAID) & set(table.columns):
                assert not strangers & set(table.values(column)), (name, title)


def test_every_table_is_described_where_tables_are(catalog: Catalog) -> None:
    page = Path(__file__).parents[2] / "perf_db" / "table.py"
    families = {title.split("_")[0] for name in catalog.packs() for title in catalog.open(name).tables}

    assert {family for family in families if family not in page.read_text()} == set()


def test_the_page_counts_the_rows_of_each_system(catalog: Catalog) -> None:
    page = (Path(__file__).parents[2] / "docs" / "perf-db.md").read_text()
    for system in catalog.systems():
        names = [name for name in (*catalog.packs(), *catalog.collectives()) if name.system == system]
        rows = sum(table["rows"] for name in names for table in catalog.open(name).meta["tables"].values())
        (line,) = (line for line in page.splitlines() if line.startswith(f"| {system} |"))
        assert f" {rows:,} |" in line
        assert all(name.version in line for name in names if name.backend != "nccl")


def test_nodes_that_a_newer_version_left_out_are_borrowed_from_an_older_one(catalog: Catalog) -> None:
    table = newest(catalog, "h200_sxm", "sglang").table("wideep_deepep_normal")

    assert table is not None
    assert table.values("node_num") == (1, 2, 4, 8)
