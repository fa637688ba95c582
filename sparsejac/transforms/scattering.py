"""The transpose of reading: what was read at places of a vector is added up at these places.

An affine map without repetition becomes a piece of a join, a dimension along which one place is read again and again
becomes a sum, and whatever else meets a place several times becomes sums over ragged ranges: of these the order of
the terms is fixed, and there is nothing to be added to concurrently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from sparsejac.addressing import c_strides, composed, contiguous, covers, permuted, recognised, table
from sparsejac.program import Load, Node, Piece
from sparsejac.transforms.builder import Builder, flipped, part, read
from sparsejac.transforms.cells import Cell, cells_of

SEVERAL = 8
"""Disjoint shares that a node passes on one by one; more are put together first."""

FEW = 3
"""Points along a dimension that are places of their own."""

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
    """

    address: Address
    value: Load
    guard: Load | None = None


def repeats(address: Address) -> bool:
    """Whether a place may be met more than once."""
    if isinstance(address, Table):
        return len(np.unique(address.places)) < address.points
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
    if any(repeats(share.address) for share in shares):
        return _ranges(builder, size, shares)
    if not _are_disjoint(size, shares):
        for parts in (shares, _unstacked(shares)):
            cells = cells_of(size, [share.address for share in parts])
            if cells is not None:
                return _of_cells(builder, size, parts, cells)
    layers = _layers(size, shares)
    return _ranges(builder, size, shares) if layers is None else _added(builder, size, layers)


def _merged(builder: Builder, shares: Sequence[Share]) -> list[Share]:
    """Shares of the same places added up; they count where one of them does."""
    known: dict[object, Share] = {}
    for share in shares:
        other = known.get(share.address.key)
        if other is None:
            known[share.address.key] = share
            continue
        box = share.address.box
        guard = None
        if other.guard is not None and share.guard is not None:
            guard = builder.map("logical_or", box, other.guard, share.guard)
        known[share.address.key] = Share(share.address, builder.map("add", box, other.value, share.value), guard)
    return list(known.values())


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
    moving = [d for d in range(len(address.box)) if d not in still]
    kept = Affine(tuple(address.box[d] for d in moving), address.offset, tuple(address.strides[d] for d in moving))
    return Share(kept, _summed(builder, share.value, moving, still))


def _summed(builder: Builder, value: Load, moving: list[int], still: list[int]) -> Load:
    """Sums over some dimensions; one along which all numbers are the same becomes a factor."""
    address = value.address
    factor = 1
    if isinstance(address, Affine):
        same = [d for d in still if address.strides[d] == 0]
        factor = prod(address.box[d] for d in same)
        still = [d for d in still if d not in same]
        axes = (*moving, *still)
        box = tuple(address.box[d] for d in axes)
        load = Load(value.node, Affine(box, address.offset, tuple(address.strides[d] for d in axes)))
    else:
        load = Load(value.node, permuted(address, (*moving, *still)))
    box = load.address.box[: len(moving)]
    if still:
        load = Load(builder.graph.sum(load.address.box, load, len(still)), contiguous(box))
    return load if factor == 1 else builder.times(box, load, builder.number(float(factor), box))


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
    return Share(turned, value, None if guard is None else Load(guard.node, permuted(guard.address, axes)))


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
    guard = None if share.guard is None else read(share.guard, where)
    return Share(part(address.box, low), read(share.value, where), guard)


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
            guard = None if share.guard is None else read(share.guard, where)
            found.append(Share(composed(address, where), read(share.value, where), guard))
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
    total: Load | None = None
    for _, members in layers:
        value = _layer(builder, size, members)
        total = value if total is None else builder.map("add", (size,), total, value)
    assert total is not None
    covered = np.logical_or.reduce([seen for seen, _ in layers])
    (_, only), single = layers[0], len(layers) == 1
    guard: Load | None = None
    if single and any(share.guard is not None for share in only):
        guarded = [Share(s.address, s.guard or builder.number(1.0, s.address.box), None) for s in only]
        guard = _layer(builder, size, guarded)
    elif not covered.all():
        guard = Load(builder.graph.constant(covered.astype(np.float64)), everywhere)
    return Share(everywhere, total, guard)


def _of_cells(builder: Builder, size: int, shares: Sequence[Share], cells: Sequence[Cell]) -> Share:
    """Shares added up cell by cell."""
    everywhere = contiguous((size,))
    pieces, guards, is_open = [], [], sum(cell.address.points for cell in cells) == size
    for cell in cells:
        box = cell.address.box
        parts = [
            Share(cell.address, read(shares[k].value, where), _read(shares[k].guard, where))
            for k, where in cell.members
        ]
        (total,) = _merged(builder, parts)
        pieces.append(Piece(cell.address, total.value))
        guards.append(Piece(cell.address, total.guard or builder.number(1.0, box)))
        is_open = is_open and total.guard is None
    value = Load(builder.graph.join(size, tuple(pieces)), everywhere)
    return Share(everywhere, value, None if is_open else Load(builder.graph.join(size, tuple(guards)), everywhere))


def _read(load: Load | None, where: Address) -> Load | None:
    return None if load is None else read(load, where)


def _layer(builder: Builder, size: int, members: list[Share]) -> Load:
    if len(members) == 1 and covers(members[0].address, size):
        return builder.flat(members[0].value)
    node = builder.graph.join(size, tuple(Piece(share.address, share.value) for share in members))
    return Load(node, contiguous((size,)))


def _ranges(builder: Builder, size: int, shares: Sequence[Share]) -> Share:
    """Everything side by side, sorted by place, and summed over the range of each place."""
    values = [builder.flat(share.value) for share in shares]
    places = np.concatenate([np.asarray(share.address.table(), dtype=np.int64) for share in shares])
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places, minlength=size)
    beside = values[0] if len(values) == 1 else Load(_side_by_side(builder, values), contiguous((len(places),)))
    load = read(beside, table((len(order),), order))
    node = builder.graph.sum((len(order),), load, indptr=np.concatenate([[0], np.cumsum(counts)]))
    everywhere = contiguous((size,))
    if counts.all():
        return Share(everywhere, Load(node, everywhere))
    mask = builder.graph.constant((counts > 0).astype(np.float64))
    return Share(everywhere, Load(node, everywhere), Load(mask, everywhere))


def _side_by_side(builder: Builder, values: list[Load]) -> Node:
    pieces, start = [], 0
    for value in values:
        pieces.append(Piece(part(value.address.box, start), value))
        start += value.address.points
    return builder.graph.join(start, tuple(pieces))
