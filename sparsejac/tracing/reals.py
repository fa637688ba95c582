"""Traced real numbers, one or many: what expressions inside a trace are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Literal

from kernels.address import Address
from kernels.records import dataclass
from sparsejac.programs.program import Load, Node

NumberKind = Literal["b", "i", "h", "s", "f", "c"]
"""Truth values, counts of them, real numbers rounded to half and to single precision, real numbers, complex numbers."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A node read under an address; the box of the address is the shape."""

    node: Node
    address: Address

    @property
    def load(self) -> Load:
        """As an operand of a node."""
        return Load(self.node, self.address)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A row of the scalar tape."""

    row: int


Real = float | Scalar | Vector


@dataclass(frozen=True, slots=True)
class Value:
    """A traced or plain number or array, real or complex, as it was when it was read.

    Parameters
    ----------
    real : float, Scalar or Vector
    imag : float, Scalar or Vector, optional
        Of complex values.
    kind : {"b", "i", "h", "s", "f", "c"}
    """

    real: Real
    imag: Real | None = None
    kind: NumberKind = "f"

    @staticmethod
    def of(parts: Sequence[Real], kind: NumberKind) -> Value:
        """The value with these `parts`: a real one, and an imaginary one if there are two."""
        return Value(parts[0], parts[1] if len(parts) == 2 else None, kind)

    def each(self, change: Callable[[Real], Real]) -> Value:
        """The value with its real and its imaginary part changed in the same way."""
        return Value.of([change(part) for part in self.parts], self.kind)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array; () for a scalar."""
        if isinstance(self.real, Vector):
            return self.real.address.box
        return self.imag.address.box if isinstance(self.imag, Vector) else ()

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def is_vector(self) -> bool:
        """Whether the value is held in nodes (also with shape ())."""
        return isinstance(self.real, Vector) or isinstance(self.imag, Vector)

    @property
    def is_traced_scalar(self) -> bool:
        """Whether the value is on the scalar tape."""
        return not self.is_vector and (isinstance(self.real, Scalar) or isinstance(self.imag, Scalar))

    @property
    def parts(self) -> tuple[Real, ...]:
        """The real part, and the imaginary one of complex values."""
        return (self.real,) if self.imag is None else (self.real, self.imag)
