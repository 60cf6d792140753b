"""The user's own kubectl: objects, logs and differences, and annotations, with the user's context and rights."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from dgdr_operator.cli.options import UsageError

_PATIENCE = 60
"""Seconds after which a call is given up."""

_LINES = 20_000
"""Lines of a log from its end; a worker says what network it uses when it starts."""

_SILENCE = ("was refused", "Unable to connect", "no such host", "i/o timeout", "no route to host", "deadline exceeded")
"""What kubectl says when nobody answers."""

_ABSENCE = "not found"
"""What it says of an object that is not there."""


class Refused(Exception):
    """The cluster did not give what was asked for; the message is kubectl's."""


class Missing(Refused):
    """There is no such object."""


class Unreachable(Refused):
    """No cluster answered."""


def objects(*words: str) -> list[Mapping[str, Any]]:
    """What `kubectl get` *words* finds. Raises Refused when the cluster says no, UsageError without kubectl."""
    found = json.loads(run("get", *words, "-o", "json") or "{}")
    items = found.get("items", [found] if found else [])
    return [one for one in items if isinstance(one, Mapping)]


def names(*words: str) -> list[str]:
    """The names that `kubectl get` *words* prints as a table: contents, of Secrets say, are never fetched."""
    return [line.split()[0] for line in run("get", *words, "--no-headers").splitlines() if line.strip()]


def log(pod: str, *words: str) -> str:
    """The end of the log of *pod*."""
    return run("logs", pod, f"--tail={_LINES}", *words)


def difference(manifest: str, *words: str) -> str:
    """What applying *manifest* as the controller does would change, as `kubectl diff` prints it; "" for nothing."""
    applied = ("--server-side", "--force-conflicts", "--field-manager=dgdr-operator", "-f", "-")
    return run("diff", *applied, *words, told=manifest, differs=1)


def run(*words: str, told: str | None = None, differs: int = 0) -> str:
    """What kubectl *words* prints; told: its standard input; differs: the exit code, besides 0, that is no failure.

    Raises Unreachable when no cluster answers, Missing when it has no such object, Refused when it says no otherwise,
    UsageError without kubectl.
    """
    try:
        done = subprocess.run(  # noqa: S603 -- kubectl, with words and never through a shell
            ["kubectl", *words],  # noqa: S607 -- the user's own, found on the user's path
            capture_output=True,
            input=told,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except FileNotFoundError:
        raise UsageError("kubectl is not on the path: give files with --pods, --nodes, --logs instead") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"kubectl {words[0]} did not answer within {_PATIENCE} seconds: is the cluster there?"
        ) from None
    if done.returncode not in (0, differs) or (done.returncode and not done.stdout):
        said = " ".join(done.stderr.split()) or f"kubectl {words[0]} ended with {done.returncode}"
        raise _refusal(said)
    return done.stdout


def _refusal(said: str) -> Refused:
    if any(sign in said for sign in _SILENCE):
        return Unreachable(said)
    return Missing(said) if _ABSENCE in said.lower() else Refused(said)
