"""The user's own kubectl: asks it for objects and logs, with the user's context and rights."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from dgdr_operator.cli.options import UsageError

_PATIENCE = 60
"""Seconds after which a call is given up."""

_LINES = 20_000
"""Lines of a log from its end; a worker says what network it uses when it starts."""


class Refused(Exception):
    """The cluster did not give what was asked for; the message is kubectl's."""


def objects(*words: str) -> list[Mapping[str, Any]]:
    """What `kubectl get` *words* finds. Raises Refused when the cluster says no, UsageError without kubectl."""
    found = json.loads(_run("get", *words, "-o", "json") or "{}")
    items = found.get("items", [found] if found else [])
    return [one for one in items if isinstance(one, Mapping)]


def names(*words: str) -> list[str]:
    """The names that `kubectl get` *words* prints as a table: contents, of Secrets say, are never fetched."""
    return [line.split()[0] for line in _run("get", *words, "--no-headers").splitlines() if line.strip()]


def log(pod: str, *words: str) -> str:
    """The end of the log of *pod*."""
    return _run("logs", pod, f"--tail={_LINES}", *words)


def _run(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 -- kubectl, with words and never through a shell
            ["kubectl", *words],  # noqa: S607 -- the user's own, found on the user's path
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except FileNotFoundError:
        raise UsageError("kubectl is not on the path: give files with --pods, --nodes, --logs instead") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"kubectl {words[0]} did not answer within {_PATIENCE} seconds: is the cluster there?"
        ) from None
    if done.returncode:
        raise Refused(" ".join(done.stderr.split()) or f"kubectl {words[0]} ended with {done.returncode}")
    return done.stdout
