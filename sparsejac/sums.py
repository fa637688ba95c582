"""Sums of slots of a pool, or of products of two slots: the steps of sparse products whose symbolic part is done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.entry import Invocation
from kernels.products import (
    gather,
    gather_invocation,
    pair_products,
    pair_products_invocation,
    pair_sums,
    pair_sums_invocation,
    slot_sums,
    slot_sums_invocation,
)
from sparsejac.pattern import IndexArray

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
