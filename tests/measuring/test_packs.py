"""What goes into a pack comes out of it, and equal content gives equal bytes."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db import codec
from perf_db.errors import BrokenPack
from perf_db.pack import Content, Pack, PackName, Patch, to_bytes
from perf_db.provenance import Provenance
from perf_db.table import Column, Table

NAME = PackName(system="h200_sxm", backend="vllm", version="1.0")
KEYS = st.lists(st.tuples(st.sampled_from(["bf16", "fp8"]), st.integers(1, 65_536)), min_size=1, unique=True)


def table_of(rows: list[tuple[str, int]], times: list[float]) -> Table:
    dtypes, tokens = zip(*sorted(rows), strict=True)
    return Table(
        name="gemm",
        columns={"gemm_dtype": Column.of(dtypes), "m": Column.of(tokens)},
        seconds=np.asarray(times, dtype=float),
        provenance=np.zeros(len(rows), dtype=np.uint8),
    )


def written(content: Content, folder: Path) -> Path:
    path = folder / "pack.zip"
    path.write_bytes(to_bytes(content))
    return path


@given(KEYS, st.data())
def test_a_table_comes_back_from_its_pack(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], data: st.DataObject
) -> None:
    times = data.draw(st.lists(st.floats(1e-7, 10.0), min_size=len(rows), max_size=len(rows)))
    table = table_of(rows, times)

    found = Pack(NAME, written(Content(meta={}, tables={"gemm": table}), tmp_path_factory.mktemp("pack"))).table("gemm")

    assert found is not None
    assert {key: column.values for key, column in found.columns.items()} == {
        key: column.values for key, column in table.columns.items()
    }
    assert all((found.columns[key].codes == table.columns[key].codes).all() for key in table.columns)
    assert np.allclose(found.seconds, table.seconds, rtol=codec.WORST_ERROR * 1.01, atol=0)


def test_equal_content_gives_equal_bytes() -> None:
    table = table_of([("bf16", 1), ("bf16", 2)], [1e-6, 2e-6])

    assert to_bytes(Content(meta={"b": 1, "a": 2}, tables={"gemm": table})) == to_bytes(
        Content(meta={"a": 2, "b": 1}, tables={"gemm": table})
    )


def test_what_was_measured_stays_beside_its_repair(tmp_path: Path) -> None:
    table = table_of([("bf16", 1), ("bf16", 2), ("bf16", 4)], [1.0, 2.0, 4.0])
    patch = Patch(rows=np.array([1], dtype=np.int32), seconds=np.array([0.5]), rules=np.array([2], dtype=np.uint8))
    path = written(Content(meta={}, tables={"gemm": table}, patches={"gemm": patch}), tmp_path)

    repaired, measured = Pack(NAME, path).table("gemm"), Pack(NAME, path, repaired=False).table("gemm")

    assert repaired is not None
    assert measured is not None
    assert repaired.seconds.tolist() == [1.0, 0.5, 4.0]
    assert repaired.provenance.tolist() == [Provenance.MEASURED, Provenance.REPAIRED, Provenance.MEASURED]
    assert measured.seconds.tolist() == [1.0, 2.0, 4.0]
    assert not measured.provenance.any()


def test_a_table_the_pack_lacks_is_none(tmp_path: Path) -> None:
    pack = Pack(NAME, written(Content(meta={}, tables={}), tmp_path))

    assert pack.table("gemm") is None


def test_a_file_that_is_no_zip_is_a_broken_pack(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_text("not a zip")

    with pytest.raises(BrokenPack, match=r"pack\.zip is not a readable pack"):
        Pack(NAME, path)


def test_a_pack_of_another_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.json", json.dumps({"format": 99, "tables": {}}))

    with pytest.raises(BrokenPack, match="format 99"):
        Pack(NAME, path)


def test_a_meta_record_that_is_no_json_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.json", "{")

    with pytest.raises(BrokenPack, match=r"member meta\.json"):
        Pack(NAME, path)


def test_a_table_shorter_than_announced_is_broken(tmp_path: Path) -> None:
    whole = written(Content(meta={}, tables={"gemm": table_of([("bf16", 1), ("bf16", 2)], [1.0, 2.0])}), tmp_path)
    cut = tmp_path / "cut.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(cut, "w") as target:
        for member in source.namelist():
            raw = source.read(member)
            target.writestr(member, raw[:-2] if member.endswith(".bin") else raw)

    with pytest.raises(BrokenPack, match="table gemm"):
        Pack(NAME, cut).table("gemm")
