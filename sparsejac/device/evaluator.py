"""Engines on devices: where recordings are kept, and how they are run, asked and, rarely, done again on the host."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.arrays import DOUBLE
from sparsejac.device.constants import Constants
from sparsejac.device.driver import cupy, here, managed
from sparsejac.device.loaded import Bound, Loaded, Workspace
from sparsejac.device.recording import RUN, Kind, Recording, record
from sparsejac.errors import InputError
from sparsejac.evaluation.engine import Engine
from sparsejac.location import user_location

Floats = npt.NDArray[np.float64]


_NONE: frozenset[int] = frozenset()
_MOST_POINTS = 65_535
_BATCH_BYTES = 2**31
"""Work buffers of all points that a launch serves."""


class Evaluator:
    """An engine on all devices; each recording is printed once, and compiled once for each device.

    Threads may share one.

    Parameters
    ----------
    engine : Engine
    dtype : dtype
        Of all numbers in memory: float64 or float32.
    """

    def __init__(self, engine: Engine, dtype: np.dtype[Any] = DOUBLE) -> None:
        self._engine = engine
        self.dtype = dtype
        self._lock = RLock()
        self._recordings: dict[tuple[Kind, bool], Recording] = {}
        self._loaded: dict[tuple[Kind, bool, tuple[int, int]], Loaded] = {}
        self.recomputed = 0
        """How often entries were computed again on the host, for one was not finite."""

    def recording(self, kind: Kind, *, batched: bool = False) -> Recording:
        """What is run for a kind of evaluation."""
        with self._lock:
            if (kind, batched) not in self._recordings:
                self._recordings[kind, batched] = record(self._engine, kind, self.dtype, batched=batched)
            return self._recordings[kind, batched]

    def loaded(self, kind: Kind, *, batched: bool = False) -> Loaded:
        """The same on the current device."""
        key = (kind, batched, here())
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = Loaded(self.recording(kind, batched=batched).module)
            return self._loaded[key]

    @property
    def size(self) -> int:
        """Numbers in the result of f."""
        return self._engine.schedule.sizes[self._engine.schedule.output]

    @property
    def bytes(self) -> int:
        """Memory on devices: tables, and work buffers for one stream each."""
        return sum(loaded.bytes for loaded in self._loaded.values())

    @property
    def compile_seconds(self) -> float:
        """What compiling took, for all that was compiled so far."""
        return sum(loaded.compile_seconds for loaded in self._loaded.values())

    def most_points(self, kind: Kind) -> int:
        """How many points one run may serve: what CUDA launches, and what fits into a part of the memory."""
        return max(min(_MOST_POINTS, _BATCH_BYTES // max(self.loaded(kind, batched=True).work_bytes, 1)), 1)

    def run(
        self,
        kind: Kind,
        numbers: Sequence[Any],
        constants: Constants,
        outs: Sequence[Any],
        points: int | None = None,
    ) -> Outcome:
        """Evaluate on the current stream: nothing is allocated once this has run there, and nobody waits.

        Parameters
        ----------
        kind : str
        numbers : sequence of array of CuPy
            x and what else changes, flat.
        constants : Constants
        outs : sequence of array of CuPy
            What is to be written: the entries or the value, then the value beside entries, then auxiliary numbers.
        points : int, optional
            How many points x and `outs` hold, side by side; all else is the same for all.
        """
        batched = points is not None
        recording = self.recording(kind, batched=batched)
        inputs = [*numbers, *constants.arrays]
        if recording.parts is not None:
            entries = constants.entries(recording.parts, self._engine.schedule, numbers)
            if entries is None:  # constant entries that are not finite are no summands to keep
                return self.run("whole_both" if kind == "both" else "whole", numbers, constants, outs, points)
            inputs.append(entries)
        inputs += constants.settled(recording.prepared, len(numbers))
        out, *further = outs
        if any(overlap(out, array) for array in inputs):
            inputs = [array.copy() if overlap(out, array) else array for array in inputs]
        workspace = self.loaded(kind, batched=batched).workspace(points or 1)
        with managed():
            shared = frozenset(range(1, len(inputs))) if batched else _NONE
            bound = workspace.run(RUN, [*inputs, *further], out, shared)
        return Outcome(workspace, bound, checks_finite=recording.checks_finite)

    def repair(self, numbers: Sequence[Any], constants: Constants, out: Any) -> None:
        """Compute the entries again, on the host: it leaves branches out that were not taken."""
        given = [cupy().asnumpy(array).astype(np.float64, copy=False) for array in numbers]
        found = self._engine.data([*given, *constants.host], check=False)
        out.set(found.astype(self.dtype, copy=False))
        self.recomputed += 1


class Outcome:
    """What an evaluation found out, still on the device.

    Parameters
    ----------
    workspace : Workspace
    bound : Bound
        The launches that it made.
    checks_finite : bool
    """

    def __init__(self, workspace: Workspace, bound: Bound, *, checks_finite: bool) -> None:
        self.workspace = workspace
        self.bound = bound
        self.status = workspace.status(RUN)
        self.checks_finite = checks_finite

    def read(self) -> tuple[bool, bool]:
        """Whether a decision came out otherwise, and whether entries are to be computed again; waits for the device."""
        ((flipped, infinite),) = self.read_all()
        return flipped, infinite

    def read_all(self) -> list[tuple[bool, bool]]:
        """The same for each point of a batch."""
        if self.status is None:
            return [(False, False)] * self.workspace.points
        if cupy().cuda.get_current_stream().is_capturing():
            raise InputError(
                "plan: the current stream is being captured, and this plan has to wait for what it finds out on the "
                f'device\n  {user_location()}\n  Cure: pass guards="deferred".'
            )
        words = self.status.get().reshape(-1, 2)[: self.workspace.points].tolist()
        return [(bool(flipped), bool(infinite) and self.checks_finite) for flipped, infinite in words]


def overlap(out: Any, array: Any) -> bool:
    """Whether two contiguous arrays share memory."""
    start, other = int(out.data.ptr), int(array.data.ptr)
    return start < other + int(array.nbytes) and other < start + int(out.nbytes)


def evaluator(engine: Engine, dtype: np.dtype[Any] = DOUBLE) -> Evaluator:
    """The evaluator of an engine: there is one for each type of numbers."""
    return engine.once(f"device, {dtype}", lambda: Evaluator(engine.flat, dtype))
