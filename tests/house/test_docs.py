"""What the documents say about the house is compared with the house."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.ground import House

LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
ROOM = re.compile(r"(\| )?(\w+) +\S")
Floors = list[set[str]]


@pytest.fixture(scope="module")
def contracts(root: Path) -> list[dict[str, Any]]:
    """The contracts between rooms that pyproject.toml lays down."""
    return list(tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"])


@pytest.fixture(scope="module")
def architecture(root: Path) -> str:
    """The page that draws the house."""
    return (root / "docs" / "architecture.md").read_text()


def test_every_link_between_our_documents_leads_somewhere(house: House) -> None:
    broken = [
        f"{house.name(page)} -> {target}"
        for page in house.files()
        if page.suffix == ".md"
        for target in LINK.findall(_prose(page.read_text()))
        if not _leads_somewhere(page, target)
    ]

    assert not broken, f"links to nowhere: {', '.join(broken)}"


def test_the_architecture_names_every_contract(architecture: str, contracts: list[dict[str, Any]]) -> None:
    unnamed = [contract["name"] for contract in contracts if contract["name"] not in architecture]

    assert not unnamed, f"docs/architecture.md does not mention {unnamed}"


def test_the_drawings_show_the_floors_of_the_contracts(architecture: str, contracts: list[dict[str, Any]]) -> None:
    drawn = _drawings(architecture)

    for contract in contracts:
        if contract["type"] == "layers":
            name = contract["name"]
            assert drawn.get(name) == _floors(contract), f"docs/architecture.md draws another house under {name!r}"


def test_every_drawn_room_exists(root: Path, contracts: list[dict[str, Any]]) -> None:
    for contract in contracts:
        for container in contract.get("containers", []):
            folder = root / ("operator" if container.startswith("dgdr_operator") else ".") / container.replace(".", "/")
            rooms = set[str]().union(*_floors(contract))
            missing = {room for room in rooms if not (folder / room).is_dir() and not (folder / f"{room}.py").is_file()}
            assert not missing, f"{contract['name']!r} speaks of rooms that are not there: {missing}"


def _floors(contract: dict[str, Any]) -> Floors:
    return [{room.strip(" ()") for room in floor.split("|")} for floor in contract["layers"]]


def _drawings(page: str) -> dict[str, Floors]:
    """Heading -> the floors in the drawing right below it."""
    drawings: dict[str, Floors] = {}
    for heading, block in re.findall(r"^### ([^\n]+)\n\n```\n(.*?)```", page, re.MULTILINE | re.DOTALL):
        floors = drawings.setdefault(heading, [])
        for line in block.splitlines():
            room = ROOM.match(line)
            assert room, f"under {heading!r}: a line of a drawing is a room and what it is for, not {line!r}"
            if room[1]:
                floors[-1].add(room[2])
            else:
                floors.append({room[2]})
    return drawings


def _prose(text: str) -> str:
    """The page without its code: brackets and parentheses there are not links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def _leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return True
    return (page.parent / target.partition("#")[0]).exists()
