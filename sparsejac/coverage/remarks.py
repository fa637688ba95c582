"""Remarks for the table of calls on functions whose rules are primitives; each is shown in docs/conventions.md."""

from __future__ import annotations

_STEP = "zero, no entry in the pattern"
_TIE = "a tie: 1/2 for each operand"

REMARKS: dict[str, str] = {
    **dict.fromkeys(["sign", "floor", "ceil", "trunc", "rint", "fix", "round", "around", "floor_divide"], _STEP),
    **dict.fromkeys(["__floordiv__", "__rfloordiv__", "__ifloordiv__"], _STEP),
    **dict.fromkeys(["maximum", "minimum", "fmax", "fmin"], _TIE),
    **dict.fromkeys(["max", "min", "amax", "amin"], "a tie of several: shares that add up to 1, by halves of halves"),
    **dict.fromkeys(
        ["remainder", "mod", "__mod__", "__rmod__", "__imod__"], "1 by a, -(a // b) by b; jumps are ignored"
    ),
    **dict.fromkeys(["absolute", "abs", "fabs", "__abs__"], "0 at 0"),
    **dict.fromkeys(["sqrt", "cbrt"], "inf at 0"),
    **dict.fromkeys(["arctan2", "angle"], "NaN at 0, 0"),
    **dict.fromkeys(
        ["power", "float_power", "__pow__", "__rpow__", "__ipow__"], "x ** 0: 0; 0 ** p by p: 0 for p >= 0"
    ),
    "clip": "at a limit: 1/2",
    "hypot": "0, 0: 0 by both",
    "copysign": "1 or -1 by a; no entry for b",
    "sinc": "0 at 0",
    "nan_to_num": "0 where a number is replaced",
    "where": "the branch that is not taken adds nothing, also where it is NaN",
    "choose": "the choices are a decision if they depend on x",
}
"""Name in NumPy (or of a method) -> what the derivative is where mathematics leaves a choice."""
