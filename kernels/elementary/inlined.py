"""Elementary functions as functions of the module under construction."""

from __future__ import annotations

from typing import Any

from kernels.elementary.emitter import Real, ir
from kernels.elementary.functions import Function

PREFIX = "sparsejac_elementary_"


def define(module: Any, function: Function, arity: int) -> Any:
    """The function in an llvmlite module, added on first use; LLVM copies it into its callers.

    Parameters
    ----------
    module : llvmlite.ir.Module
    function : Function
    arity : int
    """
    name = PREFIX + function.name
    if name in module.globals:
        return module.globals[name]
    double = ir.DoubleType()
    made = ir.Function(module, ir.FunctionType(double, [double] * arity), name)
    made.linkage = "internal"
    made.attributes.add("alwaysinline")
    made.attributes.add("nounwind")
    builder = ir.IRBuilder(made.append_basic_block())
    builder.ret(function.emit(*(Real(builder, argument) for argument in made.args)).value)
    return made
