"""The project speaks of itself alone: no path of one machine, no address of a package registry."""

import re

import pytest

from tests.house.ground import House

# /root/x may be a path in a pod, and /home/kubernetes is one on the nodes of a cloud.
MACHINE = re.compile(r"(?<![\w.)}$/-])/(?:(?:tmp|work|home)/(?!kubernetes/)[\w.-]|root/\.)")
REGISTRY = re.compile(r"\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io|com)\b|\b(?:proxy|sum)\.golang\.org\b")
OURSELVES = "tests/house/test_no_strangers.py"


def test_no_file_knows_the_machine_it_was_written_on(house: House) -> None:
    found = _lines(house, MACHINE)

    assert not found, "paths of one machine:\n" + "\n".join(found)


def test_no_file_names_a_package_registry(house: House) -> None:
    found = _lines(house, REGISTRY)

    assert not found, "addresses of package registries:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["cd /work/main", "log = '/tmp/x'", "(/root/.cache)", "PATH=/home/me/bin"])
def test_a_path_of_one_machine_is_caught(line: str) -> None:
    assert MACHINE.search(line)


@pytest.mark.parametrize(
    "line", ["home/page", "$root/tmp/x", "https://example.org/work/x", "/opt/work/x", 'refuse "/root/"']
)
def test_other_paths_are_left_alone(line: str) -> None:
    assert not MACHINE.search(line)


def _lines(house: House, pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in house.files():
        name = house.name(path)
        if name == OURSELVES or not (text := _text(path.read_bytes())):
            continue
        found += [f"{name}:{n}: {line}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def _text(content: bytes) -> str:
    """The text of a file, or nothing where it is not text."""
    return "" if b"\0" in content[:4096] else content.decode(errors="replace")
