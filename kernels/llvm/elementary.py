"""The elementary functions as LLVM's text: to be copied into loops, or to be called by them, vector by vector."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Literal

from kernels.elementary.emitter import ir
from kernels.elementary.functions import FUNCTIONS, ROUNDINGS
from kernels.elementary.inlined import define
from kernels.llvm.value import Unsupported

Way = Literal["copied", "vectors", "called"]
_CALLED = ("noinline", "nounwind", "willreturn", "memory(none)")


@cache
def definitions(name: str, arity: int, way: Way, width: int) -> dict[str, str]:
    """An elementary function and what it needs, by symbol.

    Parameters
    ----------
    name : str
    arity : int
    way : {"copied", "vectors", "called"}
        Whether LLVM copies it into its callers; or vectorised loops call it for vectors of `width`; or nobody
        vectorises.
    width : int

    Raises
    ------
    Unsupported
        If there is none of this name.
    """
    function = (FUNCTIONS | ROUNDINGS).get(name)
    if function is None or len(inspect.signature(function.emit).parameters) != arity:
        raise Unsupported(f"elementary.{name} of {arity} numbers")
    module: Any = ir.Module()
    made = define(module, function, arity)
    if way != "copied":
        made.attributes.clear()
        for attribute in (*_CALLED, *([_variant(made.name, arity, width)] if way == "vectors" else [])):
            # llvmlite knows only some of the attributes.
            set.add(made.attributes, attribute)
    found = {symbol: str(value) for symbol, value in module.globals.items()}
    if way == "vectors":
        found[vector_symbol(made.name, width)] = _vector_function(made.name, arity, width)
    # How likely a branch is: all say the same (see `kernels.elementary.rare`), so that one number serves all modules.
    assert len(module.metadata) <= 1
    return found | {f"!{mark.name}": str(mark) for mark in module.metadata}


def vector_symbol(symbol: str, width: int) -> str:
    """The name of the function for vectors."""
    return f"{symbol}_{width}"


def _variant(symbol: str, arity: int, width: int) -> str:
    """Tells LLVM's vectoriser of the function for vectors, by its vector function ABI."""
    mangled = f"_ZGV_LLVM_N{width}{'v' * arity}_{symbol}({vector_symbol(symbol, width)})"
    return f'"vector-function-abi-variant"="{mangled}"'


def _vector_function(symbol: str, arity: int, width: int) -> str:
    """A loop over the elements, around a copy of the function: LLVM makes one step of it."""
    vector = f"<{width} x double>"
    lines = [f"%r = alloca {vector}"]
    for k in range(arity):
        lines += [f"%m{k} = alloca {vector}", f"store {vector} %x{k}, ptr %m{k}"]
    lines += ["br label %loop", "loop:", "%i = phi i64 [ 0, %entry ], [ %n, %loop ]"]
    for k in range(arity):
        lines += [f"%p{k} = getelementptr inbounds double, ptr %m{k}, i64 %i", f"%v{k} = load double, ptr %p{k}"]
    operands = ", ".join(f"double %v{k}" for k in range(arity))
    lines += [
        f"%y = call double @{symbol}({operands}) alwaysinline",
        "%q = getelementptr inbounds double, ptr %r, i64 %i",
        "store double %y, ptr %q",
        "%n = add nuw nsw i64 %i, 1",
        f"%again = icmp ne i64 %n, {width}",
        "br i1 %again, label %loop, label %done",
        "done:",
        f"%result = load {vector}, ptr %r",
        f"ret {vector} %result",
    ]
    parameters = ", ".join(f"{vector} %x{k}" for k in range(arity))
    head = f"define internal {vector} @{vector_symbol(symbol, width)}({parameters}) {' '.join(_CALLED)}"
    return "\n".join([f"{head} {{", "entry:", *lines, "}", ""])
