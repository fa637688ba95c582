"""What is measured on a device: plans of the families, their set-up, the coloring, the cost of a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

import coloring
from bench.device import jax_peers, timing
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from coloring import device as device_coloring
from kernels.cuda import Run
from sparsejac import prepare
from sparsejac.device.evaluator import evaluator

COVERED = {"bratu": 0.8, "weno": 0.8, "brusselator": 0.8, "finite_elements": 0.5, "power_flow": 0.5}
"""Family -> the part of the copy's bandwidth that is the bar: stencils, and gathers."""

BYTES, ARITHMETIC = "part of the copy's bandwidth", "part of the rate of float64 arithmetic"
"""The bar is that of the limit that is tighter."""
AGAINST_JAX, CALL = "times faster than asdex", "a call of the plan"
SMALL = 1000
SMALL_PLANS: tuple[tuple[str, Any], ...] = (("bratu", "auto"), ("weno", "auto"), ("weno", "identity"))
MOST_SECONDS_A_CALL = 15e-6
MOST_SETUP, MOST_NVRTC, MOST_WARM_SETUP = 3.0, 1.0, 0.3
TIMES_JAX, TIMES_COLORING, MORE_COLORS = 3.0, 10.0, 1.1


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    name, figure : str
    value : float
    unit : str
    bar : float, optional
    beside : dict
        What it was computed from, so that others can judge it.
    """

    name: str
    figure: str
    value: float
    unit: str
    bar: float | None
    beside: dict[str, float]
    most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        return self.value <= self.bar if self.most else self.value >= self.bar


@dataclass(frozen=True)
class Limits:
    """What was measured of the device in the same run.

    Parameters
    ----------
    bandwidth : float
        Bytes that a copy reads and writes in a second.
    additions, divisions : float
        Operations of float64 in a second.
    """

    bandwidth: float
    additions: float
    divisions: float

    def seconds(self, run: Run) -> tuple[float, float]:
        """What the bytes of a run, and its arithmetic, take at least."""
        work = run.arithmetic
        return run.bytes / self.bandwidth, work.additions / self.additions + work.divisions / self.divisions


def plans(cupy: Any, nnz: int, limits: Limits, tell: Callable[[Row], None]) -> None:
    """The entries of each family at about so many non-zeros, by events, against the copy and the processor."""
    for name in COVERED:
        _plan(cupy, name, of_entries(name, nnz), limits, tell)


def _plan(cupy: Any, name: str, problem: Problem, limits: Limits, tell: Callable[[Row], None]) -> None:
    x = cupy.asarray(problem.x)
    cold, plan = timing.once(lambda: _first(cupy, problem, x))
    warm, _ = timing.once(lambda: _first(cupy, problem, x))
    out = cupy.empty(plan.pattern.nnz)
    taken = timing.seconds(cupy, lambda: plan.values(x, out=out))
    run = evaluator(plan._plan._variants.first.engine).recording("data").module.runs["run"]
    moving, computing = limits.seconds(run)
    host = prepare(problem.f, problem.x)
    entries = host.values(problem.x)
    _check(cupy, out, entries)
    cpu = min(timing.once(lambda: host.values(problem.x, out=entries))[0] for _ in range(5))
    beside = {
        "nnz": float(plan.pattern.nnz),
        "unknowns": float(problem.x.size),
        "milliseconds": 1e3 * taken,
        "bytes": float(run.bytes),
        "GB/s": 1e-9 * run.bytes / taken,
        "copy GB/s": 1e-9 * limits.bandwidth,
        "launches": float(len(run.dispatches)),
        "additions an entry": run.arithmetic.additions / plan.pattern.nnz,
        "divisions an entry": run.arithmetic.divisions / plan.pattern.nnz,
        "milliseconds of arithmetic": 1e3 * computing,
    }
    is_memory = moving >= computing
    tell(Row(name, BYTES, moving / taken, "", COVERED[name] if is_memory else None, beside))
    tell(Row(name, ARITHMETIC, computing / taken, "", None if is_memory else COVERED[name], beside))
    tell(Row(name, "times faster than the processor, all cores", cpu / taken, "x", None, {"cpu ms": 1e3 * cpu}))
    tell(Row(name, "first Jacobian, cold", cold, "s", None, {}))
    tell(Row(name, "first Jacobian, all compiled", warm, "s", None, {}))
    other = jax_peers.seconds(problem, jax_peers.sparse)
    if other is not None:
        tell(Row(name, AGAINST_JAX, other / taken, "x", TIMES_JAX, {"asdex ms": 1e3 * other}))


def setup(cupy: Any, unknowns: int, tell: Callable[[Row], None]) -> None:
    """From f and x to the first Jacobian of Bratu's equation."""
    problem = FAMILIES["bratu"].make(unknowns)
    x = cupy.asarray(problem.x)
    beside = {"unknowns": float(problem.x.size)}
    cold, plan = timing.once(lambda: _first(cupy, problem, x))
    tell(Row("bratu", "set-up and first Jacobian, cold", cold, "s", MOST_SETUP, beside, most=True))
    compiling = evaluator(plan._plan._variants.first.engine).compile_seconds
    tell(Row("bratu", "of which NVRTC", compiling, "s", MOST_NVRTC, beside, most=True))
    warm, _ = timing.once(lambda: _first(cupy, problem, x))
    tell(Row("bratu", "set-up and first Jacobian, warm", warm, "s", MOST_WARM_SETUP, beside, most=True))


