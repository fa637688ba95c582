"""The task that most cases share: one way to the Jacobian of one family, from cold, in this process."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import memory
from bench.check import WrongError, jacobian_error, nearby, relative_deviation, require
from bench.clock import Call, in_turns, settle, timed
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from bench.peers.peer import Peer, Way
from bench.peers.registry import OTHERS, PEERS
from kernels.lazy import load
from sparsejac import jacobian_sparsity, prepare

VALUE_TOLERANCE = 1e-12
TINY = 1_000
"""Unknowns up to which a call costs as much as its work: there ours is timed beside each of the others, as two
processes may differ by more than two tools."""

DIFFERENCES_TOLERANCE = 1e-4
"""Forward differences are this bad."""


def measure(family: str, peer: str, n: int, budget: float) -> dict[str, Any]:
    """Set up, check and time.

    Parameters
    ----------
    family, peer : str
        Names in the registries.
    n : int
        Unknowns, about.
    budget : float
        Seconds for the timing of repeated evaluations.

    Returns
    -------
    dict
        ``setup`` (from the start to the first Jacobian), ``first`` (of that, the evaluation), ``seconds`` (medians in
        turns: "J" is the matrix, "values" the cheapest form, "f", "limit" by hand, and beside a tool of others, where
        the problem is tiny, "ours" and "ours, values", those of a plan), ``peak`` (bytes above what the imports
        took), ``error``, ``nnz``, ``n`` and the fields of `Facts`.
    """
    before = memory.resident()
    problem = FAMILIES[family].make(n)
    chosen = PEERS[peer]
    pattern = jacobian_sparsity(problem.f, problem.x).to_scipy() if chosen.needs_pattern else None
    way, started = timed(lambda: chosen.start(problem, pattern))
    _, first = timed(lambda: way.evaluate(problem.x))
    settle(lambda: way.evaluate(problem.x), budget, way.ready)
    peak = memory.peak() - before
    checked = _check(problem, way, chosen)
    times = {"setup": started + first, "first": first, "seconds": _times(problem, way, chosen, budget)}
    return {"n": problem.x.size, "peak": peak, **times, **checked, **vars(way.facts())}


def _times(problem: Problem, way: Way, peer: Peer, budget: float) -> dict[str, float]:
    """Time both forms of the Jacobian, f in NumPy and the kernel by hand, in turns."""
    memory.keep_pages()
    x = problem.x
    limit = load("bench.limits.registry").LIMITS[problem.family](problem)
    out = np.empty(limit.pattern[1].size)
    beside = _ours(problem) if x.size <= TINY and peer in OTHERS else {}
    hands = {f"by hand, {name}": (lambda write=write: write(x, out)) for name, write in limit.experts().items()}
    calls = {
        "J": lambda: way.jacobian(x),
        "values": lambda: way.evaluate(x),
        "f": lambda: problem.f(x),
        **beside,
        **hands,
    }
    found = in_turns(calls, budget, 3)
    named = {name: seconds for name, seconds in found.items() if name not in hands}
    return {**named, "limit": min(found[name] for name in hands)}


def _ours(problem: Problem) -> dict[str, Call]:
    """Prepare a compiled plan, with all the time it needs, for both forms of its Jacobian."""
    plan, x = prepare(problem.f, problem.x, backend="numba"), problem.x
    out = plan.values(x)
    return {"ours": lambda: plan(x), "ours, values": lambda: plan.values(x, out=out)}


def _check(problem: Problem, way: Way, peer: Peer) -> dict[str, float]:
    """Compare value and Jacobian with f itself, at a point where nothing was prepared.

    Raises
    ------
    WrongError
    """
    x = nearby(problem.x)
    J = way.matrix(x)
    if J.shape != (problem.f(x).size, x.size):
        raise WrongError(f"Jacobian of shape {J.shape}")
    error = jacobian_error(problem.f, x, J)
    require("Jacobian", error, **({"tolerance": DIFFERENCES_TOLERANCE} if peer.needs_pattern else {}))
    require("value", relative_deviation(way.value(x), problem.f(x)), VALUE_TOLERANCE)
    return {"error": error, "nnz": J.nnz}
