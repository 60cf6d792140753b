"""What the README shows is what the commands print today."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = (
    "optimize --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm --backend-version 0.12.0 "
    "--isl 4000 --osl 500 --ttft 600 --itl 16.67"
)


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme, flags=re.DOTALL)


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'operator'}", "COLUMNS": "100", "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_the_page_shown_is_the_page_printed(root: Path, readme: str) -> None:
    shown = blocks(readme, "text")[0]

    printed = run(root, "-m", "dgdr_operator.cli.main", *EXAMPLE.split())

    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.rstrip() == shown.rstrip()


def test_every_line_of_the_refusal_shown_is_printed(root: Path, readme: str) -> None:
    command, *lines = blocks(readme, "text")[1].strip().splitlines()

    printed = run(root, "-m", "dgdr_operator.cli.main", *command.removeprefix("$ dgdr ").split())

    assert printed.returncode == 3
    for line in lines:
        assert line in printed.stdout


def test_the_python_shown_runs(root: Path, readme: str) -> None:
    (program,) = blocks(readme, "python")

    printed = run(root, "-c", program)

    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(("agg ", "disagg "))
