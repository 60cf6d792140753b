"""A published package becomes packs: both layouts, the same bytes every time, every row checked against its source."""

import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from perf_db import importer
from perf_db.catalog import Catalog, PackName
from perf_db.errors import BadSource, UnknownSystem

METADATA = "Name: some-kernels\nVersion: 3.1\nLicense-Expression: Apache-2.0\n"
GEMMS = """framework,version,device,op_name,kernel_source,gemm_dtype,m,n,k,latency
VLLM,0.12.0,Some GPU,gemm,default,float16,2,64,64,0.5
VLLM,0.12.0,Some GPU,gemm,default,float16,1,64,64,0.25
VLLM,0.12.0,Some GPU,gemm,default,float16,1,64,64,0.75
VLLM,0.12.0,Some GPU,gemm,default,awq,1,64,64,0.125
"""
REDUCES = """framework,version,device,op_name,kernel_source,allreduce_dtype,num_gpus,message_size,latency,backend
vLLM,0.12.0,Some GPU,all_reduce,a,float16,2,128,0.004,vllm_graph
vLLM,0.12.0,Some GPU,all_reduce,b,float16,2,128,0.020,vllm_eager
"""
VLLM = PackName(system="h200_sxm", backend="vllm", version="0.12.0")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package in the text layout."""
    path = tmp_path / "some_kernels-3.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some_kernels-3.1.dist-info/METADATA", METADATA)
        for table, text in (("gemm", GEMMS), ("custom_allreduce", REDUCES)):
            archive.writestr(f"some_kernels/systems/data/h200_sxm/vllm/0.12.0/{table}_perf.txt", text)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same GEMM rows in the parquet layout, extracted."""
    path = tmp_path / "extracted/systems/data/h200_sxm/gemm/vllm/0.12.0/gemm_perf.parquet"
    path.parent.mkdir(parents=True)
    header, *lines = GEMMS.splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    numbers = {"m": int, "n": int, "k": int, "latency": float}
    parquet.write_table(
        pa.table({key: [numbers.get(key, str)(row[key]) for row in rows] for key in header.split(",")}), path
    )
    return tmp_path / "extracted"


def imported(source: Path, out: Path, *versions: str) -> tuple[importer.Imported, ...]:
    made: tuple[Any, ...] = importer.import_packs(
        [source], importer.Wanted(systems=["h200_sxm"], versions=versions), out
    )
    return made


def test_the_shorter_of_two_runs_stays_and_unused_formats_go(wheel: Path, tmp_path: Path) -> None:
    (made,) = imported(wheel, tmp_path / "packs")

    table = Catalog(tmp_path / "packs").open(VLLM, repaired=False).table("gemm")

    assert (made.rows, made.repeated, made.unusable) == (4, 1, 1)
    assert table is not None
    assert table.seconds == pytest.approx([0.25e-3, 0.5e-3], rel=3e-4)
    assert table.values("gemm_dtype") == ("bf16",)


def test_both_layouts_give_the_same_table(wheel: Path, folder: Path, tmp_path: Path) -> None:
    tables = []
    for name, source in (("text", wheel), ("parquet", folder)):
        imported(source, tmp_path / name)
        tables.append(Catalog(tmp_path / name).open(VLLM).table("gemm"))

    text, columnar = tables
    assert text is not None
    assert columnar is not None
    assert text.seconds.tolist() == columnar.seconds.tolist()
    assert {key: column.values for key, column in text.columns.items()} == {
        key: column.values for key, column in columnar.columns.items()
    }


def test_all_reduce_keeps_graph_and_eager_apart(wheel: Path, tmp_path: Path) -> None:
    imported(wheel, tmp_path / "packs")

    table = Catalog(tmp_path / "packs").open(VLLM).table("custom_allreduce")

    assert table is not None
    assert table.where(variant="graph").seconds == pytest.approx([4e-6], rel=3e-4)
    assert table.where(variant="eager").seconds == pytest.approx([20e-6], rel=3e-4)


