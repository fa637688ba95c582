"""Bands on a device: block cyclic reduction with exchanges of rows, all lumps of one form by the same launches.

References
----------
Amodio and Romanazzi: BABDCR, a Fortran 90 package for the solution of bordered ABD linear systems, ACM TOMS 32(4),
2006, on cyclic reduction with partial pivoting; Arbenz and Hegland: The stable parallel solution of narrow banded
linear systems, SIAM PPSC 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.driver import cupy, managed
from sparsejac.device.solvers.form import DeviceFactor, DeviceForm, Factors, Places, extremes_of, flips_and_log, odd
from sparsejac.device.solvers.launching import THREADS, text
from sparsejac.inverse.solvers.banded import Banded
from sparsejac.inverse.solvers.form import parity

Ints = npt.NDArray[np.int64]

WIDEST = 16
"""Diagonals beside the main one up to which a thread eliminates a block."""

ONE_BLOCK = 512
"""Pairs, times right-hand sides, from which on all further levels are one launch: of a block for each of these."""


@dataclass(frozen=True)
class Level:
    """One level of the reduction: how many blocks of rows there are, and how many of the first level apart."""

    blocks: int
    step: int

    @property
    def pairs(self) -> int:
        """How many blocks of columns are eliminated."""
        return self.blocks // 2


@dataclass(frozen=True, eq=False)
class Layout:
    """A band as blocks of rows that touch two blocks of columns each, with the rows of both ends.

    Parameters
    ----------
    size : int
        Rows of the matrix.
    lower, upper : int
        Diagonals below and above the main one.
    """

    size: int
    lower: int
    upper: int

    @property
    def width(self) -> int:
        """Columns of a block."""
        return max(self.lower + self.upper, 1)

    @property
    def shape(self) -> int:
        """2 if the matrix is upper triangular, 1 if it is lower triangular, else 0: whether rows may be exchanged."""
        return 2 if self.lower == 0 else int(self.upper == 0)

    @property
    def blocks(self) -> int:
        """Blocks of rows; there is one more of columns."""
        return max(-(-self.size // self.width), 2) - 1

    @property
    def padded(self) -> int:
        """Rows with those that fill the last block up: ones on the diagonal."""
        return (self.blocks + 1) * self.width

    @property
    def levels(self) -> list[Level]:
        """Those of the reduction, down to one block."""
        found, blocks, step = [], self.blocks, 1
        while blocks > 1:
            found.append(Level(blocks, step))
            blocks, step = blocks - blocks // 2, 2 * step
        return found

    def places(self, rows: Ints, columns: Ints, count: int) -> Ints:
        """Where entries go, for each of some matrices: blocks of rows first, then what is left in the end.

        Returns
        -------
        array of int, shape (count, entries)
        """
        width, blocks, lumps = self.width, self.blocks, np.arange(count)[:, None]
        block, i = np.divmod(rows - self.lower, width)
        inside = (block >= 0) & (block < blocks)
        j = np.where(inside, columns - block * width, np.where(block < 0, columns, columns - (blocks - 1) * width))
        i = np.where(inside, i, width + np.where(block < 0, rows, rows - blocks * width))
        ordinary = (i * (2 * width) + j) * (count * blocks) + lumps * blocks + block
        last = count * blocks * 2 * width**2 + (i * (2 * width) + j) * count + lumps
        return np.where(inside, ordinary, last)

    def starts(self, count: int) -> list[int]:
        """How many pairs, of some matrices, stand before those of each level."""
        return list(accumulate((count * level.pairs for level in self.levels), initial=0))[:-1]

    @property
    def parity(self) -> float:
        """Sign of the permutation from rows to the columns that they are the pivots of, but for exchanges."""
        width, blocks = self.width, self.blocks
        column = np.empty(self.padded, dtype=np.int64)
        own = np.arange(width)
        for level in self.levels:
            middle = (2 * np.arange(level.pairs) + 1) * level.step
            column[self.lower + (middle[:, None] - 1) * width + own] = middle[:, None] * width + own
        column[self.lower + (blocks - 1) * width + own] = own
        ends = np.concatenate([np.arange(self.lower), np.arange(self.lower + blocks * width, self.padded)])
        column[ends] = blocks * width + np.arange(len(ends))
        return parity(column)


class Bands(DeviceForm):
    """Bands of one pattern.

    Parameters
    ----------
    form : Banded
    count : int
        How many matrices there are.
    """

    def __init__(self, form: Banded, count: int) -> None:
        self.layout = Layout(form.pattern.size, form.lower, form.upper)
        self.count = count
        self.ordering = Places(form.ordering)
        ordered = form.pattern.ordered(form.ordering.rows, form.ordering.columns)
        pads = np.arange(self.layout.size, self.layout.padded)
        empty = np.zeros(count * (self.layout.blocks + 2) * 2 * self.layout.width**2)
        empty[self.layout.places(pads, pads, count)] = 1.0
        with managed(8 * (empty.size + count * form.pattern.nnz), "the places of a band"):
            self._empty = cupy().asarray(empty)
            self._places = cupy().asarray(self.layout.places(ordered.rows, ordered.columns, count).reshape(-1))
        self.flips = odd(form.ordering.parity * self.layout.parity)

    def factor(self, data: Any, entries: Any) -> Factors:
        """See `DeviceForm.factor`."""
        layout, count, module = self.layout, self.count, cupy()
        width, kernels = layout.width, text("bands.cu", layout.width)
        with managed(8 * 3 * self._empty.size, "the factors of bands"):
            filled = self._empty.copy()
            filled[self._places] = data[entries.reshape(-1)]
            begin = count * layout.blocks * 2 * width**2
            pivots = module.empty((count, layout.padded))
            rows, last = filled[:begin], filled[begin:]
            pairs = sum(level.pairs for level in layout.levels) * count
            panels, orders = module.empty(6 * width**2 * pairs), module.empty(width * pairs, dtype=np.int32)
            for level, here in zip(layout.levels, layout.starts(count), strict=True):
                rest = level.blocks - level.pairs
                further = module.empty(2 * width**2 * count * rest)
                arrays = (rows, panels[6 * width**2 * here :], orders[width * here :], further, pivots)
                own = (count, level.blocks, level.step, layout.padded, layout.shape)
                kernels.launch("reduce", count * rest, *arrays, *own)
                rows = further
            exchanged, last = module.empty(2 * width * count, dtype=np.int32), last.copy()
            sizes = (count, layout.blocks, layout.padded, layout.shape)
            kernels.launch("finish", count, rows, last, exchanged, pivots, *sizes)
        made = [_Band(self, k, (panels, orders), (last, exchanged), pivots[k]) for k in range(count)]
        return Factors(made, extremes_of(pivots[:, : layout.size]))


@dataclass(frozen=True, eq=False)
class _Band(DeviceFactor):
    form: Bands
    lump: int
    panels: tuple[Any, Any]
    last: tuple[Any, Any]
    pivots: Any

    def solve(self, b: Any) -> Any:
        form, size = self.form, self.form.layout.size
        f, x, count = self._started(form.ordering.by_rows(b))
        levels = self._levels(count)
        for panel, order, pairs, step in levels:
            self._launch("forward", pairs, (panel, order, f), count, step)
        self._tail("tail", f, x, count, len(levels))
        for panel, _, pairs, step in levels[::-1]:
            self._launch("backward", pairs, (panel, f, x), count, step)
        return form.ordering.from_columns(x[:size].reshape(b.shape))

    def solve_transposed(self, b: Any) -> Any:
        form, size = self.form, self.form.layout.size
        w, y, count = self._started(form.ordering.by_columns(b))
        levels = self._levels(count)
        for panel, _, pairs, step in levels:
            self._launch("forward_transposed", pairs, (panel, w, y), count, step)
            self._launch("relieve", pairs, (panel, y, w), count, step)
        self._tail("tail_transposed", w, y, count, len(levels))
        for panel, order, pairs, step in levels[::-1]:
            self._launch("backward_transposed", pairs, (panel, order, y), count, step)
        return form.ordering.from_rows(y[:size].reshape(b.shape))

    def flips_and_log(self) -> tuple[Any, Any]:
        layout, many, flips = self.form.layout, self.form.count, self.form.flips
        parts = [(order, layout.width, pairs) for _, order, pairs, _ in self._all_levels()]
        for order, columns, pairs in (*parts, (self.last[1], 2 * layout.width, 1)):
            chosen = order[: columns * many * pairs].reshape(columns, many, pairs)[:, self.lump]
            flips = flips + (chosen != cupy().arange(columns, dtype=np.int32).reshape(-1, 1)).sum()
        return flips_and_log(self.pivots[: layout.size], flips)

    def _all_levels(self) -> list[tuple[Any, Any, int, int]]:
        """Of each level what is in the panels from there on, and how many pairs there are, so many blocks apart."""
        layout = self.form.layout
        (panels, orders), width = self.panels, layout.width
        starts = zip(layout.levels, layout.starts(self.form.count), strict=True)
        return [(panels[6 * width**2 * a :], orders[width * a :], one.pairs, one.step) for one, a in starts]

    def _levels(self, count: int) -> list[tuple[Any, Any, int, int]]:
        """The levels that are a launch each."""
        return [level for level in self._all_levels() if level[2] * count > ONE_BLOCK]

    def _started(self, b: Any) -> tuple[Any, Any, int]:
        """Right-hand sides with the rows that fill the last block up, room for the unknowns, and how many there are."""
        count, padded = (1 if b.ndim == 1 else int(b.shape[1])), self.form.layout.padded
        with managed(16 * padded * count, "solutions"):
            given = cupy().zeros((padded, count))
            given[: len(b)] = b.reshape(len(b), count)
            return given, cupy().empty((padded, count)), count

    def _launch(self, name: str, pairs: int, arrays: tuple[Any, ...], count: int, step: int) -> None:
        threads = (pairs + (name == "relieve")) * count
        text("bands.cu", self.form.layout.width).launch(name, threads, *arrays, *self._sizes(count), pairs, step)

    def _tail(self, name: str, given: Any, found: Any, count: int, level: int) -> None:
        """All levels from one on, and what is left in the end."""
        layout, many = self.form.layout, self.form.count
        blocks, step = -(-layout.blocks // 2**level), 2**level
        start = [*layout.starts(many), len(self.panels[1]) // layout.width][level]
        panels = self.panels[0][6 * layout.width**2 * start :], self.panels[1][layout.width * start :]
        arrays = (*panels, *self.last, given, found)
        text("bands.cu", layout.width).launch(name, count * THREADS, *arrays, *self._sizes(count), blocks, step)

    def _sizes(self, count: int) -> tuple[int, ...]:
        return self.form.count, self.lump, self.form.layout.blocks, self.form.layout.lower, count
