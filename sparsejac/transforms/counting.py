"""The cost of a Program in operations, each by its weight."""

from __future__ import annotations

from math import prod

from sparsejac.programs.program import Node, Program


def operations(program: Program, *, moves: bool = False) -> int:
    """Additions that the maps and sums of a Program are worth (see `Operation.weight`), before any fusion.

    Parameters
    ----------
    program : Program
    moves : bool
        Whether each number that a join or a copy puts somewhere counts as one, too.
    """
    return sum(_of_node(node) + (_moved(node) if moves else 0) for node in program.nodes)


def _of_node(node: Node) -> int:
    if node.primitive is not None:
        return node.size * node.primitive.operation.weight
    if node.kind != "sum":
        return 0
    return prod(node.box) if node.indptr is None else int(node.indptr[-1])


def _moved(node: Node) -> int:
    if node.primitive is not None and node.primitive.name == "copy":
        return node.size
    return sum(piece.store.points for piece in node.pieces)
