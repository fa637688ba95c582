"""Where the numbers of terms go if the Program was cut: to a pool of numbers, for products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kernels.address import Affine
from sparsejac.elimination.assembly import Placed, grouped
from sparsejac.elimination.blocks import BlockGraph, LocalJacobian
from sparsejac.elimination.expansion import Expanded, Term, vertex_sizes
from sparsejac.programs.addressing import c_strides, contiguous
from sparsejac.schedules.fusion import Lowered


@dataclass(frozen=True, eq=False)
class Pooled:
    """Terms with their places in a pool, and what these numbers mean.

    Parameters
    ----------
    groups : list of list of Placed
        One sweep each.
    graph : BlockGraph
    """

    groups: list[list[Placed]]
    graph: BlockGraph


def place_in_pool(found: Expanded, lowered: Lowered, buffer: int) -> Pooled:
    """Write terms to a pool, those of one sweep side by side.

    Parameters
    ----------
    found : Expanded
    lowered : Lowered
    buffer : int
        Number of the pool.
    """
    sizes = vertex_sizes(found, lowered)
    vertices = {vertex: number for number, vertex in enumerate(sizes)}
    varying = [term for term in found.terms if term.factors]
    bare = [Placed(term.box, term.factors, buffer, contiguous(term.box), adds=False) for term in varying]
    groups, jacobians, end = [], [], 0
    for numbers in grouped(bare):
        points = prod(bare[numbers[0]].box)
        group = []
        for k, number in enumerate(numbers):
            strides = tuple(len(numbers) * s for s in c_strides(bare[number].box))
            address = Affine(bare[number].box, end + k, strides)
            group.append(replace(bare[number], address=address))
            jacobians.append(_local(varying[number], vertices, address))
        groups.append(group)
        end += points * len(numbers)
    jacobians += [_local(term, vertices, None) for term in found.terms if not term.factors]
    return Pooled(groups, BlockGraph(tuple(sizes.values()), tuple(jacobians), end))


def _local(term: Term, vertices: dict[int, int], slots: Affine | None) -> LocalJacobian:
    return LocalJacobian(
        vertices[term.row_vertex],
        vertices[term.column_vertex],
        np.asarray(term.rows.table()),
        np.asarray(term.columns.table()),
        None if slots is None else slots.table(),
    )
