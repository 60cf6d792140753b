"""Times between and beyond measured points; vectorised, and never silently outside the measured hull.

Every function returns `(seconds, provenance)` of the shape of its query. An exact hit keeps the class of its row, a blend of
rows is INTERPOLATED or the worst class among its rows, and anything beyond the rows is EXTRAPOLATED by holding the
utilisation (speed of light / time) of the nearest row. Latency itself is never extrapolated linearly.
"""

from collections.abc import Callable

from perf_db.table import ClassArray, FloatArray, Grid

Priced = tuple[FloatArray, ClassArray]
LineLight = Callable[[FloatArray], FloatArray]
"""x -> seconds at the speed of light."""
GemmLight = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""(n, k, m) -> seconds at the speed of light."""
AttentionLight = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]
"""(query heads, key-value heads, batch, tokens) -> seconds at the speed of light."""
SurfaceLight = Callable[..., FloatArray]
"""One array per axis of the grid -> seconds at the speed of light; arrays broadcast."""


def along(curve: Grid, x: FloatArray, sol: LineLight) -> Priced:
    """Piecewise linear along the only axis of *curve*; beyond it the utilisation of the edge is held.

    Above the last point the utilisation is the median of the last three points, below the first it is the first one's.
    Shapes: *x* any. Raises EmptyGrid if *curve* has no measured point.
    """
    raise NotImplementedError


def collective(curve: Grid, size: FloatArray) -> Priced:
    """Linear in message size; above the last point time grows with size, below the first it stays (a launch does not shrink)."""
    raise NotImplementedError


def gemm(grid: Grid, n: float, k: float, m: FloatArray, sol: GemmLight) -> Priced:
    """One (n, k) site over a vector of token counts *m*: nested linear over a grid with axes ("n", "k", "m").

    Beyond the sites (a vocabulary head) the edge site's utilisation is held; a missing corner is replaced by the utilisation of
    its nearest sites. Returns arrays of the shape of *m*.
    """
    raise NotImplementedError


def surface(grid: Grid, at: tuple[FloatArray, ...], sol: SurfaceLight, *, square_root: str | None = None) -> Priced:
    """Multilinear over any grid, one query array per axis (they broadcast); axis *square_root* is linear in sqrt(time).

    Holes keep the utilisation of the nearest measured cell and are EXTRAPOLATED, like everything beyond the axes.
    """
    raise NotImplementedError


def context_attention(
    grid: Grid, heads: tuple[float, float], batch: FloatArray, isl: FloatArray, sol: AttentionLight
) -> Priced:
    """Prefill attention over axes ("num_key_value_heads", "num_heads", "batch_size", "isl"); *heads* = (query, key-value).

    Linear in batch and heads, linear in sqrt(time) along isl. Multi-head rows (query = key-value) interpolate along the diagonal.
    A key-value head count without rows takes the nearest lower one, corrected by the ratio of speeds of light.
    """
    raise NotImplementedError


def decode_attention(
    grid: Grid, heads: tuple[float, float], batch: FloatArray, context: FloatArray, sol: AttentionLight
) -> Priced:
    """Decode attention over axes ("num_key_value_heads", "num_heads", "batch_size", "context"): linear in each.

    Head counts as in `context_attention`.
    """
    raise NotImplementedError
