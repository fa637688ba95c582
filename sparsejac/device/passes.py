"""Strategies that carry seeds in several passes, as one straight run: the loop of the CPU, recorded turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from kernels.cuda import Recorder
from kernels.executor import allocate_rows, rows_of
from kernels.products import add_at_invocation, copy_invocation, place_invocation, zero_invocation
from sparsejac.errors import DeviceError
from sparsejac.evaluation.parts import Completed
from sparsejac.location import user_location
from sparsejac.strategies.bidirectional import Bidirectional
from sparsejac.strategies.decompression import Part, read_invocation
from sparsejac.strategies.forward import ForwardPasses
from sparsejac.strategies.protocol import FloatArray, Prepared
from sparsejac.strategies.reverse import ReversePasses

Tasks = list[Any]
_ONE, _ZERO = np.ones(1), np.zeros(1)


def recorded(prepared: Prepared, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    """What a strategy runs for all entries, however many passes it takes.

    Parameters
    ----------
    prepared : Prepared
    buffers : sequence of array
        Stand-ins.
    recorder : Recorder
    out : array
        Stand-in for the entries.
    """
    found = prepared.invocations(buffers, cast("Any", recorder), out)
    if found is not None:
        return list(found)
    many = _MANY.get(type(prepared))
    if many is None:
        raise DeviceError(
            f"sparsejac: what computes these entries ({type(prepared).__name__.strip('_')}) takes several passes, and "
            f"has no way on devices\n  {user_location()}\n  Cure: pass strategy='elimination', or cupy.asnumpy(x)."
        )
    return many(prepared, buffers, recorder, out)


def _forward(passes: ForwardPasses, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    width, schedule = passes.plan.width, passes.schedule
    tangents = allocate_rows(schedule, width)
    seeded, compressed = rows_of(tangents, schedule.x), rows_of(tangents, schedule.output)
    tasks: Tasks = []
    for part in passes.plan.parts:
        tasks.append(_seed(part, width, seeded, _ONE))
        tasks += recorder.forward_invocations(buffers, tangents, width)
        tasks += [read_invocation(part, compressed, out), _seed(part, width, seeded, _ZERO)]
    return tasks


def _reverse(passes: ReversePasses, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    return [*recorder.value_invocations(buffers), *_pulled(passes, buffers, recorder, out)]


def _pulled(passes: ReversePasses, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    width, schedule = passes.plan.width, passes.schedule
    adjoints = allocate_rows(schedule, width)
    tasks: Tasks = []
    for part in passes.plan.parts:
        tasks += [zero_invocation(rows.reshape(-1)) for rows in adjoints if rows is not None]
        tasks.append(_seed(part, width, rows_of(adjoints, schedule.output), _ONE))
        tasks += recorder.reverse_invocations(buffers, adjoints, width)
        tasks.append(read_invocation(part, rows_of(adjoints, schedule.x), out))
    return tasks


def _both(prepared: Bidirectional, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    first = (
        recorder.value_invocations(buffers)
        if prepared.forward is None
        else recorded(prepared.forward, buffers, recorder, out)
    )
    if prepared.reverse is None:
        return list(first)
    straight = prepared.reverse.pull_invocations(buffers, cast("Any", recorder), out)
    return [*first, *(_pulled(prepared.reverse, buffers, recorder, out) if straight is None else straight)]


def _completed(prepared: Completed, buffers: Sequence[FloatArray], recorder: Recorder, out: FloatArray) -> Tasks:
    entries = buffers[prepared._entries]
    added = [add_at_invocation(prepared._both, entries, out)] if len(prepared._both) else []
    return [copy_invocation(entries, out), *recorded(prepared._inner, buffers, recorder, out), *added]


def _seed(part: Part, width: int, rows: FloatArray, number: FloatArray) -> Any:
    """Write the same number to all places that a chunk of colors seeds."""
    places: npt.NDArray[np.int64] = part.lines.astype(np.int64) * width + part.seeds
    return place_invocation(number, np.zeros_like(places), places, rows.reshape(-1))


_MANY: dict[type, Callable[..., Tasks]] = {
    ForwardPasses: _forward,
    ReversePasses: _reverse,
    Bidirectional: _both,
    Completed: _completed,
}
