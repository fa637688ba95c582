"""Arithmetic on address maps: recognise, compose, broadcast, permute, collapse.

Affine maps stay affine wherever they can: a slice of a reshaped slice of x is still an offset and some strides, and
costs no memory however large x is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from math import prod
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Content, Table, probe, selected
from kernels.step import MAX_BOX_DIMENSIONS
from kernels.symbolic import take

Box = tuple[int, ...]
_INT32_MAX = np.iinfo(np.int32).max
_PIECE = 2**15
_LONG = 2**12
_LONG_REPEATED = 2**16
_TABLES: WeakValueDictionary[tuple[object, ...], Content] = WeakValueDictionary()
"""What long tables in use hold, by some of their places."""

_compositions: ContextVar[dict[tuple[object, object], Address] | None] = ContextVar("compositions", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Compose the same maps with tables once: for whoever walks through the readings of a program several times."""
    token = _compositions.set({})
    try:
        yield
    finally:
        _compositions.reset(token)


def c_strides(box: Box) -> tuple[int, ...]:
    """Strides, in elements, of a C-ordered array.

    >>> c_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for length in reversed(box):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))


@lru_cache(maxsize=1024)
def contiguous(box: Box) -> Affine:
    """The map of a C-ordered box onto a whole flat buffer; one object for each box, of which most nodes are."""
    lengths = tuple(map(int, box))  # those of NumPy are equal, but are written in another way in digests
    return Affine(lengths, 0, c_strides(lengths))


def covers(address: Address, size: int) -> bool:
    """Whether the address reads a buffer of `size` whole and in order."""
    if type(address) is not Affine or address.offset:
        return False
    box, strides = address.box, address.strides
    if len(box) == 1:  # mostly
        return box[0] == size and (strides[0] == 1 or size <= 1)
    if prod(box) != size:
        return False
    full = contiguous(box).strides
    return strides == full or all(n <= 1 or s == step for n, s, step in zip(box, strides, full, strict=True))


def of_view(view: npt.NDArray[Any], origin: int, unit: int | None = None) -> Affine:
    """The address of a NumPy view into memory that starts at `origin`, with elements `unit` bytes apart."""
    if view.size == 0:
        return Affine(view.shape, 0, (0,) * view.ndim)
    item = view.itemsize if unit is None else unit
    start = view.__array_interface__["data"][0] - origin
    return Affine(view.shape, start // item, tuple(stride // item for stride in view.strides))


def recognised(places: npt.NDArray[Any], *, owned: bool = False) -> Address:
    """The map of an array of places: affine if it is, else a table, which an array that is `owned` may become.

    >>> recognised(np.array([[7, 5], [17, 15]]))
    Affine(box=(2, 2), offset=7, strides=(10, -2))
    """
    affine = as_affine(places)
    return table(places.shape, places, owned=owned) if affine is None else affine


def as_affine(places: npt.NDArray[Any]) -> Affine | None:
    """The affine map with these places, if there is one."""
    box = places.shape
    if places.size <= 1:  # a deep recurrence has nothing but these
        return Affine(box, int(places.item()) if places.size else 0, (0,) * places.ndim)
    first = (0,) * places.ndim
    strides = []
    for axis, length in enumerate(box):
        neighbour = tuple(1 if k == axis else 0 for k in range(places.ndim))
        strides.append(int(places[neighbour]) - int(places[first]) if length > 1 else 0)
    affine = Affine(box, int(places[first]), tuple(strides))
    last = affine.offset + sum(s * (n - 1) for s, n in zip(strides, box, strict=True))
    return affine if int(places[(-1,) * places.ndim]) == last and is_table_of(affine, places) else None


def ascending(places: npt.NDArray[Any]) -> Address:
    """As `recognised`, of different places in ascending order: all of a range are told by its ends.

    >>> ascending(np.array([4, 5, 6])), ascending(np.array([1, 3]))
    (Affine(box=(3,), offset=4, strides=(1,)), Affine(box=(2,), offset=1, strides=(2,)))
    """
    count = len(places)
    if not count or int(places[-1]) - int(places[0]) != count - 1:
        return recognised(places)
    return Affine((count,), int(places[0]), (1 if count > 1 else 0,))


def is_table_of(affine: Affine, places: npt.NDArray[Any]) -> bool:
    """Whether a map has these places; looked at piece by piece, since mostly the first one tells."""
    if not affine.box:
        return True
    (length, *further), (stride, *strides) = affine.box, affine.strides
    row = Affine(tuple(further), affine.offset, tuple(strides)).table().reshape(further)
    step = max(1, _PIECE // row.size)
    for start in range(0, length, step):
        piece = places[start : start + step]
        steps = np.arange(start, start + len(piece), dtype=np.int64) * stride
        if not np.array_equal(piece, row + steps.reshape(-1, *(1 for _ in further))):
            return False
    return True


def table(box: Box, places: npt.NDArray[Any], *, owned: bool = False) -> Table:
    """A table of places, in int32 where they fit; the caller's array is copied, unless nobody else has it.

    A long table that is known already is the same one: it is kept, and its digest is found, once.
    """
    flat = places.reshape(-1)
    small = flat.size == 0 or flat.dtype == np.int32 or int(flat.max()) <= _INT32_MAX
    dtype = np.dtype(np.int32 if small else np.int64)
    known = _interned(flat) if flat.size >= _LONG else None
    if known is not None:
        return Table(box, known)
    stored: npt.NDArray[Any] = np.ascontiguousarray(flat, dtype=dtype)
    if not owned and (stored.base is not None or stored is places):
        stored = stored.copy()
    stored.flags.writeable = False
    made = Table(box, stored)
    if stored.size >= _LONG:
        _TABLES[probe(stored)] = made.content
    return made


def _interned(flat: npt.NDArray[Any]) -> Content | None:
    """These places, if a table holds them already."""
    known = _TABLES.get(probe(flat))
    return known if known is not None and np.array_equal(known.places, flat) else None


def reboxed(address: Address, box: Box) -> Address:
    """The same places in the same C order over another box with as many points."""
    if address.box == box:
        return address
    if isinstance(address, Table):
        return address.over(box)
    strides = reshaped_strides(address, box)
    if strides is None:
        return recognised(address.table().reshape(box))
    return Affine(box, address.offset, strides)


def reshaped_strides(address: Affine, box: Box) -> tuple[int, ...] | None:
    """Strides over `box`, if the map is affine there too."""
    if address.points == 0:
        return (0,) * len(box)
    old = [(n, s) for n, s in zip(address.box, address.strides, strict=True) if n != 1]
    runs: list[tuple[int, int]] = []
    for length, stride in old:
        if runs and runs[-1][1] == stride * length:
            runs[-1] = (runs[-1][0] * length, stride)
        else:
            runs.append((length, stride))
    strides: list[int] = []
    remaining = list(reversed(runs))
    left, step = remaining.pop() if remaining else (1, 0)
    for length in box:
        if length == 1:
            strides.append(0)
            continue
        if left == 1 and remaining:
            left, step = remaining.pop()
        if left % length:
            return None
        left //= length
        strides.append(step * left)
    return tuple(strides)


def broadcast(address: Address, box: Box) -> Address:
    """The map over a larger box by NumPy's broadcasting rules."""
    if address.box == box:
        return address
    lead = len(box) - len(address.box)
    if isinstance(address, Affine):
        if not address.box:
            return Affine(box, address.offset, (0,) * lead)
        old = zip(address.box, address.strides, box[lead:], strict=True)
        strides = tuple(0 if n == 1 and m != 1 else s for n, s, m in old)
        return Affine(box, address.offset, (0,) * lead + strides)
    steps = zip(address.box, c_strides(address.box), strict=True)
    found = _unwritten(address, Affine(box, 0, (0,) * lead + tuple(0 if n == 1 else s for n, s in steps)))
    return table(box, np.broadcast_to(address.places.reshape(address.box), box)) if found is None else found


