"""Terms by affine addresses, whose rows ascend: what index arithmetic can follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kernels.address import Affine, Table
from sparsejac.elimination.digits import IrregularError
from sparsejac.elimination.expansion import Term
from sparsejac.programs.addressing import c_strides

MOST_RUNS = 32
"""Terms in the place of one with tables."""


def is_affine(term: Term) -> bool:
    """Whether a term is free of tables."""
    loads = [load.address for factor in term.factors for load in factor.loads]
    return all(isinstance(address, Affine) for address in (term.rows, term.columns, *loads))


def untabled(term: Term) -> list[Term]:
    """The same as a few terms without tables, where its tables consist of few runs of equal steps."""
    addresses = [term.rows, term.columns, *(load.address for factor in term.factors for load in factor.loads)]
    tables = [np.diff(np.asarray(a.places)) for a in addresses if isinstance(a, Table) and a.points > 2]
    if not tables:
        return [term]
    jumps = np.zeros(len(tables[0]), dtype=np.bool_)
    for steps in tables:
        jumps |= steps != int(np.median(steps))
        if np.count_nonzero(jumps) >= MOST_RUNS:
            return [term]
    ends = [0, *(np.flatnonzero(jumps) + 1).tolist(), term.rows.points]
    found = []
    for low, high in pairwise(ends):
        found.append(term.over(Affine((high - low,), low, (1,))))
    return found if all(map(is_affine, found)) else [term]


def upright(term: Term) -> Term:
    """The same with its dimensions in the order of its rows, which ascend along each; what has tables stays."""
    rows, own = term.rows, c_strides(term.box)
    if not isinstance(rows, Affine):
        return term
    axes = sorted(range(len(rows.box)), key=lambda axis: (-abs(rows.strides[axis]), axis))
    if axes != sorted(axes) or any(s < 0 for s in rows.strides):
        turned = [axis for axis in axes if rows.strides[axis] < 0]
        strides = tuple(-own[axis] if axis in turned else own[axis] for axis in axes)
        first = sum((term.box[axis] - 1) * own[axis] for axis in turned)
        term = term.over(Affine(tuple(term.box[axis] for axis in axes), first, strides))
    return term


def affine(address: object) -> Affine:
    """What is no table.

    Raises
    ------
    IrregularError
    """
    if not isinstance(address, Affine):
        raise IrregularError
    return address
