"""Which entry of a pattern each point of a term belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.records import dataclass
from kernels.symbolic import locate
from kernels.threads import run_pieces, split
from sparsejac.patterns.pattern import IndexArray, Pattern, repeated
from sparsejac.patterns.sparsity import first_place
from sparsejac.programs.addressing import is_table_of, narrow, recognised

Slots = IndexArray

COMPILED_FROM = 50_000
"""Points from which a compiled loop looks for their entries."""


FOUND = 4
"""What it takes to find the entry of a point, in additions."""

_SAMPLED = 64


class EntryFinder:
    """Numbers of the entries of one pattern, in CSR order.

    Parameters
    ----------
    pattern : Pattern
        With sorted rows.

    Examples
    --------
    >>> from kernels.address import identity
    >>> finder = EntryFinder(Pattern((2, 3), np.array([0, 2, 3]), np.array([0, 2, 1])))
    >>> finder.find(identity(2), Affine((2,), 2, (-1,)))  # entries (0, 2) and (1, 1)
    (Affine(box=(2,), offset=1, strides=(1,)), None)
    """

    def __init__(self, pattern: Pattern) -> None:
        self._indptr: IndexArray = pattern.indptr
        self._indices: IndexArray = pattern.indices
        self._repeated = repeated(pattern)
        self._rows: dict[object, _Rows] = {}
        self._found: dict[object, tuple[Address | None, Slots | None]] = {}

    def find_all(self, pairs: Iterable[tuple[Address, Address]]) -> None:
        """Find the entries for several rows and columns, in several threads where that pays, and keep them."""
        known = {(rows.key, columns.key): (rows, columns) for rows, columns in pairs}
        distinct = list(known.values())
        shares = split(len(distinct), FOUND * sum(rows.points for rows, _ in distinct))
        if len(shares) > 1:
            run_pieces(self._find_some, shares, (distinct,))

    def _find_some(self, first: int, last: int, pairs: Sequence[tuple[Address, Address]]) -> None:
        for rows, columns in pairs[first:last]:
            self.find(rows, columns)

    def find(self, rows: Address, columns: Address) -> tuple[Address | None, Slots | None]:
        """The entries at the points of a box.

        Returns
        -------
        Address or None
            For each point its entry; None where some point has none.
        array or None
            In that case, for each point its entry, or -1.
        """
        key = rows.key, columns.key
        if key not in self._found:  # many terms go to one place
            self._found[key] = self._find(rows, columns)
        return self._found[key]

    def _find(self, rows: Address, columns: Address) -> tuple[Address | None, Slots | None]:
        found = None if self._repeated is None else self._repeated.find(rows, columns)
        if found is not None:
            return found, None
        if rows.points == 0:
            return Affine(rows.box, 0, (0,) * len(rows.box)), None
        known = self._rows.get(rows.key)
        if known is None:
            known = self._rows[rows.key] = self._start(rows)
        rank = int(np.searchsorted(self._indices[known.first[0] : known.last[0]], first_place(columns)))
        if known.shortest > rank and self._are_alike(known, rank, columns):
            if isinstance(known.address, Affine):
                return Affine(rows.box, known.address.offset + rank, known.address.strides), None
            return recognised((known.first + known.first.dtype.type(rank)).reshape(rows.box), owned=True), None
        slots = self._search(known, np.asarray(columns.table()))
        if slots.min() < 0:
            return None, slots
        return recognised(slots.reshape(rows.box), owned=True), None

    def _are_alike(self, rows: _Rows, rank: int, columns: Address) -> bool:
        """Whether the entries of this rank in their rows have these columns; the first few mostly tell."""
        address = rows.address
        if isinstance(columns, Table):
            for some in (slice(_SAMPLED), slice(None, None, max(1, columns.points // _SAMPLED))):
                if not np.array_equal(self._indices[rows.first[some] + rank], columns.places[some]):
                    return False
        if isinstance(address, Table):
            return np.array_equal(np.take(self._indices, rows.first + rank), columns.table())
        size = self._indices.itemsize
        start, strides = size * (address.offset + rank), tuple(size * stride for stride in address.strides)
        found: IndexArray = np.ndarray(address.box, self._indices.dtype, self._indices, start, strides)
        if isinstance(columns, Table):
            return np.array_equal(found, columns.places.reshape(address.box))
        return is_table_of(columns, found)

    def _start(self, rows: Address) -> _Rows:
        table = narrow(rows)
        first, last = np.take(self._indptr[:-1], table), np.take(self._indptr[1:], table)
        return _Rows(first, last, int((last - first).min()), recognised(first.reshape(rows.box), owned=True))

    def _search(self, rows: _Rows, wanted: IndexArray) -> Slots:
        """Bisection in all rows at once."""
        if not len(self._indices):
            return np.full(len(wanted), -1, dtype=self._indices.dtype)
        if len(wanted) >= COMPILED_FROM:
            return locate(rows.first, rows.last, wanted, self._indices)
        low, high = rows.first.copy(), rows.last.copy()
        bound = len(self._indices) - 1
        for _ in range(int((high - low).max()).bit_length()):
            middle = low + ((high - low) >> 1)
            right = (low < high) & (self._indices[np.minimum(middle, bound)] < wanted)
            low = np.where(right, middle + 1, low)
            high = np.where(right, high, np.minimum(middle, high))
        found = (low < rows.last) & (self._indices[np.minimum(low, bound)] == wanted)
        return np.where(found, low, -1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Where the rows at the points of a box begin and end."""

    first: Slots
    last: Slots
    shortest: int
    address: Address