def broadcast_box(boxes: list[Box]) -> Box:
    """As `numpy.broadcast_shapes`, which makes an array for each shape, also where they are all the same.

    >>> broadcast_box([(), (3, 1), ()]), broadcast_box([(3, 1), (4,)])
    ((3, 1), (3, 4))
    """
    longest = max(boxes, key=len)
    is_known = all(not box or box == longest for box in boxes)  # single numbers go with all
    return longest if is_known else np.broadcast_shapes(*boxes)


def permuted(address: Address, axes: tuple[int, ...]) -> Address:
    """The map with the dimensions of its box in another order."""
    if axes == tuple(range(len(axes))):
        return address
    box = tuple(address.box[a] for a in axes)
    if isinstance(address, Affine):
        return Affine(box, address.offset, tuple(address.strides[a] for a in axes))
    return table(box, address.places.reshape(address.box).transpose(axes))


def composed(inner: Address, outer: Address) -> Address:
    """The map ``inner(outer(i))``: `outer` leads into the points of the box of `inner`, numbered in C order.

    >>> composed(Affine((3, 4), 0, (10, 1)), Affine((3,), 1, (4,)))  # column 1 of a 3 x 4 block
    Affine(box=(3,), offset=1, strides=(10,))
    """
    if covers(outer, inner.points):
        return reboxed(inner, outer.box)
    known = _compositions.get()
    if known is None or (isinstance(inner, Affine) and isinstance(outer, Affine)):
        return _composed(inner, outer)
    key = inner.key, outer.key
    if key not in known:
        known[key] = _composed(inner, outer)
    return known[key]


