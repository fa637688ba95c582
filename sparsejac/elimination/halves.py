"""The lower triangle of a symmetric matrix, from terms of the whole; and the whole, from sweeps that write a triangle.

A sweep that stores a number below the diagonal can store it above as well. Both places then get the same numbers in the
same order, whatever is added to them later, so that the matrix is symmetric to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.kernel import Kernel
from kernels.step import Access
from kernels.sweep import Store, Sweep, lower_sweep
from sparsejac.elimination.assembly import Placed
from sparsejac.elimination.demands import Factor, listed
from sparsejac.elimination.expansion import Expanded, Stored, Term
from sparsejac.elimination.regular_places import cut_regularly
from sparsejac.patterns.pattern import IndexArray
from sparsejac.pieces.boxes import within
from sparsejac.programs.addressing import composed, contiguous, recognised
from sparsejac.transforms.symmetric import Mirrored

LEAST = 64
"""Points of a box of affine places that is not cut along the diagonal: its loops would lose more than they save."""


def lower_half(found: Expanded) -> Expanded | None:
    """The terms below the diagonal and on it, and what they load.

    Parameters
    ----------
    found : Expanded
        Without cuts.

    Returns
    -------
    Expanded or None
        None where large boxes of affine places lie on both sides of the diagonal.
    """
    kept: list[Term] = []
    for term in found.terms:
        below = np.greater_equal(term.rows.table(), term.columns.table())
        if below.all():
            kept.append(term)
        elif below.any():
            if _is_affine(term) and prod(term.box) >= LEAST:
                return None
            kept.append(term.over(listed(np.flatnonzero(below))))
    return _compacted(found, kept)


def _is_affine(term: Term) -> bool:
    loads = (load.address for factor in term.factors for load in factor.loads)
    return all(isinstance(address, Affine) for address in (term.rows, term.columns, *loads))


def _compacted(found: Expanded, terms: Sequence[Term]) -> Expanded:
    """Terms without the stored numbers that nobody loads; the others move up."""
    loaded = _buffers(factor for term in terms for factor in term.factors)
    kept: list[Stored] = []
    for item in reversed(found.stored):
        if item.buffer in loaded:
            kept.append(item)
            loaded |= _buffers(item.factors)
    moved = dict(zip((item.buffer for item in reversed(kept)), (item.buffer for item in found.stored), strict=False))
    return replace(
        found,
        terms=tuple(replace(term, factors=_reading(term.factors, moved)) for term in terms),
        stored=tuple(Stored(moved[s.buffer], s.box, _reading(s.factors, moved)) for s in reversed(kept)),
    )


def _buffers(factors: Iterable[Factor]) -> set[int]:
    return {load.buffer for factor in factors for load in factor.loads}


def _reading(factors: Iterable[Factor], moved: Mapping[int, int]) -> tuple[Factor, ...]:
    """Factors that load from buffers that have moved."""
    return tuple(
        replace(f, loads=tuple(Access(moved.get(load.buffer, load.buffer), load.address) for load in f.loads))
        for f in factors
    )


def mirrored_sweeps(sweeps: Iterable[Sweep], buffer: int, form: Mirrored) -> tuple[Sweep, ...] | None:
    """Sweeps that write the entries of a lower triangle, made to write the whole matrix.

    Parameters
    ----------
    sweeps : iterable of Sweep
    buffer : int
        Number of the buffer of entries.
    form : Mirrored
        The whole, from the entries of the lower triangle.

    Returns
    -------
    tuple of Sweep or None
        None where numbers are added on the diagonal and below it by one store, and where a long sweep would store far
        apart: compilers do not see then that its points do not disturb each other.
    """
    sweeps = tuple(sweeps)
    if any(_stores_by_table(sweep, buffer) for sweep in sweeps):
        return None
    rows, columns = form.pattern.rows(), form.pattern.indices
    count = int(np.count_nonzero(rows >= columns))
    below, above = (np.empty(count, dtype=np.int64) for _ in range(2))
    for places, here in ((below, np.greater_equal(rows, columns)), (above, np.less_equal(rows, columns))):
        places[form.sources[here]] = np.flatnonzero(here)
    made = []
    for sweep in sweeps:
        whole = _whole(sweep, buffer, below, above)
        if whole is None:
            return None
        made += _in_parts(whole)
    return tuple(made) if all(map(_stores_nearby, made)) else None


def _stores_by_table(sweep: Sweep, buffer: int) -> bool:
    """Whether numbers of a long sweep go anywhere: they would do so twice."""
    stores = (store.access for store in sweep.stores if store.access.buffer == buffer)
    return sweep.points >= LEAST and any(isinstance(access.address, Table) for access in stores)


def _stores_nearby(sweep: Sweep) -> bool:
    """Whether all numbers of a point are stored near one place; short sweeps may do as they like."""
    return sweep.points < LEAST or len({store.leader for store in lower_sweep(sweep).shape.stores}) == 1


def _whole(sweep: Sweep, buffer: int, below: IndexArray, above: IndexArray) -> Sweep | None:
    """A sweep with two stores in the place of each below the diagonal."""
    stores, outputs = list[Store](), list[int]()
    for store, output in zip(sweep.stores, sweep.kernel.outputs, strict=True):
        if store.access.buffer != buffer:
            stores, outputs = [*stores, store], [*outputs, output]
            continue
        places = store.access.address.table()
        is_apart = below[places] != above[places]
        if store.adds and is_apart.any() and not is_apart.all():
            return None
        for side in (below, above) if is_apart.any() else (below,):
            address = recognised(side[places].reshape(store.access.address.box))
            stores.append(replace(store, access=Access(buffer, address)))
            outputs.append(output)
    kernel = Kernel(sweep.kernel.loads, sweep.kernel.instructions, tuple(outputs))
    return replace(sweep, kernel=kernel, stores=tuple(stores))


def _in_parts(sweep: Sweep) -> list[Sweep]:
    """A sweep cut into an inside, where all of its places are affine, and what is around it: not within its rows."""
    if sweep.by_rows:
        return [sweep]
    accesses = (*sweep.loads, *(store.access for store in sweep.stores))
    stored = Placed(sweep.box, (), 0, contiguous(sweep.box), adds=False)
    tables = [replace(stored, address=access.address) for access in accesses]
    loads_tables = any(isinstance(load.address, Table) for load in sweep.loads)
    parts = None if loads_tables else cut_regularly(sweep.box, tables)
    return [sweep] if parts is None else [_over(sweep, within(sweep.box, part)) for part in parts]


def _over(sweep: Sweep, points: Address) -> Sweep:
    """The same at some of its points."""
    loads = tuple(Access(load.buffer, composed(load.address, points)) for load in sweep.loads)
    stores = tuple(replace(s, access=Access(s.access.buffer, composed(s.access.address, points))) for s in sweep.stores)
    return replace(sweep, box=points.box, loads=loads, stores=stores)
