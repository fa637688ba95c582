"""Values of a kernel under construction, with operators: the language in which partial derivatives are written."""

from __future__ import annotations

from kernels.kernel import KernelBuilder
from kernels.operation import Operation
from kernels.records import dataclass

OPERATIONS: dict[str, Operation] = {}
"""Operations of all primitives by name, filled as the primitives are declared."""


@dataclass(frozen=True)
class Term:
    """A value number of a `KernelBuilder`; arithmetic on terms appends instructions.

    Products with 0 and 1 and sums with 0 are not written out: derivatives are full of them, and a zero that is known
    from structure takes part in no arithmetic (so it cannot become NaN).
    """

    builder: KernelBuilder
    value: int

    def call(self, name: str, *operands: Term | float) -> Term:
        """The primitive `name` applied to this term and `operands`."""
        values = [self.value, *(self.lift(o).value for o in operands)]
        return self._term(self.builder.apply(OPERATIONS[name], *values))

    def lift(self, other: Term | float) -> Term:
        """A number as a literal of the same kernel; a term unchanged."""
        return other if isinstance(other, Term) else self._term(self.builder.literal(other))

    def is_literal(self, number: float) -> bool:
        """Whether this is the literal `number`."""
        return self.builder.is_literal(self.value, number)

    def __add__(self, other: Term | float) -> Term:
        other = self.lift(other)
        if self.is_literal(0.0):
            return other
        return self if other.is_literal(0.0) else self.call("add", other)

    def __sub__(self, other: Term | float) -> Term:
        other = self.lift(other)
        if self.is_literal(0.0):
            return -other
        return self if other.is_literal(0.0) else self.call("subtract", other)

    def __mul__(self, other: Term | float) -> Term:
        other = self.lift(other)
        if self.is_literal(0.0) or other.is_literal(1.0):
            return self
        if other.is_literal(0.0) or self.is_literal(1.0):
            return other
        if other.is_literal(-1.0):
            return -self
        return -other if self.is_literal(-1.0) else self.call("multiply", other)

    def __truediv__(self, other: Term | float) -> Term:
        other = self.lift(other)
        return self if self.is_literal(0.0) or other.is_literal(1.0) else self.call("divide", other)

    def __neg__(self) -> Term:
        made = self.builder.instruction(self.value)
        if made is not None and made.operation is None:
            return self.lift(-made.literal)
        return self.call("negative")

    def __radd__(self, other: float) -> Term:
        return self.lift(other) + self

    def __rsub__(self, other: float) -> Term:
        return self.lift(other) - self

    def __rmul__(self, other: float) -> Term:
        return self.lift(other) * self

    def __rtruediv__(self, other: float) -> Term:
        return self.lift(other) / self

    def _term(self, value: int) -> Term:
        return Term(self.builder, value)