def _composed(inner: Address, outer: Address) -> Address:
    if isinstance(inner, Affine):
        if covers(inner, inner.points):
            return outer
        if isinstance(outer, Affine):
            affine = _composed_affine(inner, outer)
            if affine is not None:
                return affine
        if all(s == 0 or n == 1 for n, s in zip(inner.box, inner.strides, strict=True)):
            return Affine(outer.box, inner.offset, (0,) * len(outer.box))
        if len(inner.box) == 1 and inner.offset == 0 and inner.strides == (1,):
            return outer
        if isinstance(outer, Table) and len(inner.box) == 1:
            kind = np.int32 if _isnarrow(inner) and outer.places.dtype == np.int32 else np.int64
            stepped = np.multiply(outer.places, inner.strides[0], dtype=kind)
            return table(outer.box, np.add(stepped, inner.offset, out=stepped), owned=True)
    unwritten = _unwritten(inner, outer) if isinstance(inner, Table) and isinstance(outer, Affine) else None
    if unwritten is not None:
        return unwritten
    places = _places_at(inner, outer)
    return recognised(places.reshape(outer.box), owned=places.base is None)


def _places_at(inner: Address, outer: Address) -> npt.NDArray[Any]:
    """The places of `inner` at the points that `outer` leads to."""
    if isinstance(outer, Affine) and outer.points:
        base, through = _read_through(inner, outer) if isinstance(inner, Table) else (narrow(inner), outer)
        if min(through.strides, default=0) >= 0 and through.span[1] < len(base):
            return selected(base, through)
    return take(narrow(inner), narrow(outer))


def _read_through(inner: Table, outer: Affine) -> tuple[npt.NDArray[Any], Affine]:
    """Numbers that stand written out, and which of them are the places of a table at some of its points."""
    content = inner.content
    through = outer if content.through is None else _composed_affine(content.through, outer)
    return (content.places, outer) if through is None else (content.base, through)


def _unwritten(inner: Table, outer: Affine) -> Address | None:
    """The places of a long table at points that come several times each, which nobody writes out so far.

    Local values of finite elements, say, are read again in each direction.
    """
    if outer.points < _LONG_REPEATED or 0 not in outer.strides or min(outer.strides) < 0:
        return None
    base, through = _read_through(inner, outer)
    leads_out = min(through.strides) < 0 or through.span[1] >= len(base)
    if leads_out or all(s or n == 1 for n, s in zip(through.box, through.strides, strict=True)):
        return None
    affine = as_affine(_once(selected(base, through)))
    if affine is not None:
        return Affine(outer.box, affine.offset, affine.strides)
    made = Content(base, through)
    known = _TABLES.get(made.probe())
    if known is None or known != made:
        known = _TABLES[made.probe()] = made
    return Table(outer.box, known)


def over_box(address: Table) -> npt.NDArray[Any]:
    """The places of a table over its box; a view of the numbers that stand written out.

    >>> over_box(table((2, 2), np.array([7, 5, 7, 5]))).tolist()
    [[7, 5], [7, 5]]
    """
    base, through, box = address.content.base, address.content.through, address.box
    if through is None:
        return base.reshape(box)
    strides = through.strides if through.box == box else reshaped_strides(through, box)
    return address.places.reshape(box) if strides is None else selected(base, Affine(box, through.offset, strides))


def once_each(address: Table) -> npt.NDArray[Any]:
    """As `over_box`, of length 1 along axes where places are known to be the same."""
    return _once(over_box(address))


