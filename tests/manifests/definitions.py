"""The schemas that graphs and requests are held against: upstream's where they are at hand, our own otherwise."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
UPSTREAM = ROOT.parent / "shared" / "upstream-crds"

_OWN = {
    "dynamographdeployments": ROOT / "e2e" / "crds" / "dynamographdeployments.yaml",
    "dynamographdeploymentrequests": ROOT / "crds" / "dynamographdeploymentrequests.nvidia.com.yaml",
}


@cache
def schemas(kind: str, *, own: bool = False) -> dict[str, dict[str, Any]]:
    """Schema by version of *kind* (plural); *own*: ours even where upstream's is at hand."""
    upstream = UPSTREAM / f"nvidia.com_{kind}.yaml"
    path = upstream if upstream.is_file() and not own else _OWN[kind]
    definition = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {version["name"]: version["schema"]["openAPIV3Schema"] for version in definition["spec"]["versions"]}
