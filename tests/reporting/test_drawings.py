"""The frontier as a picture: the same scene as SVG and as PNG, and a page that fetches nothing."""

import dataclasses
import re
import struct
import zlib
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray

from dgdr_operator.report import lettering, page, pareto, png, svg
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.scene import Scene, Stroke, Word
from estimator.estimates import Outcome

RED, BLACK = "#ff0000", "#000000"


def _pixels(file: bytes) -> NDArray[np.uint8]:
    """The image in a PNG file of ours, read by the specification and not by our own code."""
    assert file.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(file):
        size, kind = struct.unpack(">I4s", file[at : at + 8])
        body = file[at + 8 : at + 8 + size]
        assert struct.unpack(">I", file[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    width, height, bits, colors = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (bits, colors, list(chunks)) == (8, 2, [b"IHDR", b"IDAT", b"IEND"])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def _scene(*strokes: Stroke, words: tuple[Word, ...] = ()) -> Scene:
    return Scene(width=40, height=30, strokes=strokes, words=words)


def test_a_dot_is_a_disc_of_its_colour_and_nothing_else() -> None:
    image = _pixels(png.draw(_scene(Stroke(points=((20, 15),), width=10, color=RED))))

    down, across = np.mgrid[:30, :40] + 0.5
    distance = np.hypot(across - 20, down - 15)
    assert (image[distance < 4] == (255, 0, 0)).all()
    assert (image[distance > 6] == 255).all()


def test_a_line_reaches_from_end_to_end_and_bends_at_its_corners() -> None:
    image = _pixels(png.draw(_scene(Stroke(points=((5, 5), (35, 5), (35, 25)), width=3, color=BLACK))))

    assert not image[5, 5:35].any()
    assert not image[5:25, 35].any()
    assert (image[10:, :30] == 255).all()


def test_what_lies_off_the_sheet_is_cut_off() -> None:
    image = _pixels(png.draw(_scene(Stroke(points=((-50, 10), (90, 10)), width=2, color=BLACK))))

    assert image.shape == (30, 40, 3)
    assert not image[10].any()


@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
def test_words_stand_where_they_are_anchored(anchor: str) -> None:
    word = Word(text="2p+1d (tp4)", at=(100.0, 50.0), size=12, color=BLACK, anchor=anchor)  # type: ignore[arg-type]  # one of three
    across = [x for stroke in lettering.strokes(word) for x, _ in stroke.points]
    width = lettering.width(word.text, word.size)
    left = {"start": 100.0, "middle": 100 - width / 2, "end": 100 - width}[anchor]

    assert left <= min(across)
    assert max(across) <= left + width + 1e-9


def test_every_character_of_the_charts_words_can_be_drawn(asked: Asked, outcome: Outcome) -> None:
    words = page.scene(asked, outcome).words

    drawn = {word.text: [s for s in lettering.strokes(word) if s.points] for word in words}
    for text, strokes in drawn.items():
        assert len(strokes) >= len(text.replace(" ", "")), text


def test_letters_differ() -> None:
    characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:-_+/()=%<>"
    shapes = [
        tuple(stroke.points for stroke in lettering.strokes(Word(text=one, at=(0, 0), size=6, color=BLACK)))
        for one in characters
    ]

    assert all(shapes)
    assert len(set(shapes)) == len(characters) - 1  # a zero and a capital O are the same drawing


def test_the_picture_is_well_formed_and_shows_every_plan(asked: Asked, outcome: Outcome) -> None:
    drawing = svg.draw(page.scene(asked, outcome))
    root = ET.fromstring(drawing)  # noqa: S314 -- our own text

    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {title.split(":")[0] for title in titles if title} >= {"agg tp2 x4", "agg tp4 x2", "agg tp8 x1"}


def test_svg_and_png_are_of_one_size_and_the_same_twice(asked: Asked, outcome: Outcome) -> None:
    scene = page.scene(asked, outcome)

    image = _pixels(png.draw(scene))

    assert image.shape == (pareto.HEIGHT, pareto.WIDTH, 3)
    assert f'viewBox="0 0 {pareto.WIDTH} {pareto.HEIGHT}"' in svg.draw(scene)
    assert png.draw(scene) == png.draw(page.scene(asked, outcome))


def test_the_plan_is_marked_in_the_picture(asked: Asked, outcome: Outcome) -> None:
    with_plan = _pixels(png.draw(page.scene(asked, outcome)))
    without = pareto.scene(outcome.frontier, None, asked.targets.itl, "")

    red = (with_plan == (0xD6, 0x45, 0x45)).all(axis=2)
    assert red.sum() > (_pixels(png.draw(without)) == (0xD6, 0x45, 0x45)).all(axis=2).sum() + 50


def test_a_chart_of_nothing_is_an_empty_frame() -> None:
    assert _pixels(png.draw(pareto.scene((), None, None, "nothing"))).shape == (pareto.HEIGHT, pareto.WIDTH, 3)


class _Page(HTMLParser):
    """Which elements a page opens and closes, what it fetches, what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "action"}]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def _read(text: str) -> _Page:
    found = _Page()
    found.feed(text)
    return found


def test_the_page_fetches_nothing_and_runs_nothing(asked: Asked, outcome: Outcome) -> None:
    text = page.html(asked, outcome)
    read = _read(text)

    assert read.fetched == []
    assert not {"script", "link", "img", "iframe"} & set(read.tags)
    assert not re.search(r"url\(|@import", text)


def test_the_page_says_what_the_terminal_says(asked: Asked, outcome: Outcome) -> None:
    said = " ".join(_read(page.html(asked, outcome)).text.split())

    for words in ("4000 tokens in, 500 out", "TTFT ≤ 600 ms", "Aggregated", "Disaggregated", "a note of the search"):
        assert words in said


def test_names_from_outside_are_escaped(asked: Asked, outcome: Outcome) -> None:
    evil = dataclasses.replace(asked, notes=("<script>alert(1)</script>",))

    assert "<script>" not in page.html(evil, outcome)
