"""Times between and beyond measured points; vectorised, and never silently outside the measured hull.

Every function returns `(seconds, provenance)` of the shape of its query. An exact hit keeps the class of its row, a
blend of rows is INTERPOLATED or the worst class among its rows, and anything beyond the rows is EXTRAPOLATED by holding
the utilisation (speed of light / time) of the nearest row. Latency itself is never extrapolated linearly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perf_db.errors import EmptyGrid
from perf_db.provenance import Provenance
from perf_db.table import ClassArray, FloatArray, Grid

Priced = tuple[FloatArray, ClassArray]
LineLight = Callable[[FloatArray], FloatArray]
"""x -> seconds at the speed of light."""
GemmLight = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""(n, k, m) -> seconds at the speed of light; the arrays broadcast."""
AttentionLight = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]
"""(query heads, key-value heads, batch, tokens) -> seconds at the speed of light; the arrays broadcast."""
SurfaceLight = Callable[..., FloatArray]
"""One array per axis of the grid -> seconds at the speed of light; the arrays broadcast."""

_EDGE_POINTS = 3  # utilisation still drifts at the end of a curve; the median of three is less noisy than the last
_INTERPOLATED = np.uint8(Provenance.INTERPOLATED)
_EXTRAPOLATED = np.uint8(Provenance.EXTRAPOLATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between:
    """Where queries lie on an axis: neighbours *low* and *high*, the *share* of high, which queries are *outside*."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    share: FloatArray
    outside: NDArray[np.bool_]


def along(curve: Grid, x: FloatArray, sol: LineLight) -> Priced:
    """Piecewise linear along the only axis of *curve*; beyond it the utilisation of the edge is held.

    Above the last point the utilisation is the median of the last three points, though never so high that time would
    fall; below the first it is the first one's. Shapes: *x* any. Raises EmptyGrid if *curve* has no measured point.
    """
    axis, times, classes = _measured(curve)
    place = _between(axis, x)
    seconds, provenance = _line(times, classes, place)
    below, above = x < axis[0], x > axis[-1]
    if below.any():
        seconds[below] = times[0] * sol(x[below]) / sol(axis[:1])
    if above.any():
        edge = sol(axis[-_EDGE_POINTS:]) / times[-_EDGE_POINTS:]
        seconds[above] = np.maximum(times[-1], sol(x[above]) / np.median(edge))
    return seconds, _worst(provenance, place.outside)


def collective(curve: Grid, size: FloatArray) -> Priced:
    """Linear in message size; beyond the last point time grows with size, before the first it stays.

    A large message is limited by its bytes, a small one by its launch, so the edges are held in those two senses.
    Shapes: *size* any. Raises EmptyGrid.
    """
    axis, times, classes = _measured(curve)
    place = _between(axis, size)
    seconds, provenance = _line(times, classes, place)
    return seconds * np.maximum(1.0, size / axis[-1]), _worst(provenance, place.outside)


def gemm(grid: Grid, n: float, k: float, m: FloatArray, sol: GemmLight) -> Priced:
    """One (n, k) site over token counts *m*: nested linear over a grid with axes ("n", "k", "m").

    Beyond the sites (a vocabulary head) the edge site's utilisation is held; a hole has that of its nearest site.
    Returns arrays of the shape of *m*. Raises EmptyGrid.
    """
    n_axis, k_axis, _ = grid.axes
    site = np.array([n, k], dtype=np.float64)
    held = np.array([np.clip(n, n_axis[0], n_axis[-1]), np.clip(k, k_axis[0], k_axis[-1])])
    whole = _complete_around(grid, held, sol)
    curve = _site_curve(whole, held)
    seconds, provenance = along(curve, m, lambda tokens: sol(held[:1], held[1:], tokens))
    if (site == held).all():
        return seconds, provenance
    scaled = seconds * sol(site[:1], site[1:], m) / sol(held[:1], held[1:], m)
    return scaled, _worst(provenance, np.ones(m.shape, dtype=bool))


def surface(grid: Grid, at: tuple[FloatArray, ...], sol: SurfaceLight, *, square_root: str | None = None) -> Priced:
    """Multilinear over any grid, one broadcasting query per axis; axis *square_root* is linear in sqrt(time).

    Holes keep the utilisation of the nearest measured cell and are EXTRAPOLATED, like everything beyond the axes.
    Raises EmptyGrid.
    """
    whole = complete(grid, sol)
    queries = np.broadcast_arrays(*(np.asarray(query, dtype=np.float64) for query in at))
    places = [_between(axis, query) for axis, query in zip(whole.axes, queries, strict=True)]
    powers = [0.5 if name == square_root else 1.0 for name in whole.names]
    seconds, provenance = _blend(whole, places, powers, ())
    outside = np.logical_or.reduce([place.outside for place in places])
    if outside.any():
        inside = [np.clip(query, axis[0], axis[-1]) for axis, query in zip(whole.axes, queries, strict=True)]
        ratio = sol(*(query[outside] for query in queries)) / sol(*(query[outside] for query in inside))
        seconds[outside] *= ratio
    return seconds, _worst(provenance, outside)


def complete(grid: Grid, sol: SurfaceLight) -> Grid:
    """The same grid without holes: a hole has the utilisation of its nearest smaller cell.

    Utilisation grows with size, so where two axes offer a smaller cell the better utilised one is closer to the truth.
    Filled cells are EXTRAPOLATED. Raises EmptyGrid if nothing was measured.
    """
    hole = np.isnan(grid.seconds)
    if not hole.any():
        return grid
    if hole.all():
        raise EmptyGrid(grid.names)
    light = np.broadcast_to(sol(*np.meshgrid(*grid.axes, indexing="ij", sparse=True)), grid.seconds.shape)
    slowness, classes = _carry_least(grid.seconds / light, grid.provenance)
    for axis in reversed(range(slowness.ndim)):
        slowness, classes = _carry(slowness, classes, axis, backwards=True)
    seconds = np.where(hole, slowness * light, grid.seconds)
    return Grid(names=grid.names, axes=grid.axes, seconds=seconds, provenance=_worst(classes, hole))


def context_attention(
    grid: Grid, heads: tuple[float, float], batch: FloatArray, isl: FloatArray, sol: AttentionLight
) -> Priced:
    """Prefill attention over ("num_key_value_heads", "num_heads", "batch_size", "isl"); *heads*: (query, key-value)

    Linear in batch and heads, linear in sqrt(time) along isl. Multi-head rows (query = key-value) interpolate along
    the diagonal. A key-value head count without rows takes the nearest lower one, scaled by the speeds of light.
    Raises EmptyGrid.
    """
    return _attention(grid, heads, (batch, isl), sol, "isl")


def decode_attention(
    grid: Grid, heads: tuple[float, float], batch: FloatArray, context: FloatArray, sol: AttentionLight
) -> Priced:
    """Decode attention over axes ("num_key_value_heads", "num_heads", "batch_size", "context"): linear in each.

    Head counts as in `context_attention`. Raises EmptyGrid.
    """
    return _attention(grid, heads, (batch, context), sol, None)


def _attention(
    grid: Grid,
    heads: tuple[float, float],
    at: tuple[FloatArray, FloatArray],
    sol: AttentionLight,
    square_root: str | None,
) -> Priced:
    query, key_value = (np.asarray(count, dtype=np.float64) for count in heads)
    if query == key_value:
        plane = _diagonal(grid)
        return surface(plane, (query, *at), lambda n, b, s: sol(n, n, b, s), square_root=square_root)
    measured = np.asarray(_nearest_lower(grid, float(key_value)))
    plane = _plane(grid, float(measured))
    found = surface(plane, (query, *at), lambda n, b, s: sol(n, measured, b, s), square_root=square_root)
    if measured == key_value:
        return found
    ratio = sol(query, key_value, *at) / sol(query, measured, *at)
    return found[0] * ratio, np.maximum(found[1], _EXTRAPOLATED)


def _nearest_lower(grid: Grid, key_value: float) -> float:
    measured = grid.axes[0][~np.isnan(grid.seconds).all(axis=(1, 2, 3))]
    if not len(measured):
        raise EmptyGrid(grid.names)
    lower = measured[measured <= key_value]
    return float(lower[-1] if len(lower) else measured[0])


def _plane(grid: Grid, key_value: float) -> Grid:
    """The block of one key-value head count, over the query head counts that were measured with it."""
    row = int(np.searchsorted(grid.axes[0], key_value))
    kept = ~np.isnan(grid.seconds[row]).all(axis=(1, 2))
    return Grid(
        names=grid.names[1:],
        axes=(grid.axes[1][kept], *grid.axes[2:]),
        seconds=grid.seconds[row][kept],
        provenance=grid.provenance[row][kept],
    )


def _diagonal(grid: Grid) -> Grid:
    """The multi-head block: as many key-value heads as query heads."""
    counts, rows, columns = np.intersect1d(grid.axes[0], grid.axes[1], return_indices=True)
    seconds = grid.seconds[rows, columns]
    kept = ~np.isnan(seconds).all(axis=(1, 2))
    if not kept.any():
        raise EmptyGrid(grid.names)
    return Grid(
        names=grid.names[1:],
        axes=(counts[kept], *grid.axes[2:]),
        seconds=seconds[kept],
        provenance=grid.provenance[rows, columns][kept],
    )


def _measured(curve: Grid) -> tuple[FloatArray, FloatArray, ClassArray]:
    known = ~np.isnan(curve.seconds)
    if not known.any():
        raise EmptyGrid(curve.names)
    return curve.axes[0][known], curve.seconds[known], curve.provenance[known]


def _between(axis: FloatArray, x: FloatArray) -> _Between:
    low = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 1)
    high = np.minimum(low + 1, len(axis) - 1)
    width = np.where(high > low, axis[high] - axis[low], 1.0)
    share = np.clip((x - axis[low]) / width, 0.0, 1.0)
    return _Between(low=low, high=high, share=share, outside=(x < axis[0]) | (x > axis[-1]))


def _line(times: FloatArray, classes: ClassArray, place: _Between) -> Priced:
    seconds = times[place.low] * (1.0 - place.share) + times[place.high] * place.share
    return seconds, _class_of(classes[place.low], classes[place.high], place.share)


def _class_of(low: ClassArray, high: ClassArray, share: FloatArray) -> ClassArray:
    """The class of a blend: of the one row that counts, else the worst of both and at best INTERPOLATED."""
    blended = np.maximum(np.maximum(low, high), _INTERPOLATED)
    return np.where(share <= 0.0, low, np.where(share >= 1.0, high, blended))


def _worst(provenance: ClassArray, outside: NDArray[np.bool_]) -> ClassArray:
    return np.where(outside, np.maximum(provenance, _EXTRAPOLATED), provenance)


def _site_curve(grid: Grid, site: FloatArray) -> Grid:
    """The token curve of one site inside the hull: its four neighbours, blended."""
    places = [_between(axis, np.asarray(value)) for axis, value in zip(grid.axes[:2], site, strict=True)]
    seconds, provenance = _blend(grid, places, [1.0, 1.0], ())
    return Grid(names=grid.names[2:], axes=grid.axes[2:], seconds=seconds, provenance=provenance)


def _complete_around(grid: Grid, site: FloatArray, sol: GemmLight) -> Grid:
    """*grid*, completed only if one of the site's neighbours has a hole."""
    spans = []
    for axis, value in zip(grid.axes[:2], site, strict=True):
        place = _between(axis, np.asarray(value))
        spans.append(slice(int(place.low), int(place.high) + 1))
    return complete(grid, sol) if np.isnan(grid.seconds[tuple(spans)]).any() else grid


def _blend(grid: Grid, places: list[_Between], powers: list[float], corner: tuple[NDArray[np.intp], ...]) -> Priced:
    """Nested blends, the first axis outermost; each is linear in time ** power."""
    depth = len(corner)
    if depth == len(places):
        return grid.seconds[corner], grid.provenance[corner]
    place, power = places[depth], powers[depth]
    low, low_class = _blend(grid, places, powers, (*corner, place.low))
    high, high_class = _blend(grid, places, powers, (*corner, place.high))
    share = place.share.reshape(place.share.shape + (1,) * (low.ndim - place.share.ndim))
    seconds = (low**power * (1.0 - share) + high**power * share) ** (1.0 / power)
    return seconds, _class_of(low_class, high_class, share)


def _carry_least(slowness: FloatArray, classes: ClassArray) -> Priced:
    """Fill holes from smaller sizes, the least slow neighbour of all axes, until nothing moves any more."""
    for _ in range(slowness.ndim):
        best, known = np.where(np.isnan(slowness), np.inf, slowness), classes
        for axis in range(slowness.ndim):
            carried, carried_classes = _carry(slowness, classes, axis, backwards=False)
            better = np.isnan(slowness) & (np.nan_to_num(carried, nan=np.inf) < best)
            best = np.where(better, carried, best)
            known = np.where(better, carried_classes, known)
        slowness, classes = np.where(np.isinf(best), np.nan, best), known
    return slowness, classes


def _carry(slowness: FloatArray, classes: ClassArray, axis: int, *, backwards: bool) -> Priced:
    """Copy the last known value over the holes that follow it along *axis*."""
    if backwards:
        slowness, classes = np.flip(slowness, axis), np.flip(classes, axis)
    shape = [1] * slowness.ndim
    shape[axis] = -1
    order = np.arange(slowness.shape[axis]).reshape(shape)
    last = np.maximum.accumulate(np.where(np.isnan(slowness), 0, order), axis=axis)
    carried = np.take_along_axis(slowness, last, axis), np.take_along_axis(classes, last, axis)
    return (np.flip(carried[0], axis), np.flip(carried[1], axis)) if backwards else carried
