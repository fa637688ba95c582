"""What compiled functions are called in machine code."""

from __future__ import annotations

import hashlib

from kernels.source import Source


def symbol_of(source: Source) -> str:
    """The name of the machine code, which no other source has."""
    return f"{source.name}_{hashlib.blake2b(source.whole.encode(), digest_size=10).hexdigest()}"


def unpacking_of(symbol: str) -> str:
    """The name of the function that takes its arguments from an array."""
    return f"{symbol}_packed"
