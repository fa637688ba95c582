"""Block-triangular matrices with small blocks, and small dense ones, on a device: one thread factorizes a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.driver import cupy, managed
from sparsejac.device.solvers.coupling import Subtraction
from sparsejac.device.solvers.form import DeviceFactor, DeviceForm, Factors, Places, flips_and_log, odd
from sparsejac.device.solvers.launching import text
from sparsejac.inverse.solvers.blocks import LARGEST as LARGEST
from sparsejac.inverse.solvers.blocks import SmallBlocks
from sparsejac.inverse.solvers.dense import Dense
from sparsejac.inverse.solvers.form import IN_PLACE, Ordering

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Blocks of one size on one level.

    Parameters
    ----------
    level : int
    places : array of int, shape (blocks, size)
        The rows of each.
    entries : array of int
        Numbers of their entries in the pattern.
    block, row, column : array of int
        Where each of these stands.
    """

    level: int
    places: Ints
    entries: Ints
    block: Ints
    row: Ints
    column: Ints


@dataclass(frozen=True, eq=False)
class Coupled:
    """Entries outside of the blocks: row and column in the order of the form, and number in the pattern, by level."""

    rows: Ints
    columns: Ints
    entries: Ints


@dataclass(frozen=True, eq=False)
class Structure:
    """A block-triangular pattern.

    Parameters
    ----------
    ordering : Ordering
    batches : sequence of Batch
    down, up : sequence of Coupled
        For each level, what is to be subtracted before its blocks are solved with, and the same for the transpose;
        empty where nothing is.
    levels : int
    """

    ordering: Ordering
    batches: Sequence[Batch]
    down: Sequence[Coupled]
    up: Sequence[Coupled]
    levels: int


def structure_of_blocks(form: SmallBlocks) -> Structure:
    """Of a form of the host."""
    batches = []
    for batch in form.batches:
        size = batch.places.shape[1]
        block, inside = np.divmod(batch.into, size * size)
        batches.append(Batch(batch.level, batch.places, batch.entries, block, *np.divmod(inside, size)))
    down, up = (_coupled(form, side) for side in form.couplings or ((), ()))
    return Structure(form.ordering, batches, down, up, form.levels)


def _coupled(form: SmallBlocks, side: Any) -> list[Coupled]:
    """The couplings of each level; none where no blocks are coupled."""
    parts = zip(side, form.level_rows, strict=bool(side))
    return [Coupled(places[rows], columns, entries) for (entries, rows, columns, _), places in parts]


def structure_of_dense(form: Dense) -> Structure:
    """A small dense matrix is one block."""
    pattern = form.pattern
    everything = np.arange(pattern.nnz, dtype=np.int64)
    places = np.arange(pattern.size, dtype=np.int64)[None]
    batch = Batch(0, places, everything, np.zeros_like(everything), pattern.rows, pattern.columns)
    return Structure(IN_PLACE, [batch], [], [], 1)


class Blocks(DeviceForm):
    """Matrices of one block-triangular pattern.

    Parameters
    ----------
    structure : Structure
    entries : array of int, shape (number of matrices, nnz)
        See `DeviceForm.factor`; on the host.
    """

    def __init__(self, structure: Structure, entries: Ints) -> None:
        self.structure = structure
        self.count = len(entries)
        self.ordering = Places(structure.ordering)
        self.places = [cupy().asarray(batch.places.reshape(-1)) for batch in structure.batches]
        self._into = [cupy().asarray(self._places_of(batch)) for batch in structure.batches]
        self._of = [cupy().asarray(entries[:, batch.entries].reshape(-1)) for batch in structure.batches]
        self.down, self.up = (
            [[Subtraction(c.rows, c.columns, own[c.entries]) for c in side] for own in entries]
            for side in (structure.down, structure.up)
        )
        self.flips = odd(structure.ordering.parity)

    def _places_of(self, batch: Batch) -> Ints:
        """Where the entries of blocks go: number by number, all blocks of all matrices side by side."""
        many, size = batch.places.shape
        lumps = np.arange(self.count)[:, None]
        found: Ints = ((batch.row * size + batch.column) * (self.count * many) + lumps * many + batch.block).reshape(-1)
        return found

    def factor(self, data: Any, entries: Any) -> Factors:
        """See `DeviceForm.factor`."""
        solved, worst, module = [], module_ones(self.count), cupy()
        for batch, into, of in zip(self.structure.batches, self._into, self._of, strict=True):
            many, size = batch.places.shape
            total = many * self.count
            with managed(8 * total * size * size, "the blocks of lumps"):
                blocks, order = module.zeros(total * size * size), module.empty(total * size, dtype=np.int32)
            blocks[into] = data[of]
            text("blocks.cu", size).launch("factor", total, blocks, order, total)
            solved.append((blocks, order))
            pivots = module.abs(_pivots(blocks, size).reshape(size, self.count, many))
            ratios = (pivots.min(axis=0) / pivots.max(axis=0)).min(axis=1)
            worst = module.minimum(worst, ratios)
        made = [_Substituted(self, k, data, solved) for k in range(self.count)]
        return Factors(made, module.stack([worst, module_ones(self.count)], axis=1))


def module_ones(count: int) -> Any:
    """Ones on the device."""
    return cupy().ones(count)


def _pivots(blocks: Any, size: int) -> Any:
    """The diagonals of all blocks, shape (size, number of blocks)."""
    return blocks.reshape(size * size, -1)[:: size + 1]


@dataclass(frozen=True, eq=False)
class _Substituted(DeviceFactor):
    form: Blocks
    lump: int
    data: Any
    solved: Sequence[tuple[Any, Any]]

    def solve(self, b: Any) -> Any:
        x = self._swept(self.form.ordering.by_rows(b), range(self.form.structure.levels), self.form.down, "solve")
        return self.form.ordering.from_columns(x)

    def solve_transposed(self, b: Any) -> Any:
        levels = range(self.form.structure.levels - 1, -1, -1)
        x = self._swept(self.form.ordering.by_columns(b), levels, self.form.up, "solve_transposed")
        return self.form.ordering.from_rows(x)

    def _swept(self, b: Any, levels: range, couplings: Sequence[Sequence[Subtraction]], name: str) -> Any:
        x, count = b.copy(), 1 if b.ndim == 1 else int(b.shape[1])
        own = couplings[self.lump]
        for level in levels:
            if own:
                own[level].run(self.data, x, x)
            parts = zip(self.form.structure.batches, self.form.places, self.solved, strict=True)
            for batch, places, (blocks, order) in parts:
                if batch.level == level:
                    many, size = batch.places.shape
                    sizes = (many * self.form.count, self.lump * many, many, count)
                    text("blocks.cu", size).launch(name, many * count, blocks, order, places, x, *sizes)
        return x

    def flips_and_log(self) -> tuple[Any, Any]:
        flips, log = self.form.flips, 0.0
        for batch, (blocks, order) in zip(self.form.structure.batches, self.solved, strict=True):
            many, size = batch.places.shape
            mine = slice(self.lump * many, (self.lump + 1) * many)
            places = cupy().arange(size, dtype=np.int32).reshape(-1, 1)
            exchanged = (order.reshape(size, -1)[:, mine] != places).sum()
            flips, more = flips_and_log(_pivots(blocks, size)[:, mine], flips + exchanged)
            log = log + more
        return flips, log
