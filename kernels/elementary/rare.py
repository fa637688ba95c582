"""Arguments so rare that a branch serves them: inside vectorised loops, one branch for each vector.

A loop vectorises around a call if the callee names, in LLVM's vector function ABI, functions that do the same for whole
vectors. Those may branch: where every element is within the limit, as nearly always, they return at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernels.elementary.emitter import INFINITY, Real, ir

WIDTHS = (2, 4, 8)
PREFIX = "sparsejac_beyond_"
_PLAIN = ("nounwind", "noinline")
_MAPPED = '"vector-function-abi-variant"="{}"'


def beyond(name: str, limit: float, x: Real, y: Real, rare: Callable[[Real], Real]) -> Real:
    """`y`, but `rare` of `x` where ``abs(x) >= limit``, and NaN where x is infinite; `name` tells them apart."""
    function = _scalar(x.builder.module, name, limit, rare)
    return Real(x.builder, x.builder.call(function, [x.value, y.value]))


def _scalar(module: Any, name: str, limit: float, rare: Callable[[Real], Real]) -> Any:
    full = PREFIX + name
    if full in module.globals:
        return module.globals[full]
    double = ir.DoubleType()
    function = _declared(module, full, double)
    variants = [f"_ZGV_LLVM_N{width}vv_{full}({full}_{width})" for width in WIDTHS]
    # llvmlite knows only attributes without a value.
    set.add(function.attributes, _MAPPED.format(",".join(variants)))
    builder = ir.IRBuilder(function.append_basic_block())
    x, y = (Real(builder, argument) for argument in function.args)
    with builder.if_then((abs(x) >= INFINITY).value, likely=False):
        builder.ret((x - x).value)
    with builder.if_then((abs(x) >= limit).value, likely=False):
        builder.ret(rare(x).value)
    builder.ret(y.value)
    for width in WIDTHS:
        _vector(module, function, width, limit)
    return function


def _vector(module: Any, scalar: Any, width: int, limit: float) -> None:
    """The same for a vector: element by element where one of them is outside."""
    vector, whole = ir.VectorType(ir.DoubleType(), width), ir.VectorType(ir.IntType(64), width)
    function = _declared(module, f"{scalar.name}_{width}", vector)
    builder = ir.IRBuilder(function.append_basic_block())
    x, y = function.args
    mask = ir.Constant(whole, [(1 << 63) - 1] * width)
    size = builder.bitcast(builder.and_(builder.bitcast(x, whole), mask), vector)
    outside = builder.fcmp_ordered(">=", size, ir.Constant(vector, [limit] * width))
    some = builder.icmp_unsigned("!=", builder.bitcast(outside, ir.IntType(width)), ir.Constant(ir.IntType(width), 0))
    with builder.if_then(some, likely=False):
        result = y
        for element in range(width):
            place = ir.Constant(ir.IntType(32), element)
            operands = [builder.extract_element(v, place) for v in (x, y)]
            result = builder.insert_element(result, builder.call(scalar, operands), place)
        builder.ret(result)
    builder.ret(y)


def _declared(module: Any, name: str, kind: Any) -> Any:
    function = ir.Function(module, ir.FunctionType(kind, [kind, kind]), name)
    function.linkage = "weak_odr"  # kept until loops are vectorised, though nothing calls it yet; one for all modules
    for attribute in (*_PLAIN, "willreturn", "memory(none)"):
        set.add(function.attributes, attribute)
    return function
