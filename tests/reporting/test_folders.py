"""Folders of files: whole or not there, and nothing of an earlier answer beside a new one."""

from pathlib import Path

import pytest

from dgdr_operator.report import artifacts

OWNED = ("aggregated", "report.txt")


def _contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_appear_with_their_folders(tmp_path: Path) -> None:
    files = {"aggregated/top1/k8s_deploy.yaml": "a: 1\n", "report.txt": "hello\n"}

    artifacts.write(tmp_path / "new" / "results", files, OWNED)

    assert _contents(tmp_path / "new" / "results") == files


def test_what_an_earlier_answer_left_is_gone(tmp_path: Path) -> None:
    artifacts.write(tmp_path, {"aggregated/top1/a": "1", "aggregated/top2/a": "2", "report.txt": "old"}, OWNED)

    artifacts.write(tmp_path, {"aggregated/top1/a": "3"}, OWNED)

    assert _contents(tmp_path) == {"aggregated/top1/a": "3"}


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    artifacts.write(tmp_path, {"report.txt": "new"}, OWNED)

    assert _contents(tmp_path) == {"mine.txt": "keep", "report.txt": "new"}


def test_a_failure_leaves_the_earlier_answer_whole(tmp_path: Path) -> None:
    artifacts.write(tmp_path, {"aggregated/top1/a": "1", "report.txt": "old"}, OWNED)

    with pytest.raises(OSError, match=r"name|path"):
        artifacts.write(tmp_path, {"aggregated/top1/a": "2", f"aggregated/{'x' * 5000}": "3"}, OWNED)

    assert _contents(tmp_path) == {"aggregated/top1/a": "1", "report.txt": "old"}


def test_one_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    artifacts.replace(path, "new")

    assert _contents(tmp_path) == {"out.csv": "new"}
