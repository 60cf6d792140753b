"""The chart's own rendering, for tests that want exactly its rights, its arguments or its policies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from e2e import helm
from e2e.cluster import HOME, OURS
from e2e.controlplane.build import BuildError

FOLDER = Path(__file__).resolve().parents[1] / "charts" / "dgdr-operator"
RELEASE = "e2e"
LEASE = f"{HOME}/{RELEASE}-dgdr-operator"
"""The Lease that the replicas of this release share."""

Object = dict[str, Any]


def rendered(*arguments: str, **values: object) -> list[Object]:
    """The objects of a release in the tests' namespace; *values* by top-level key. Raises BuildError."""
    told = {"commonLabels": {OURS: "true"}, "tests": {"enabled": False}, **values}
    chosen = [f"--set-json={key}={json.dumps(value)}" for key, value in told.items()]
    command = [helm.program(), "template", RELEASE, str(FOLDER), "--namespace", HOME, *chosen, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"the chart does not render: {done.stderr.strip()}")
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def rights(account: str, **values: object) -> list[Object]:
    """The roles and bindings that the chart gives to the service account *account* of the tests' own namespace."""
    existing = {"create": False, "name": account}
    return rendered("--show-only=templates/rbac.yaml", serviceAccount=existing, **values)


def of_kind(objects: list[Object], kind: str) -> Object:
    """The one object of *kind*."""
    (found,) = (body for body in objects if body["kind"] == kind)
    return found
