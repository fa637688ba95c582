"""Jacobians of whole functions by every strategy, printed for a device and emulated: the bits of the CPU's code."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from api_options import EXPLICIT_STRATEGIES
from catalogue import CASES
from emulated import Outcome, needs_fma, run_all_ways, same_bits
from gpu_sources import check_source
from kernels import NumbaExecutor, Schedule, allocate
from kernels.cuda import Evaluation, Module, Recorder, print_module
from kernels.executor import FloatArray
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.engine import Engine
from sparsejac.schedules.fusion import lower
from traced_functions import trace

MANY, FEW = CASES[::5], CASES[::30]
"""By elimination, and by the other strategies, whose steps are tested on all launches elsewhere."""


def traced(case: Any, strategy: str) -> tuple[Engine, list[FloatArray]]:
    """The engine of a function, and its inputs at a point."""
    x = case.point()
    found = trace(lambda v: case.f(v, *case.args), x)
    lowered = lower(found.program)
    engine = Engine(lowered.schedule, EngineOptions(lowered=lowered, strategy=strategy))  # type: ignore[arg-type]
    constant = [np.linspace(-1.0, 2.0, engine.pattern.nnz)] * (len(run_by(engine).inputs) > len(found.constants) + 1)
    return engine, [np.ravel(x), *found.constants, *constant]


def run_by(engine: Engine) -> Schedule:
    """The schedule that entries are computed by; its last input are the constant entries where these are known."""
    parts = engine.parts_for(engine.strategy)
    return engine.schedule if parts is None else parts.schedule


def evaluation_of(engine: Engine) -> Evaluation | None:
    """The entries of the Jacobian and the guards; None for what takes several passes."""
    schedule = run_by(engine)
    buffers, out = allocate(schedule), np.empty(engine.pattern.nnz)
    tasks = engine.prepared.invocations(buffers, Recorder(schedule), out)  # type: ignore[arg-type]
    guards = [(buffers[g.buffer], g.expected) for g in schedule.guards]
    inputs = [*(buffers[b] for b in schedule.inputs), *engine.prepared.stand_ins]
    return None if tasks is None else Evaluation(tasks, inputs, out, guards, checks_finite=True)


def by_cpu(engine: Engine, inputs: list[FloatArray]) -> FloatArray:
    """The entries by the CPU's compiled code."""
    schedule = run_by(engine)
    buffers, out = allocate(schedule), np.empty(engine.pattern.nnz)
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        buffers[buffer][:] = array
    executor = NumbaExecutor(schedule)
    executor.values(buffers)  # guards
    engine.prepared.data(buffers, executor, out)
    return out


@cache
def printed(names: str) -> tuple[Module, dict[str, tuple[Engine, list[FloatArray]]]]:
    """Many functions by elimination, or a few by all other strategies, in one source."""
    chosen = [(c, "elimination") for c in MANY]
    if names == "few":
        chosen = [(c, s) for s in EXPLICIT_STRATEGIES if s != "elimination" for c in FEW]
    engines = {f"{case.name} {strategy}": traced(case, strategy) for case, strategy in chosen}
    found = {name: evaluation_of(engine) for name, (engine, _) in engines.items() if not engine.linear}
    evaluations = {name: evaluation for name, evaluation in found.items() if evaluation is not None}
    assert len(evaluations) >= 0.8 * len(engines)
    return print_module(evaluations), {name: engines[name] for name in evaluations}


@cache
def outcomes(names: str) -> dict[str, Outcome]:
    module, engines = printed(names)
    given = {name: [*inputs, *engine.prepared.further(inputs)] for name, (engine, inputs) in engines.items()}
    return run_all_ways(module, given)


@pytest.mark.parametrize("names", ["many", "few"])
def test_entries_have_the_bits_of_the_cpu(names: str) -> None:
    needs_fma()
    found, (_, engines) = outcomes(names), printed(names)
    for name, (engine, inputs) in engines.items():
        expected = by_cpu(engine, inputs)
        assert same_bits(found[name].out, expected), name
        assert found[name].status == (0, int(not np.isfinite(expected).all())), name


@pytest.mark.parametrize("names", ["many", "few"])
def test_sources_compile_for_gpus_without_a_warning_and_without_spills(names: str) -> None:
    check_source(printed(names)[0].source, "sm_90")
