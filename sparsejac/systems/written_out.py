"""First derivatives of solutions as sums of products, for strategies that multiply partial derivatives one by one.

Two forms have the same derivative. The inverse times the right-hand side keeps the way to the unknowns open, at the
price of an entry for each pair of an unknown and an equation that hang together. Where there are fewer unknowns at the
start of the Program, the products of the inverse with their tangents are cheaper: one solve for each color of these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from kernels.lazy import Lazy
from sparsejac.errors import UntraceableError
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import line_of, user_location
from sparsejac.patterns.pattern import Pattern
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, recognised
from sparsejac.programs.program import Load, Node, Routine, program
from sparsejac.systems.points import points_of
from sparsejac.systems.structure import LARGEST, BlockStructure
from sparsejac.transforms.builder import Builder
from sparsejac.transforms.tangents import push

COLORING = Lazy("coloring")

OPEN = 4
"""Entries of an inverse that are taken for one entry of its product with the tangents of the unknowns."""


class Solving(Protocol):
    """What solves the systems; see `SparseSolve`."""

    @property
    def title(self) -> str:
        """What readers know the solve by."""

    @property
    def structure(self) -> BlockStructure:
        """Of the matrix whose systems are solved."""

    def routine(self) -> Routine:
        """What runs a solve."""


def written_out(builder: Builder, value: Node, solving: Solving, entries: Load, residual: Node, source: Node) -> Node:
    """A solution with the derivative of the inverse times a residual.

    Parameters
    ----------
    builder : Builder
    value : Node
        The solution, row by row, without a derivative.
    solving : SparseSolve
    entries : Load
        Those of the matrix.
    residual : Node
        Equation by equation, as many columns as the solution has: what the inverse is to be multiplied with.
    source : Node
        The unknowns at the start of the Program.

    Raises
    ------
    UntraceableError
        If both forms have more than `LARGEST` entries.
    """
    structure = solving.structure
    size = structure.size
    columns = value.size // size if size else 0
    if not value.size or not residual.active:
        return value
    of_source = engine_for(program(builder.graph, residual, ()), {}).pattern
    direct = _by_number(structure.solution(_by_equation(of_source, columns)), columns)
    through = structure.inverse(LARGEST if direct is None else min(LARGEST, OPEN * direct.nnz // columns))
    if through is None and direct is None:
        raise _too_large(builder, solving, structure, of_source)
    right = Load(residual, contiguous((residual.size,)))
    if through is not None:
        surrogate = _times_inverse(builder, solving, entries, through, right, columns)
    else:
        assert direct is not None
        surrogate = _times_unknowns(builder, solving, entries, direct, residual, source, columns)
    whole = contiguous((value.size,))
    return builder.graph.map(PRIMITIVES["derived"], (value.size,), (Load(value, whole), surrogate))


def _times_inverse(
    builder: Builder, solving: Solving, entries: Load, inverse: Pattern, right: Load, columns: int
) -> Load:
    """The inverse, entry by entry, times a residual."""
    seeds, colors, count = _seeded(builder, inverse)
    found = _solved(builder, solving, entries, Load(seeds, contiguous((seeds.size,))))
    places = inverse.rows().astype(np.int64) * count + colors[inverse.indices]
    points = points_of(inverse.indptr, inverse.indices, columns)
    factors = Load(found, recognised(places[points.entries]))
    elements = Load(right.node, recognised(points.elements * columns + points.columns))
    return _summed(builder, factors, elements, points.indptr)


def _times_unknowns(
    builder: Builder,
    solving: Solving,
    entries: Load,
    pattern: Pattern,
    residual: Node,
    source: Node,
    columns: int,
) -> Load:
    """The derivative by the unknowns at the start, entry by entry, times these."""
    seeds, colors, count = _seeded(builder, pattern)
    tangent = _pushed(builder, residual, source, seeds, count)
    found = _solved(builder, solving, entries, Load(tangent, contiguous((tangent.size,))))
    places = pattern.rows().astype(np.int64) * count + colors[pattern.indices]
    factors = Load(found, recognised(places))
    elements = Load(source, recognised(pattern.indices.astype(np.int64)))
    return _summed(builder, factors, elements, pattern.indptr.astype(np.int64))


def _seeded(builder: Builder, pattern: Pattern) -> tuple[Node, npt.NDArray[np.int64], int]:
    """Seeds for the columns of a pattern, their colors, and the number of these."""
    coloring = COLORING.color(pattern, "column")
    colors, count = np.asarray(coloring.colors, dtype=np.int64), max(int(coloring.num_colors), 1)
    seeds = np.zeros((pattern.shape[1], count))
    colored = np.flatnonzero(colors >= 0)
    seeds[colored, colors[colored]] = 1.0
    return builder.graph.constant(seeds.reshape(-1)), colors, count


def _pushed(builder: Builder, residual: Node, source: Node, seeds: Node, count: int) -> Node:
    """Tangents of a node for some of the source."""
    needed = {residual.index}
    nodes = builder.graph.nodes[: residual.index + 1]
    for node in reversed(nodes):
        if node.index in needed:
            needed.update(load.node.index for load in node.operands() if load.node.active)
    site = builder.graph.site
    chosen = [node for node in nodes if node.index in needed]
    found = push(builder, chosen, {source.index: seeds}, count, guarded=True)[residual.index]
    builder.graph.site = site
    return found


def _solved(builder: Builder, solving: Solving, entries: Load, right: Load) -> Node:
    routine = replace(solving.routine(), rule=None)
    return builder.graph.call(routine, right.address.points, (entries, right))


def _summed(builder: Builder, factors: Load, elements: Load, indptr: npt.NDArray[np.int64]) -> Load:
    box = (factors.address.points,)
    total = builder.graph.sum(box, builder.map("multiply", box, factors, elements), indptr=indptr)
    return Load(total, contiguous((total.size,)))


def _by_equation(pattern: Pattern, columns: int) -> Any:
    """The pattern of a residual of several columns: equations by columns and unknowns."""
    rows, width = pattern.rows().astype(np.int64), pattern.shape[1]
    equation, column = np.divmod(rows, columns)
    shape = (pattern.shape[0] // columns, columns * width)
    return coo_array((np.ones(pattern.nnz), (equation, column * width + pattern.indices)), shape=shape)


def _by_number(pattern: Pattern | None, columns: int) -> Pattern | None:
    """The way back from `_by_equation`."""
    if pattern is None or columns == 1:
        return pattern
    width = pattern.shape[1] // columns
    column, unknown = np.divmod(pattern.indices.astype(np.int64), max(width, 1))
    rows = pattern.rows().astype(np.int64) * columns + column
    return Pattern.from_coo(rows, unknown, (pattern.shape[0] * columns, width))


def _too_large(builder: Builder, solving: Solving, structure: BlockStructure, of_source: Pattern) -> UntraceableError:
    line = line_of(builder.graph.site) if builder.graph.site is not None else None
    return UntraceableError(
        f"sparsejac: the Jacobian through {solving.title} of {structure.size} equations by {of_source.shape[1]} "
        f"unknowns has more than {LARGEST:,} entries, and so has the inverse of its matrix\n  "
        f"{user_location() if line is None else line}\n  Cure: ask products with it, which are one solve each: jvp, "
        "vjp, linearize, gradient; or jacfwd where x is short, jacrev where the result is."
    )
