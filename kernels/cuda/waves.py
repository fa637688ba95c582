"""Which nests may run at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kernels.cuda.nest import Nest, Site, disjoint

MOST_NESTS = 12
"""In one launch: its parameters must fit into 4 KiB."""
MOST_SITES = 160


def waves(nests: Sequence[Nest]) -> list[list[Nest]]:
    """Runs of nests none of which needs another of its run, in order."""
    found: list[list[Nest]] = []
    for nest in nests:
        if found and _fits(found[-1], nest):
            found[-1].append(nest)
        else:
            found.append([nest])
    return found


def _fits(wave: Sequence[Nest], nest: Nest) -> bool:
    sites = sum(len(other.loads) + len(other.results) for other in (*wave, nest))
    return len(wave) < MOST_NESTS and sites <= MOST_SITES and not any(conflict(other, nest) for other in wave)


def conflict(first: Nest, second: Nest) -> bool:
    """Whether one of them stores to a place that the other one reads or stores to, or might."""
    return (
        _meet(_stored(first), _stored(second))
        or _meet(_stored(first), second.needed)
        or _meet(first.needed, _stored(second))
    )


def _stored(nest: Nest) -> list[Site]:
    return [result.site for result in nest.results]


def _meet(first: Iterable[Site], second: Iterable[Site]) -> bool:
    later = list(second)
    return any(a.view.buffer == b.view.buffer and not disjoint(a, b) for a in first for b in later)
