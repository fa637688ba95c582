"""Functions that operations call: their texts, in an order in which each stands behind those that it calls."""

from __future__ import annotations

from kernels.cuda.elementary import definitions
from kernels.cuda.expression import CALLED, called, function, symbol


def require(name: str, found: dict[str, str]) -> None:
    """Add the text of a function to those that were found, behind those that it calls itself."""
    if name.startswith(CALLED):
        plain = name.removeprefix(CALLED)
        require(plain, found)
        found[CALLED + symbol(plain)] = called(plain, found[symbol(plain)])
    elif name.startswith("elementary."):
        found |= definitions(name)
    elif symbol(name) not in found:
        text, needed = function(name)
        for other in sorted(needed):
            require(other, found)
        found[symbol(name)] = text
