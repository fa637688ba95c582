"""CuPy's sparse matrices from a pattern and its entries: index arrays lie on the device once, matrices share them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from sparsejac.blocks import Blocks
from sparsejac.device.driver import cupy, here, managed, sparse
from sparsejac.errors import DeviceError
from sparsejac.evaluation.engine import Engine
from sparsejac.location import user_location
from sparsejac.options import Format
from sparsejac.patterns.pattern import IndexArray, Pattern, column_counts

_MOST = np.iinfo(np.int32).max
_new = object.__new__


class DeviceBlocks:
    """Cuts the entries of a Jacobian on a device into matrices; see `sparsejac.blocks.Blocks`.

    Parameters
    ----------
    blocks : Blocks
    format : {"csr", "csc", "coo"}
    engine : Engine, optional
        Where the index arrays of the whole are kept for calls that follow f anew.
    """

    def __init__(self, blocks: Blocks, format: Format, engine: Engine | None = None) -> None:
        self._blocks = blocks
        self._format = format
        self._engine = engine

    @cached_property
    def _frames(self) -> list[list[tuple[Frame, Any]]]:
        """A frame for each block, with the places of its entries in the whole."""
        if self._blocks._is_whole:
            return [[(self._whole(), None)]]
        return [[(Frame(p, self._format), cupy().asarray(at)) for p, at in row] for row in self._blocks._cut]

    def _whole(self) -> Frame:
        if self._engine is None:
            return Frame(self._blocks.pattern, self._format)
        stage = f"device {here()}, {self._format}"
        return self._engine.once(stage, lambda: Frame(self._blocks.pattern, self._format))

    def matrices(self, data: Any, *, copy_structure: bool = False) -> Any:
        """Matrices in the structure of the outputs, in each the structure of the inputs."""
        made = [
            [frame.matrix(data if at is None else data[at], copy_structure=copy_structure) for frame, at in row]
            for row in self._frames
        ]
        return made[0][0] if self._blocks._is_whole else self._blocks._nested(made)


class Frame:
    """All of a matrix but its entries.

    A matrix is made by copying attributes: CuPy's constructor waits for the device, to look at `indptr`.
    """

    def __init__(self, pattern: Pattern, format: Format) -> None:
        if max(pattern.nnz, *pattern.shape) > _MOST:
            raise DeviceError(
                f"sparsejac: the Jacobian of shape {pattern.shape} has {pattern.nnz} entries, and sparse matrices on "
                f"devices are numbered by 32 bits\n  {user_location()}\n  Cure: use plan.values and the pattern."
            )
        self._order: Any = None
        with managed(4 * (pattern.nnz + max(pattern.shape)), "the index arrays of the Jacobian"):
            self._matrix = self._made(pattern, format)

    def _made(self, pattern: Pattern, format: Format) -> Any:
        data = cupy().zeros(pattern.nnz)
        if format == "coo":
            places = (_uploaded(pattern.rows()), _uploaded(pattern.indices))
            return sparse().coo_matrix((data, places), shape=pattern.shape)
        indptr, indices, make = pattern.indptr, pattern.indices, sparse().csr_matrix
        if format == "csc":
            indptr, indices, order = _by_columns(pattern)
            self._order, make = _uploaded(order), sparse().csc_matrix
        matrix = make((data, _uploaded(indices), _uploaded(indptr)), shape=pattern.shape)
        matrix._has_canonical_format = matrix._has_sorted_indices = True
        return matrix

    def matrix(self, data: Any, *, copy_structure: bool) -> Any:
        """The matrix with these entries, given by rows, which it takes over."""
        made = _new(type(self._matrix))
        made.__dict__.update(self._matrix.__dict__)
        made.data = data if self._order is None else data[self._order]
        if copy_structure:
            for name in ("indices", "indptr", "row", "col"):
                if name in made.__dict__:
                    setattr(made, name, getattr(made, name).copy())
        return made


def _uploaded(indices: IndexArray) -> Any:
    return cupy().asarray(np.ascontiguousarray(indices, dtype=np.int32))


def _by_columns(pattern: Pattern) -> tuple[IndexArray, IndexArray, IndexArray]:
    """The pattern by columns, and the number that each entry has by rows."""
    order = np.argsort(pattern.indices, kind="stable")
    indptr = np.zeros(pattern.shape[1] + 1, np.int64)
    np.cumsum(column_counts(pattern), out=indptr[1:])
    return indptr, pattern.rows()[order], order
