"""Ends that are nobody's mistake: a reader that has seen enough."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_reader_that_leaves_early_is_no_fault(root: Path, example: tuple[str, ...], form: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "operator"), str(root)])}
    command = [sys.executable, "-m", "dgdr_operator.cli.main", *example, "--output", form]

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        complaint = child.stderr.read()

    assert (child.returncode, complaint) == (0, b"")
