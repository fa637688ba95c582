"""The block-triangular form of a square pattern, and where its inverse may be nonzero.

Equations are matched with unknowns (a transversal); an unknown hangs on the equations that its own one leads to. The
strong components of that graph are the diagonal blocks of the block-triangular form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, eye_array

from kernels.distinct import distinct_numbers
from kernels.lazy import Lazy
from sparsejac.patterns.pattern import Pattern

CSGRAPH = Lazy("scipy.sparse.csgraph")

Index = npt.NDArray[np.int64]

LARGEST = 2**24
"""Entries of an inverse beyond which they are not listed."""

PATHS = 2**21
"""Pairs of paths that are put together at a time; beyond it, nodes are taken one by one."""


@dataclass(frozen=True, eq=False)
class BlockStructure:
    """How the equations of a square system hang together.

    Parameters
    ----------
    pattern : Pattern
        Of a square matrix: equations by unknowns.

    References
    ----------
    Pothen & Fan, Computing the block triangular form of a sparse matrix, ACM TOMS 16(4), 1990.
    Gilbert, Predicting structure in sparse matrix computations, SIAM J. Matrix Anal. Appl. 15(1), 1994, section 5.

    Examples
    --------
    >>> structure = BlockStructure(Pattern.from_coo([0, 1, 1, 2], [0, 0, 1, 2], shape=(3, 3)))
    >>> structure.count, structure.inverse().to_scipy().toarray().astype(int).tolist()
    (3, [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    """

    pattern: Pattern

    @property
    def size(self) -> int:
        """Number of equations."""
        return self.pattern.shape[0]

    @cached_property
    def matching(self) -> Index:
        """The unknown of each equation; -1 where there is none left for it."""
        if not self.size:
            return np.empty(0, dtype=np.int64)
        matrix = self.pattern.to_scipy().astype(np.int8)
        return np.asarray(CSGRAPH.maximum_bipartite_matching(matrix, perm_type="column"), dtype=np.int64)

    @cached_property
    def unmatched(self) -> tuple[Index, Index]:
        """Equations without an unknown of their own, and unknowns without an equation: none if not singular."""
        equations = np.flatnonzero(self.matching < 0)
        return equations, np.setdiff1d(np.arange(self.size), self.matching[self.matching >= 0])

    @cached_property
    def _components(self) -> tuple[int, Index]:
        """Number of blocks, and the block of each equation; all in one where the matrix is singular anyway."""
        if (self.matching < 0).any():
            return 1, np.zeros(self.size, dtype=np.int64)
        equation = np.empty(self.size, dtype=np.int64)
        equation[self.matching] = np.arange(self.size)
        links = (np.ones(self.pattern.nnz, dtype=np.int8), (self.pattern.rows(), equation[self.pattern.indices]))
        found = CSGRAPH.connected_components(coo_array(links, self.pattern.shape).tocsr(), connection="strong")
        return int(found[0]), np.asarray(found[1], dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of diagonal blocks of the block-triangular form."""
        return self._components[0] if self.size else 0

    def inverse(self, limit: int = LARGEST) -> Pattern | None:
        """Where the inverse may be nonzero: unknowns by equations; None beyond `limit` entries."""
        return self.solution(csr_array(eye_array(self.size)), limit)

    def solution(self, right: Any, limit: int = LARGEST) -> Pattern | None:
        """Where the solution for right-hand sides of a given pattern may be nonzero; None beyond `limit` entries.

        Parameters
        ----------
        right : sparse matrix, shape (size, columns)
            Its stored entries are the pattern.
        limit : int
        """
        shape = (self.size, right.shape[1])
        if not self.size or not right.shape[1]:
            return Pattern.from_coo([], [], shape)
        count, block = self._components
        given = coo_array(right)
        of_blocks = _ones(csr_array(coo_array((np.ones(given.nnz), (block[given.row], given.col)), (count, shape[1]))))
        reached = _reached(self._links, of_blocks, limit)
        sizes = np.bincount(block, minlength=count)
        if reached is None or int(sizes @ np.diff(reached.indptr)) > limit:
            return None
        member = csr_array((np.ones(self.size), (np.arange(self.size), block)), shape=(self.size, count))
        whole = coo_array(csr_array(member @ reached))
        unknowns = self.matching if (self.matching >= 0).all() else np.arange(self.size)
        return Pattern.from_coo(unknowns[whole.row], whole.col, shape)

    @cached_property
    def _links(self) -> csr_array:
        """Which block hangs on which, itself among them."""
        count, block = self._components
        if count == 1:
            return csr_array(np.ones((1, 1)))
        equation = np.empty(self.size, dtype=np.int64)
        equation[self.matching] = np.arange(self.size)
        places = (block[self.pattern.rows()], block[equation[self.pattern.indices]])
        return _ones(csr_array(coo_array((np.ones(self.pattern.nnz), places), (count, count)) + eye_array(count)))


def _reached(links: csr_array, given: csr_array, limit: int) -> csr_array | None:
    """The columns that each node leads to, over any number of links; None beyond `limit` of them.

    Paths of twice the length are found in each turn; where their number explodes, nodes are taken one by one, those
    first to which others lead (in that order SciPy numbers strong components; it is checked).
    """
    paths = links
    while True:
        if _products(paths) > min(4 * limit, PATHS):
            return _reached_in_order(links, given, limit)
        further = _ones(csr_array(paths @ paths))
        if further.nnz == paths.nnz:
            return _ones(csr_array(paths @ given))
        paths = further


def _reached_in_order(links: csr_array, given: csr_array, limit: int) -> csr_array | None:
    rows = np.repeat(np.arange(links.shape[0]), np.diff(links.indptr))
    if (links.indices > rows).any():
        return None
    found: list[npt.NDArray[Any]] = []
    total = 0
    for row in range(links.shape[0]):
        own = given.indices[given.indptr[row] : given.indptr[row + 1]]
        before = links.indices[links.indptr[row] : links.indptr[row + 1]]
        found.append(distinct_numbers(np.concatenate([own, *(found[k] for k in before if k != row)])))
        total += len(found[-1])
        if total > limit:
            return None
    indptr = np.cumsum([0, *map(len, found)])
    return csr_array((np.ones(total), np.concatenate(found), indptr), shape=given.shape)


def _products(matrix: csr_array) -> int:
    """Number of products in the square of a matrix."""
    return int(np.bincount(matrix.indices, minlength=matrix.shape[0]) @ np.diff(matrix.indptr))


def _ones(matrix: csr_array) -> csr_array:
    matrix.sum_duplicates()
    return csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
