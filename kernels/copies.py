"""Sums that are stored where they are wanted, in the place of a vector that another launch would copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from kernels.records import replace
from kernels.step import Launch


def without_copies(launches: Sequence[Launch], readers: Mapping[int, int], fixed: Set[int]) -> list[Launch]:
    """The launches without those that only copy sums which nobody else reads.

    Parameters
    ----------
    launches : sequence of Launch
        In their order.
    readers : mapping
        How many launches read each buffer; one more where it is wanted from outside.
    fixed : set of int
        Buffers whose writers keep their order.

    Examples
    --------
    >>> from kernels.address import Affine
    >>> from kernels.kernel import KernelBuilder
    >>> from kernels.step import Access
    >>> kernel = KernelBuilder(1).build(0)
    >>> rows = Access(0, Affine((3, 2), 0, (2, 1))), Access(1, Affine((3,), 0, (1,)))
    >>> sums = Launch(kernel, kernel, (3, 2), rows[:1], rows[1], (), reduced=1)
    >>> copy = Launch(kernel, kernel, (3,), rows[1:], Access(2, Affine((3,), 8, (-2,))), ())
    >>> [(launch.box, launch.store.buffer) for launch in without_copies([sums, copy], {0: 1, 1: 1, 2: 1}, set())]
    [((3, 2), 2)]
    """
    writers: dict[int, list[int]] = {}
    found: list[Launch | None] = list(launches)
    for k, launch in enumerate(launches):
        made = writers.get(launch.loads[0].buffer, []) if _is_copy(launch) else []
        maker = found[made[0]] if len(made) == 1 else None
        if maker is not None and _may_move(maker, launch, readers, fixed):
            found[made[0]], found[k] = replace(maker, store=launch.store), None
            writers.setdefault(launch.store.buffer, []).append(made[0])
        else:
            writers.setdefault(launch.store.buffer, []).append(k)
    return [launch for launch in found if launch is not None]


def _is_copy(launch: Launch) -> bool:
    return not launch.is_sum and len(launch.loads) == 1 and not launch.kernel.instructions


def _may_move(maker: Launch, copy: Launch, readers: Mapping[int, int], fixed: Set[int]) -> bool:
    """Whether sums may be stored where a launch copies all of them to."""
    buffer = maker.store.buffer
    same = buffer == copy.loads[0].buffer and maker.store.address.key == copy.loads[0].address.key
    return maker.is_sum and same and readers[buffer] == 1 and fixed.isdisjoint((buffer, copy.store.buffer))
