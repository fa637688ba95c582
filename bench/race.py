"""Tasks: every strategy in turns with the hand-written kernel, in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench import memory
from bench.check import Floats, nearby, relative_deviation, require
from bench.clock import Call, in_turns, timed
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from bench.limits.limit import VECTORISED, Limit
from bench.limits.registry import LIMITS
from bench.peers.ours import STRATEGIES
from sparsejac import Plan, prepare
from sparsejac.options import StrategyName

EXACT = 1e-12
HOPELESS, LARGE, FAR = 0.5, 300_000, 4.0
"""Predicted seconds of one evaluation above which a strategy other than the chosen one stays out; with more unknowns
than this, it does so if it is predicted to take so many times as long."""

SLOW = 8.0
"""Seconds of one set-up after which those of other strategies are not waited for."""


def race(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time all entries of one Jacobian: by each strategy, by hand, and a copy of as many bytes as must be moved.

    Parameters
    ----------
    family : str
    n : int
        Unknowns, about.
    budget : float
        Seconds for the timing.

    Returns
    -------
    dict
        ``seconds`` by name (strategies, "limit", VECTORISED, "copy"), ``chosen``, ``way`` (the fastest one by hand),
        ``bytes``, ``nnz``, ``n``, and why strategies were ``left_out``.
    """
    memory.keep_pages()
    problem = FAMILIES[family].make(n)
    limit = LIMITS[family](problem)
    x, out = problem.x, np.empty(limit.pattern[1].size)
    plans, left_out = _plans(problem, limit)
    chosen = plans["auto"].explain(color=False)
    calls: dict[str, Call] = {name: _values(plan, x, out) for name, plan in plans.items()}
    calls |= {f"by hand, {name}": _by_hand(way, x, out) for name, way in limit.ways.items()}
    calls["copy"] = copy_of(limit.bytes_moved(x))
    found = in_turns(calls, budget)
    way = fastest(found)
    return {
        "seconds": {
            **{name: found[name] for name in (*plans, "copy")},
            "limit": found[f"by hand, {way}"],
            VECTORISED: found.get(f"by hand, {VECTORISED}"),
        },
        "chosen": f"{chosen.strategy} on {chosen.backend}",
        "way": way,
        "bytes": limit.bytes_moved(x),
        "nnz": out.size,
        "n": x.size,
        "left_out": left_out,
    }


def check(problem: Problem, limit: Limit, plan: Plan) -> None:
    """Compare pattern and entries by hand with ours, at a point where nothing was prepared.

    Raises
    ------
    WrongError
    """
    indptr, indices = limit.pattern
    same = np.array_equal(indptr, plan.pattern.indptr) and np.array_equal(indices, plan.pattern.indices)
    require("pattern by hand", 0.0 if same else np.inf)
    x = nearby(problem.x)
    ours = plan.values(x)
    for name, way in limit.ways.items():
        data = np.full(ours.size, np.nan)
        way(x, data)
        require(f"entries by hand, {name}", relative_deviation(data, ours), EXACT)


def fastest(found: Mapping[str, float]) -> str:
    """Name the fastest way by hand, of those that an expert has."""
    ways = {name.removeprefix("by hand, "): s for name, s in found.items() if name.startswith("by hand, ")}
    return min((name for name in ways if name != VECTORISED), key=lambda name: ways[name])


def copy_of(moved: int) -> Call:
    """Copy so that as many bytes are moved, half of them read and half written."""
    source = np.ones(max(moved // 16, 1))
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def _plans(problem: Problem, limit: Limit) -> tuple[dict[str, Plan], dict[str, str]]:
    """Prepare every strategy that is not hopeless, compiled, and check it against the kernel by hand."""
    auto, slow = timed(lambda: _compiled(problem, "auto"))
    predicted = {line.prediction.strategy: line.prediction.seconds for line in auto.explain(color=False).lines}
    plans: dict[str, Plan] = {"auto": auto}
    left_out: dict[str, str] = {}
    check(problem, limit, auto)
    most = min(HOPELESS, FAR * min(predicted.values())) if problem.x.size > LARGE else HOPELESS
    for name in STRATEGIES:
        if predicted.get(name, 0.0) > most:
            left_out[name] = f"predicted {predicted[name]:.2g} s"
        elif name != "auto" and slow > SLOW:
            left_out[name] = f"a set-up took {slow:.0f} s"
        elif name != "auto":
            plans[name] = _compiled(problem, name)
            check(problem, limit, plans[name])
    return plans, left_out


def _compiled(problem: Problem, strategy: StrategyName) -> Plan:
    plan = prepare(problem.f, problem.x, strategy=strategy, backend="numba")
    plan.values(problem.x)
    return plan


def _values(plan: Plan, x: Floats, out: Floats) -> Call:
    return lambda: plan.values(x, out=out)


def _by_hand(way: Callable[[Floats, Floats], object], x: Floats, out: Floats) -> Call:
    return lambda: way(x, out)
