"""What one engine lacks and another has is found, and nothing else is called a hole."""

from pathlib import Path

import numpy as np

from perf_db import holes
from perf_db.catalog import Catalog, PackName
from perf_db.pack import Content, to_bytes
from perf_db.table import Column, Table

OWN, OTHER = (PackName(system="some_gpu", backend=backend, version="1.0") for backend in ("trtllm", "vllm"))


def experts(*rows: tuple[str, int]) -> Table:
    """A table of experts with one row per (data type, tensor-parallel split)."""
    ordered = sorted(rows)
    shape = {"hidden_size": 64, "inter_size": 32, "topk": 2, "num_experts": 8}
    keys: dict[str, list[object]] = {
        "moe_dtype": [dtype for dtype, _ in ordered],
        **{name: [size] * len(ordered) for name, size in shape.items()},
    }
    keys["moe_tp_size"] = [split for _, split in ordered]
    columns = {name: Column.of(values) for name, values in keys.items()}
    classes = np.zeros(len(ordered), dtype=np.uint8)
    return Table(name="moe", columns=columns, seconds=np.ones(len(ordered)), provenance=classes)


def shelf(root: Path, own: Table, other: Table) -> Catalog:
    for name, table in ((OWN, own), (OTHER, other)):
        path = name.path(root)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(to_bytes(Content(meta={}, tables={"moe": table})))
    return Catalog(root)


def test_experts_that_were_only_measured_whole_are_a_hole(tmp_path: Path) -> None:
    catalog = shelf(tmp_path, experts(("mxfp4", 1)), experts(("mxfp4", 1), ("mxfp4", 8)))

    (found,) = holes.find(catalog, OWN)

    assert str(found) == (
        "moe: no moe_tp_size over 1 for moe_dtype mxfp4, hidden_size 64, inter_size 32, topk 2, num_experts 8 "
        "(in some_gpu/vllm-1.0)"
    )


def test_a_data_type_only_another_engine_has_is_a_hole(tmp_path: Path) -> None:
    catalog = shelf(tmp_path, experts(("fp8", 1)), experts(("fp8", 1), ("nvfp4", 1)))

    assert [str(hole) for hole in holes.find(catalog, OWN)] == ["moe: no moe_dtype nvfp4 (in some_gpu/vllm-1.0)"]


def test_an_engine_that_has_what_the_others_have_has_no_holes(tmp_path: Path) -> None:
    catalog = shelf(tmp_path, experts(("fp8", 1), ("fp8", 8), ("nvfp4", 1)), experts(("fp8", 1), ("fp8", 32)))

    assert holes.find(catalog, OWN) == ()


def test_gpt_oss_on_tensorrt_llm_is_a_known_hole(catalog: Catalog) -> None:
    found = holes.find(catalog, catalog.resolve("h200_sxm", "trtllm", "1.3.0rc20").pack)

    gpt_oss = {"moe_dtype": "w4a16_mxfp4", "hidden_size": 2880, "inter_size": 2880, "topk": 4, "num_experts": 128}
    assert [hole.what for hole in found if hole.where == gpt_oss] == ["moe_tp_size over 1"]
