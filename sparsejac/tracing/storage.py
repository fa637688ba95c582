"""Memory of traced arrays: a constant or traced content and a log of what was written into it.

Views of one array share one storage, so that writing through any of them is seen through all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from sparsejac.location import user_site
from sparsejac.pieces.boxes import UnalignedError, uncovered, upright
from sparsejac.programs.addressing import composed, contiguous, covers, table
from sparsejac.programs.program import Load, Node, Piece
from sparsejac.tracing.reals import Real, Scalar, Vector
from sparsejac.tracing.trace import Trace

_MOST_COMPARED = 32
"""Pieces that are compared with each other to find what of each is overwritten; more are looked at place by place."""

_MOST_PARTS = 8
"""Boxes that may be left of a piece."""


_FEW_LEAVES = 32
"""Elements of a node that are read one by one; then come blocks."""

_LEAF_BITS = 8
_LEAF_MASK: int = 2**_LEAF_BITS - 1


class _Loan:
    """Memory that someone else was given: it lives as long as any array over it."""

    __slots__ = ("__array_interface__", "__weakref__", "_array")

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__


class Storage:
    """One flat vector of real numbers that can be written to.

    Parameters
    ----------
    trace : Trace
    size : int
    node : Node, optional
        Traced content.
    plain : array, optional
        Content that nothing traced was written to yet: flat memory that is shared with ordinary arrays.

    Attributes
    ----------
    guard : object
        What is told of reads and writes, see `watched`.
    is_buffer : bool
        Whether it was made by np.zeros or its kin.
    is_loose : bool
        Whether NumPy would have laid the numbers in an order that is not known here.
    """

    __slots__ = (
        *("_leaf_node", "_leaves", "_loans", "_log", "_scalars", "_singles", "guard", "is_buffer", "is_loose", "node"),
        *("plain", "size", "trace"),
    )

    def __init__(
        self, trace: Trace, size: int, node: Node | None = None, plain: npt.NDArray[Any] | None = None
    ) -> None:
        self.trace = trace
        self.size = size
        self.node = node
        self.plain = plain
        self._log: list[Piece] = []
        self._scalars: dict[int, int] = {}
        self._loans: list[ref[_Loan]] = []
        # First rows of blocks of elements of a node, by the numbers of the blocks; and how many were read singly.
        self._leaf_node: Node | None = None
        self._leaves: dict[int, int] = {}
        self._singles = 0
        self.guard: Any = None
        self.is_buffer = False
        self.is_loose = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing traced was written."""
        return self.node is None and not self._log and not self._scalars

    def scalar_row(self, place: int) -> int:
        """The row of the tape with the number at a place; -1 if that takes more than a look."""
        row = self._scalars.get(place)
        if row is not None:
            return row
        node = self.node
        if node is None or self._log:
            return -1
        if node is self._leaf_node:
            first = self._leaves.get(place >> _LEAF_BITS)
            if first is not None:
                return first + (place & _LEAF_MASK)
        return self._new_leaf(node, place)

    def _new_leaf(self, node: Node, place: int) -> int:
        """The row of an element that has none yet. Where many are read, their neighbours get one each on the way."""
        if node is not self._leaf_node:
            self._leaf_node, self._leaves, self._singles = node, {}, 0
        self._singles += 1
        tape = self.trace.tape
        if self._singles <= _FEW_LEAVES:
            return tape.element(node.index, place)
        start = place & ~_LEAF_MASK
        first = self._leaves[place >> _LEAF_BITS] = tape.elements(
            node.index, start, min(node.size, start + _LEAF_MASK + 1)
        )
        return first + place - start

    def write_row(self, place: int, row: int) -> None:
        """Write one number that is on the tape."""
        scalars = self._scalars
        if not scalars and self.node is None and not self._log:
            self.freeze_plain()
        scalars[place] = row

    def read_scalar(self, place: int) -> Real:
        """The number at a place: just what was written there, where that is known."""
        row = self._scalars.get(place)
        if row is not None:
            return Scalar(row)
        if self._log:
            self._settle()
        if self.node is None:
            assert self.plain is not None
            return float(self.plain[place])
        return Scalar(self.trace.tape.element(self.node.index, place))

    def write_scalar(self, place: int, number: Real) -> None:
        """Write one number."""
        if isinstance(number, Vector):
            self.write(Affine((), place, ()), number)
        else:
            self.write_row(place, number.row if isinstance(number, Scalar) else self.trace.tape.constant(number))

    def read(self, address: Address) -> Vector:
        """The numbers at many places, as they are now."""
        if self._scalars or self._log:
            recent = None if self._scalars else self._recent(address)
            if recent is not None:
                return recent
            self._settle()
        if self.node is None:
            assert self.plain is not None
            return Vector(self.trace.constant(self.plain[address.table()]), contiguous(address.box))
        return Vector(self.node, address)

    def write(self, address: Address, numbers: Vector) -> None:
        """Write many numbers; `numbers` has the box of `address`, and no place comes twice."""
        self._own()
        self._flush_scalars()
        if covers(address, self.size):
            self._log.clear()
            self.node = self.plain = None
        self._log.append(Piece(address, numbers.load, user_site()))

    def lend(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same plain array for code of others, which may keep it."""
        loan = _Loan(array)
        self._loans = [known for known in self._loans if known() is not None] + [ref(loan)]
        return np.asarray(loan)

    def freeze_plain(self) -> None:
        """Copy plain content, so that it no longer is memory of an ordinary array."""
        if any(loan() is not None for loan in self._loans):
            raise self.trace.refusal(
                "writing a value that depends on x into an array that other code shares (a sparse matrix, say)",
                "the other would not see it",
                "fill the array before it is shared, or share array.copy()",
            )
        if self.plain is not None:
            self.plain = np.array(self.plain)

    def _own(self) -> None:
        if self.is_plain:
            self.freeze_plain()

    def _recent(self, address: Address) -> Vector | None:
        """What was written last at exactly these places, if nothing after it may have touched them."""
        low, high = address.span
        for piece in reversed(self._log):
            if piece.store.key == address.key:
                return Vector(piece.load.node, piece.load.address)
            first, last = piece.store.span
            if first <= high and low <= last:
                return None
        return None

    def _flush_scalars(self) -> None:
        if self._scalars:
            places = np.fromiter(self._scalars.keys(), dtype=np.int64, count=len(self._scalars))
            rows = np.fromiter(self._scalars.values(), dtype=np.int64, count=len(self._scalars))
            order = np.argsort(places, kind="stable")
            self._scalars.clear()
            self._log.extend(self.trace.tape.pieces(rows[order], places[order]))

    def _settle(self) -> None:
        """Turn content and log into one node."""
        self._flush_scalars()
        if not self._log:
            return
        base = self._base()
        pieces = ([base] if base else []) + self._log
        is_fixed = not self.trace.graph.is_differentiated(pieces[0].load.node)
        self.node = self.trace.graph.join(self.size, _disjoint(self.size, pieces, is_fixed=is_fixed))
        self.plain = None
        self._log.clear()

    def _base(self) -> Piece | None:
        """What stood there before the log; None for zeros."""
        whole = contiguous((self.size,))
        if self.node is not None:
            return Piece(whole, Load(self.node, whole))
        if self.plain is None or not self.plain.any():
            return None
        return Piece(whole, Load(self.trace.constant(np.asarray(self.plain, dtype=np.float64)), whole))


def _disjoint(size: int, pieces: list[Piece], *, is_fixed: bool) -> tuple[Piece, ...]:
    """Pieces without the points that later ones overwrite; a whole base that nothing moves stays as it is."""
    if len(pieces) == 1 or (len(pieces) == 2 and is_fixed and covers(pieces[0].store, size)):
        return tuple(pieces)
    if len(pieces) <= _MOST_COMPARED:
        try:
            return tuple(_visible(pieces))
        except UnalignedError:
            pass
    owner = np.full(size, -1, dtype=np.int32)
    places = [piece.store.table() for piece in pieces]
    for k, where in enumerate(places):
        owner[where] = k
    kept = []
    for k, (piece, where) in enumerate(zip(pieces, places, strict=True)):
        alive = owner[where] == k
        if alive.all():
            kept.append(piece)
        elif alive.any():
            points = np.flatnonzero(alive)
            address = composed(piece.load.address, table((len(points),), points))
            kept.append(Piece(table((len(points),), where[points]), Load(piece.load.node, address), piece.site))
    return tuple(kept)


def _visible(pieces: list[Piece]) -> Iterator[Piece]:
    """The same by arithmetic on boxes.

    Raises
    ------
    UnalignedError
        Where that is not possible, or makes many pieces.
    """
    if any(not isinstance(piece.store, Affine) for piece in pieces):
        raise UnalignedError
    stores = [upright(piece.store)[0] for piece in pieces if isinstance(piece.store, Affine) and piece.store.points]
    pieces = [piece for piece in pieces if piece.store.points]
    for k, piece in enumerate(pieces):
        assert isinstance(piece.store, Affine)
        parts = uncovered(piece.store, stores[k + 1 :], _MOST_PARTS)
        if len(parts) == 1 and parts[0][0].points == piece.store.points:
            yield piece
            continue
        for store, points in parts:
            yield Piece(store, Load(piece.load.node, composed(piece.load.address, points)), piece.site)
