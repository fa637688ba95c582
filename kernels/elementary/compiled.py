"""The elementary functions as numba sees them: ``compiled.exp`` and so on. Importing this module imports numba.

Each one becomes a function of the module under compilation that LLVM inlines into the loop around it; equal parts of
several of them (the reduction of sin and cos, the exponential of tanh and its derivative) are then computed once.
"""

from __future__ import annotations

import inspect
from typing import Any

from kernels.elementary.functions import FUNCTIONS, ROUNDINGS, Function
from kernels.elementary.inlined import define
from kernels.lazy import load


def _intrinsic(function: Function) -> Any:
    extending, float64 = load("numba.extending"), load("numba").float64
    arity = len(inspect.signature(function.emit).parameters)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not has_fma(context.codegen()):
            return context.compile_internal(builder, function.plain, signature, arguments)
        return builder.call(define(builder.module, function, arity), arguments)

    def unary(typing_context: Any, x: Any) -> Any:
        return float64(float64), generate

    def binary(typing_context: Any, x: Any, y: Any) -> Any:
        return float64(float64, float64), generate

    return extending.intrinsic(unary if arity == 1 else binary)


def has_fma(codegen: Any) -> bool:
    """Whether the processor that numba compiles for rounds a multiply-add once in one instruction."""
    features = codegen.magic_tuple()[2]
    return "+fma" in features.split(",") or not load("llvmlite.binding").get_process_triple().startswith(("x86", "i"))


# All at once: numba looks for new ones only before it infers types.
globals().update(
    {
        name: function.plain if load("numba.core.config").DISABLE_JIT else _intrinsic(function)
        for name, function in (FUNCTIONS | ROUNDINGS).items()
    }
)
