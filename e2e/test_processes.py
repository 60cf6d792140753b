"""The tests' own tools: a child process must not outlive its test, and must be able to explain its end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from e2e.processes import Child, NotReady
from e2e.waiting import eventually

WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Whether a process with this id exists and is not waiting to be reaped."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def child(code: str, folder: Path) -> Child:
    """A Python child that runs *code*."""
    return Child("the child", [sys.executable, "-c", code], log=folder / "child.log")


def test_a_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    early = child("raise SystemExit('no such database')", tmp_path)
    early.start()

    with pytest.raises(NotReady, match=r"exit code 1(.|\n)*no such database"):
        early.wait_until(lambda: False, seconds=30)


def test_a_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    deaf = child("import time; time.sleep(600)", tmp_path)
    deaf.start()

    with pytest.raises(NotReady, match="not ready after"):
        deaf.wait_until(lambda: False, seconds=0.2)

    assert deaf.kill() == -9


def test_a_kill_reaches_the_children_of_the_child(tmp_path: Path) -> None:
    parent = child(WITH_A_CHILD, tmp_path)
    parent.start()
    grandchild = int(eventually(lambda: parent.log.read_text().strip(), "the grandchild's id"))
    assert alive(grandchild)

    parent.kill()

    eventually(lambda: not alive(grandchild), "the grandchild to end")


def test_a_crash_leaves_the_children_of_the_child_to_themselves(tmp_path: Path) -> None:
    parent = child(WITH_A_CHILD, tmp_path)
    parent.start()
    grandchild = int(eventually(lambda: parent.log.read_text().strip(), "the grandchild's id"))

    parent.crash()

    assert parent.group() == [grandchild]
    parent.kill()
    eventually(lambda: not parent.group(), "the grandchild to end")


def test_a_child_that_ignores_the_question_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    stubborn = child(code, tmp_path)
    stubborn.start()
    stubborn.wait_until(lambda: "deaf" in stubborn.words(), seconds=30)

    assert stubborn.stop(seconds=0.2) == -9


def test_a_child_knows_nothing_of_our_standard_input(tmp_path: Path) -> None:
    reader = child("import sys; print(repr(sys.stdin.read()))", tmp_path)
    reader.start()

    eventually(lambda: not reader.running, "the child to read and end")
    assert reader.words() == f"''{os.linesep}"
