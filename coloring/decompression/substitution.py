"""Substitution: the order in which entries are solved for, each with those found before subtracted.

Two colors induce trees. An unknown that is alone in a place, as at a leaf, is read off; it is subtracted in its other
place, which may leave another one alone there, and so on. Each unknown is subtracted at most once, so that errors
add up along trees and never multiply.

References
----------
Coleman and Cai: The cyclic coloring problem and estimation of sparse Hessian matrices, SIAM J. Alg. Disc. Meth. 7(2),
1986. Gebremedhin, Tarafdar, Pothen and Walther: Efficient computation of sparse Hessians using coloring and automatic
differentiation, INFORMS J. Computing 21(2), 2009, section 4 (leaves removed from two-colored trees).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.compiled import Ints, compiled, run
from coloring.decompression.places import Mask
from coloring.pattern import Index

# Beyond so many levels or unknowns one compiled loop is quicker than a vector operation for each level.
MOST_LEVELS = 256
MOST_UNKNOWNS = 1_000_000
# Work for an unknown, in the visits to an entry that `compiled.SMALL` counts.
VISITS = 10
COMPILED_DTYPES = "fdFD"


@dataclass(frozen=True, eq=False)
class Peeling:
    """Unknowns in the order in which they can be solved for.

    Parameters
    ----------
    unknowns : array of int
        Those that can be solved for, the ones that need no other first.
    by_row : array of bool
        Whether each is solved for in its second place.
    consumers : array of int
        Position of the unknown from whose place each is subtracted; always a later one, and -1 if there is none.
    """

    unknowns: Index
    by_row: Mask
    consumers: Index


@dataclass(frozen=True, eq=False)
class Schedule:
    """Subtractions by levels; level k holds positions ``starts[k] ... starts[k + 1] - 1``.

    Parameters
    ----------
    starts : array of int, shape (num_levels + 1,)
    ends : array of int, shape (num_levels,)
        Where those of each level end that are subtracted anywhere; they come first.
    consumers : array of int
        Position from which each is subtracted, or -1.
    entries : array of int
        Position of the unknown of each entry that comes back.
    error_growth : float
        See `DecompressionPlan`.
    """

    starts: Index
    ends: Index
    consumers: Index
    entries: Index
    error_growth: float

    @property
    def num_levels(self) -> int:
        """Length of the longest chain in which each unknown needs the one before it."""
        return len(self.ends)

    def substitute(self, values: npt.NDArray[Any]) -> None:
        """Turn what stands in the places into the values of the unknowns, in place.

        Modifies `values`.
        """
        large = self.num_levels > MOST_LEVELS or len(values) > MOST_UNKNOWNS
        if large and values.dtype.char in COMPILED_DTYPES:
            compiled(_subtract)(self.consumers, values)
            return
        for begin, end in zip(self.starts.tolist(), self.ends.tolist(), strict=False):
            if begin < end:
                np.subtract.at(values, self.consumers[begin:end], values[begin:end])


def peel(first: Index, second: Index, number: int) -> Peeling:
    """Solve for all unknowns that can be.

    Parameters
    ----------
    first, second : array of int
        The two places of each unknown, -1 where there is none.
    number : int
        Places there are.

    Examples
    --------
    A path: unknown 0 is alone in place 0, and 1 in place 2; then 2 can be had.

    >>> peeling = peel(np.array([0, 2, 1]), np.array([1, 3, 3]), 4)
    >>> peeling.unknowns.tolist(), peeling.by_row.tolist(), peeling.consumers.tolist()
    ([0, 1, 2], [False, False, False], [2, -1, -1])
    """
    dtype = first.dtype
    degrees, members = np.zeros(number, dtype=dtype), np.zeros(number, dtype=dtype)
    queue, solvers = np.zeros(number, dtype=dtype), np.full(number, -1, dtype=dtype)
    unknowns, others = np.zeros(len(first), dtype=dtype), np.full(len(first), -1, dtype=dtype)
    by_row = np.zeros(len(first), dtype=np.int8)
    work = VISITS * len(first)
    solved = run(_peel, work, first, second, degrees, members, queue, solvers, unknowns, by_row, others)
    others = others[:solved]
    consumers = np.where(others >= 0, solvers[others] if number else others, -1).astype(dtype)
    return Peeling(cast("Index", unknowns[:solved]), by_row[:solved] == 1, cast("Index", consumers))


def schedule(peeling: Peeling, wanted: Mask) -> tuple[Index, Schedule]:
    """Arrange what the wanted unknowns need in levels.

    Parameters
    ----------
    peeling : Peeling
    wanted : array of bool
        By unknown.

    Returns
    -------
    kept : array of int
        Positions in the peeling of the unknowns of the schedule, in its order.
    schedule : Schedule
        Whose `entries` are the position of each unknown, -1 for those left out.
    """
    needed = wanted[peeling.unknowns].astype(np.int8)
    run(_trace, len(needed), peeling.consumers, needed)
    kept = cast("Index", np.flatnonzero(needed).astype(peeling.consumers.dtype))
    consumers = _renumbered(peeling.consumers[kept], kept, len(needed))
    levels, terms = np.zeros_like(kept), np.zeros_like(kept)
    sizes, errors = np.ones(len(kept)), np.ones(len(kept))
    run(_grow, VISITS * len(kept), consumers, levels, terms, sizes, errors)
    growth = float(errors[wanted[peeling.unknowns[kept]]].max(initial=1.0))
    starts = np.searchsorted(levels, np.arange(int(levels.max(initial=-1)) + 2)).astype(kept.dtype)
    moved, ends = _subtracted_first(consumers >= 0, levels, cast("Index", starts))
    kept, consumers = kept[moved], _renumbered(consumers[moved], moved, len(moved))
    entries = np.full(len(wanted), -1, dtype=kept.dtype)
    entries[peeling.unknowns[kept]] = np.arange(len(kept))
    return kept, Schedule(cast("Index", starts), ends, consumers, entries, growth)


def _renumbered(consumers: Index, kept: Index, number: int) -> Index:
    """Where the kept positions went."""
    places = np.full(number + 1, -1, dtype=kept.dtype)
    places[kept] = np.arange(len(kept))
    return cast("Index", places[consumers])  # -1 reads the last one, which is -1


def _subtracted_first(subtracted: Mask, levels: Index, starts: Index) -> tuple[Index, Index]:
    """Sort each level stably, those first that are subtracted somewhere; also where these end."""
    before = np.concatenate(([0], np.cumsum(subtracted)))
    ends = starts[:-1] + before[starts[1:]] - before[starts[:-1]]
    positions = np.arange(len(levels))
    among = before[:-1] - before[starts[:-1]][levels]
    targets = np.where(
        subtracted, starts[:-1][levels] + among, ends[levels] + (positions - starts[:-1][levels]) - among
    )
    moved = np.empty_like(levels)
    moved[targets] = positions
    return moved, cast("Index", ends.astype(levels.dtype))


def _peel(
    first: Ints,
    second: Ints,
    degrees: Ints,
    members: Ints,
    queue: Ints,
    solvers: Ints,
    unknowns: Ints,
    by_row: Ints,
    others: Ints,
) -> int:
    """Solve for unknowns alone in a place, the first to become so first. Return how many were solved for.

    `members` holds the exclusive or of the unknowns left in a place: of a single one, that is its number.
    """
    for u in range(len(first)):
        if first[u] >= 0:
            degrees[first[u]] += 1
            members[first[u]] ^= u
        if second[u] >= 0:
            degrees[second[u]] += 1
            members[second[u]] ^= u
    tail = 0
    for place in range(len(degrees)):
        if degrees[place] == 1:
            queue[tail] = place
            tail += 1
    head = 0
    count = 0
    while head < tail:
        place = queue[head]
        head += 1
        if degrees[place] == 1:
            u = members[place]
            unknowns[count] = u
            solvers[place] = count
            degrees[place] = 0
            other = second[u]
            if other == place:
                other = first[u]
                by_row[count] = 1
            others[count] = other
            count += 1
            if other >= 0:
                degrees[other] -= 1
                members[other] ^= u
                if degrees[other] == 1:
                    queue[tail] = other
                    tail += 1
    return count


def _trace(consumers: Ints, needed: Ints) -> None:
    """Mark all that a marked one needs."""
    for position in range(len(consumers) - 1, -1, -1):
        consumer = consumers[position]
        if consumer >= 0 and needed[consumer] == 1:
            needed[position] = 1


def _grow(consumers: Ints, levels: Ints, terms: Ints, sizes: Any, errors: Any) -> None:
    """Find levels and, in units of the rounding error of the largest product, how large values and errors can be.

    With B rounded once, x = B - x1 - ... - xd has size s = 1 + s1 + ... + sd and error e = 1 + e1 + ... + ed + d s.
    """
    for position in range(len(consumers)):
        errors[position] += terms[position] * sizes[position]
        consumer = consumers[position]
        if consumer >= 0:
            levels[consumer] = max(levels[consumer], levels[position] + 1)
            terms[consumer] += 1
            sizes[consumer] += sizes[position]
            errors[consumer] += errors[position]


def _subtract(consumers: Any, values: Any) -> None:
    """Subtract each value, final when it is reached, where it is needed."""
    for position in range(len(consumers)):
        if consumers[position] >= 0:
            values[consumers[position]] -= values[position]
