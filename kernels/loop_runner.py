"""Runs a loop by NumPy alone, turn by turn: see `kernels.numpy_executor`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.executor import Rows, rows_of
from kernels.interpreter import Interpreter
from kernels.step import Launch
from kernels.views import view_of

FloatArray = npt.NDArray[np.float64]


class LoopRunner:
    """The launches of one loop.

    Values are computed number by number. Partial derivatives wait for nothing but values: those of all turns at once.

    Parameters
    ----------
    launches : sequence of Launch
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self.launches = launches
        self._linearized = [Interpreter(launch.linearized) if launch.active else None for launch in launches]

    def values(self, buffers: Sequence[FloatArray]) -> None:
        """Compute all values."""
        pairs = [(launch.kernel, *places) for launch, places in zip(self.launches, self._places, strict=True)]
        for turn in range(self.launches[0].points):
            for kernel, loads, (target, stored) in pairs:
                numbers: list[Any] = [buffers[buffer][places[turn]] for buffer, places in loads]
                for instruction in kernel.instructions:
                    if instruction.operation is None:
                        numbers.append(np.float64(instruction.literal))
                    else:
                        operands = [numbers[o] for o in instruction.operands]
                        numbers.append(np.float64(instruction.operation.evaluate(*operands)))
                buffers[target][stored[turn]] = numbers[kernel.outputs[0]]

    def forward(self, buffers: Sequence[FloatArray], tangents: Rows) -> None:
        """Compute all values and tangents."""
        self.values(buffers)
        parts = self._parts(buffers, tangents)
        for turn in range(self.launches[0].points):
            for partials, loads, rows, places in parts:
                terms = [p[turn] * at[where[turn]] for p, (at, where) in zip(partials, loads, strict=True)]
                rows[places[turn]] = sum(terms[1:], terms[0])

    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows) -> None:
        """Add to the adjoints of what is loaded, the last turn first."""
        parts = self._parts(buffers, adjoints)[::-1]
        for turn in range(self.launches[0].points - 1, -1, -1):
            for partials, loads, rows, places in parts:
                for p, (at, where) in zip(partials, loads, strict=True):
                    at[where[turn]] += p[turn] * rows[places[turn]]

    @cached_property
    def _places(self) -> list[tuple[list[tuple[int, list[int]]], tuple[int, list[int]]]]:
        """For each launch the buffers and places of its loads, and of its store."""
        return [
            (
                [(load.buffer, load.address.table().tolist()) for load in launch.loads],
                (launch.store.buffer, launch.store.address.table().tolist()),
            )
            for launch in self.launches
        ]

    def _parts(self, buffers: Sequence[FloatArray], rows: Rows) -> list[tuple[Any, ...]]:
        """For each launch with active loads: partial derivatives, tangents and places of these, and of its store."""
        found: list[tuple[Any, ...]] = []
        for launch, linearized, (loads, (target, stored)) in zip(
            self.launches, self._linearized, self._places, strict=True
        ):
            if linearized is None:
                continue
            outputs = linearized([view_of(load.address).read(buffers[load.buffer]) for load in launch.loads])[1:]
            partials = [np.broadcast_to(partial, launch.box) for partial in outputs]
            active = [(rows_of(rows, loads[k][0]), loads[k][1]) for k in launch.active]
            found.append((partials, active, rows_of(rows, target), stored))
        return found
