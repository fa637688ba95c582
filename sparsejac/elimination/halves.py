"""The lower triangle of a symmetric matrix, from terms of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from kernels.address import Affine
from kernels.step import Access
from sparsejac.elimination.demands import Factor, listed
from sparsejac.elimination.expansion import Expanded, Stored, Term

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
