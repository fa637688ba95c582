"""Generated text of one function, and what is needed to compile it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Text of one function for numba.

    Parameters
    ----------
    name : str
        Of the function; different texts have different names.
    text : str
        A module that needs nothing but ``math`` and NumPy.
    signature : str
        Types of the arguments, as numba writes them. Arrays may not overlap: the code is optimised for that.
    """

    name: str
    text: str
    signature: str


def read_only(number: str) -> str:
    """The type of a contiguous vector that is only read; writeable ones are taken as well.

    >>> read_only("uint32")
    "Array(uint32, 1, 'C', True)"
    """
    return f"Array({number}, 1, 'C', True)"
