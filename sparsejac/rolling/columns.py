"""Small maps as columns of numbers: what is looked through for repetitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address
from kernels.records import dataclass
from sparsejac.programs.program import Node, Program

Ints = npt.NDArray[np.int64]

MOST_POINTS = 8
"""Size of the largest nodes that are looked at."""

_OPERANDS = 4


@dataclass(frozen=True, eq=False)
class Columns:
    """The small maps of a Program in their order; a column of operands has -1 where there is none.

    Parameters
    ----------
    nodes : list of Node
    operations : array of int, shape (maps,)
        Equal for the same primitive over the same box.
    sources : array of int, shape (maps, operands)
        Index of the node that is read.
    positions : array of int, shape (maps, operands)
        Where it stands among the small maps; -1 for all others.
    addresses : array of int, shape (maps, operands)
        Which of `known` it is read under.
    known : list of Address
    """

    nodes: list[Node]
    operations: Ints
    sources: Ints
    positions: Ints
    addresses: Ints
    known: list[Address]


def columns_of(program: Program) -> Columns:
    """Write the small maps of a Program side by side."""
    nodes = [n for n in program.nodes if n.kind == "map" and 0 < n.size <= MOST_POINTS and len(n.loads) <= _OPERANDS]
    place = {node.index: position for position, node in enumerate(nodes)}
    operations: dict[object, int] = {}
    numbers: dict[object, int] = {}
    known: list[Address] = []
    rows: list[int] = []
    table: npt.NDArray[Any] = np.full((3, len(nodes), _OPERANDS), -1, dtype=np.int64)
    flat: list[tuple[int, int, int, int, int]] = []
    for position, node in enumerate(nodes):
        assert node.primitive is not None
        rows.append(operations.setdefault((node.primitive.name, node.box), len(operations)))
        for k, load in enumerate(node.loads):
            number = numbers.setdefault(load.address.key, len(known))
            if number == len(known):
                known.append(load.address)
            flat.append((position, k, load.node.index, place.get(load.node.index, -1), number))
    if flat:
        read = np.array(flat, dtype=np.int64)
        table[:, read[:, 0], read[:, 1]] = read[:, 2:].T
    return Columns(nodes, np.array(rows, dtype=np.int64), table[0], table[1], table[2], known)
