"""`dgdr perfdb` shows what is there, and tells a person what to do when something is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dgdr_operator.cli.main import main
from perf_db.catalog import Catalog

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command line; its exit code and both its streams."""
    monkeypatch.setenv("COLUMNS", "140")

    def once(*words: str) -> tuple[int, str, str]:
        code = main(["perfdb", *words])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return once


def test_list_shows_every_pack_with_its_rows_and_source(run: Run, catalog: Catalog) -> None:
    code, out, _ = run("list")

    assert code == 0
    for name in catalog.packs():
        (line,) = (line for line in out.splitlines() if line.split()[:3] == [name.system, name.backend, name.version])
        assert "aiconfigurator" in line
    assert catalog.data_version in out
    assert "facts but no measurements" not in out


def test_repairs_show_rule_reason_and_evidence(run: Run) -> None:
    code, out, _ = run("repairs", "--system", "h200_sxm", "--backend", "vllm")

    assert code == 0
    assert "gemm: launch-floor, 7,560 rows" in out
    assert "gemm: launch-floor, 35,741 rows" in out
    assert "the rows of h200_sxm/sglang-0.5.6.post2 stand in for them" in out
    assert "h100_sxm" not in out


def test_repairs_show_what_is_doubted_and_kept(run: Run) -> None:
    code, out, _ = run("repairs", "--system", "h100_sxm", "--backend", "vllm")

    assert code == 0
    assert "moe: suspect, kept as measured, 480 rows of fp8" in out
    assert "with few tokens 3.15 times the time of 0.12.0" in out


def test_list_shows_holes_when_asked(run: Run) -> None:
    code, out, _ = run("list", "--holes", "--system", "h200_sxm", "--backend", "trtllm")

    assert code == 0
    assert "moe: no moe_tp_size over 1 for moe_dtype w4a16_mxfp4, hidden_size 2880" in out
    assert "vllm-0.12.0" not in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("list", "--system", "h20"), "did you mean h200_sxm?"),
        (("list", "--backend", "vlm"), "did you mean vllm?"),
        (("repairs", "--packs", "/nowhere/at/all"), "there is no such folder"),
        ((), "VERB must be given"),
        (("import", "x.whl", "--out", "y", "--system", "h300_sxm"), "did you mean h"),
        (("import", "x.whl", "--out", "y", "--version", "vlm-1"), "did you mean vllm?"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_choice(run: Run, words: tuple[str, ...], complaint: str) -> None:
    code, out, err = run(*words)

    assert (code, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_packs_lists_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "systems.json").write_text('{"systems": {}}')

    code, out, _ = run("list", "--packs", str(tmp_path))

    assert code == 0
    assert "data      version" in out


def test_import_then_verify(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "systems/data/h200_sxm/vllm/0.12.0/gemm_perf.txt"
    source.parent.mkdir(parents=True)
    source.write_text("gemm_dtype,m,n,k,latency\nfloat16,1,64,64,0.5\n")
    packs = str(tmp_path / "packs")

    made = run("import", str(tmp_path), "--system", "h200_sxm", "--out", packs)
    checked = run("verify", str(tmp_path), "--packs", packs)

    assert (made[0], checked[0]) == (0, 0)
    assert "h200_sxm/vllm-0.12.0" in made[1]
    assert "one engine only" in made[1]
    assert "same" in checked[1]


def test_verify_without_a_pack_from_that_source_is_refused(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "systems/data/h200_sxm/vllm/0.12.0/gemm_perf.txt"
    source.parent.mkdir(parents=True)
    source.write_text("gemm_dtype,m,n,k,latency\nfloat16,1,64,64,0.5\n")

    code, _, err = run("verify", str(tmp_path))

    assert code == 2
    assert "no pack in" in err
