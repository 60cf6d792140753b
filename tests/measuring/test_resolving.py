"""Asking for an engine finds the right pack, or says what there is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db.catalog import Catalog, age
from perf_db.errors import BrokenPack, UnknownBackend, UnknownSystem

OLDEST_FIRST = [
    "0.1.dev19262",
    "0.5.6",
    "0.5.6.post2",
    "0.5.10",
    "1.2.0rc5",
    "1.2.0rc10",
    "1.2.0",
    "1.2.0.post1",
    "1.10",
]


@pytest.fixture
def shelf(tmp_path: Path) -> Catalog:
    """A catalog of empty files: resolving looks at names only."""
    for name in ("h200_sxm/vllm-0.12.0", "h200_sxm/vllm-0.9.1", "h200_sxm/sglang-0.5.6.post2", "l40s/vllm-0.12.0"):
        path = tmp_path / f"{name}.zip"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return Catalog(tmp_path)


@given(st.permutations(OLDEST_FIRST))
def test_versions_sort_by_age(versions: list[str]) -> None:
    assert sorted(versions, key=age) == OLDEST_FIRST


def test_no_version_means_the_newest(shelf: Catalog) -> None:
    found = shelf.resolve("h200_sxm", "vllm")

    assert (found.pack.version, found.asked, found.note) == ("0.12.0", None, "")


def test_an_exact_version_needs_no_note(shelf: Catalog) -> None:
    assert shelf.resolve("h200_sxm", "vllm", "0.9.1").note == ""


def test_a_trailing_zero_makes_no_other_version(shelf: Catalog) -> None:
    assert shelf.resolve("h200_sxm", "vllm", "0.12").note == ""


def test_a_version_between_takes_the_nearest_older_one_and_says_so(shelf: Catalog) -> None:
    found = shelf.resolve("h200_sxm", "vllm", "0.11.2")

    assert found.pack.version == "0.9.1"
    assert "0.11.2 was not measured" in found.note


def test_a_version_older_than_all_takes_the_oldest_and_says_so(shelf: Catalog) -> None:
    found = shelf.resolve("h200_sxm", "vllm", "0.8.0")

    assert found.pack.version == "0.9.1"
    assert "the oldest there is" in found.note


def test_a_nightly_build_takes_the_newest_and_says_so(shelf: Catalog) -> None:
    found = shelf.resolve("h200_sxm", "vllm", "nightly-5b8c30d6")

    assert found.pack.version == "0.12.0"
    assert "nightly-5b8c30d6 was not measured" in found.note


def test_an_unknown_system_names_the_nearest(shelf: Catalog) -> None:
    with pytest.raises(UnknownSystem, match="did you mean h200_sxm"):
        shelf.resolve("h200", "vllm")


def test_an_unknown_backend_names_those_of_that_system(shelf: Catalog) -> None:
    with pytest.raises(UnknownBackend, match="choose from vllm"):
        shelf.resolve("l40s", "sglang")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenPack, match="no such folder"):
        Catalog(tmp_path / "nowhere")


def test_the_data_version_follows_the_data(shelf: Catalog) -> None:
    (shelf.root / "systems.json").write_text("{}")
    before = shelf.data_version
    (shelf.root / "l40s" / "vllm-0.12.0.zip").write_text("more")

    assert Catalog(shelf.root).data_version != before
