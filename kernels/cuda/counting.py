"""How much float64 arithmetic a step takes, elementary functions taken apart: what a device cannot be faster than."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from kernels.cuda.expression import PREFIX, expression
from kernels.cuda.functions import require
from kernels.cuda.nest import Nest


@dataclass(frozen=True)
class Arithmetic:
    """Numbers of operations.

    Parameters
    ----------
    additions : int
        Additions, subtractions, multiplications, and the two of them in one.
    divisions : int
        And square roots.
    """

    additions: int = 0
    divisions: int = 0

    def __add__(self, other: Arithmetic) -> Arithmetic:
        return Arithmetic(self.additions + other.additions, self.divisions + other.divisions)

    def times(self, count: int) -> Arithmetic:
        """So often."""
        return Arithmetic(self.additions * count, self.divisions * count)


def arithmetic(nest: Nest) -> Arithmetic:
    """Of all points of a nest; sums add their terms.

    Comparisons, choices and whole numbers count nothing. Of a loop in a function, one turn is counted.
    """
    kernel = nest.kernel
    needed = {kernel.outputs[result.output] for result in nest.results}
    found = Arithmetic(additions=len(nest.results) if nest.summing else 0)
    for t in range(len(kernel.instructions) - 1, -1, -1):
        instruction = kernel.instructions[t]
        if kernel.loads + t in needed:
            needed.update(instruction.operands)
            if instruction.operation is not None:
                found += _of_code(instruction.operation.code, len(instruction.operands))
    return found.times(nest.points)


@cache
def _of_code(code: str, arity: int) -> Arithmetic:
    text, functions = expression(code, [f"v{k}" for k in range(arity)])
    texts: dict[str, str] = {}
    for name in functions:
        require(name, texts)
    return _of_text(text, texts)


def _of_text(text: str, texts: dict[str, str]) -> Arithmetic:
    """Of an expression; functions that it calls are among `texts`."""
    found = Arithmetic(len(_ADDITION.findall(text)), len(_DIVISION.findall(text)))
    for name in _CALL.findall(text):
        lines = texts[name].splitlines()[1:] if name in texts else []
        for line in lines:
            if _REAL.match(line):
                found += _of_text(line, texts)
    return found


_ADDITION = re.compile(r" [-+*] |\bfma\(")
_DIVISION = re.compile(r" / |\bsqrt\(")
_CALL = re.compile(rf"\b({PREFIX}\w+)\(")
_REAL = re.compile(r"\s*(?:(?:const )?double |return |\w+ = )")
