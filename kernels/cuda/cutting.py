"""Sums of many terms as sums of sums: a device has many threads, and a long sum keeps only one of them busy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kernels.address import Affine, Index
from kernels.cuda.arrays import Arrays
from kernels.cuda.nest import Axes, Nest, Result, Site, c_order
from kernels.kernel import KernelBuilder

SHORT = 256
"""Longer sums are cut into pieces where there are few of them: their terms are then added in another order than on the
CPU."""
PIECE = 64
"""Terms of a piece."""
ENOUGH = 1 << 15
"""Sums that keep a device busy."""


def cut_sums(nest: Nest, arrays: Arrays) -> list[Nest]:
    """Sums of many terms as sums of sums, if there are too few for a device; what is summed does not depend on it."""
    if not nest.summing or nest.threads >= ENOUGH or nest.longest <= SHORT:
        return [nest]
    inner, outer = (_cut_box if nest.indptr is None else _cut_ragged)(nest, arrays)
    return [inner, *cut_sums(outer, arrays)]


def _cut_box(nest: Nest, arrays: Arrays) -> tuple[Nest, Nest]:
    """Neighbouring pieces sum neighbouring points, so that loads of neighbouring threads are next to each other."""
    pieces = -(-nest.longest // PIECE)
    box = (*nest.rows, pieces)
    parts = [_part(result, c_order(box), "pieces", nest, arrays) for result in nest.results]
    inner = replace(nest, pieces=pieces, results=tuple(parts))
    loads = tuple(replace(part.site, over="points") for part in parts)
    return inner, _outer(nest, loads, sums=(pieces,))


def _cut_ragged(nest: Nest, arrays: Arrays) -> tuple[Nest, Nest]:
    """Pieces are ranges of points."""
    assert nest.indptr is not None
    bounds = np.asarray(nest.indptr, dtype=np.int64)
    counts = -(-np.diff(bounds) // PIECE)
    outer = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.arange(len(counts)), counts)
    starts = bounds[row] + PIECE * (np.arange(outer[-1]) - outer[row])
    rows = (int(outer[-1]),)
    parts = [_part(result, c_order(rows), "rows", nest, arrays) for result in nest.results]
    inner = replace(nest, rows=rows, indptr=np.append(starts, bounds[-1]), results=tuple(parts))
    return inner, _outer(nest, tuple(replace(part.site, over="points") for part in parts), indptr=outer)


def _part(result: Result, address: Affine, over: Axes, nest: Nest, arrays: Arrays) -> Result:
    """A result that goes to scratch memory first."""
    seeds = 0 if result.once else nest.seeds
    view = arrays.scratch(address.points * max(seeds, 1))
    return Result(Site(view, address, over, seeds), result.output, adds=False, once=result.once)


def _outer(nest: Nest, loads: tuple[Site, ...], sums: tuple[int, ...] = (), indptr: Index | None = None) -> Nest:
    kernel = KernelBuilder(len(loads)).build(*range(len(loads)))
    results = tuple(replace(result, output=k) for k, result in enumerate(nest.results))
    return Nest("sums", kernel, nest.rows, loads, results, sums, indptr, 0, nest.seeds)