def calls(cupy: Any, tell: Callable[[Row], None]) -> None:
    """What one call of a small plan costs the host: of one launch, and of several, which are replayed as a graph."""
    for name, strategy in SMALL_PLANS:
        _call(cupy, name, strategy, tell)


def _call(cupy: Any, name: str, strategy: Any, tell: Callable[[Row], None]) -> None:
    problem = FAMILIES[name].make(SMALL)
    x = cupy.asarray(problem.x)
    plan: Any = prepare(problem.f, x, strategy=strategy)
    out = plan.values(x)
    spent = timing.host_seconds(cupy, lambda: plan.values(x, out=out))
    on_device = timing.seconds(cupy, lambda: plan.values(x, out=out))
    run = evaluator(plan._plan._variants.first.engine).recording("data").module.runs["run"]
    beside = {"microseconds on the device": 1e6 * on_device, "launches": float(len(run.dispatches))}
    named, most = f"{name}, {strategy}, n = {problem.x.size}", 1e6 * MOST_SECONDS_A_CALL
    tell(Row(named, CALL, 1e6 * spent, "us", most, beside, most=True))


def colorings(cupy: Any, nnz: int, tell: Callable[[Row], None]) -> None:
    """Columns of a mesh, in its order and without one, on the device and by one thread of the processor."""
    _coloring(cupy, "mesh, permuted", mesh(nnz, permuted=True), tell)
    _coloring(cupy, "mesh", mesh(nnz, permuted=False), tell)


def _coloring(cupy: Any, name: str, matrix: csr_array, tell: Callable[[Row], None]) -> None:
    there = (cupy.asarray(matrix.indptr), cupy.asarray(matrix.indices), matrix.shape)

    def work() -> Any:
        made = device_coloring.color(there)
        cupy.cuda.get_current_stream().synchronize()
        return made

    work()
    taken, found = timing.once(work)
    host, sequential = timing.once(lambda: coloring.color(matrix, order="natural", threads=1))
    beside = {
        "nnz": float(matrix.nnz),
        "milliseconds": 1e3 * taken,
        "cpu milliseconds": 1e3 * host,
        "rounds": float(found.rounds),
    }
    tell(Row(name, "coloring, times faster than one thread", host / taken, "x", TIMES_COLORING, beside))
    part = found.num_colors / sequential.num_colors
    numbers = {"colors": float(found.num_colors), "sequential": float(sequential.num_colors)}
    tell(Row(name, "colors, of those of the sequential greedy", part, "", MORE_COLORS, numbers, most=True))


def of_entries(name: str, nnz: int) -> Problem:
    """The problem of a family with about so many non-zeros: counted on a small one."""
    small = FAMILIES[name].make(20_000)
    each = prepare(small.f, small.x).pattern.nnz / small.x.size
    return FAMILIES[name].make(max(round(nnz / each), 10))


def mesh(nnz: int, *, permuted: bool) -> csr_array:
    """Five points on a square; permuted, an order that tells nothing."""
    side = max(round((nnz / 5.0) ** 0.5), 3)
    n = side * side
    number = np.arange(n, dtype=np.int32).reshape(side, side)
    order = np.random.default_rng(0).permutation(n).astype(np.int32) if permuted else number.reshape(-1)
    pairs = [(number, number), (number[1:], number[:-1]), (number[:, 1:], number[:, :-1])]
    rows = np.concatenate([part.reshape(-1) for a, b in pairs for part in ((a, b) if a is not b else (a,))])
    columns = np.concatenate([part.reshape(-1) for a, b in pairs for part in ((b, a) if a is not b else (b,))])
    made = csr_array((np.ones(len(rows), dtype=np.bool_), (order[rows], order[columns])), shape=(n, n))
    made.sort_indices()
    return made


def _first(cupy: Any, problem: Problem, x: Any) -> Any:
    plan = prepare(problem.f, x)
    plan.values(x)
    cupy.cuda.get_current_stream().synchronize()
    return plan


def _check(cupy: Any, found: Any, expected: Any) -> None:
    """What is measured is right: to rounding, for the processor may run NumPy's elementary functions."""
    difference = np.abs(cupy.asnumpy(found) - expected).max()
    if not difference <= 1e-10 * np.abs(expected).max():
        raise AssertionError(f"the device's entries differ from the processor's by {difference}")
