"""The loop of `kernels.tape` that knows no operations, to be compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kernels.memory import float64_2


def run_terms(start: int, stop: int, seeds: int, terms: Any, table: Any, registers: Any) -> None:
    """Add sources times factors to targets, or store them there, for each of the seeds."""
    for t in range(np.uint64(start), np.uint64(stop)):
        target = float64_2(table, terms[t, 0])
        source = float64_2(table, terms[t, 2])
        factor = registers[terms[t, 4]]
        if terms[t, 5] == 0:
            for s in range(np.uint64(seeds)):
                target[terms[t, 1], s] = factor * source[terms[t, 3], s]
        else:
            for s in range(np.uint64(seeds)):
                target[terms[t, 1], s] += factor * source[terms[t, 3], s]
