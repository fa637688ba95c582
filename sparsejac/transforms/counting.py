"""The cost of a Program in operations, each by its weight."""

from __future__ import annotations

from math import prod

from sparsejac.program import Node, Program


def operations(program: Program) -> int:
    """Additions that the maps and sums of a Program are worth (see `Operation.weight`), before any fusion."""
    return sum(map(_of_node, program.nodes))


def _of_node(node: Node) -> int:
    if node.primitive is not None:
        return node.size * node.primitive.operation.weight
    if node.kind != "sum":
        return 0
    return prod(node.box) if node.indptr is None else int(node.indptr[-1])
