"""The transpose of reading: what was read at places of a vector is added up at these places.

An affine map without repetition becomes a piece of a join, a dimension along which one place is read again and again
becomes a sum, and whatever else meets a place several times becomes sums over ragged ranges: of these the order of
the terms is fixed, and there is nothing to be added to concurrently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from kernels.distinct import count_distinct
from sparsejac.programs.addressing import c_strides, composed, contiguous, covers, permuted, recognised
from sparsejac.programs.grouping import grouped
from sparsejac.programs.program import Load, Node, Piece
from sparsejac.transforms.builder import Builder, flipped, part, read
from sparsejac.transforms.cells import Cell, cells_of
from sparsejac.transforms.summing import along, is_still, summed
from sparsejac.transforms.totals import added

SEVERAL = 8
"""Disjoint shares that a node passes on one by one; more are put together first."""

FEW = 3
"""Points along a dimension that are places of their own."""

MOST = 0.75
"""Of the places of a node, from which on operations are done at all of them."""

MOST_BESIDE = 4
"""Numbers side by side that are summed up one by one."""

APART = 0.8
"""Of shares that are summed up one by one, so many places are met, in those of all: each has its own ragged rows."""

LAYERS = 4
"""Elements that adding whole vectors may cost for each element that is added up; beyond it there are ragged sums."""


@dataclass(frozen=True, eq=False)
class Share:
    """Cotangents of some places of a node: what came back from one reader.

    Parameters
    ----------
    address : Address
        The places, over a box.
    value : Load
        The cotangents, over the same box.
    guard : Load, optional
        Where they count (not 0.0 there), everywhere if None: elsewhere they are zero by structure.
    is_clean : bool
        Whether the value is 0.0 wherever it does not count; otherwise it may be anything there.
    """

    address: Address
    value: Load
    guard: Load | None = None
    is_clean: bool = True

    def at(self, address: Address, where: Address) -> Share:
        """What is read at some points of the box, as a share of other places."""
        guard = None if self.guard is None else read(self.guard, where)
        return Share(address, read(self.value, where), guard, self.is_clean)


def cleaned(builder: Builder, share: Share) -> Share:
    """The share with a value of 0.0 wherever it does not count."""
    if share.guard is None or share.is_clean:
        return share
    value = builder.masked(share.address.box, share.guard, share.value)
    return Share(share.address, value, share.guard)


def opened(builder: Builder, share: Share) -> Share:
    """The share without a guard that is known to hold everywhere."""
    marks = None if share.guard is None else builder.marks(share.guard)
    return share if marks is None or not marks.all() else Share(share.address, share.value)


def repeats(address: Address) -> bool:
    """Whether a place may be met more than once."""
    if isinstance(address, Table):
        return count_distinct(address.places) < address.points
    reach = 0
    for stride, length in sorted((abs(s), n) for s, n in zip(address.strides, address.box, strict=True)):
        if length <= 1:
            continue
        if stride <= reach:
            return True
        reach += stride * (length - 1)
    return False


def separated(builder: Builder, size: int, shares: Sequence[Share]) -> list[Share]:
    """Shares with the same sum, no place in more than one of them, and none twice in one."""
    shares = _merged(builder, [share for share in shares if share.address.points])
    if len(shares) <= SEVERAL and not any(repeats(s.address) for s in shares) and _are_disjoint(size, shares):
        return shares
    return [whole(builder, size, shares)]


def upright(builder: Builder, size: int, share: Share) -> Share:
    """A share of places that a table tells, in their own order if they are all of a stretch, or most of the node.

    Operands are then read in order, together with those of other shares.
    """
    if not isinstance(share.address, Table):
        return share
    share = _gathered(share)
    if isinstance(share.address, Table) and share.address.points >= MOST * size:
        return whole(builder, size, [share])
    return share


def whole(builder: Builder, size: int, shares: Sequence[Share]) -> Share:
    """All shares added up to one that covers the node."""
    shares = _merged(builder, [share for share in shares if share.address.points])
    shares = _merged(builder, [_gathered(_in_order(_without_repetition(builder, share))) for share in shares])
    if len(shares) == 1 and covers(shares[0].address, size):
        return shares[0]
    if not shares:
        everywhere = contiguous((size,))
        zeros = Load(builder.zeros(size), everywhere)
        return Share(everywhere, zeros, zeros)
    several = [share for share in shares if repeats(share.address)]
    if several:
        once = [share for share in shares if not repeats(share.address)]
        shares = [*once, *_summed_up(builder, size, several)]
        if len(shares) == 1 and covers(shares[0].address, size):
            return shares[0]
    if not _are_disjoint(size, shares):
        for parts in (shares, _unstacked(shares)):
            cells = cells_of(size, [share.address for share in parts])
            if cells is not None:
                return _of_cells(builder, size, parts, cells)
    layers = _layers(size, shares)
    if layers is None:
        together = _ranges(builder, size, shares)
        layers = [(np.ones(size, dtype=np.bool_), [together])]
    return _added(builder, size, layers)


def _merged(builder: Builder, shares: Sequence[Share]) -> list[Share]:
    """Shares of the same places added up; they count where one of them does."""
    known: dict[object, Share] = {}
    for share in shares:
        other = known.get(share.address.key)
        if other is None:
            known[share.address.key] = share
            continue
        known[share.address.key] = _both(builder, other, share)
    return list(known.values())


def _both(builder: Builder, one: Share, other: Share) -> Share:
    """Two shares of the same places, added up."""
    box, guard, is_clean = one.address.box, one.guard, one.is_clean and other.is_clean
    if guard is None or other.guard is None or guard.key != other.guard.key:
        one, other, is_clean = cleaned(builder, one), cleaned(builder, other), True
        open_one = guard is None or other.guard is None
        guard = None if open_one else builder.either(box, guard, other.guard)  # type: ignore[arg-type]
    return Share(one.address, added(builder, box, one.value, other.value), guard, is_clean)


def _are_disjoint(size: int, shares: Sequence[Share]) -> bool:
    """Whether no place is in two shares."""
    if len(shares) <= 1:
        return True
    if sum(share.address.points for share in shares) > size:
        return False
    seen = np.zeros(size, dtype=np.bool_)
    return all(_mark(seen, share) for share in shares)


def _mark(seen: npt.NDArray[np.bool_], share: Share) -> bool:
    """Mark the places of a share, unless one is marked already."""
    places = share.address.table()
    if seen[places].any():
        return False
    seen[places] = True
    return True


def _without_repetition(builder: Builder, share: Share) -> Share:
    """The share with dimensions that stay at one place summed."""
    address = share.address
    if not isinstance(address, Affine):
        return share
    still = [d for d, (n, s) in enumerate(zip(address.box, address.strides, strict=True)) if s == 0 and n > 1]
    if not still:
        return share
    share = cleaned(builder, share)
    moving = [d for d in range(len(address.box)) if d not in still]
    kept = Affine(tuple(address.box[d] for d in moving), address.offset, tuple(address.strides[d] for d in moving))
    guard = None if share.guard is None else _any(builder, share.guard, moving, still)
    return Share(kept, summed(builder, share.value, moving, still), guard)


def _any(builder: Builder, guard: Load, moving: list[int], still: list[int]) -> Load | None:
    """Where a guard holds at some point along dimensions; None for everywhere. Guards are never negative."""
    marks = builder.marks(guard)
    if marks is None:
        return along(guard, moving) if is_still(guard.address, still) else summed(builder, guard, moving, still)
    found = marks.reshape(guard.address.box).any(axis=tuple(still))
    return None if found.all() else builder.on_box(builder.mask(found.reshape(-1)), found.shape)


def _in_order(share: Share) -> Share:
    """The share with its places in increasing order as far as they are affine: no steps back, the largest first."""
    address, value, guard = share.address, share.value, share.guard
    if not isinstance(address, Affine):
        return share
    for axis, stride in enumerate(address.strides):
        if stride < 0:
            address = flipped(address, axis)
            value = Load(value.node, flipped(value.address, axis))
            guard = None if guard is None else Load(guard.node, flipped(guard.address, axis))
    assert isinstance(address, Affine)
    axes = tuple(sorted(range(len(address.box)), key=address.strides.__getitem__, reverse=True))
    turned = permuted(address, axes)
    value = Load(value.node, permuted(value.address, axes))
    guard = None if guard is None else Load(guard.node, permuted(guard.address, axes))
    return Share(turned, value, guard, share.is_clean)


def _gathered(share: Share) -> Share:
    """A share whose places are all of a stretch in another order: in their own order, its cotangents are read there.

    What was rolled, sorted or transposed by a table is then added to other shares without being put together first.
    """
    address, count = share.address, share.address.points
    low = int(address.places.min()) if isinstance(address, Table) and count else 0
    if not isinstance(address, Table) or not count or int(address.places.max()) - low + 1 != count:
        return share
    inverse = np.full(count, -1, dtype=np.int64)
    inverse[address.places - low] = np.arange(count)
    if inverse.min() < 0:
        return share
    where = recognised(inverse.reshape(address.box))
    return share.at(part(address.box, low), where)


def _unstacked(shares: Sequence[Share]) -> list[Share]:
    """Shares of a few far places, such as two opposite edges of a grid, one by one: grids have no such strides."""
    affine = [share.address for share in shares if isinstance(share.address, Affine)]
    common = {s for a in affine for n, s in zip(a.box, a.strides, strict=True) if n > FEW}
    found: list[Share] = []
    for share in shares:
        address, box = share.address, share.address.box
        alone = isinstance(address, Affine) and bool(box) and 1 < box[0] <= FEW and address.strides[0] not in common
        if not alone:
            found.append(share)
            continue
        rest = c_strides(box)
        for k in range(box[0]):
            where = Affine(box[1:], k * rest[0], rest[1:])
            found.append(share.at(composed(address, where), where))
    return sorted(found, key=lambda share: -share.address.points)


_Layer = tuple[npt.NDArray[np.bool_], list[Share]]


def _layers(size: int, shares: Sequence[Share]) -> list[_Layer] | None:
    """Shares in layers without overlap; None if there are too many of them."""
    points = sum(share.address.points for share in shares)
    layers: list[_Layer] = []
    for share in sorted(shares, key=lambda s: -s.address.points):
        for seen, members in layers:
            if _mark(seen, share):
                members.append(share)
                break
        else:
            if len(layers) * size > LAYERS * points:
                return None
            seen = np.zeros(size, dtype=np.bool_)
            _mark(seen, share)
            layers.append((seen, [share]))
    return layers


def _added(builder: Builder, size: int, layers: list[_Layer]) -> Share:
    """Layers joined, and added up."""
    everywhere = contiguous((size,))
    (_, only), single = layers[0], len(layers) == 1
    if not single:
        layers = [(seen, [cleaned(builder, share) for share in members]) for seen, members in layers]
    total: Load | None = None
    for _, members in layers:
        value = _layer(builder, size, members)
        total = value if total is None else added(builder, (size,), total, value)
    assert total is not None
    if single:
        return Share(everywhere, total, _guard(builder, size, only), all(share.is_clean for share in only))
    guard = _guard(builder, size, only)
    for _, members in layers[1:]:
        other = None if guard is None else _guard(builder, size, members)
        guard = None if guard is None or other is None else builder.either((size,), guard, other)
    return Share(everywhere, total, guard)


def _guard(builder: Builder, size: int, shares: Sequence[Share]) -> Load | None:
    """Where shares of different places count; None for everywhere."""
    covered = np.zeros(size, dtype=np.bool_)
    for share in shares:
        marks = _marks(builder, share)
        if marks is None:
            ones = [s.guard or builder.number(1.0, s.address.box) for s in shares]
            return _layer(builder, size, [Share(s.address, one) for s, one in zip(shares, ones, strict=True)])
        covered[share.address.table()] = marks
    return None if covered.all() else builder.mask(covered)


def _marks(builder: Builder, share: Share) -> npt.NDArray[np.bool_] | None:
    """Which points of a share count, if that is known."""
    return np.ones(share.address.points, dtype=np.bool_) if share.guard is None else builder.marks(share.guard)


def _of_cells(builder: Builder, size: int, shares: Sequence[Share], cells: Sequence[Cell]) -> Share:
    """Shares added up cell by cell."""
    everywhere = contiguous((size,))
    totals = []
    for cell in cells:
        (total,) = _merged(builder, [shares[k].at(cell.address, where) for k, where in cell.members])
        totals.append(total)
    value = Load(builder.graph.join(size, tuple(Piece(t.address, t.value) for t in totals)), everywhere)
    return Share(everywhere, value, _guard(builder, size, totals), all(total.is_clean for total in totals))


def _layer(builder: Builder, size: int, members: list[Share]) -> Load:
    if len(members) == 1 and covers(members[0].address, size):
        return builder.flat(members[0].value)
    node = builder.graph.join(size, tuple(Piece(share.address, share.value) for share in members))
    return Load(node, contiguous((size,)))


def _summed_up(builder: Builder, size: int, shares: Sequence[Share]) -> list[Share]:
    """Shares that meet places several times, without that: each by itself if they lie mostly apart, or together."""
    components = [_by_components(share) for share in shares]
    if APART * sum(count_distinct(share.address.table()) for share in shares) <= size:
        # What is met in order is as fast in one piece.
        alone = [[share] if _is_in_order(share) else parts for share, parts in zip(shares, components, strict=True)]
        return [_ranges(builder, size, [part]) for parts in alone for part in parts]
    if len({len(parts) for parts in components}) > 1:
        return [_ranges(builder, size, shares)]
    return [_ranges(builder, size, parts) for parts in zip(*components, strict=True)]


def _is_in_order(share: Share) -> bool:
    """Whether the first of the numbers that lie side by side are met in the order of their places."""
    places = share.address.table()[:: share.address.box[-1] if share.address.box else 1]
    return bool((np.diff(places) >= 0).all())


def _by_components(share: Share) -> list[Share]:
    """A share of numbers that lie side by side wherever they are met, number by number: all have the same ranges."""
    address, box = share.address, share.address.box
    if not isinstance(address, Table) or len(box) < 2 or not 1 < box[-1] <= MOST_BESIDE:
        return [share]
    places = address.places.reshape(-1, box[-1])
    if not (np.diff(places, axis=1) == 1).all():
        return [share]
    steps = c_strides(box)[:-1]
    return [share.at(recognised(places[:, k].reshape(box[:-1])), Affine(box[:-1], k, steps)) for k in range(box[-1])]


def _ranges(builder: Builder, size: int, shares: Sequence[Share]) -> Share:
    """Everything that counts side by side, sorted by place, and summed over the range of each place."""
    marks = [_marks(builder, share) for share in shares]
    shares = [cleaned(builder, s) if m is None else s for s, m in zip(shares, marks, strict=True)]
    places = np.concatenate([np.asarray(share.address.table(), dtype=np.int64) for share in shares])
    counts = [np.ones(s.address.points, dtype=np.bool_) if m is None else m for s, m in zip(shares, marks, strict=True)]
    points = np.flatnonzero(np.concatenate(counts))
    points = _in_turn(shares) if len(points) == len(places) else points
    order, distinct, indptr = grouped(places[points])

    def sums(values: list[Load]) -> Load:
        beside = values[0] if len(values) == 1 else Load(_side_by_side(builder, values), contiguous((len(places),)))
        node = builder.graph.sum((len(order),), read(beside, recognised(points[order])), indptr=indptr)
        return Load(node, contiguous((len(distinct),)))

    guard = None
    known = np.concatenate([np.full(s.address.points, m is not None) for s, m in zip(shares, marks, strict=True)])
    if not np.logical_or.reduceat(known[points[order]], indptr[:-1]).all():
        guards = [None if m is not None else s.guard for s, m in zip(shares, marks, strict=True)]
        guard = sums([g or builder.number(1.0, s.address.box) for g, s in zip(guards, shares, strict=True)])
    return Share(recognised(distinct), sums([share.value for share in shares]), guard)


def _in_turn(shares: Sequence[Share]) -> npt.NDArray[np.intp]:
    """The order of all points: those of one box in turn, as one loop makes them; it may add them up then."""
    points = [share.address.points for share in shares]
    numbers = np.arange(sum(points))
    return numbers.reshape(len(points), -1).T.ravel() if len(set(points)) == 1 else numbers


def _side_by_side(builder: Builder, values: list[Load]) -> Node:
    pieces, start = [], 0
    for value in values:
        pieces.append(Piece(part(value.address.box, start), value))
        start += value.address.points
    return builder.graph.join(start, tuple(pieces))
