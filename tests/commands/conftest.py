"""Runs the command line, in this process where a sentence is looked at, as a real process where the exit code is."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dgdr_operator.cli import main


@dataclass(frozen=True)
class Ended:
    """A command that ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def dgdr(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        try:
            code = main.main(arguments)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def spawn(root: Path) -> Run:
    """Runs a command line as a user does: another process, its own terminal settings."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> Ended:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DGDR_")},
            "PYTHONPATH": os.pathsep.join([str(root / "operator"), str(root)]),
            **variables,
        }
        command: Sequence[str] = [sys.executable, "-m", "dgdr_operator.cli.main", *arguments]
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def example() -> tuple[str, ...]:
    """The customer's question."""
    return (
        *("optimize", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--total-gpus", "8"),
        *("--backend", "vllm", "--backend-version", "0.12.0", "--isl", "4000", "--osl", "500"),
    )
