"""The Jacobian by blocks: one sparse matrix for each array of the result and each array of x."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.matrices import Frame, assemble
from sparsejac.options import Format
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.structure import Leaf, Structure, leaves_of, offsets_of, unflatten

Floats = npt.NDArray[np.float64]


class Blocks:
    """Cuts the entries of a whole Jacobian into blocks; of one array by one array there is just one.

    Parameters
    ----------
    pattern : Pattern
        Of the whole: all outputs side by side, by all unknowns side by side.
    outputs, inputs : Leaf or Branch
        How they belong together.
    """

    def __init__(self, pattern: Pattern, outputs: Structure, inputs: Structure) -> None:
        self.pattern = pattern
        self.outputs = outputs
        self.inputs = inputs
        self._is_whole = isinstance(outputs, Leaf) and isinstance(inputs, Leaf)
        self._cut: list[list[tuple[Pattern, IndexArray]]] = [] if self._is_whole else _cut(pattern, outputs, inputs)

    def matrices(self, data: Floats, format: Format, *, copy_structure: bool) -> Any:
        """Sparse matrices in the structure of the outputs, in each the structure of the inputs; see `assemble`."""
        if not copy_structure and (frame := self.frame(format)) is not None:
            return frame.matrix(data)
        if self._is_whole:
            return assemble(self.pattern, data, format, copy_structure=copy_structure)
        return self._nested(
            [[assemble(p, data[at], format, copy_structure=copy_structure) for p, at in row] for row in self._cut]
        )

    def frame(self, format: Format) -> Frame | None:
        """All of the matrix but its entries, where there is one, with entries in the order of `pattern`."""
        return self._frame if self._is_whole and format == "csr" else None

    @cached_property
    def _frame(self) -> Frame:
        return Frame(self.pattern)

    def patterns(self) -> Any:
        """The patterns of the blocks, nested like the matrices."""
        return self.pattern if self._is_whole else self._nested([[pattern for pattern, _ in row] for row in self._cut])

    def _nested(self, blocks: list[list[Any]]) -> Any:
        return unflatten(self.outputs, (unflatten(self.inputs, row) for row in blocks))


def _cut(pattern: Pattern, outputs: Structure, inputs: Structure) -> list[list[tuple[Pattern, IndexArray]]]:
    """For each array of the result and of x the pattern of the block, and the places of its entries in the whole."""
    rows, columns = offsets_of(outputs), offsets_of(inputs)
    count = len(leaves_of(inputs))
    made = []
    for top, bottom in pairwise(rows):
        first, last = int(pattern.indptr[top]), int(pattern.indptr[bottom])
        owner = np.searchsorted(columns, pattern.indices[first:last], side="right") - 1
        row_of_entry = np.repeat(np.arange(bottom - top), np.diff(pattern.indptr[top : bottom + 1]))
        line = []
        for k in range(count):
            mine = np.flatnonzero(owner == k)
            indptr = np.zeros(bottom - top + 1, dtype=np.int64)
            np.cumsum(np.bincount(row_of_entry[mine], minlength=bottom - top), out=indptr[1:])
            shape = (bottom - top, columns[k + 1] - columns[k])
            columns_of_block = pattern.indices[first + mine] - columns[k]
            line.append((Pattern.of_ours(shape, indptr, columns_of_block), first + mine))
        made.append(line)
    return made
