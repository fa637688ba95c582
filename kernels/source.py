"""Generated text of one function, and what is needed to compile it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any, cast

from kernels.records import dataclass

IN_VECTORS = "in vectors"
"""What the body of a loop begins with, as a string, where it takes few turns and LLVM is to use vectors all the same:
it would test at run time whether addresses wrap around, and find that not worth the while for less than 16 turns.
Nothing is added up from turn to turn in such a loop: LLVM takes the wish as leave to add in another order."""


@dataclass(frozen=True)
class Source:
    """Text of one function to be compiled: Python, in the language of `kernels.llvm`.

    Parameters
    ----------
    name : str
        Of the function; different texts have different names.
    text : str
        A module that needs nothing but ``math``, NumPy and `kernels.elementary`.
    signature : str
        Types of the arguments, as numba writes them.
    parts: tuple of Source
        Functions that the text calls, the first as ``part0``.
    may_overlap : bool
        Whether arrays among the arguments may share memory; otherwise the code is optimised for that they do not.
    """

    name: str
    text: str
    signature: str
    parts: tuple[Source, ...] = ()
    may_overlap: bool = False

    @property
    def whole(self) -> str:
        """All that the machine code is made of: names, signatures and texts, those of the parts too."""
        own = [self.name, self.signature, self.text, str(self.may_overlap)]
        return "\0".join([*own, *(part.whole for part in self.parts)])

    @property
    def listing(self) -> str:
        """The text with those of its parts, for readers."""
        return "\n\n".join([self.text, *(part.listing for part in self.parts)])


def read_only(number: str) -> str:
    """The type of a contiguous vector that is only read; writeable ones are taken as well.

    >>> read_only("uint32")
    "Array(uint32, 1, 'C', True)"
    """
    return f"Array({number}, 1, 'C', True)"


@cache
def text_of(function: Callable[..., Any]) -> str:
    """The text of a function of ours, to be compiled.

    Raises
    ------
    RuntimeError
        If its file was changed since it was loaded: what stands in the same lines may be another function by now.
    """
    known = cast("FunctionType", function)
    try:
        whole = _text_of_module(known.__globals__)
        codes = _functions(whole)
    except (ImportError, OSError, SyntaxError, ValueError):
        whole, codes = "", []
    running = _compared(known.__code__)
    places = [code.co_firstlineno for code in codes if _compared(code) == running]
    if not places:
        raise RuntimeError(
            f"{function.__module__} is not on the disk as this process loaded it, so that {function.__name__} cannot "
            "be compiled. Cure: start Python anew; where there are no .py files, install them."
        )
    return "".join(inspect.getblock(whole.splitlines(keepends=True)[places[0] - 1 :]))


def _text_of_module(module: dict[str, Any]) -> str:
    """The text of a module as it is now, also in a zip file; empty where there is none."""
    text: str | None = module["__loader__"].get_source(module["__name__"])
    return text or ""


@cache
def _functions(whole: str) -> list[CodeType]:
    """The functions of a module: what names stand for decides how these are compiled."""
    code = compile(whole, "<text>", "exec", dont_inherit=True)
    return [held for held in code.co_consts if isinstance(held, CodeType)]


def _compared(code: CodeType) -> tuple[object, ...]:
    """All of a function but its place."""
    return code.co_name, code.co_code, repr(code.co_consts), code.co_names, code.co_varnames
