"""Tasks: evaluations by one thread and by two, and what two threads gain on this machine at best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench import memory
from bench.check import Floats, nearby, require
from bench.clock import LEAST, Call, repeated, settle, timed
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from bench.limits.limit import VECTORISED, kernel
from bench.limits.registry import LIMITS
from bench.race import check
from kernels.threads import run_tasks, set_num_threads
from sparsejac import prepare

SETTLING = 0.3
"""Seconds of calls before the clock starts: a plan tries threads only once it was used for a while."""

PAUSE = 1e-3
"""Seconds after which another thread is asleep, and its processor, too."""

ROUNDS = 5

CACHED, LARGE = 20_000, 6_000_000
"""Numbers that stay in a processor's own cache, and that do not stay in any."""


def share(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time all entries of one Jacobian by one thread and by two, and kernels by hand on two halves in turn and at once.

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
        ``seconds`` by name ("one", "two", "halves in turn", "halves at once", and the first two "after a pause"),
        ``same`` (whether all bits are), ``n`` and ``nnz``.
    """
    memory.keep_pages()
    try:
        return _share(FAMILIES[family].make(n), n, budget)
    finally:
        set_num_threads(None)


def _share(problem: Problem, n: int, budget: float) -> dict[str, Any]:
    set_num_threads(2)
    plan = prepare(problem.f, problem.x, backend="numba")
    check(problem, LIMITS[problem.family](problem), plan)
    out = np.empty(plan.pattern.nnz)

    def by(threads: int) -> Call:
        def call() -> None:
            set_num_threads(threads)
            plan.values(problem.x, out=out)

        return call

    settle(by(2), SETTLING)
    halves = [_half(problem.family, n // 2) for _ in range(2)]
    calls: dict[str, Call] = {"one": by(1), "two": by(2)}
    calls |= {"halves in turn": partial(_in_turn, halves), "halves at once": partial(_at_once, halves)}
    found = _fastest(calls, budget)
    rested = {f"{name} after a pause": calls[name] for name in ("one", "two")}
    found |= _fastest(rested, 0.25 * budget, begin=partial(time.sleep, PAUSE))
    return {"seconds": found, "same": _same(plan, problem.x), "n": problem.x.size, "nnz": out.size}


def machine(budget: float) -> dict[str, float]:
    """Measure what two threads gain over one, doing halves: arithmetic, copies in the cache, copies in memory."""
    x, y = np.ones(LARGE), np.ones(LARGE)
    works: dict[str, tuple[Callable[..., Any], int, int]] = {
        "arithmetic": (_multiply, CACHED, 50),
        "copies in the cache": (_copy, CACHED, 500),
        "copies in memory": (_copy, LARGE, 1),
    }
    gains = {}
    for name, (work, size, times) in works.items():
        halves = [partial(work, x[a:b], y[a:b], times) for a, b in ((0, size // 2), (size // 2, size))]
        calls: dict[str, Call] = {"in turn": partial(_in_turn, halves), "at once": partial(_at_once, halves)}
        found = _fastest(calls, budget)
        gains[name] = found["in turn"] / found["at once"]
    return gains


def _fastest(calls: Mapping[str, Call], budget: float, begin: Call | None = None) -> dict[str, float]:
    """Find the least seconds of each call. They take turns, which begin with `begin`, or with a call that is not timed.

    So each finds in the caches what it left there, and not what another one did. Unless `begin` is given, short calls
    are repeated.
    """
    repeats = {
        name: 1 if begin else max(1, round(LEAST / min(timed(call)[1] for _ in range(3))))
        for name, call in calls.items()
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    while len(min(found.values(), key=len)) < ROUNDS or time.perf_counter() - start < budget:
        for name, call in calls.items():
            (begin or call)()
            found[name].append(timed(repeated(call, repeats[name]))[1] / repeats[name])
    return {name: min(seconds) for name, seconds in found.items()}


@kernel
def _multiply(x: Any, y: Any, times: int) -> None:
    """Multiply on and on: nothing but arithmetic."""
    product = x[0]
    for _ in range(times):
        for _k in range(x.size):
            product = product * 0.999 + 0.5
    y[0] = product


@kernel
def _copy(x: Any, y: Any, times: int) -> None:
    for _ in range(times):
        for k in range(x.size):
            y[k] = x[k]


def _half(family: str, n: int) -> Call:
    """Make the fastest kernel by hand for a problem of its own."""
    problem = FAMILIES[family].make(n)
    limit = LIMITS[family](problem)
    data = np.empty(limit.pattern[1].size)
    ways = [way for name, way in limit.ways.items() if name != VECTORISED]
    for way in ways:
        way(problem.x, data)
    chosen = min(ways, key=lambda way: min(timed(lambda: way(problem.x, data))[1] for _ in range(3)))
    return lambda: chosen(problem.x, data)


def _in_turn(calls: Sequence[Call]) -> None:
    for call in calls:
        call()


def _at_once(calls: Sequence[Call]) -> None:
    set_num_threads(2)
    run_tasks([(call, ()) for call in calls])


def _same(plan: Any, x: Floats) -> bool:
    """Whether one thread and several give the same bits, at a point where nothing was prepared.

    A number of threads that is new to the plan is tried by the first calls.
    """
    x = nearby(x)
    found = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        found += [plan.values(x) for _ in range(3)]
    require("entries by one thread", 0.0 if np.isfinite(found[0]).all() else np.inf)
    return all(np.array_equal(found[0], other) for other in found[1:])
