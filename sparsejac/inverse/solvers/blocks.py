"""Block-triangular matrices with small diagonal blocks: dense LU of all blocks of one size at once; substitution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.inverse.matching import BlockForm
from sparsejac.inverse.solvers.form import (
    SPARSE,
    Factor,
    Floats,
    Form,
    Ints,
    Ordering,
    SingularMatrixError,
    Square,
    checked,
    signs_and_logs,
)

LARGEST = 16
"""Rows of a block that is inverted among others."""

MOST_LEVELS = 8
"""Levels of blocks that need each other."""


def levels_of(pattern: Square, form: BlockForm) -> Ints | None:
    """For each block how many others have to be solved before it, one after the other; None for too many.

    Parameters
    ----------
    pattern : Square
        In the order of `form`.
    form : BlockForm
    """
    count = len(form.sizes)
    block = np.repeat(np.arange(count), form.sizes)
    tails, heads = block[pattern.rows], block[pattern.columns]
    between = tails != heads
    tails, heads = tails[between], heads[between]
    level = np.zeros(count, dtype=np.int64)
    for _ in range(MOST_LEVELS):
        deeper = level.copy()
        np.maximum.at(deeper, tails, level[heads] + 1)
        if np.array_equal(deeper, level):
            return level
        level = deeper
    return None


@dataclass(frozen=True, eq=False)
class _Batch:
    """Blocks of one size on one level: their places, by row of the table, and where their entries come from."""

    level: int
    places: Ints
    entries: Ints
    into: Ints


@dataclass(frozen=True, eq=False)
class _Solved:
    """Dense LU of several blocks, with the exchanged rows."""

    factors: Floats
    order: npt.NDArray[np.int64]

    def solve(self, b: Floats) -> Floats:
        size = self.factors.shape[1]
        x = np.take_along_axis(b, self.order[:, :, None], axis=1)
        for k in range(1, size):
            x[:, k] -= np.einsum("gj,gjr->gr", self.factors[:, k, :k], x[:, :k])
        for k in range(size - 1, -1, -1):
            x[:, k] -= np.einsum("gj,gjr->gr", self.factors[:, k, k + 1 :], x[:, k + 1 :])
            x[:, k] /= self.factors[:, k, k, None]
        return x

    def solve_transposed(self, b: Floats) -> Floats:
        size = self.factors.shape[1]
        x = b.copy()
        for k in range(size):
            x[:, k] -= np.einsum("gj,gjr->gr", self.factors[:, :k, k], x[:, :k])
            x[:, k] /= self.factors[:, k, k, None]
        for k in range(size - 2, -1, -1):
            x[:, k] -= np.einsum("gj,gjr->gr", self.factors[:, k + 1 :, k], x[:, k + 1 :])
        found = np.empty_like(x)
        np.put_along_axis(found, self.order[:, :, None], x, axis=1)
        return found


def eliminated(blocks: Floats) -> _Solved:
    """Dense LU of several matrices with partial pivoting; `blocks`, shape (count, size, size), is overwritten."""
    count, size, _ = blocks.shape
    order = np.tile(np.arange(size), (count, 1))
    each = np.arange(count)
    with np.errstate(all="ignore"):
        for k in range(size):
            best = k + np.argmax(np.abs(blocks[:, k:, k]), axis=1)
            for array in (blocks, order):
                array[each, best], array[each, k] = array[each, k].copy(), array[each, best].copy()
            blocks[:, k + 1 :, k] /= blocks[:, k, k, None]
            blocks[:, k + 1 :, k + 1 :] -= blocks[:, k + 1 :, k, None] * blocks[:, k, None, k + 1 :]
    return _Solved(blocks, order)


@dataclass(frozen=True, eq=False)
class _Substituted(Factor):
    ordering: Ordering
    batches: tuple[_Batch, ...]
    solved: tuple[_Solved, ...]
    coupling: Any
    levels: int
    level_rows: tuple[Ints, ...]

    def solve(self, b: Floats) -> Floats:
        return self.ordering.solve(b, lambda c: self._forward(c, transposed=False))

    def solve_transposed(self, b: Floats) -> Floats:
        return self.ordering.solve_transposed(b, lambda c: self._forward(c, transposed=True))

    def _forward(self, b: Floats, *, transposed: bool) -> Floats:
        rest, x = b.reshape(len(b), -1).copy(), np.zeros((len(b), b.size // max(len(b), 1)))
        order = range(self.levels - 1, -1, -1) if transposed else range(self.levels)
        for step, level in enumerate(order):
            if step and self.coupling is not None:
                rows = self.level_rows[level]
                matrix = self.coupling[1][level] if transposed else self.coupling[0][level]
                rest[rows] -= matrix @ x
            for batch, solved in zip(self.batches, self.solved, strict=True):
                if batch.level == level:
                    given = rest[batch.places]
                    x[batch.places] = solved.solve_transposed(given) if transposed else solved.solve(given)
        return x.reshape(b.shape)

    def slogdet(self) -> tuple[float, float]:
        sign, log = self.ordering.parity, 0.0
        for solved in self.solved:
            one, more = signs_and_logs(np.diagonal(solved.factors, axis1=1, axis2=2).ravel())
            swaps = np.array([_inversions(row) for row in solved.order]) if solved.order.shape[1] > 1 else np.zeros(1)
            sign, log = sign * one * (-1.0 if int(swaps.sum()) % 2 else 1.0), log + more
        return sign, log


def _inversions(order: npt.NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.triu(order[:, None] > order[None, :], 1)))


class SmallBlocks(Form):
    """Block triangular with small blocks.

    Parameters
    ----------
    pattern : Square
    form : BlockForm
    levels : array of int
        See `levels_of`.
    """

    def __init__(self, pattern: Square, form: BlockForm, levels: Ints) -> None:
        self.pattern = pattern
        self.ordering = Ordering(form.rows, form.columns)
        sizes = form.sizes
        self.levels = int(levels.max(initial=-1)) + 1
        least, most = int(sizes.min(initial=1)), int(sizes.max(initial=1))
        by_size = f"blocks of {most}" if least == most else f"blocks of {least} to {most}"
        self.name = f"{len(sizes)} {by_size}, {self.levels} level{'s' if self.levels > 1 else ''}"
        ordered = pattern.ordered(form.rows, form.columns)
        block = np.repeat(np.arange(len(sizes)), sizes)
        inside = block[ordered.rows] == block[ordered.columns]
        self.batches = tuple(_batches(ordered, form, levels, block, np.flatnonzero(inside)))
        self.couplings = self._coupled(ordered, levels[block], np.flatnonzero(~inside))

    def _coupled(self, ordered: Square, level: Ints, entries: Ints) -> Any:
        """For each level which entries couple its rows to others, and its columns."""
        rows_of = [np.flatnonzero(level == k) for k in range(self.levels)]
        self.level_rows = tuple(rows_of)
        if not len(entries):
            return None
        place = np.empty(ordered.size, dtype=np.int64)
        for rows in rows_of:
            place[rows] = np.arange(len(rows))
        i, j = ordered.rows[entries], ordered.columns[entries]
        down = [np.flatnonzero(level[i] == k) for k in range(self.levels)]
        up = [np.flatnonzero(level[j] == k) for k in range(self.levels)]
        return (
            [(entries[d], place[i[d]], j[d], len(rows)) for d, rows in zip(down, rows_of, strict=True)],
            [(entries[u], place[j[u]], i[u], len(rows)) for u, rows in zip(up, rows_of, strict=True)],
        )

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        solved = []
        for batch in self.batches:
            count, size = batch.places.shape
            dense = np.zeros(count * size * size)
            dense[batch.into] = entries[batch.entries]
            found = eliminated(dense.reshape(count, size, size))
            self._check(batch, found)
            solved.append(found)
        coupling = None
        if self.couplings is not None:
            size = self.pattern.size
            coupling = tuple(
                [SPARSE.csr_array((entries[e], (i, j)), shape=(rows, size)) for e, i, j, rows in side]
                for side in self.couplings
            )
        factor = _Substituted(self.ordering, self.batches, tuple(solved), coupling, self.levels, self.level_rows)
        return self._conditioned(factor, entries)

    def _check(self, batch: _Batch, solved: _Solved) -> None:
        pivots = np.abs(np.diagonal(solved.factors, axis1=1, axis2=2))
        bad = np.flatnonzero(~(pivots.min(axis=1) > 0.0))
        if len(bad):
            assert self.ordering.rows is not None
            k = int(np.argmin(np.nan_to_num(pivots[bad[0]], nan=0.0)))
            place = batch.places[bad[0], int(solved.order[bad[0], k])]
            raise SingularMatrixError(int(self.ordering.rows[place]), np.inf)

    def _conditioned(self, factor: _Substituted, entries: Floats) -> Factor:
        """The worst block decides; blocks may differ in scale."""
        ratios = [1.0]
        for solved in factor.solved:
            pivots = np.abs(np.diagonal(solved.factors, axis1=1, axis2=2))
            ratios.append(float((pivots.min(axis=1) / pivots.max(axis=1)).min()))
        return checked(factor, self, entries, np.array([1.0, min(ratios)]))


def _batches(ordered: Square, form: BlockForm, levels: Ints, block: Ints, entries: Ints) -> list[_Batch]:
    """Blocks by level and size, with the entries inside of them."""
    sizes = form.sizes
    found = []
    of = block[ordered.rows[entries]]
    for level, size in sorted(set(zip(levels.tolist(), sizes.tolist(), strict=True))):
        blocks = np.flatnonzero((levels == level) & (sizes == size))
        number = np.full(len(sizes), -1, dtype=np.int64)
        number[blocks] = np.arange(len(blocks))
        own = entries[number[of] >= 0]
        mine = block[ordered.rows[own]]
        first = form.bounds[mine]
        into = (number[mine] * size + ordered.rows[own] - first) * size + ordered.columns[own] - first
        found.append(_Batch(level, form.bounds[blocks][:, None] + np.arange(size), own, into))
    return found
