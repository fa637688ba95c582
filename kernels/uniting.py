"""Groups of launches that become one loop after all, or that others make superfluous; see `kernels.merging`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from kernels.accumulating import zeros_for
from kernels.group import Group, read_by, with_readers
from kernels.step import Launch

NEAR = 4
"""Groups with the most in common that one may be united with."""


def united(groups: Sequence[Group], fixed: Set[int]) -> list[Group]:
    """The groups; two at the points of one box that have something in common become one, if the first may wait.

    Parameters
    ----------
    groups : sequence of Group
        In the order in which they run.
    fixed : set of int
        Buffers whose writers keep their order.
    """
    found = list(groups)
    place = 0
    while place < len(found):
        last = found[place]
        common = {k: shared for k in range(place) if (shared := found[k].common(last))}
        for k in sorted(common, key=common.__getitem__, reverse=True)[:NEAR]:
            waiting = _waiting(found[k : place + 1], fixed)
            both = None if waiting is None else found[k].united(last)
            if waiting is not None and both is not None:
                others = [group for group in found[k + 1 : place] if group not in waiting]
                found[k : place + 1] = [*others, both, *waiting]
                place = k + len(others)
                break
        place += 1
    return found


def _waiting(groups: Sequence[Group], fixed: Set[int]) -> list[Group] | None:
    """The groups between the first and the last one that wait for the first one; None if it must not run last."""
    first, *between, last = groups
    if first.like.is_sum or last.like.is_sum or first.like.box != last.like.box:
        return None
    if not fixed.isdisjoint(first.stored | last.stored):
        return None
    late = [groups[k] for k in with_readers([first, *between])]
    made = {buffer for group in late for buffer in group.stored}
    read = {buffer for group in late for buffer in group.taken}
    needed = {buffer for buffer, address in last.loads if (buffer, address) not in first.made}
    written = {buffer for group in between if group not in late for buffer in group.stored}
    may_wait = made.isdisjoint(needed | fixed) and (written & fixed).isdisjoint(read)
    return late[1:] if may_wait else None


def accumulated(groups: Sequence[Group], sizes: Sequence[int], fixed: Set[int]) -> list[Group]:
    """The groups; what one of them makes for sums alone is added up there, and set to zero before all groups."""
    takers: dict[int, list[Launch]] = {}
    here: Counter[int] = Counter()
    for group in groups:
        loaded = {buffer for buffer, _ in group.loads}
        for launch in group.launches:
            here.update(read_by(launch))
            for buffer in read_by(launch) & loaded:
                takers.setdefault(buffer, []).append(launch)
    gone: dict[int, Launch] = {}
    for group in groups:
        for buffer in dict.fromkeys(store.buffer for store, _ in group.results if not group.like.is_sum):
            sums = takers.get(buffer, []) if here[buffer] == group.readers[buffer] else []
            is_free = fixed.isdisjoint((buffer, *(launch.store.buffer for launch in sums)))
            if sums and is_free and group.add_up(sums, sizes[buffer]):
                gone |= {id(launch): launch for launch in sums}
    zeros: dict[tuple[int, ...], Group] = {}
    for zero in map(zeros_for, gone.values()):
        zeros.setdefault(zero.box, Group(zero, Counter())).add(zero)
    return [*zeros.values(), *(left for group in groups if (left := group.without(gone)) is not None)]
