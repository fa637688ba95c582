"""Strategies timed side by side at one x, for those who would rather measure than trust a prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sparsejac.evaluation.writer import Writer

FloatArray = npt.NDArray[np.float64]
Engine = TypeVar("Engine", bound="Writer")

ROUNDS = 9
FEWEST_ROUNDS = 3
SECONDS = 1.0
"""Once so much time was spent on rounds, `FEWEST_ROUNDS` are enough."""

SETUP_SECONDS = 10.0
"""Once so much time was spent on preparing and compiling, no further strategy is prepared."""

HOPELESS = 30.0
"""Strategies that are predicted to take so many times as long as the best are left out..."""

NEGLIGIBLE = 1e-4
"""...unless they are predicted to take no longer than this, in seconds."""


def race(
    engine: Engine, inputs: Sequence[FloatArray], memory: int, clock: Callable[[], float] = perf_counter
) -> tuple[dict[str, float], Engine]:
    """Time the strategies in turns; give the median of each, and the engine of the fastest, ready to run.

    Parameters
    ----------
    engine : Engine
    inputs : sequence of array
        As of `Writer.write`.
    memory : int
        Strategies that are predicted to need more bytes are left out.
    clock : callable
    """
    rivals = _prepared(engine, inputs, memory, clock)
    out = np.empty(engine.pattern.nnz)
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(ROUNDS):
        if number >= FEWEST_ROUNDS and sum(map(sum, times.values())) > SECONDS:
            break
        for name, rival in rivals.items():
            start = clock()
            rival.write(inputs, out, check=False)
            times[name].append(clock() - start)
    medians = {name: median(found) for name, found in times.items()}
    return medians, rivals[min(medians, key=medians.__getitem__)]


def _prepared(
    engine: Engine, inputs: Sequence[FloatArray], memory: int, clock: Callable[[], float]
) -> dict[str, Engine]:
    """The engines that take part, most promising first, each after its first evaluations."""
    predictions = sorted((engine.predict(name) for name in engine.usable), key=lambda found: found.seconds)
    longest = max(HOPELESS * predictions[0].seconds, NEGLIGIBLE)
    rivals: dict[str, Engine] = {}
    out, start = np.empty(engine.pattern.nnz), clock()
    for found in predictions:
        if rivals and (found.seconds > longest or found.bytes > memory or clock() - start > SETUP_SECONDS):
            continue
        rival = rivals[found.strategy] = engine.rival(found.strategy)
        for _ in range(2):  # the first one compiles
            rival.write(inputs, out, check=False)
    return rivals
