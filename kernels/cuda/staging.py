"""Results of one point that lie side by side: threads pass them on to neighbours, which then store side by side.

A thread that stores a row of five numbers touches five sectors of memory, and its neighbour five others. Through shared
memory, a block writes its rows as one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.address import Address, Affine
from kernels.cuda.nest import Nest, Site, places_of

TILE = 256
"""Points that a block works on at a time."""
MOST_RESULTS = 18
"""Of a point; those of a tile, and their places, must fit into the 48 KiB of shared memory that every device has."""
WIDEST = 64
"""Rows of more numbers are no rows."""


@dataclass(frozen=True)
class Row:
    """Results of a point that lie side by side.

    Parameters
    ----------
    results : tuple of int
        Which results, in the order of their places.
    distances : tuple of int
        Of their places from the first one's; empty for tables.
    """

    results: tuple[int, ...]
    distances: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Results of a point."""
        return len(self.results)


def stride_of(rows: Sequence[Row]) -> int:
    """From point to point in shared memory: an odd number, so that neighbours use different banks."""
    return sum(row.count for row in rows) | 1


def rows_of(nest: Nest) -> tuple[Row, ...]:
    """The rows of a nest; results that lie beside those of neighbouring points anyway are in none."""
    if nest.summing or nest.chained or nest.seeds:
        return ()
    groups: dict[object, list[int]] = {}
    for number, result in enumerate(nest.results):
        if not result.adds:
            groups.setdefault(_key(result.site), []).append(number)
    found: list[Row] = []
    for group in groups.values():
        addresses = [nest.results[number].site.address for number in group]
        affine = [address for address in addresses if isinstance(address, Affine)]
        found += _rows(group, affine) if affine else _tabled(group, addresses)
    kept: list[Row] = []
    for row in sorted(found, key=lambda row: -row.count):
        if row.count + sum(other.count for other in kept) <= MOST_RESULTS:
            kept.append(row)
    return tuple(kept)


def _key(site: Site) -> object:
    address = site.address
    return (site.view, address.strides if isinstance(address, Affine) else None)


def _rows(group: list[int], addresses: list[Affine]) -> list[Row]:
    """Runs of places, none of which is longer than the step to the next point."""
    step = abs(addresses[0].strides[-1]) if addresses[0].strides else 0
    if not 2 <= step <= WIDEST:
        return []
    runs: list[list[tuple[int, int]]] = []
    for offset, number in sorted((address.offset, number) for number, address in zip(group, addresses, strict=True)):
        if runs and offset - runs[-1][0][0] < step:
            runs[-1].append((offset, number))
        else:
            runs.append([(offset, number)])
    return [
        Row(tuple(number for _, number in run), tuple(offset - run[0][0] for offset, _ in run))
        for run in runs
        if len(run) > 1
    ]


def _tabled(group: list[int], addresses: list[Address]) -> list[Row]:
    """Places that are mostly close to each other at a point, and not to those of the next one."""
    if len(group) < 2 or addresses[0].points < TILE:
        return []
    places = np.stack([places_of(address) for address in addresses], axis=-1)
    spans, steps = np.ptp(places, axis=1), np.abs(np.diff(places[:, 0]))
    close = np.median(spans) <= 4 * len(group) and np.median(steps) >= 2
    return [Row(tuple(group))] if close else []
