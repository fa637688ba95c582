"""The task that most cases share: one way to the Jacobian of one family, from cold, in this process."""

from __future__ import annotations

from typing import Any

from bench import memory
from bench.check import jacobian_error, nearby, relative_deviation, require
from bench.clock import medians, settle, timed
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from bench.peers.peer import Peer, Way
from bench.peers.registry import PEERS
from sparsejac import jacobian_sparsity

VALUE_TOLERANCE = 1e-12
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
        ``setup`` (from the start to the first Jacobian), ``seconds`` and ``f_seconds`` (medians, in turns), ``peak``
        (bytes above what the imports took), ``error``, ``nnz``, ``n`` and the fields of `Facts`.
    """
    before = memory.resident()
    problem = FAMILIES[family].make(n)
    chosen = PEERS[peer]
    pattern = jacobian_sparsity(problem.f, problem.x).to_scipy() if chosen.needs_pattern else None
    way, setup = timed(lambda: _first(chosen, problem, pattern))
    settle(lambda: way.evaluate(problem.x), budget)
    peak = memory.peak() - before
    checked = _check(problem, way, DIFFERENCES_TOLERANCE if chosen.needs_pattern else None)
    memory.keep_pages()
    seconds = medians({"J": lambda: way.evaluate(problem.x), "f": lambda: problem.f(problem.x)}, budget)
    times = {"setup": setup, "seconds": seconds["J"], "f_seconds": seconds["f"]}
    return {"n": problem.x.size, "peak": peak, **times, **checked, **vars(way.facts())}


def _first(peer: Peer, problem: Problem, pattern: Any) -> Way:
    """Do what a user does until the first Jacobian is there."""
    way = peer.start(problem, pattern)
    way.evaluate(problem.x)
    return way


def _check(problem: Problem, way: Way, tolerance: float | None) -> dict[str, float]:
    """Compare value and Jacobian with f itself, at a point where nothing was prepared."""
    x = nearby(problem.x)
    J = way.matrix(x)
    error = jacobian_error(problem.f, x, J)
    require("Jacobian", error, **({} if tolerance is None else {"tolerance": tolerance}))
    require("value", relative_deviation(way.value(x), problem.f(x)), VALUE_TOLERANCE)
    return {"error": error, "nnz": J.nnz}
