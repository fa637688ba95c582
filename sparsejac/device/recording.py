"""What an engine evaluates, recorded and printed for devices: values, entries of the Jacobian, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kernels.cuda import Module, Recorder, print_module
from kernels.evaluation import Evaluation
from kernels.products import copy_invocation
from kernels.step import Schedule
from sparsejac.device.arrays import DOUBLE
from sparsejac.device.passes import recorded
from sparsejac.errors import DeviceError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.parts import Parts
from sparsejac.location import user_location
from sparsejac.strategies.protocol import Prepared

Floats = npt.NDArray[np.float64]
Kind = Literal["value", "value_aux", "data", "both", "whole", "whole_both"]
"""What is wanted: f, alone or with the numbers beside it; the entries, alone or with f; "whole": by the strategy that
sums each entry on its own."""

RUN = "run"

_EXACT = 2.0**24
"""Whole numbers below are float32, and nothing else is rounded to them."""


@dataclass(frozen=True, eq=False)
class Recording:
    """An evaluation as a module with one run.

    Parameters
    ----------
    module : Module
    further : tuple of int
        Sizes of the arrays that a run also writes, given behind its inputs: the value beside entries, and auxiliary
        numbers.
    parts : Parts, optional
        Whose constant entries come behind the inputs of the schedule.
    prepared : Prepared, optional
        The strategy, if what it made of the constants comes behind these.
    checks_finite : bool
        Whether the second word of the status says that entries have to be computed again.
    """

    module: Module
    further: tuple[int, ...]
    parts: Parts | None
    prepared: Prepared | None
    checks_finite: bool


def record(engine: Engine, kind: Kind, dtype: np.dtype[Any] = DOUBLE, *, batched: bool = False) -> Recording:
    """Record what an engine evaluates, at one point or, `batched`, at many by each launch.

    Parameters
    ----------
    engine : Engine
    kind : str
    dtype : dtype
        Of numbers in memory.
    batched : bool

    Raises
    ------
    DeviceError
        If f calls a library that runs on the host only, or float32 cannot tell its decisions apart.
    """
    refuse_calls(engine)
    refuse_decisions(engine, dtype)
    made = _Printing(dtype, batched=batched)
    if kind in ("value", "value_aux"):
        return _record_value(engine, made, with_aux=kind == "value_aux")
    return _record_entries(engine, kind, made)


def refuse_calls(engine: Engine) -> None:
    """Refuse functions that call libraries, naming these.

    Raises
    ------
    DeviceError
    """
    if not engine.schedule.calls:
        return
    nodes = () if engine.lowered is None else engine.lowered.program.nodes
    names = sorted({node.routine.name for node in nodes if node.routine is not None}) or ["a library"]
    raise DeviceError(
        f"sparsejac: f calls {', '.join(names)}, which runs on the host only, and x is on a device\n  "
        f"{user_location()}\n  Cure: pass cupy.asnumpy(x); or write that part of f with NumPy's elementwise functions, "
        "sums and products."
    )


def refuse_decisions(engine: Engine, dtype: np.dtype[Any]) -> None:
    """Refuse outcomes of decisions that float32 rounds: another one might be rounded to the same.

    Raises
    ------
    DeviceError
    """
    for guard in () if dtype == DOUBLE else engine.schedule.guards:
        expected = np.asarray(guard.expected, dtype=np.float64)
        if (np.abs(expected) >= _EXACT).any() or (np.isfinite(expected) & (expected != np.rint(expected))).any():
            raise DeviceError(
                "prepare: dtype=float32, and f decides on numbers that float32 does not hold exactly (indices beyond "
                f"2**24, or fractions)\n  {user_location()}\n  Cure: leave dtype= out."
            )


@dataclass(frozen=True)
class _Printing:
    """How an evaluation is printed."""

    dtype: np.dtype[Any]
    batched: bool


def _record_value(engine: Engine, made: _Printing, *, with_aux: bool) -> Recording:
    schedule = engine.schedule
    inputs, buffers = _stand_ins(schedule)
    out = np.empty(schedule.sizes[schedule.output])
    outs, copies, wanted = [out], [], [schedule.output]
    if _is_covered(schedule):
        buffers[schedule.output] = out
    else:
        copies.append(copy_invocation(buffers[schedule.output], out))
    if with_aux:
        assert schedule.aux is not None
        outs.append(np.empty(schedule.sizes[schedule.aux]))
        copies.append(copy_invocation(buffers[schedule.aux], outs[1]))
        wanted.append(schedule.aux)
    tasks = [*Recorder(schedule).value_invocations(buffers, schedule.needed(wanted)), *copies]
    return _printed(tasks, inputs, outs, schedule, buffers, made, checks_finite=False)


def _record_entries(engine: Engine, kind: Kind, printing: _Printing) -> Recording:
    is_whole = kind in ("whole", "whole_both")
    parts = None if is_whole else engine.parts_for(engine.strategy)
    schedule = engine.schedule if parts is None else parts.schedule
    inputs, buffers = _stand_ins(schedule)
    out = np.empty(engine.pattern.nnz)
    prepared = engine.prepare("identity") if is_whole else None if engine.linear else engine.prepared
    settled: Sequence[Floats] = () if prepared is None else prepared.stand_ins
    tasks: list[Any]
    if prepared is None:
        tasks = [copy_invocation(inputs[-1], out)]
        if schedule.guards:
            full = engine.schedule
            tasks += Recorder(full).value_invocations(buffers[: len(full.sizes)], full.needed(()))
    else:
        chosen = prepared.with_values() if kind in ("both", "whole_both") and parts is None else prepared
        tasks = recorded(chosen, buffers, Recorder(schedule), out)
    outs = [out]
    if kind in ("both", "whole_both"):
        has_values = parts is None and prepared is not None
        more, value = _value_beside(engine, inputs, buffers, has_values=has_values)
        tasks, outs = [*tasks, *more], [out, value]
    checks = prepared is not None and engine.checks_finite(prepared)
    made = _printed(tasks, [*inputs, *settled], outs, schedule, buffers, printing, checks_finite=checks)
    return replace(made, parts=parts, prepared=prepared if settled else None)


def _value_beside(
    engine: Engine, inputs: Sequence[Floats], buffers: Sequence[Floats], *, has_values: bool
) -> tuple[list[Any], Floats]:
    """What gives f beside the entries: a copy where its launches have run, all of them elsewhere."""
    schedule = engine.schedule
    tasks: list[Any] = []
    if not has_values:
        buffers = _placed(schedule, inputs)
        tasks += Recorder(schedule).value_invocations(buffers, schedule.needed([schedule.output]))
    out = np.empty(schedule.sizes[schedule.output])
    return [*tasks, copy_invocation(buffers[schedule.output], out)], out


def _printed(
    tasks: Sequence[Any],
    inputs: Sequence[Floats],
    outs: Sequence[Floats],
    schedule: Schedule,
    buffers: Sequence[Floats],
    printing: _Printing,
    *,
    checks_finite: bool,
) -> Recording:
    out, *further = outs
    guards = [(buffers[g.buffer], np.ascontiguousarray(g.expected).reshape(-1)) for g in schedule.guards]
    evaluation = Evaluation(tasks, [*inputs, *further], out, guards, checks_finite)
    dtype: Any = printing.dtype.name
    module = print_module({RUN: evaluation}, dtype=dtype, batched=printing.batched)
    return Recording(module, tuple(map(len, further)), None, None, checks_finite)


def _stand_ins(schedule: Schedule) -> tuple[list[Floats], list[Floats]]:
    """Arrays for the inputs of a schedule, and for all its buffers; nobody touches their memory."""
    inputs = [np.empty(schedule.sizes[b]) for b in schedule.inputs]
    return inputs, _placed(schedule, inputs)


def _placed(schedule: Schedule, inputs: Sequence[Floats]) -> list[Floats]:
    given = dict(zip(schedule.inputs, inputs, strict=False))
    return [given[b] if b in given else np.zeros(size) for b, size in enumerate(schedule.sizes)]


def _is_covered(schedule: Schedule) -> bool:
    """Whether launches store to each place of the result once, so that it can be written where the caller wants it."""
    stores = [launch for launch in schedule.launches if launch.store.buffer == schedule.output]
    covered = sum(launch.rows for launch in stores) == schedule.sizes[schedule.output]
    return covered and schedule.output not in schedule.inputs and all(launch.active for launch in stores)
