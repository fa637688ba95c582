"""Seconds: of one call, and medians of several calls that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

R = TypeVar("R")
Call = Callable[[], object]

LEAST = 200e-6
"""Seconds of one sample, at least: short calls are repeated so often."""


def timed(call: Callable[[], R]) -> tuple[R, float]:
    """Call and measure: the result and the seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def settle(call: Call, seconds: float, ready: Callable[[], bool] = lambda: True) -> None:
    """Call for so long, and until it is ready, but ten times as long at most: what interprets may yet compile."""
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or (spent < 10.0 * seconds and not ready()):
        call()


def medians(
    calls: Mapping[str, Call],
    budget: float = 1.0,
    least: int = 5,
    most: int = 1000,
    before: Mapping[str, Call] | None = None,
) -> dict[str, float]:
    """Median seconds of each call. They take turns, so that whatever disturbs the machine disturbs them all.

    Parameters
    ----------
    calls : mapping of name to callable
    budget : float
        Seconds to spend, once each call had its first, unmeasured turn.
    least, most : int
        Rounds, whatever the budget.
    before : mapping of name to callable, optional
        What is called before each turn of a call, unmeasured.
    """
    return {name: median(seconds) for name, seconds in _samples(calls, budget, least, most, before).items()}


def fastest(calls: Mapping[str, Call], budget: float = 0.0, least: int = 5, most: int = 100_000) -> dict[str, float]:
    """Find the least seconds of each call, for those that need two processors: both are rarely free of all others.

    Parameters are those of `medians`.
    """
    return {name: min(seconds) for name, seconds in _samples(calls, budget, least, most).items()}


def _samples(
    calls: Mapping[str, Call], budget: float, least: int, most: int, before: Mapping[str, Call] | None = None
) -> dict[str, list[float]]:
    for call in calls.values():
        call()
    samples: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for turn in range(most):
        if turn >= least and time.perf_counter() - start > budget:
            break
        for name, call in calls.items():
            if before is not None:
                before[name]()
            samples[name].append(timed(call)[1])
    return samples


def in_turns(
    calls: Mapping[str, Call], budget: float, least: int = 5, most: int = 200, *, after_itself: bool = False
) -> dict[str, float]:
    """Do the same where calls are short: a call is repeated within its turn, as a clock read costs as much.

    Parameters
    ----------
    calls, budget, least, most
        See `medians`.
    after_itself : bool
        Whether a turn begins with a call that is not measured, so that long calls, too, find what they left in the
        caches, and not what another call did.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    turns = {name: repeated(call, repeats[name]) for name, call in calls.items()}
    found = medians(turns, budget, least, most, calls if after_itself else None)
    return {name: seconds / repeats[name] for name, seconds in found.items()}


def repeated(call: Call, times: int) -> Call:
    """Make so many calls one."""

    def run() -> None:
        for _ in range(times):
            call()

    return run if times > 1 else call


def _repeats(call: Call) -> int:
    """How many calls take as long as a sample has to; the first one may take longer than those that follow."""
    first = timed(call)[1]
    once = first if first > 1.0 else min(timed(call)[1] for _ in range(3))
    return max(1, round(LEAST / max(once, 1e-7)))
