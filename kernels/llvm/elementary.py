"""The elementary functions as LLVM's text."""

from __future__ import annotations

import inspect
from typing import Any

from kernels.elementary.emitter import ir
from kernels.elementary.functions import FUNCTIONS, ROUNDINGS
from kernels.elementary.inlined import define
from kernels.llvm.value import Unsupported


def definitions(name: str, arity: int, inlined: bool) -> dict[str, str]:
    """An elementary function and what it needs, by symbol.

    Raises
    ------
    Unsupported
        If there is none of this name.
    """
    function = (FUNCTIONS | ROUNDINGS).get(name)
    if function is None or len(inspect.signature(function.emit).parameters) != arity:
        raise Unsupported(f"elementary.{name} of {arity} numbers")
    module: Any = ir.Module()
    define(module, function, arity, inlined=inlined)
    found = {symbol: str(value) for symbol, value in module.globals.items()}
    # How likely a branch is: all say the same (see `kernels.elementary.rare`), so that one number serves all modules.
    assert len(module.metadata) <= 1
    return found | {f"!{mark.name}": str(mark) for mark in module.metadata}
