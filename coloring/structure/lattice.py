"""Lattice colorings: the point (i, j, k) has color (a i + b j + c k + its field's offset) mod m, with the smallest m.

Whether such a coloring is valid depends on the differences of the stencil's offsets alone: two points that are a
conflicting difference apart must not have the same residue. So it is found once per stencil, whatever the grid. A
lattice coloring is acyclic exactly when no neighbour has residue 0 and no residue is met by three neighbours: two steps
of one residue make lines, three make hexagons. Along a closed axis of n points the coefficient times n must be 0 mod m,
and no line may close.

Color by residues is the perfect-difference construction of McCormick: Optimal approximation of sparse Hessians and its
equivalence to a graph coloring problem, Mathematical Programming 26, 1983; Goldfarb and Toint: Optimal estimation of
Jacobian and Hessian matrices that arise in finite difference calculations, Mathematics of Computation 43, 1984.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from coloring.demand import Colors
from coloring.distinct import distinct_rows
from coloring.structure.stencils import Box, Offset, Stencil

Array: TypeAlias = npt.NDArray[np.int64]
# Offsets between conflicting points, for each pair of fields f <= g.
Differences: TypeAlias = dict[tuple[int, int], list[Offset]]

# Coefficients are tried in pieces of this many, on so many differences at a time.
PIECE = 1024
STAGE = 8
# More residues than half as many again as the lower bound, and this many, are left to other algorithms.
MORE = 4
# Attempts at the offsets of fields, for one choice of coefficients.
ATTEMPTS = 500


@dataclass(frozen=True)
class Lattice:
    """A coloring by residues.

    Parameters
    ----------
    moduli : tuple of int
        One, or two whose residues are taken together.
    coefficients : tuple of tuple of int
        For each modulus one number an axis.
    field_offsets : tuple of int
    copies : int
        Disjoint copies of these colors, one for each field that all depends on alike.
    """

    moduli: tuple[int, ...]
    coefficients: tuple[Offset, ...]
    field_offsets: tuple[int, ...] = (0,)
    copies: int = 1

    @property
    def modulus(self) -> int:
        """Number of residues, without copies."""
        return int(np.prod(self.moduli))

    def __str__(self) -> str:
        """The formula."""
        terms = (
            f"({' + '.join(_term(a, x) for a, x in zip(row, 'ijk', strict=False) if a % m) or '0'}) mod {m}"
            for row, m in zip(self.coefficients, self.moduli, strict=True)
        )
        copies = f", {self.copies} times" if self.copies > 1 else ""
        return f"lattice {' and '.join(terms)}{copies}"

    def colors(self, box: Box) -> Colors:
        """Color the vertices of a box."""
        points: npt.NDArray[np.integer] = np.zeros(1, dtype=np.int64)
        for row, m in zip(self.coefficients, self.moduli, strict=True):
            residues: npt.NDArray[np.int32] = np.zeros(1, dtype=np.int32)
            for a, n in zip(row, box.sides, strict=True):
                along = (np.arange(n, dtype=np.int64) * a % m).astype(np.int32)
                if len(residues) > m:  # all rows are among those that begin with one of the residues
                    lines = (np.arange(m, dtype=np.int32)[:, None] + along) % np.int32(m)
                    residues = lines[residues].ravel()
                else:
                    residues = ((residues[:, None] + along) % np.int32(m)).ravel()
            points = points * m + residues if len(self.moduli) > 1 else residues
        if self.copies > 1:
            return box.spread(points, np.arange(self.copies) * self.modulus, self.copies * self.modulus)
        return box.spread(points, np.array(self.field_offsets), self.modulus)


def _term(coefficient: int, name: str) -> str:
    return name if coefficient == 1 else f"{coefficient} {name}"


def smallest(stencil: Stencil, problem: str, box: Box, lower: int, budget: int) -> Lattice | None:
    """Find the lattice coloring of fewest colors, from a lower bound on; None if the search gets too long.

    Parameters
    ----------
    stencil : Stencil
    problem : {"column", "row", "star", "acyclic", "distance_1", "distance_2"}
        A star coloring is here one of distance 2.
    box : Box
        Its sides matter where they are closed, or shorter than differences of offsets.
    lower : int
    budget : int
        Residues that may be looked at, about.

    Examples
    --------
    >>> cross = Stencil(2, 1, tuple((0, 0, o) for o in [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]))
    >>> for problem, lower in ("column", 5), ("acyclic", 3):
    ...     print(smallest(cross, problem, Box((30, 40), (False, False)), lower, 10_000))
    lattice (i + 2 j) mod 5
    lattice (i + j) mod 3
    """
    longest = 2 * max((abs(x) for _, _, offset in stencil.entries for x in offset), default=0) + 1
    sides = tuple(n if wraps else min(n, longest) for n, wraps in zip(box.sides, box.periodic, strict=True))
    # Stencils are remembered by the order of the budget only.
    return _smallest(stencil, problem, sides, box.periodic, lower, 1 << budget.bit_length())


@lru_cache(maxsize=256)
def _smallest(
    stencil: Stencil, problem: str, sides: tuple[int, ...], closed: tuple[bool, ...], lower: int, budget: int
) -> Lattice | None:
    if stencil.fields > 1 and stencil.scalar is not None:
        found = _smallest(stencil.scalar, problem, sides, closed, -(-lower // stencil.fields), budget)
        return found and Lattice(found.moduli, found.coefficients, (0,), stencil.fields)
    if problem == "acyclic":
        return _smallest_acyclic(stencil, sides, closed, lower, budget)
    differences = conflicts(stencil, problem, sides, closed)
    work = 0
    upper = lower + lower // 2 + MORE
    own = np.array(sorted({d for (f, g), ds in differences.items() if f == g for d in ds}), dtype=np.int64)
    own = own.reshape(-1, stencil.dimension)
    for m in range(max(lower, 1), upper + 1):
        for moduli in _groups(m, any(closed) and stencil.fields == 1):
            for coefficients in _coefficients(moduli, sides, closed):
                work += len(coefficients) * min(len(own) + 1, 2 * STAGE)
                if work > budget:
                    return None
                for row in coefficients[_apart(coefficients, own, moduli)]:
                    offsets = _field_offsets(row[0], differences, stencil.fields, m)
                    if offsets is not None:
                        return Lattice(moduli, tuple(tuple(one) for one in row.tolist()), offsets)
    return None


def conflicts(
    stencil: Stencil, problem: str, sides: Sequence[int] | None = None, closed: Sequence[bool] | None = None
) -> Differences:
    """List for fields f <= g the offsets from a vertex of f to vertices of g that need another color.

    Differences that no two points of a box have are left out.
    """
    source = stencil.transposed() if problem == "row" else stencil
    fields = np.array([[f, g] for f, g, _ in source.entries], dtype=np.int64).reshape(-1, 2)
    offsets = np.array([offset for _, _, offset in source.entries], dtype=np.int64).reshape(-1, stencil.dimension)
    parts: list[Array] = []
    if problem != "distance_1":
        for row in range(stencil.fields):
            mine, at = fields[fields[:, 0] == row, 1], offsets[fields[:, 0] == row]
            one, other = (index.ravel() for index in np.indices((len(mine), len(mine))))
            parts.append(np.column_stack((mine[one], mine[other], at[other] - at[one])))
    if problem not in ("column", "row"):
        parts.append(np.column_stack((fields, offsets)))
    found = np.concatenate(parts)
    found = found[found[:, 0] <= found[:, 1]]
    if sides is not None and closed is not None:
        lengths, rings = np.array(sides), np.array(closed)
        found = found[((np.abs(found[:, 2:]) < lengths) | rings).all(axis=1)]
        found[:, 2:] = np.where(rings, found[:, 2:] % lengths, found[:, 2:])
    found = distinct_rows(found[(found[:, 0] < found[:, 1]) | (found[:, 2:] != 0).any(axis=1)])
    kept: Differences = {}
    for f, g, *offset in found.tolist():
        kept.setdefault((f, g), []).append(tuple(offset))
    return kept


def _groups(m: int, pairs: bool) -> Iterator[tuple[int, ...]]:
    """List the groups of m residues: modulo one number, or two of which one divides the other."""
    yield (m,)
    if pairs:
        yield from ((p, m // p) for p in range(2, m) if m % (p * p) == 0)


def _coefficients(moduli: tuple[int, ...], sides: Sequence[int], closed: Sequence[bool]) -> Iterator[Array]:
    """List the coefficients to try, in pieces of shape (count, moduli, axes).

    Multiplying all by a number prime to the modulus changes the names of the colors only, so the first one need only be
    a divisor of it.
    """
    m = moduli[-1]
    axes: list[list[Offset]] = []
    for axis, (n, ring) in enumerate(zip(sides, closed, strict=True)):
        elements = [
            element
            for element in product(*(range(p) for p in moduli))
            if not ring or all(a * n % p == 0 for a, p in zip(element, moduli, strict=True))
        ]
        if axis == 0 and len(moduli) == 1:
            elements = [(a,) for (a,) in elements if a == 0 or m % a == 0]
            elements = elements[1:] + elements[:1]
        if n == 1:
            elements = [(0,) * len(moduli)]
        axes.append(elements)
    piece: list[tuple[Offset, ...]] = []
    for choice in product(*axes):
        piece.append(choice)
        if len(piece) == PIECE:
            yield np.array(piece, dtype=np.int64).transpose(0, 2, 1)
            piece = []
    if piece:
        yield np.array(piece, dtype=np.int64).transpose(0, 2, 1)


def _apart(coefficients: Array, differences: Array, moduli: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """List the coefficients under which no difference has residue 0; most fall out at the first few differences."""
    left = np.arange(len(coefficients))
    for start in range(0, len(differences), STAGE):
        some = differences[start : start + STAGE]
        zero = np.ones((len(left), len(some)), dtype=bool)
        for at, m in enumerate(moduli):
            zero &= coefficients[left, at, :] @ some.T % m == 0
        left = left[~zero.any(axis=1)]
    return left


def _field_offsets(row: Array, differences: Differences, fields: int, m: int) -> tuple[int, ...] | None:
    """Find numbers to add for each field, such that no conflicting points of two fields meet."""
    if fields == 1:
        return (0,)
    taken = [[0] * fields for _ in range(fields)]
    for (f, g), offsets in differences.items():
        if f != g:
            for residue in set((-(np.array(offsets) @ row) % m).tolist()):
                taken[f][g] |= 1 << residue
    full = (1 << m) - 1
    chosen = [0]
    least = [0] * (fields + 1)
    for _ in range(ATTEMPTS):
        g = len(chosen)
        if g == fields:
            return tuple(chosen)
        blocked = 0
        for f, offset in enumerate(chosen):
            blocked |= (taken[f][g] << offset | taken[f][g] >> (m - offset)) & full
        free = ~blocked & full & ~((1 << least[g]) - 1)
        if free:
            chosen.append((free & -free).bit_length() - 1)
            least[g + 1] = 0
        elif g == 1:
            return None
        else:
            least[g - 1] = chosen.pop() + 1
    return None


def _smallest_acyclic(
    stencil: Stencil, sides: tuple[int, ...], closed: tuple[bool, ...], lower: int, budget: int
) -> Lattice | None:
    """Find the acyclic coloring of fewest residues, of one field."""
    if stencil.fields > 1:
        return None
    near = conflicts(stencil, "distance_1", sides, closed).get((0, 0), [])
    if not near:
        return Lattice((1,), ((0,) * stencil.dimension,))
    neighbors = np.array(near, dtype=np.int64)
    half = np.array([n // 2 for n in sides])
    steps = np.where(closed, (neighbors + half) % sides - half, neighbors)
    work = 0
    for m in range(max(lower, 2), len(near) + 2):
        for coefficients in _coefficients((m,), sides, closed):
            work += len(coefficients) * len(near)
            if work > budget:
                return None
            residues = np.sort(coefficients[:, 0, :] @ neighbors.T % m, axis=1)
            thrice = (residues[:, 2:] == residues[:, :-2]).any(axis=1)
            for row in coefficients[(residues[:, 0] > 0) & ~thrice]:
                if not any(closed) or _lines_stay_open(row[0], neighbors, steps, m, closed):
                    return Lattice((m,), (tuple(row[0].tolist()),))
    return None


def _lines_stay_open(row: Array, neighbors: Array, steps: Array, m: int, closed: tuple[bool, ...]) -> bool:
    """Whether each two neighbours of one residue lead along an axis that is not closed."""
    residues = neighbors @ row % m
    order = np.argsort(residues, kind="stable")
    pairs = np.flatnonzero(np.diff(residues[order]) == 0)
    along = steps[order[pairs]] - steps[order[pairs + 1]]
    return bool((along[:, ~np.array(closed)] != 0).any(axis=1).all())
