"""Totals of cotangents, term by term: what several terms are multiplied by is multiplied once."""

from __future__ import annotations

from kernels.address import Affine
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.program import Load
from sparsejac.transforms.builder import Box, Builder, read


def added(builder: Builder, box: Box, total: Load, term: Load) -> Load:
    """A total and one more term.

    A term that has a constant factor joins the one before it if that has the same factor, as those of a stencil do:
    ``rest + k*a`` and ``k*b`` become ``rest + k*(a + b)``. Only totals made here are taken apart: nobody
    else reads them.

    Parameters
    ----------
    builder : Builder
    box : tuple of int
    total, term : Load
        Over the box.
    """
    made = _joined(builder, box, total, term)
    if made is None and total.node.index in builder.totals:
        parts = [read(load, total.address) for load in total.node.loads]
        for last, rest in (parts, parts[::-1]):  # equal sums are one node, whichever way round
            joined = _joined(builder, box, last, term)
            if joined is not None:
                made = builder.map("add", box, rest, joined)
                break
    if made is None:
        made = builder.plus(box, total, term)
    if made.node.primitive is PRIMITIVES["add"]:
        builder.totals.add(made.node.index)
    return made


def _joined(builder: Builder, box: Box, one: Load, other: Load) -> Load | None:
    """The sum of two products with the same factor, which is multiplied once; None if they are no such products."""
    a, b = _product(one), _product(other)
    if a is None or b is None or a[1].key != b[1].key:
        return None
    return builder.times(box, builder.plus(box, a[0], b[0]), a[1])


def _product(load: Load) -> tuple[Load, Load] | None:
    """What is multiplied by a number that is the same at all points, and that number."""
    if load.node.primitive is not PRIMITIVES["multiply"]:
        return None
    loads = [read(other, load.address) for other in load.node.loads]
    still = [isinstance(other.address, Affine) and not any(other.address.strides) for other in loads]
    if still[0] == still[1]:
        return None
    return (loads[1], loads[0]) if still[0] else (loads[0], loads[1])
