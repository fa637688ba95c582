"""A segment of the tape: rows that are re-rolled together, with their long sums and their levels of dependency."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass
from sparsejac.tracing.tape import ARITIES, CODES

Ints = npt.NDArray[np.int64]

CHAIN = -3
"""In the place of an operation: the last row of a long sum, which stands for all of it."""

ADD = CODES["add"]
_SHORTEST_CHAIN = 8


@dataclass(frozen=True)
class Segment:
    """Rows of the tape that are rolled together; operands are numbered as on the whole tape."""

    start: int
    code: Ints
    site: Ints
    operands: tuple[Ints, ...]
    depths: Ints

    def chains(self) -> dict[int, Ints]:
        """Long sums ``s = s + t`` at one place of the code: for the last row of each its terms."""
        adds = self.code == ADD
        if adds.sum() < _SHORTEST_CHAIN:
            return {}
        first, second = self.operands[:2]
        before = first - self.start
        linked = adds & (before >= 0)
        inside = np.where(linked, before, 0)
        linked &= adds[inside] & (self.site[inside] == self.site) & (self._uses()[inside] == 1)
        length = np.zeros(len(adds), dtype=np.int64)
        for link in np.flatnonzero(linked):
            length[link] = length[before[link]] + 1
        continued = np.zeros(len(adds), dtype=bool)
        continued[before[linked]] = True
        chains = {}
        for head in np.flatnonzero((length >= _SHORTEST_CHAIN) & ~continued):
            row, terms = int(head), []
            for _ in range(int(length[head])):
                terms.append(int(second[row]))
                row = int(before[row])
            terms += [int(second[row]), int(first[row])]
            chains[int(head)] = np.array(terms[::-1], dtype=np.int64)
        return chains

    def levels(self, chains: dict[int, Ints]) -> list[Ints]:
        """The rows with operations, by level of dependency; rows that a chain absorbed are left out."""
        depth = self._depths_with(chains) if chains else np.where(self.code >= 0, self.depths, 0)
        order = np.argsort(depth, kind="stable")
        ordered = depth[order]
        bounds = [*np.flatnonzero(np.diff(ordered, prepend=0)), len(order)]
        return [order[low:high] for low, high in pairwise(bounds)]

    def _depths_with(self, chains: dict[int, Ints]) -> Ints:
        """Depths of the rows where chains are one operation; 0 for leaves and for rows that a chain absorbed."""
        code, start = self.code.tolist(), self.start
        absorbed = self._absorbed_rows(chains)
        columns = [column.tolist() for column in self.operands]
        level = [0] * len(code)
        for row, operation in enumerate(code):
            if operation >= 0:
                if row in absorbed:
                    continue
                operands = [column[row] for column in columns[: ARITIES[operation]]]
            elif operation == CHAIN:
                operands = chains[row].tolist()
            else:
                continue
            level[row] = 1 + max(level[o - start] if o >= start else 0 for o in operands)
        return np.array(level, dtype=np.int64)

    def _absorbed_rows(self, chains: dict[int, Ints]) -> set[int]:
        absorbed = set()
        for head, terms in chains.items():
            row = head
            for _ in range(len(terms) - 2):
                row = int(self.operands[0][row]) - self.start
                absorbed.add(row)
        return absorbed

    def _uses(self) -> Ints:
        """How often each row is an operand of a row of the segment."""
        uses = np.zeros(len(self.code), dtype=np.int64)
        arity = np.where(self.code >= 0, ARITIES[self.code], 0)
        for k, column in enumerate(self.operands):
            inside = column[(k < arity) & (column >= self.start)] - self.start
            uses += np.bincount(inside, minlength=len(uses))
        return uses


def carried_first(start: int, code: Ints, site: Ints, first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The operands of sums in the order (s, t), for ``s = t + s`` too: what the same place gave before comes first."""

    def is_carried(operand: Ints) -> npt.NDArray[np.bool_]:
        known = (code == ADD) & (operand >= start)  # the operands of leaves are no rows
        inside = np.where(known, operand - start, 0)
        carried: npt.NDArray[np.bool_] = known & (code[inside] == ADD) & (site[inside] == site)
        return carried

    swapped = is_carried(second) & ~is_carried(first)
    return np.where(swapped, second, first), np.where(swapped, first, second)
