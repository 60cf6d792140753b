"""Child processes of a test: each in a process group of its own, with its words in a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TAIL = 4_000
"""Characters of a log that a failure message shows."""


class NotReady(Exception):
    """A child ended, or did not answer in time; the text ends with its last words."""


class Child:
    """One command, started in its own process group so that nothing of it can outlive the test."""

    def __init__(self, name: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._argv = [*_die_with_parent(), *argv]
        self._env = dict(os.environ if env is None else env)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the command, after clearing away what a former life left; its output is appended to the log."""
        self.kill()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self.log.parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id; raises NotReady when it was never started."""
        if self._process is None:
            raise NotReady(f"{self.name} was never started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, seconds: float = 15.0) -> int | None:
        """Asks with SIGTERM, insists after *seconds*, clears away what is left of the group; gives the exit code."""
        self._signal(signal.SIGTERM)
        try:
            return None if self._process is None else self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.crash()
        finally:
            self.kill()

    def crash(self) -> int | None:
        """Ends the process, and only it, without a warning: its children must find out by themselves."""
        self._signal(signal.SIGKILL)
        return None if self._process is None else self._process.wait()

    def kill(self) -> int | None:
        """Ends the whole group at once, orphans included."""
        if self._process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def group(self) -> list[int]:
        """The ids of all living processes of its group, its own included; reads /proc."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, _, group = entry.read_text().rpartition(")")[2].split()[:3]
                found += [int(entry.parent.name)] if int(group) == self.pid and state != "Z" else []
        return found

    def words(self, characters: int = TAIL) -> str:
        """The end of the log."""
        return tail(self.log, characters)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> float:
        """Polls *ready* and answers with the seconds it took; raises NotReady when the child ends or time runs out."""
        started = time.monotonic()
        while not ready():
            waited = time.monotonic() - started
            if not self.running:
                raise NotReady(f"{self.name} ended with exit code {self.returncode}; its last words:\n{self.words()}")
            if waited > seconds:
                raise NotReady(f"{self.name} is not ready after {waited:.0f} s; its last words:\n{self.words()}")
            time.sleep(0.05)
        return time.monotonic() - started

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self.pid, number)


def tail(log: Path, characters: int = TAIL) -> str:
    """The last *characters* of a log file; a note when it does not exist."""
    if not log.is_file():
        return f"({log} does not exist)"
    return log.read_text(errors="replace")[-characters:]


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> list[str]:
    """A prefix that has the kernel end the child with us, however we end; nothing where setpriv is missing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
