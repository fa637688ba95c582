"""Rounding to the floating-point formats below double precision: staircases, as `rint` is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.primitives.primitive import elementwise


def _through(dtype: type[np.floating[Any]]) -> Callable[[Any], npt.NDArray[np.float64]]:
    def evaluate(x: Any) -> npt.NDArray[np.float64]:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(x).astype(dtype).astype(np.float64)

    return evaluate


elementwise("single", _through(np.float32), "np.float64(np.float32({0}))", None)
elementwise("half", _through(np.float16), "elementary.half({0})", None, weight=16)