def test_importing_twice_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        imported(wheel, tmp_path / name)

    once, twice = (VLLM.path(tmp_path / name).read_bytes() for name in ("once", "twice"))
    assert once == twice


def test_every_row_is_compared_with_its_source(wheel: Path, tmp_path: Path) -> None:
    imported(wheel, tmp_path / "packs")

    checks = tuple(importer.verify(tmp_path / "packs", [wheel]))

    assert {(check.table, check.rows) for check in checks} == {("gemm", 2), ("custom_allreduce", 2)}
    assert all(check.good for check in checks)


def test_a_row_that_differs_from_its_source_is_found(wheel: Path, tmp_path: Path) -> None:
    imported(wheel, tmp_path / "packs")
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(other, "w") as target:
        for member in source.namelist():
            target.writestr(member, source.read(member).replace(b"64,64,0.5", b"64,64,0.501"))

    checks = {check.table: check.good for check in importer.verify(tmp_path / "packs", [other])}

    assert checks == {"gemm": False, "custom_allreduce": True}


def test_a_pack_records_package_licence_and_hash(wheel: Path, tmp_path: Path) -> None:
    imported(wheel, tmp_path / "packs")

    meta = Catalog(tmp_path / "packs").open(VLLM).meta

    assert meta["package"] == {"name": "some-kernels", "version": "3.1"}
    assert meta["devices"] == ["Some GPU"]
    assert meta["sources"][1]["member"].endswith("gemm_perf.txt")
    assert meta["sources"][1]["rows"] == 4


def test_a_system_without_facts_is_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownSystem, match=r"'h2000_sxm': choose from .*did you mean h200_sxm"):
        importer.import_packs([wheel], importer.Wanted(systems=["h2000_sxm"]), tmp_path / "packs")


def test_nothing_wanted_in_the_package_is_an_error(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"it has no .*vllm on h200_sxm in version vllm-9\.9"):
        imported(wheel, tmp_path / "packs", "vllm-9.9")


@pytest.mark.parametrize("content", [None, b"no zip"], ids=["missing", "not a wheel"])
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.whl"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadSource, match=r"some\.whl: neither a folder nor a wheel"):
        imported(path, tmp_path / "packs")


def test_a_file_without_its_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "systems/data/h200_sxm/vllm/0.12.0/gemm_perf.txt"
    path.parent.mkdir(parents=True)
    path.write_text("gemm_dtype,m,n,latency\nfloat16,1,2,0.5\n")

    with pytest.raises(BadSource, match=r"gemm_perf\.txt: 'k'"):
        imported(tmp_path, tmp_path / "packs")


@pytest.fixture
def addition(folder: Path) -> Path:
    """The extracted package, with a later version that measured all-reduce only."""
    path = folder / "systems/data/h200_sxm/comm/vllm/0.13.0/custom_allreduce_perf.parquet"
    path.parent.mkdir(parents=True)
    row = {"allreduce_dtype": "float16", "num_gpus": 2, "message_size": 128, "latency": 0.5, "backend": "vllm_graph"}
    parquet.write_table(pa.table({key: [value] for key, value in row.items()}), path)
    return folder


def test_the_newest_version_is_one_that_measured_gemms(addition: Path, tmp_path: Path) -> None:
    (made,) = imported(addition, tmp_path / "packs")

    assert made.pack == VLLM


def test_a_version_that_is_named_borrows_what_it_did_not_measure(addition: Path, tmp_path: Path) -> None:
    (made,) = imported(addition, tmp_path / "packs", "vllm-0.13.0")

    classes = Catalog(tmp_path / "packs").open(made.pack).meta["tables"]
    assert made.pack.version == "0.13.0"
    assert classes["custom_allreduce"]["classes"] == {"measured": 1}
    assert classes["gemm"]["classes"] == {"reused": 2}
