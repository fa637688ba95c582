"""Values of a function under construction: what they are in Python, and what LLVM calls them."""

from __future__ import annotations

import re
import struct

from kernels.records import dataclass

DOUBLE, SIGNED, UNSIGNED, INDEX, CONSTANT, TRUTH = "float64", "int64", "uint64", "index", "constant", "bool"
"""Kinds of numbers. An index is a signed number that is never negative; a constant is a whole number in the text."""

LLVM = {DOUBLE: "double", SIGNED: "i64", UNSIGNED: "i64", INDEX: "i64", CONSTANT: "i64", TRUTH: "i1", "uint32": "i32"}
ITEMS = {"float64": "double", "int64": "i64", "uint64": "i64", "uint32": "i32"}
"""What arrays hold."""
WHOLE = (SIGNED, INDEX, CONSTANT)


class Unsupported(Exception):
    """The text goes beyond the language: numba has to compile it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number: its kind, and its name or digits in LLVM's text."""

    kind: str
    text: str

    @property
    def typed(self) -> str:
        """With its type, as an argument."""
        return f"{LLVM[self.kind]} {self.text}"


@dataclass(frozen=True, slots=True)
class Array:
    """A contiguous array of one or two dimensions.

    Parameters
    ----------
    item : {"float64", "int64", "uint32", "uint64"}
    data : str
        The pointer to its first item.
    lengths : tuple of str
    writeable : bool
    """

    item: str
    data: str
    lengths: tuple[str, ...]
    writeable: bool = True

    @property
    def typed(self) -> str:
        """As arguments."""
        return ", ".join([f"ptr {self.data}", *(f"i64 {length}" for length in self.lengths)])


@dataclass(frozen=True)
class Parameter:
    """The type of an argument: a number (`dimensions` 0) or a contiguous array."""

    item: str
    dimensions: int
    writeable: bool = False

    def argument(self, k: int) -> Value | Array:
        """What the function calls its argument number `k`."""
        if self.dimensions == 0:
            return Value(self.item, f"%p{k}")
        return Array(self.item, f"%p{k}", tuple(f"%p{k}n{axis}" for axis in range(self.dimensions)), self.writeable)

    def __str__(self) -> str:
        if self.dimensions == 0:
            return self.item
        access = "writeable" if self.writeable else "readable"
        return f"a contiguous, {access} array of {self.item} with {self.dimensions} dimension(s)"


_TYPE = re.compile(r"Array\((\w+), 1, 'C', True\)|(\w+)\[(:, )?::1\]|(\w+)")
_RESULT = re.compile(r"(void|int64)\((.*)\)")


def parse_signature(signature: str) -> tuple[str, tuple[Parameter, ...]]:
    """The types of a signature as numba writes it.

    >>> parse_signature("void(int64, Array(uint32, 1, 'C', True), float64[:, ::1])")[1][2]
    Parameter(item='float64', dimensions=2, writeable=True)
    """
    whole = _RESULT.fullmatch(signature)
    if whole is None:
        raise Unsupported(f"signature {signature}")
    found = []
    for read, written, second, number in _TYPE.findall(whole[2]):
        if (read or written or number) not in ITEMS:
            raise Unsupported(f"signature {signature}")
        if number:
            found.append(Parameter(number, 0))
        else:
            found.append(Parameter(read or written, 1 + bool(second), writeable=not read))
    return whole[1], tuple(found)


def literal(number: float) -> Value:
    """A double to its last bit."""
    return Value(DOUBLE, f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}")
