"""A scene as a PNG image, drawn here so that a picture needs no plotting library."""

import struct
import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dgdr_operator.report import lettering
from dgdr_operator.report.scene import Point, Scene, Stroke

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLORS, _BITS = 2, 8
"""Red, green and blue, eight bits each (PNG specification, IHDR)."""

_SOFT = 0.5
"""Pixels over which an edge fades: half on either side."""

Image = NDArray[np.float64]


def draw(scene: Scene) -> bytes:
    """The drawing as a PNG file; equal scenes give equal bytes."""
    image = np.full((scene.height, scene.width, 3), 255.0)
    letters = [stroke for word in scene.words for stroke in lettering.strokes(word)]
    for stroke in (*scene.strokes, *letters):
        _ink(image, stroke)
    return _file(np.rint(image).astype(np.uint8))


def _ink(image: Image, stroke: Stroke) -> None:
    """Blend *stroke* into *image*: a pixel is covered by how near its centre is to the line."""
    reach = stroke.width / 2 + _SOFT
    columns = _span([x for x, _ in stroke.points], reach, image.shape[1])
    rows = _span([y for _, y in stroke.points], reach, image.shape[0])
    down, across = np.mgrid[rows, columns].astype(float) + 0.5
    distance = np.full(down.shape, np.inf)
    for start, end in pairwise((*stroke.points, stroke.points[-1])):
        distance = np.minimum(distance, _distance(across, down, start, end))
    cover = np.clip(reach - distance, 0, 1)[..., None]
    color = np.array([int(stroke.color[at : at + 2], 16) for at in (1, 3, 5)], float)
    image[rows, columns] = image[rows, columns] * (1 - cover) + color * cover


def _span(values: list[float], reach: float, limit: int) -> slice:
    low, high = min(values) - reach - 1, max(values) + reach + 1
    return slice(min(max(int(low), 0), limit), min(max(int(high) + 1, 0), limit))


def _distance(across: Image, down: Image, start: Point, end: Point) -> Image:
    """From every pixel to the nearest place on the line between two points."""
    run, rise = end[0] - start[0], end[1] - start[1]
    square = run * run + rise * rise
    share = 0.0 if square == 0 else np.clip(((across - start[0]) * run + (down - start[1]) * rise) / square, 0, 1)
    return np.hypot(across - start[0] - share * run, down - start[1] - share * rise)


def _file(pixels: NDArray[np.uint8]) -> bytes:
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BITS, _COLORS, 0, 0, 0)
    # Every row begins with the number of its filter; none is used.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    body = zlib.compress(rows.tobytes(), level=9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
