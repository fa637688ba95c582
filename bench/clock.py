"""Seconds: of one call, and medians of several calls that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

R = TypeVar("R")


def timed(call: Callable[[], R]) -> tuple[R, float]:
    """Call and measure: the result and the seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def settle(call: Callable[[], object], seconds: float) -> None:
    """Call for so long: a plan that interprets at first may compile meanwhile."""
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()


def medians(
    calls: Mapping[str, Callable[[], object]], budget: float = 1.0, least: int = 5, most: int = 1000
) -> dict[str, float]:
    """Median seconds of each call. They take turns, so that whatever disturbs the machine disturbs them all.

    Parameters
    ----------
    calls : mapping of name to callable
    budget : float
        Seconds to spend, once each call had its first, unmeasured turn.
    least, most : int
        Rounds, whatever the budget.
    """
    for call in calls.values():
        call()
    samples: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for turn in range(most):
        if turn >= least and time.perf_counter() - start > budget:
            break
        for name, call in calls.items():
            samples[name].append(timed(call)[1])
    return {name: median(seconds) for name, seconds in samples.items()}
