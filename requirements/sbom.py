"""What a Python environment is made of, as a CycloneDX document: run by the interpreter whose packages are listed."""

import json
import re
import sys
from importlib import metadata
from typing import Any

FORMAT = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}
"""https://cyclonedx.org/docs/1.5/json; without serial number and time: equal environments, equal documents."""

NOT_INSIDE = {"pip", "setuptools"}
"""What installs, and is gone from the image afterwards."""


def document() -> dict[str, Any]:
    """The whole document; packages in the order of their names."""
    packages = sorted(metadata.distributions(), key=lambda package: normal(package.name))
    parts = [component(package) for package in packages if normal(package.name) not in NOT_INSIDE]
    return {**FORMAT, "components": parts}


def component(package: metadata.Distribution) -> dict[str, Any]:
    """One package, its version, its address (https://github.com/package-url/purl-spec), the licence it states."""
    name = normal(package.name)
    told = package.metadata.json
    stated = told.get("license_expression")
    licence = {"licenses": [{"expression": stated}]} if stated else {}
    address = f"pkg:pypi/{name}@{package.version}"
    return {"type": "library", "bom-ref": address, "name": name, "version": package.version, "purl": address, **licence}


def normal(name: str) -> str:
    """A package's name as indexes spell it: lower case, dashes only."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2)
    sys.stdout.write("\n")
