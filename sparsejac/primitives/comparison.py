"""Comparisons and logic. Truth values are the floats 0.0 and 1.0; nothing here has a derivative."""

from __future__ import annotations

import numpy as np

from sparsejac.primitives.primitive import elementwise

elementwise("equal", np.equal, "1.0 if {0} == {1} else 0.0", None, None, symmetries=((0, 1),))
elementwise("not_equal", np.not_equal, "1.0 if {0} != {1} else 0.0", None, None, symmetries=((0, 1),))
elementwise("less", np.less, "1.0 if {0} < {1} else 0.0", None, None)
elementwise("less_equal", np.less_equal, "1.0 if {0} <= {1} else 0.0", None, None)
elementwise("greater", np.greater, "1.0 if {0} > {1} else 0.0", None, None)
elementwise("greater_equal", np.greater_equal, "1.0 if {0} >= {1} else 0.0", None, None)
elementwise(
    "logical_and", np.logical_and, "1.0 if {0} != 0.0 and {1} != 0.0 else 0.0", None, None, symmetries=((0, 1),)
)
elementwise("logical_or", np.logical_or, "1.0 if {0} != 0.0 or {1} != 0.0 else 0.0", None, None, symmetries=((0, 1),))
elementwise(
    "logical_xor", np.logical_xor, "1.0 if ({0} != 0.0) != ({1} != 0.0) else 0.0", None, None, symmetries=((0, 1),)
)
elementwise("logical_not", np.logical_not, "1.0 if {0} == 0.0 else 0.0", None)
elementwise("isnan", np.isnan, "1.0 if {0} != {0} else 0.0", None)
elementwise("isinf", np.isinf, "1.0 if math.isinf({0}) else 0.0", None)
elementwise("isfinite", np.isfinite, "1.0 if math.isfinite({0}) else 0.0", None)
elementwise("signbit", np.signbit, "1.0 if math.copysign(1.0, {0}) < 0.0 else 0.0", None)
