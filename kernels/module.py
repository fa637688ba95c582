"""Generated text turned into machine code, once for each text, machine and version of the tools."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any, Literal

from kernels.forks import COMPILING
from kernels.lazy import load
from kernels.source import Source

COMPILER: Literal["llvm", "numba"] = "llvm"
"""What compiles: LLVM alone, which is there a second earlier, with numba for what `kernels.llvm` does not know."""

fallbacks = 0
"""How many functions were left to numba."""

_functions: dict[str, Callable[..., Any]] = {}


def compile_source(source: Source) -> Callable[..., Any]:
    """The compiled function: from this process, from the disk cache, or compiled now.

    It raises TypeError for arguments of other types than those of the signature.
    """
    with COMPILING:
        function = _functions.get(source.whole)
        if function is None:
            function = _functions[source.whole] = _compile(source)
        return function


def compile_trusted(source: Source) -> Callable[..., Any]:
    """The same for callers that have looked at the types: where numba compiled it, nobody looks again."""
    function = compile_source(source)
    return load("kernels.numba_module").machine_code(function) if hasattr(function, "py_func") else function


def address_of(source: Source) -> int | None:
    """Where the machine code of a source begins that takes its arguments from an array; None where numba made it."""
    compiled_here = isinstance(compile_source(source), BuiltinFunctionType)
    return load("kernels.llvm.native").address_of(source) if compiled_here else None


def _compile(source: Source) -> Callable[..., Any]:
    global fallbacks
    if COMPILER == "llvm" and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"):
        try:
            return load("kernels.llvm.native").compile_native(source)  # type: ignore[no-any-return]
        except load("kernels.llvm.value").Unsupported:
            fallbacks += 1
    return load("kernels.numba_module").compile_by_numba(source)  # type: ignore[no-any-return]


def __getattr__(name: str) -> int:
    """``compilations``: how many functions this process has compiled (not loaded from disk)."""
    if name != "compilations":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return int(load("kernels.llvm.native").compilations + load("kernels.numba_module").compilations)
