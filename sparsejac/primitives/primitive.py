"""What is declared for an elementwise primitive: its value, code and partial derivatives side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernels.operation import Operation
from kernels.records import dataclass
from sparsejac.primitives.term import OPERATIONS, Term

Rule = Callable[..., Term]
"""A partial derivative: called with the result and then the operands, as terms; returns a term."""


@dataclass(frozen=True)
class Primitive:
    """An elementwise function of real numbers.

    Parameters
    ----------
    operation : Operation
        Its value in NumPy and as code.
    partials : tuple of (callable or None)
        For each operand the rule of the partial derivative by it, written on terms ``rule(y, x0, x1, ...)``. None
        where the derivative is zero wherever it exists (comparisons, rounding): the operand then adds nothing
        to the sparsity pattern.
    equal : callable, optional
        The rule of the partial derivative by all operands together where they are one and the same, if that is less
        work than to add the others up.
    chooses : bool
        Whether an operand has no part in the value where the partial by it is zero: what is infinite or NaN behind it
        must not reach the result then.
    """

    operation: Operation
    partials: tuple[Rule | None, ...]
    chooses: bool = False
    equal: Rule | None = None

    @property
    def name(self) -> str:
        """The name, unique in the registry."""
        return self.operation.name


PRIMITIVES: dict[str, Primitive] = {}


def elementwise(
    name: str,
    evaluate: Callable[..., Any],
    code: str,
    *partials: Rule | None,
    weight: int = 1,
    symmetries: tuple[tuple[int, ...], ...] = (),
    chooses: bool = False,
    equal: Rule | None = None,
) -> Primitive:
    """Declare an elementwise primitive; one operand for each of `partials`."""
    if name in PRIMITIVES:
        raise ValueError(f"elementwise({name!r}): the name is taken already")
    operation = Operation(name, len(partials), evaluate, code, weight, symmetries)
    OPERATIONS[name] = operation
    PRIMITIVES[name] = Primitive(operation, partials, chooses, equal)
    return PRIMITIVES[name]
