"""Long vectors of which most is a short stretch again and again, written without being read.

The entries of a linear operator on a grid are a few numbers, row after row. To copy them reads as much as it writes; a
stretch of them that stays in the processor's cache is read for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kernels import product_loops
from kernels.address import Index
from kernels.products import compiled
from kernels.records import dataclass
from kernels.shape import Unsigned, unsigned
from kernels.threads import WORK_PER_PIECE, run_pieces, split

FloatArray = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int64]

LEAST = 1 << 12
"""Numbers from which a vector is looked at."""

MOST_SOURCE = 1 << 15
"""Numbers of all stretches together: they have to stay in a cache."""

MOST_PERIOD = 1 << 14
_NEAR = 64
"""Periods that are tried one by one; longer ones are told by where these break."""

_CHUNK = 1 << 11
"""Numbers that are written at a time, about."""

_SHARE = 8
"""The vector has to be so many times as long as all stretches."""

_WINDOWS, _WINDOW = 9, 512


@dataclass(frozen=True, eq=False)
class Tiles:
    """A vector as stretches of a shorter one.

    Parameters
    ----------
    source : array of float64
    pieces : array of int32 or int64
        For each piece where it begins in `source`, where in the vector, and its length.
    size : int
        Of the vector.
    """

    source: FloatArray
    pieces: Index
    size: int

    @cached_property
    def loop(self) -> tuple[Callable[..., None], Unsigned, FloatArray]:
        """What writes the vector, and what it reads."""
        return compiled(product_loops.tile, (self.pieces.dtype.itemsize,), 1), unsigned(self.pieces), self.source


def tiled(numbers: FloatArray) -> Tiles | None:
    """A vector as stretches that repeat; None where that is not much shorter.

    Parameters
    ----------
    numbers : array of float64, one-dimensional

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.tiles import tiled
    >>> found = tiled(np.tile([1.0, -2.0, 1.0], 10000))
    >>> len(found.source), len(found.pieces) // 3
    (939, 32)
    >>> tiled(np.arange(12000.0)) is None
    True
    """
    if len(numbers) < LEAST:
        return None
    bits = numbers.view(np.int64)
    near = _near_period(bits)
    if near is None:
        return None
    breaks = _breaks(bits, near)
    far = _far_period(breaks, near)
    found = None if far is None else _written(numbers, far, _breaks(bits, far))
    return _written(numbers, near, breaks) if found is None else found


def put(tiles: Tiles, out: FloatArray) -> None:
    """Write a vector of its stretches.

    Parameters
    ----------
    tiles : Tiles
    out : array of float64, shape (size,)
        Contiguous; compiled code looks at nothing.
    """
    function, pieces, source = tiles.loop
    count = len(tiles.pieces) // 3
    if tiles.size < 2 * WORK_PER_PIECE:
        function(0, count, pieces, source, out)
    else:
        run_pieces(function, split(count, tiles.size), (pieces, source, out))


def _near_period(bits: Bits) -> int | None:
    """The smallest distance at which most numbers are the same again, by some windows."""
    starts = np.linspace(0, len(bits) - _WINDOW, _WINDOWS).astype(np.int64)
    windows = bits[starts[:, np.newaxis] + np.arange(_WINDOW)]
    for period in range(1, _NEAR + 1):
        if np.mean(windows[:, period:] == windows[:, :-period]) > 0.75:
            return period
    return None


def _breaks(bits: Bits, period: int) -> Index:
    """Where a number is another one than a period further on."""
    return np.flatnonzero(bits[period:] != bits[:-period])


def _far_period(breaks: Index, near: int) -> int | None:
    """How far apart the stretches begin that a short period consists of."""
    starts = breaks[np.flatnonzero(np.diff(breaks, prepend=-MOST_PERIOD) > near)]
    if len(starts) < 4:
        return None
    period = int(np.median(np.diff(starts)))
    return period if near < period <= MOST_PERIOD else None


def _written(numbers: FloatArray, period: int, breaks: Index) -> Tiles | None:
    """Stretches of one period each, and what is between them as it is."""
    ends = np.append(breaks, len(numbers) - period)
    begins = np.append(0, breaks + 1)
    long = np.flatnonzero(ends - begins >= period)
    if len(long) > len(numbers) // _CHUNK:
        return None
    most = min(MOST_SOURCE, len(numbers) // _SHARE)
    source: list[FloatArray] = []
    pieces: list[tuple[int, int, int]] = []
    known: dict[bytes, int] = {}
    done = used = 0

    def add(stretch: FloatArray) -> int:
        nonlocal used
        source.append(stretch)
        used += len(stretch)
        return used - len(stretch)

    copies = period * -(-min(_CHUNK, len(numbers) // (4 * _SHARE)) // period)
    for begin, end in zip(begins[long].tolist(), (ends[long] + period).tolist(), strict=True):
        first = max(begin, done)
        if end - first < period:
            continue
        if first > done:
            pieces.append((add(numbers[done:first]), done, first - done))
        stretch = numbers[first : first + period]
        name = stretch.tobytes()
        if name not in known:
            known[name] = add(np.tile(stretch, copies // period))
        pieces += [(known[name], at, min(copies, end - at)) for at in range(first, end, copies)]
        done = end
        if used > most:
            return None
    if done < len(numbers):
        pieces.append((add(numbers[done:]), done, len(numbers) - done))
    if used > most or not pieces:
        return None
    table = np.array(pieces, dtype=np.int64).reshape(-1)
    is_short = len(numbers) <= np.iinfo(np.int32).max
    return Tiles(np.concatenate(source), table.astype(np.int32) if is_short else table, len(numbers))
