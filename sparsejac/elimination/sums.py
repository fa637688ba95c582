"""Sums of slots of a pool, or of products of two slots: the steps of sparse products whose symbolic part is done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kernels import product_loops
from kernels.evaluation import Invocation
from kernels.products import (
    compiled,
    gather,
    gather_invocation,
    pair_products,
    pair_products_invocation,
    pair_sums,
    pair_sums_invocation,
    slot_sums,
    slot_sums_invocation,
)
from kernels.records import dataclass
from sparsejac.patterns.pattern import IndexArray

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Entries ``first ... last - 1`` of the pool, each a sum of slots or of products of two slots.

    Parameters
    ----------
    first, last : int
    indptr : array of int, optional
        The terms of each entry; None for one each.
    left : array of int
        A slot for each term.
    right : array of int, optional
        The other factor of each term.
    """

    first: int
    last: int
    indptr: IndexArray | None
    left: IndexArray
    right: IndexArray | None

    def run(self, pool: FloatArray, out: FloatArray) -> None:
        """Write the entries to `out`."""
        done = pool[: self.first]  # terms refer to earlier slots only, so that what is read and written never overlaps
        if self.right is None:
            if self.indptr is None:
                gather(done, self.left, out)
            else:
                slot_sums(self.indptr, self.left, done, out)
        elif self.indptr is None:
            pair_products(self.left, self.right, done, done, out)
        else:
            pair_sums(self.indptr, self.left, self.right, done, done, out)

    def compile(self) -> None:
        """Compile the loop of `run`, which then serves however little there is to do."""
        loops: dict[tuple[bool, bool], Callable[..., None]] = {
            (False, False): product_loops.pair_sums,
            (False, True): product_loops.pair_products,
            (True, False): product_loops.slot_sums,
            (True, True): product_loops.gather,
        }
        loop = loops[self.right is None, self.indptr is None]
        tables = [table for table in (self.indptr, self.left, self.right) if table is not None]
        compiled(loop, tuple(table.dtype.itemsize for table in tables), 1 if self.right is None else 2)

    def invocation(self, pool: FloatArray, out: FloatArray) -> Invocation:
        """`run` for an entry."""
        done = pool[: self.first]
        if self.right is None:
            if self.indptr is None:
                return gather_invocation(done, self.left, out)
            return slot_sums_invocation(self.indptr, self.left, done, out)
        if self.indptr is None:
            return pair_products_invocation(self.left, self.right, done, done, out)
        return pair_sums_invocation(self.indptr, self.left, self.right, done, done, out)
