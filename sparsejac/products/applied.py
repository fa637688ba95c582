"""Stored derivatives applied inside of another function: their linear Programs become a part of its Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.products.evaluation import widened_once
from sparsejac.products.followed_vectors import arrays_of, as_seed_node
from sparsejac.products.losses import check_product
from sparsejac.programs.program import Node
from sparsejac.structure import Leaf
from sparsejac.tracing.trace import Trace
from sparsejac.transforms import Template, then
from sparsejac.transforms.builder import Builder, copied

Floats = npt.NDArray[np.float64]


def applied(
    trace: Trace, part: Template, stored: Sequence[Floats], constants: list[Floats], seeds: Node, count: int | None
) -> Node:
    """A linear Program's result for tangents that depend on the unknowns of what is being followed.

    Parameters
    ----------
    trace : Trace
    part : Template
        Its inputs are one tangent and the stored numbers.
    stored, constants : sequence of array
        Those numbers, and the constants of the Program from which the part was made.
    seeds : Node
        The tangents, `count` side by side for each number.
    count : int or None
        None for one tangent.
    """
    builder = Builder(trace.graph)
    if count == 0:
        return builder.zeros(0)
    wide = part if count is None else then(part, widened_once(part.program, count))
    kept = [trace.constant(stretch) for stretch in stored]
    unread = trace.constant(np.zeros(part.program.input_sizes[0]))
    inputs = [seeds, *kept] if count is None else [unread, *kept, seeds]
    site = trace.graph.site
    try:
        nodes = [*inputs, *map(trace.constant, wide.constants(constants))]
        return copied(wide.program, builder, nodes)[wide.program.output.index]
    finally:
        trace.graph.site = site


def with_loss(trace: Trace, loss: Callable[[Any], Any] | None, pushed: Node, count: int | None) -> Node:
    """Tangents of a result, multiplied by the Hessian of a loss."""
    if loss is None or count == 0:
        return pushed
    rows = pushed.size // (count or 1)
    (flat,) = arrays_of(trace, pushed, Leaf((rows,)), count)
    product = loss(flat)
    check_product(np.shape(flat), np.shape(product))
    return as_product_node(trace, product)


def as_product_node(trace: Trace, product: Any) -> Node:
    """A product with the Hessian of a loss, of one tangent or of several."""
    return as_seed_node(trace, "jtj", "the product with loss_hessian", Leaf(np.shape(product)), product)[0]
