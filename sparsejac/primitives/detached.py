"""Values without a derivative, and values whose derivative comes from elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.primitives.primitive import elementwise


def _first(value: npt.NDArray[Any], surrogate: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return value


elementwise("stop", np.positive, "{0}", None, weight=0)
elementwise("hold", np.positive, "{0}", None, weight=0)
elementwise("derived", _first, "{0}", None, lambda y, value, surrogate: value.lift(1.0), weight=0)
