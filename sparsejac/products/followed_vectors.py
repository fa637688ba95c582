"""Tangents and cotangents that depend on the unknowns of a function that is being followed: nodes of its trace."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from kernels.address import Affine
from sparsejac.products.vectors import count_of, parts_of
from sparsejac.programs.addressing import c_strides, contiguous
from sparsejac.programs.program import Load, Node, Piece
from sparsejac.structure import Leaf, Structure, leaves_of, offsets_of
from sparsejac.tracing.base import owner
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.trace import Trace, current_trace
from sparsejac.transforms.builder import part


def trace_of(call: str, name: str, structure: Structure, given: Any) -> Trace | None:
    """The trace that a tangent belongs to; None for ordinary numbers."""
    if current_trace() is None:
        return None
    found = (owner(value) for _, _, value in parts_of(call, name, structure, given))
    return next((trace for trace in found if trace is not None), None)


def as_vector(trace: Trace, call: str, path: str, given: Any) -> Vector:
    """One array or number."""
    value = as_value(trace, given)
    if value.kind == "c":
        raise trace.refusal(
            f"{call} at complex values",
            f"{path} is differentiated as real numbers",
            "pass both parts as reals",
        )
    return trace.vector(value.real)


def as_seed_node(trace: Trace, call: str, name: str, structure: Structure, given: Any) -> tuple[Node, int | None]:
    """A tangent, or several side by side for each number, and how many; see `as_seeds`."""
    parts = [(leaf, path, as_vector(trace, call, path, v)) for leaf, path, v in parts_of(call, name, structure, given)]
    count = count_of(call, name, [(leaf, path, vector.address.box) for leaf, path, vector in parts])
    return side_by_side(trace, [vector for _, _, vector in parts]), count


def side_by_side(trace: Trace, vectors: list[Vector]) -> Node:
    """A vector of the numbers of several."""
    pieces, start = [], 0
    for vector in vectors:
        if vector.address.points:
            pieces.append(Piece(part(vector.address.box, start), vector.load))
        start += vector.address.points
    return trace.graph.join(start, tuple(pieces))


def arrays_of(trace: Trace, node: Node, structure: Structure, count: int | None) -> Iterator[Any]:
    """The numbers of a node as arrays, and as numbers where there are no dimensions."""
    tail = () if count is None else (count,)
    for leaf, start in begins(structure):
        shape = (*leaf.shape, *tail)
        offset = start * (1 if count is None else count)
        yield wrap(trace, Value(Vector(node, Affine(shape, offset, c_strides(shape)))))


def begins(structure: Structure) -> Iterator[tuple[Leaf, int]]:
    """The leaves, and where each begins."""
    bounds = pairwise(offsets_of(structure))
    return ((leaf, start) for leaf, (start, _) in zip(leaves_of(structure), bounds, strict=True))


def whole(node: Node) -> Load:
    """A read of all numbers of a node."""
    return Load(node, contiguous((node.size,)))
