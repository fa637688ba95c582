"""The maps of a turn in blocks: those that need each other in turns are a loop, all others do all turns at once.

Allen & Kennedy, Automatic translation of Fortran programs to vector form, TOPLAS 1987, distribute loops in this way.
"""

from __future__ import annotations

import numpy as np

from kernels.records import dataclass
from sparsejac.rolling.columns import Columns, Ints
from sparsejac.rolling.turns import Turns


@dataclass(frozen=True)
class Block:
    """Some maps of a turn.

    Parameters
    ----------
    maps : tuple of int
        Which of them, in an order in which they can run in a turn.
    sequential : bool
        Whether a turn needs earlier ones.
    """

    maps: tuple[int, ...]
    sequential: bool


def distances(columns: Columns, turns: Turns) -> Ints:
    """How many turns each operand of each map of a turn lies back; -1 where it comes from outside."""
    first = columns.positions[turns.start : turns.start + turns.period] - turns.start
    found: Ints = np.where(turns.inside, -(first // turns.period), -1)
    return found


def blocks_of(columns: Columns, turns: Turns) -> list[Block]:
    """The blocks of a loop, in an order in which they can run one after the other."""
    first = columns.positions[turns.start : turns.start + turns.period] - turns.start
    makers = np.where(turns.inside, first % turns.period, -1)
    reads = [[int(j) for j in row if j >= 0] for row in makers]
    return [Block(tuple(sorted(block)), len(block) > 1 or block[0] in reads[block[0]]) for block in _components(reads)]


def _components(reads: list[list[int]]) -> list[list[int]]:
    """Strongly connected components; what a component reads comes before it (Tarjan 1972, without recursion)."""
    numbers: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_: list[int] = []
    is_open: set[int] = set()
    found: list[list[int]] = []
    for root in range(len(reads)):
        if root in numbers:
            continue
        stack = [(root, 0)]
        while stack:
            at, edge = stack.pop()
            if edge == 0:
                numbers[at] = lowest[at] = len(numbers)
                open_.append(at)
                is_open.add(at)
            if edge > 0 and reads[at][edge - 1] in is_open:
                lowest[at] = min(lowest[at], lowest[reads[at][edge - 1]])
            while edge < len(reads[at]) and reads[at][edge] in numbers:
                if reads[at][edge] in is_open:
                    lowest[at] = min(lowest[at], numbers[reads[at][edge]])
                edge += 1
            if edge < len(reads[at]):
                stack += [(at, edge + 1), (reads[at][edge], 0)]
            elif lowest[at] == numbers[at]:
                component: list[int] = []
                while not component or component[-1] != at:
                    component.append(open_.pop())
                    is_open.discard(component[-1])
                found.append(component)
    return found
