"""How trailing windows are computed: in blocks of rows small enough for the cache, one vectorised call a step.

Where one row is asked for (a new date), the window is reduced at once; both ways add oldest to newest, so that each
result depends on the rows of its own window only and a new row gives the same bits as a whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

type Panel = NDArray[np.float64]

BLOCK_CELLS = 16_384


def _blocks(rows: int, columns: int, cells: int) -> Iterator[tuple[int, int]]:
    step = max(1, cells // max(columns, 1))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def finite_or_nan(x: Panel) -> Panel:
    """The panel itself, its infinities turned to NaN."""
    x[~np.isfinite(x)] = np.nan
    return x


def by_block(
    window: int, panels: tuple[Panel, ...], row_block: Callable[..., Panel], *, cells: int = BLOCK_CELLS
) -> Panel:
    """`row_block(*slices)` sees the rows of one block plus the window - 1 rows before it, for every panel.

    A block has `cells` cells, or one row where that is more.
    """
    out = np.empty((max(panels[0].shape[0] - window + 1, 0), panels[0].shape[1]))
    with np.errstate(all="ignore"):
        for start, stop in _blocks(out.shape[0], out.shape[1], cells):
            out[start:stop] = row_block(*(panel[start : stop + window - 1] for panel in panels))
        return finite_or_nan(out)


def reduce_rows(operation: np.ufunc, x: Panel) -> Panel:
    """Reduce all rows to one, strictly in order: NumPy would pair up the terms of a single column."""
    if x.shape[1] == 1:
        return np.asarray(operation.accumulate(x, axis=0)[-1:], dtype=np.float64)
    return np.asarray(operation.reduce(x, axis=0, keepdims=True), dtype=np.float64)


def by_age(x: Panel, window: int) -> Iterator[Panel]:
    """The views of a block at each age, oldest first; the last is the block's own rows."""
    rows = x.shape[0] - window + 1
    return (x[age : age + rows] for age in range(window))