def _once(places: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view without the steps that lead nowhere."""
    return places[tuple(slice(None if stride else 1) for stride in places.strides)]


def inner_places(address: Affine) -> list[int]:
    """The places at the first step along the first dimension.

    >>> inner_places(Affine((4, 2), 3, (10, 1)))
    [3, 4]
    """
    return [int(place) for place in Affine(address.box[1:], address.offset, address.strides[1:]).table()]


def narrow(address: Address) -> npt.NDArray[Any]:
    """All places, in int32 where they fit."""
    if isinstance(address, Table):
        return address.places
    return address.table_in(np.int32) if _isnarrow(address) else address.table()


def _isnarrow(address: Address) -> bool:
    low, high = address.span
    return low >= 0 and high <= _INT32_MAX


def _composed_affine(inner: Affine, outer: Affine) -> Affine | None:
    """The composition if each step of `outer` is a step along the axes of `inner` without a carry."""
    if outer.points == 0:
        return Affine(outer.box, 0, (0,) * len(outer.box))
    if len(inner.box) == 1 and inner.box[0] > 1:  # no step carries along one axis
        first, last = outer.span
        if first < 0 or last >= inner.box[0]:
            return None
        (unit,) = inner.strides
        strides = tuple([unit * s if n > 1 else 0 for n, s in zip(outer.box, outer.strides, strict=True)])
        return Affine(outer.box, inner.offset + unit * outer.offset, strides)
    radix = c_strides(inner.box)
    low = digits(outer.offset, radix, inner.box)
    high = list(low)
    steps: list[list[int]] = []
    for length, stride in zip(outer.box, outer.strides, strict=True):
        step = _signed_digits(stride, radix) if length > 1 else [0] * len(radix)
        steps.append(step)
        for axis, digit in enumerate(step):
            reach = digit * (length - 1)
            low[axis] += min(reach, 0)
            high[axis] += max(reach, 0)
    if any(a < 0 or b >= n for a, b, n in zip(low, high, inner.box, strict=True)):
        return None
    start = digits(outer.offset, radix, inner.box)
    offset = inner.offset + sum(d * s for d, s in zip(start, inner.strides, strict=True))
    strides = tuple(sum(d * s for d, s in zip(step, inner.strides, strict=True)) for step in steps)
    return Affine(outer.box, offset, strides)


def digits(number: int, radix: tuple[int, ...], box: Box) -> list[int]:
    """The coordinates of a point of a box, whose units are `radix`, by its number."""
    digits = []
    for unit, length in zip(radix, box, strict=True):
        digit = number // unit if unit and length > 1 else 0
        digits.append(digit)
        number -= digit * unit
    return digits


def _signed_digits(stride: int, radix: tuple[int, ...]) -> list[int]:
    """Steps along each axis that make up `stride`, each rounded to the nearest."""
    digits = []
    for position, unit in enumerate(radix):
        if position == len(radix) - 1 or unit == 0:
            digit = stride if unit else 0
        else:
            digit = (2 * stride + unit) // (2 * unit) if stride >= 0 else -((-2 * stride + unit) // (2 * unit))
            if abs(stride - digit * unit) * 2 == unit:  # a tie: toward zero
                digit = int(stride / unit)
        digits.append(digit)
        stride -= digit * unit
    return digits


def collapse(addresses: list[Address], groups: tuple[int, ...]) -> tuple[tuple[Box, ...], list[Address]]:
    """Merge neighbouring dimensions of one box where all addresses allow it.

    Parameters
    ----------
    addresses : list of Address
        Maps over one box.
    groups : tuple of int
        Numbers of neighbouring dimensions that may merge with each other (the rows and the reduced dimensions of a
        launch, say).

    Returns
    -------
    boxes : tuple of tuple of int
        For each group its merged dimensions; together at most `MAX_BOX_DIMENSIONS`.
    addresses : list of Address
        The maps over the merged box.

    Examples
    --------
    >>> collapse([contiguous((4, 5))], (2,))
    (((20,),), [Affine(box=(20,), offset=0, strides=(1,))])
    """
    box = addresses[0].box
    boxes: list[Box] = []
    start = 0
    for count in groups:
        boxes.append(_merged(addresses, box, start, start + count))
        start += count
    while sum(map(len, boxes)) > MAX_BOX_DIMENSIONS:
        longest = max(range(len(boxes)), key=lambda g: len(boxes[g]))
        boxes[longest] = (prod(boxes[longest]),)
    merged = tuple(n for group in boxes for n in group)
    return tuple(boxes), [reboxed(address, merged) for address in addresses]


def _merged(addresses: list[Address], box: Box, start: int, stop: int) -> Box:
    lengths: list[int] = []
    last = -1
    for d in range(start, stop):
        if box[d] == 1:
            continue
        if lengths and all(_mergeable(a, last, d) for a in addresses):
            lengths[-1] *= box[d]
        else:
            lengths.append(box[d])
        last = d
    return tuple(lengths)


def _mergeable(address: Address, outer: int, inner: int) -> bool:
    if isinstance(address, Table):
        return True
    return address.strides[outer] == address.strides[inner] * address.box[inner]
