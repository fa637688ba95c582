"""Blocks on the diagonal: each is colored by itself, and all share their colors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coloring.bounds import Bound
from coloring.problems import Problem
from coloring.structure.floors import stated
from coloring.structure.forms import Profile, Recognized


def blocks(problem: Problem, profile: Profile) -> Iterator[Recognized]:
    """Color the vertices of each block of a symmetric pattern by their place in it.

    Blocks of any pattern are bands as far as columns or rows are concerned.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> pattern = Profile(as_pattern(np.kron(np.eye(2, dtype=bool), np.ones((2, 2), dtype=bool))))
    >>> [found.colors.tolist() for found in blocks(PROBLEMS["star"], pattern)]
    [[0, 1, 0, 1]]
    """
    n = profile.pattern.shape[0]
    if not problem.symmetric or not n:
        return
    reach = np.arange(n, dtype=np.int64)
    reach[profile.filled] = np.maximum(profile.last, profile.filled)
    begins = np.ones(n, dtype=bool)
    begins[1:] = np.maximum.accumulate(reach)[:-1] < np.arange(1, n)
    starts = np.flatnonzero(begins)
    sizes = np.diff(starts, append=n)
    largest = int(sizes.max())
    if largest > max(profile.fullest_row + 1, 1):
        return
    places = np.arange(n, dtype=np.int64) - np.repeat(starts, sizes)
    method = f"blocks of up to {largest} on the diagonal"
    yield Recognized(places.astype(np.int32), method, _clique(profile, int(starts[np.argmax(sizes)]), largest))


def _clique(profile: Profile, start: int, size: int) -> Bound | None:
    """Bound by the first of the largest blocks, if it is full beside the diagonal."""
    pattern = profile.pattern
    begin, end = int(pattern.indptr[start]), int(pattern.indptr[start + size])
    rows = np.repeat(np.arange(start, start + size), profile.lengths[start : start + size])
    if int(np.count_nonzero(pattern.indices[begin:end] != rows)) != size * (size - 1):
        return None
    clique = np.arange(start, start + size, dtype=pattern.indices.dtype)
    return stated(size, f"vertices {start} to {start + size - 1} are neighbours", clique)
