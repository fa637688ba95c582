"""scipy.optimize.rosen and its derivative, which many try first; they convert what they get to ordinary arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace


@follows("scipy.optimize", "rosen")
def _rosen(trace: Trace, x: Any) -> Any:
    x = as_array(trace, x)
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1.0 - x[:-1]) ** 2.0, axis=0)


@follows("scipy.optimize", "rosen_der")
def _rosen_der(trace: Trace, x: Any) -> Any:
    x = as_array(trace, x)
    before, here, after = x[:-2], x[1:-1], x[2:]
    inner = 200 * (here - before**2) - 400 * (after - here**2) * here - 2 * (1 - here)
    first = -400 * x[:1] * (x[1:2] - x[:1] ** 2) - 2 * (1 - x[:1])
    return np.concatenate([first, inner, 200 * (x[-1:] - x[-2:-1] ** 2)])
