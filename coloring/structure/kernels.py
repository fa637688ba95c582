"""Kernels for large patterns: one pass over the entries, where smaller ones are treated as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coloring.compiled import SMALL, Ints, compiled, pays


def machine(kernel: Callable[..., Any], entries: int) -> Callable[..., Any] | None:
    """The compiled kernel if a pattern has so many entries that loading it pays, else None."""
    return compiled(kernel) if pays(kernel, entries, SMALL) else None


def survey(indptr: Ints, indices: Ints, tops: Ints, bottoms: Ints, heights: Ints) -> int:
    """Fill first row, last row and number of entries of each column; return the number of entries on the diagonal."""
    diagonal = 0
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            if heights[column] == 0:
                tops[column] = row
            heights[column] += 1
            bottoms[column] = row
            if column == row:
                diagonal += 1
    return diagonal


def collect(
    indptr: Ints,
    indices: Ints,
    cells: Ints,
    kinds: Ints,
    fields: int,
    bits: int,
    sides: Ints,
    reach: int,
    wrapped: Ints,
    before: Ints,
    seen: Ints,
) -> bool:
    """Mark the offsets of all entries in `seen`, and the axes they go round; False if one is too long.

    Most rows have the offsets of the row before, which `before` keeps, as many as it has places, and first what is no
    offset.

    A cell packs the coordinates of a point, `bits` bits each; an offset in `seen` has four bits a coordinate, which
    is 8 more than the offset, and above them row field times `fields` plus column field.
    """
    d = len(sides)
    mask = 0
    bias = 0
    for axis in range(d):
        mask |= 15 << (bits * axis)
        bias |= 8 << (bits * axis)
    low = (1 << bits) - 1 if bits < 63 else 0x7FFFFFFFFFFFFFFF
    for row in range(len(indptr) - 1):
        here = cells[row] - bias
        begin, end = indptr[row], indptr[row + 1]
        for k in range(begin, end):
            column = indices[k]
            packed = cells[column] - here
            if fields == 1 and k - begin < len(before):
                if packed == before[k - begin]:
                    continue
                before[k - begin] = packed
            if packed & ~mask:
                packed = 0
                for axis in range(d):
                    shift = bits * (d - 1 - axis)
                    step = ((cells[column] >> shift) & low) - ((cells[row] >> shift) & low)
                    if step > reach:
                        step -= sides[axis]
                        wrapped[axis] = 1
                    elif step < -reach:
                        step += sides[axis]
                        wrapped[axis] = 1
                    if step > reach or step < -reach:
                        return False
                    packed |= (step + 8) << shift
            code = packed & 15
            if d > 1:
                code |= (packed >> (bits - 4)) & 240
            if d > 2:
                code |= (packed >> (2 * bits - 8)) & 3840
            if fields > 1:
                code += (kinds[row] * fields + kinds[column]) << (4 * d)
            seen[code] = 1
    return True


def spans(indptr: Ints, indices: Ints) -> tuple[int, int, int]:
    """Find the most entries of a row, the widest span of one, and the farthest distance from the diagonal."""
    fullest, span, far = 0, 0, 0
    for row in range(len(indptr) - 1):
        begin, end = indptr[row], indptr[row + 1]
        if begin < end:
            first, last = int(indices[begin]), int(indices[end - 1])
            fullest = max(fullest, int(end - begin))
            span = max(span, last - first + 1)
            far = max(far, last - row, row - first)
    return fullest, span, far


def few_differ_in_rows(indptr: Ints, indices: Ints, colors: Ints) -> bool:
    """Whether the colors within each row are distinct, where none is above 62."""
    for row in range(len(indptr) - 1):
        seen = 0
        for k in range(indptr[row], indptr[row + 1]):
            bit = 1 << colors[indices[k]]
            if seen & bit:
                return False
            seen |= bit
    return True


def differ_in_rows(indptr: Ints, indices: Ints, colors: Ints, marks: Ints) -> bool:
    """Whether the colors within each row are distinct; `marks`, one for each color, begins with -1."""
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            color = colors[indices[k]]
            if marks[color] == row:
                return False
            marks[color] = row
    return True


def differ_in_columns(indptr: Ints, indices: Ints, colors: Ints, used: int, seen: Ints) -> bool:
    """Whether the colors within each column are distinct; `seen` has `used` places for each column."""
    for row in range(len(indptr) - 1):
        color = colors[row]
        for k in range(indptr[row], indptr[row + 1]):
            place = indices[k] * used + color
            if seen[place]:
                return False
            seen[place] = 1
    return True


def differ_along_edges(indptr: Ints, indices: Ints, colors: Ints) -> bool:
    """Whether the two ends of each entry beside the diagonal differ."""
    for row in range(len(indptr) - 1):
        color = colors[row]
        for k in range(indptr[row], indptr[row + 1]):
            if colors[indices[k]] == color and indices[k] != row:
                return False
    return True


def no_two_colored_path(indptr: Ints, indices: Ints, colors: Ints, used: int, seen: Ints) -> bool:
    """Whether neighbours differ and no path on four vertices has two colors; `seen` has `used` places a vertex."""
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            if column == row:
                continue
            if colors[column] == colors[row]:
                return False
            place = row * used + colors[column]
            if seen[place] < 2:
                seen[place] += 1
    for row in range(len(indptr) - 1):
        color = colors[row]
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            if column > row and seen[row * used + colors[column]] > 1 and seen[column * used + color] > 1:
                return False
    return True


def no_two_colored_cycle(indptr: Ints, indices: Ints, colors: Ints, used: int, roots: Ints) -> bool:
    """Join each vertex's edges to one color, color by color; an edge that joins what is joined closes a cycle.

    Place ``v * used + c`` stands for vertex v in the two-colored graph of its own color and c; `roots` begins with
    each place as its own.
    """
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            if column <= row:
                continue
            if colors[column] == colors[row]:
                return False
            one = row * used + colors[column]
            other = column * used + colors[row]
            while roots[one] != one:
                roots[one] = roots[roots[one]]
                one = roots[one]
            while roots[other] != other:
                roots[other] = roots[roots[other]]
                other = roots[other]
            if one == other:
                return False
            roots[other] = one
    return True
