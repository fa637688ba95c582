"""A sweep as text with everything but the buffers at hand, and what threads and turns have to know of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.evaluation import Invocation, RowRange, SharedRows, Touch, TouchKind
from kernels.kernel import Kernel
from kernels.lazy import Lazy
from kernels.module import compile_source
from kernels.products import add_sums_invocation, subtract_sums_invocation
from kernels.shape import numbers_of, pad
from kernels.source import Source
from kernels.sweep import Sweep, lower_sweep
from kernels.sweep_printer import print_sweep

if TYPE_CHECKING:
    from kernels.deferred import Deferred, Sums
    from kernels.meetings import Meeting

# Few sweeps are cut.
MEETINGS, DEFERRED = Lazy("kernels.meetings"), Lazy("kernels.deferred")

FloatArray = npt.NDArray[np.float64]

_NO_KERNEL = Kernel(0, (), ())
"""In keys, which have the digest of the kernel besides."""


class SweepCode:
    """A sweep as text and run-time data; it keeps the sweep, so that nobody else gets its id.

    Parameters
    ----------
    sweep : Sweep
    printed : dict
        The texts of sweeps that were printed before.
    """

    def __init__(self, sweep: Sweep, printed: dict[object, Source]) -> None:
        self.sweep = sweep
        self.lowered = lower_sweep(sweep)
        self.work = 0 if sweep.adds else sweep.work  # what is added is work for the threads of entries only
        shape = self.lowered.shape
        # As for launches; blocks, whose tables lie together, stay whole.
        self.align = shape.block if shape.in_blocks else 64 if shape.dims == 1 else 1
        self._meetings: dict[int, Meeting | None] = {}
        self._later: dict[tuple[int, ...], tuple[Deferred, SweepCode] | None] = {}
        key = replace(shape, kernel=_NO_KERNEL)
        if key not in printed:
            printed[key] = print_sweep(shape)
        self.source = printed[key]

    @cached_property
    def function(self) -> Callable[..., None]:
        """The text, compiled."""
        return compile_source(self.source)

    def invocation(self, buffers: Sequence[FloatArray], checked: int | None, flag: FloatArray | None) -> Invocation:
        """The call that runs all of it; see `NumbaExecutor.sweep_invocations`."""
        arguments = (0, self.lowered.length, *self.arguments(buffers))
        source = self.source
        if not any(store.access.buffer == checked for store in self.sweep.stores):
            flag = None
        if flag is not None:
            source, arguments = print_sweep(self.lowered.shape, checked=True), (*arguments, flag)
        rows = RowRange(self.sweep.work, self.align, is_sweep=True)
        if self.sweep.adds:
            meets = partial(self._meets, buffers)
            deferred = None if self._is_one_row else partial(self._deferred, buffers, checked, flag)
            rows = replace(rows, meets=meets, deferred=deferred)
        if not self._is_one_row:
            rows = replace(rows, touches=partial(self._touches, buffers))
        return Invocation(source, arguments, rows)

    @property
    def _is_one_row(self) -> bool:
        """Whether there is nothing to be cut: the one row is stored before anything is added."""
        return self.lowered.shape.by_rows and self.lowered.shape.dims == 1

    def _touches(self, buffers: Sequence[FloatArray]) -> list[Touch]:
        """What the rows touch."""
        sweep, places = self.sweep, self.lowered.shape.places
        box, accesses = sweep.box or (1,), [*sweep.loads, *(store.access for store in sweep.stores)]
        kinds: list[TouchKind] = ["loads"] * len(sweep.loads)
        kinds += ["adds" if store.adds else "stores" for store in sweep.stores]
        found, number = [], len(box)
        for k, (access, kind, place) in enumerate(zip(accesses, kinds, places, strict=True)):
            address = pad(access.address, box)
            leads = place.leader == k
            offset = number if leads and isinstance(address, Affine) else None
            found.append(Touch(buffers[access.buffer], address, kind, offset))
            number += len(tuple(numbers_of(address))) if leads else place.is_far
        return found

    def _meets(self, buffers: Sequence[FloatArray], first: int) -> SharedRows | None:
        """What a piece that begins at a row has in common with earlier ones."""
        if first not in self._meetings:
            self._meetings[first] = None if self._is_one_row else MEETINGS.meeting(self.sweep, first, self.align)
        found = self._meetings[first]
        if found is None:
            return None
        parts = (found.private, found.shared)
        private, shared = ([(buffers[b], places) for b, places in part.items()] for part in parts)
        return SharedRows(found.stop, private, shared)

    def _deferred(
        self, buffers: Sequence[FloatArray], checked: int | None, flag: FloatArray | None
    ) -> list[Invocation] | None:
        """Calls that store all results, and add them when this is done."""
        sizes = tuple(len(buffer) for buffer in buffers)
        if sizes not in self._later:
            found = DEFERRED.defer(self.sweep, sizes)
            self._later[sizes] = None if found is None else (found, SweepCode(found.sweep, {}))
        later = self._later[sizes]
        if later is None:
            return None
        found, code = later
        room = np.empty(found.room)
        stored = code.invocation([*buffers, room], len(buffers) if found.room else checked, flag)
        return [stored, *(_sums_invocation(sums, room, buffers[sums.buffer]) for sums in found.sums)]

    def arguments(self, buffers: Sequence[FloatArray]) -> tuple[Any, ...]:
        """What the function takes after the range."""
        return (self.lowered.geometry, *[buffers[b] for b in self.lowered.slots], self.lowered.table)


def _sums_invocation(sums: Sums, terms: FloatArray, out: FloatArray) -> Invocation:
    """The call that adds what a sweep left out."""
    if sums.is_own:
        return subtract_sums_invocation(sums.places, sums.indptr, sums.slots, out)
    return add_sums_invocation(sums.places, sums.indptr, sums.slots, terms, out)
