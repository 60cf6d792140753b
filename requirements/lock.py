"""Locks what pyproject.toml asks for: one file of exact versions and hashes for each purpose.

`make lock` keeps the versions already chosen; `make lock UPGRADE=--upgrade` looks for newer ones.
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEADER = "# Exact versions and hashes, written by `make lock` from pyproject.toml: change it there.\n"
PIP_COMPILE = (
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--annotation-style=line",
    "--no-header",
    "--no-emit-options",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
)

# purpose -> (extras, dependency groups). The first holds every other one and is their constraint, so that all agree.
PURPOSES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dev": (("controller", "tracing", "importer"), ("dev",)),
    "test": (("controller", "tracing", "importer"), ("test", "lint")),
    "controller": (("controller", "tracing"), ()),
    "importer": (("importer",), ()),
    "run": ((), ()),
    "build": ((), ("backend",)),
}


def main(upgrade: list[str]) -> None:
    """Write requirements/<purpose>.txt for every purpose."""
    pyproject = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    for purpose, (extras, groups) in PURPOSES.items():
        asked = _asked(pyproject, extras, groups) if purpose != "build" else _group(pyproject, "backend")
        _compile(HERE / f"{purpose}.txt", asked, upgrade if purpose == "dev" else [])


def _asked(pyproject: dict[str, Any], extras: tuple[str, ...], groups: tuple[str, ...]) -> list[str]:
    project = pyproject["project"]
    asked = list(project["dependencies"])
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    for group in groups:
        asked += _group(pyproject, group)
    return asked


def _group(pyproject: dict[str, Any], name: str) -> list[str]:
    asked: list[str] = []
    for entry in pyproject["dependency-groups"][name]:
        asked += [entry] if isinstance(entry, str) else _group(pyproject, entry["include-group"])
    return asked


def _compile(target: Path, asked: list[str], options: list[str]) -> None:
    constraint = [] if target.stem == "dev" else ["--constraint", str(HERE / "dev.txt")]
    command = [sys.executable, "-m", "piptools", "compile", *PIP_COMPILE, *options, *constraint]
    command += ["--output-file", str(target), "-"]
    subprocess.run(command, input="\n".join(asked), text=True, check=True)
    target.write_text(tidy(target.read_text()))


def tidy(locked: str) -> str:
    """The same lock, headed by where it comes from and free of the paths of the machine that wrote it."""
    lines = [line for line in locked.splitlines(keepends=True) if not line.startswith("#")]
    text = "".join(lines).replace(f"-c {HERE / 'dev.txt'}, ", "").replace("-r -", "pyproject.toml")
    return HEADER + text


if __name__ == "__main__":
    main(sys.argv[1:])
