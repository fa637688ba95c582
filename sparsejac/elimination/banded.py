"""Sweeps for the regions of a Program: coefficients first, then bands, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.step import MAX_BOX_DIMENSIONS, Access
from kernels.sweep import Store, Sweep
from sparsejac.elimination.assembly import Placed, kernel_of, sweep_of
from sparsejac.elimination.demands import Factor, loaded
from sparsejac.elimination.digits import IrregularError
from sparsejac.elimination.expansion import X
from sparsejac.elimination.regular import Band, Coefficients, Region
from sparsejac.elimination.slots import EntryFinder
from sparsejac.programs.addressing import c_strides

Starts = dict[tuple[int, tuple[int, Affine]], int]
"""Where the numbers of each of some coefficients begin."""

CHUNK = 16
"""Bands that one sweep computes: few kernels have to be compiled, since the sweeps of most chunks are alike."""

BLOCK_BYTES = 440_000
"""Bands of one vertex over a block of rows: two of them lie in the second-level cache, and no sweep is so long that
threads would be waited for."""

MOST_BLOCKS = 128

LARGEST = 1200
"""Instructions of a sweep."""


@dataclass(frozen=True, eq=False)
class Banded:
    """Sweeps of a region.

    Parameters
    ----------
    coefficients : list of list of Placed
        To be swept over first.
    sweeps : list of Sweep
        The bands, block after block.
    sizes : tuple of int
        Lengths of the buffers, from the first number on that was given: coefficients, then bands.
    """

    coefficients: list[list[Placed]]
    sweeps: list[Sweep]
    sizes: tuple[int, ...]


def banded(region: Region, finder: EntryFinder, touched: npt.NDArray[np.bool_], entries: int, first: int) -> Banded:
    """Sweeps that write the rows of a region.

    Parameters
    ----------
    region : Region
    finder : EntryFinder
    touched : array of bool
        For each entry of the Jacobian whether it is written; is updated.
    entries, first : int
        Numbers of the buffer of entries, and of the first new buffer.

    Raises
    ------
    IrregularError
        Where entries do not lie regularly.
    """
    if len(region.rows.box) >= MAX_BOX_DIMENSIONS:  # entries of a row are one dimension more
        raise IrregularError
    starts: Starts = {}
    end = 0
    for found in region.coefficients:
        for key in found.terms:
            starts[id(found), key] = end
            end += found.span
    groups = [group for found in region.coefficients for group in _coefficients(found, starts, first)]
    if max(len(kernel_of(group)[0].instructions) for group in groups) > LARGEST:
        raise IrregularError
    layout = _Layout(region, starts, first)
    for band in region.bands.get(X, []):
        layout.entry(band, finder, touched, entries)
    return Banded(groups, list(layout.sweeps()), (max(end, 1), *layout.sizes()))


def _coefficients(found: Coefficients, starts: Starts, buffer: int) -> list[list[Placed]]:
    """Sweeps of bounded size."""
    groups: list[list[Placed]] = []
    size = LARGEST
    for key, products in found.terms.items():
        own = sum(len(factor.kernel.instructions) for factors in products for factor in factors)
        if size + own > LARGEST // 2:
            groups.append([])
            size = 0
        size += own
        address = replace(found.rows, offset=starts[id(found), key])
        groups[-1] += [Placed(found.rows.box, factors, buffer, address, adds=False) for factors in products]
    return groups


class _Layout:
    """Where bands lie, and the sweeps over them."""

    def __init__(self, region: Region, starts: Starts, first: int) -> None:
        self.region, self.starts, self.first = region, starts, first
        box = region.rows.box
        widest = max((len(bands) for bands in region.bands.values()), default=1)
        whole = BLOCK_BYTES // (8 * widest * prod(box[1:]))
        blocks = min(-(-box[0] // max(whole, 1)), MOST_BLOCKS)
        self.length = -(-box[0] // blocks)
        self.box = (self.length, *box[1:])
        self.slots: dict[Band, tuple[int, int]] = {}
        self.entries: dict[Band, tuple[int, Affine]] = {}
        self.buffers = self._assign()

    def _assign(self) -> list[int]:
        """Give each band a place in a buffer; a buffer is taken again when no band in it is needed any more."""
        last = {}
        for vertex, bands in self.region.bands.items():
            for band in bands:
                last.update({source.vertex: vertex for source, _, _ in band.sources if source is not None})
        widths: list[int] = []
        free: list[int] = []
        held: dict[int, int] = {}
        for vertex, bands in self.region.bands.items():
            if vertex not in last and vertex != X:
                continue
            number = free.pop() if free else len(widths)
            if number == len(widths):
                widths.append(0)
            widths[number] = max(widths[number], len(bands))
            held[vertex] = number
            for k, band in enumerate(bands):
                self.slots[band] = (self.first + 1 + number, k * prod(self.box))
            free += [held.pop(v) for v in list(held) if last.get(v) == vertex]
        return widths

    def sizes(self) -> tuple[int, ...]:
        """Lengths of the buffers of bands."""
        return tuple(width * prod(self.box) for width in self.buffers)

    def entry(self, band: Band, finder: EntryFinder, touched: npt.NDArray[np.bool_], buffer: int) -> None:
        """Find the entries of a band by x."""
        address, _ = finder.find(self.region.rows, band.address)
        if not isinstance(address, Affine):
            raise IrregularError
        view = np.ndarray(address.box, np.bool_, touched, address.offset, address.strides)
        if view.any():
            raise IrregularError
        view[...] = True
        self.entries[band] = buffer, address

    def sweeps(self) -> Iterator[Sweep]:
        """Of all blocks, one after the other; the last one may do some rows of the one before again."""
        moving = [self._moving(group) for group in self._groups()]
        total = self.region.rows.box[0]
        for start in range(0, total, self.length):
            for sweep, steps in moving:
                yield _moved(sweep, steps, min(start, total - self.length))

    def _groups(self) -> Iterator[list[Placed]]:
        """Those of the first block."""
        for bands in self.region.bands.values():
            wanted = [band for band in bands if band in self.slots]
            for k in range(0, len(wanted), CHUNK):
                yield [placed for band in wanted[k : k + CHUNK] for placed in self._placed(band)]
        yield from ([self._copied(run)] for run in self._runs())

    def _runs(self) -> list[list[Band]]:
        """Bands by x whose entries lie side by side."""
        runs: list[list[Band]] = []
        for band, (_, address) in self.entries.items():
            last = self.entries[runs[-1][-1]][1] if runs else None
            if last == replace(address, offset=address.offset - 1):
                runs[-1].append(band)
            else:
                runs.append([band])
        return runs

    def _load(self, band: Band) -> Factor:
        buffer, offset = self.slots[band]
        return loaded(buffer, Affine(self.box, offset, c_strides(self.box)))

    def _copied(self, run: Sequence[Band]) -> Placed:
        """Entry after entry: stores side by side are worth more than loads."""
        (number, offset), (buffer, found) = self.slots[run[0]], self.entries[run[0]]
        box = (*self.box, len(run))
        load = loaded(number, Affine(box, offset, (*c_strides(self.box), prod(self.box))))
        address = Affine(box, found.offset, (*found.strides, 1))
        return Placed(box, (load,), buffer, address, adds=False)

    def _placed(self, band: Band) -> Iterator[Placed]:
        buffer, offset = self.slots[band]
        address = Affine(self.box, offset, c_strides(self.box))
        for source, coefficients, key in band.sources:
            place = self.region.rows if source is None else source.address
            start = self.starts[id(coefficients), key] + place.offset - coefficients.low
            factors = [loaded(self.first, Affine(self.box, start, place.strides))]
            if source is not None:
                factors.insert(0, self._load(source))
            yield Placed(self.box, tuple(factors), buffer, address, adds=False)

    def _moving(self, placed: Sequence[Placed]) -> tuple[Sweep, list[int]]:
        """The sweep of the first block, and how far each of its addresses moves with each row."""
        kernel, loads = kernel_of(placed)
        if len(kernel.instructions) > LARGEST:
            raise IrregularError
        stores = {(term.buffer, term.address.key): term for term in placed}.values()
        addresses = [*((a.buffer, a.address) for a in loads), *((t.buffer, t.address) for t in stores)]
        temporary = {number for number, _ in self.slots.values()}
        return sweep_of(placed), [0 if b in temporary else _first_stride(a) for b, a in addresses]


def _first_stride(address: object) -> int:
    assert isinstance(address, Affine)
    return address.strides[0]


def _moved(sweep: Sweep, steps: Sequence[int], rows: int) -> Sweep:
    count = len(sweep.loads)
    loads = tuple(_shifted(a, rows * step) for a, step in zip(sweep.loads, steps[:count], strict=True))
    pairs = zip(sweep.stores, steps[count:], strict=True)
    return Sweep(sweep.kernel, sweep.box, loads, tuple(Store(_shifted(s.access, rows * step)) for s, step in pairs))


def _shifted(access: Access, distance: int) -> Access:
    address = access.address
    assert isinstance(address, Affine)
    return (
        Access(access.buffer, Affine(address.box, address.offset + distance, address.strides)) if distance else access
    )
