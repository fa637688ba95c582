"""A scalar operation of a kernel: what it computes and how each printer writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from kernels.records import dataclass


@dataclass(frozen=True)
class Operation:
    """One scalar operation, told apart by its name.

    Kernels know no table of operations: whoever builds a `Kernel` brings its operations along, so that
    value, derivative and code of an operation can stand side by side in one place.

    Parameters
    ----------
    name : str
        Unique name, also part of the digest of every kernel that uses the operation.
    arity : int
        Number of operands.
    evaluate : callable
        The operation on NumPy arrays (float64 in, float64 or bool out).
    code : str
        The operation on Python floats as text to be compiled, operands written ``{0}``, ``{1}``, ... Only
        ``math``, ``np`` and ``elementary`` (see `kernels.elementary.compiled`) may be named. Truth values are the
        floats 0.0 and 1.0.
    weight : int
        Cost in units of one addition: + - * 1, division and square root 4, elementary functions 16.
    symmetries : tuple of tuple of int
        Groups of operands that may be exchanged without changing the value.
    """

    name: str
    arity: int
    evaluate: Callable[..., Any] = field(compare=False, repr=False)
    code: str = field(compare=False, repr=False)
    weight: int = field(default=1, compare=False, repr=False)
    symmetries: tuple[tuple[int, ...], ...] = field(default=(), compare=False, repr=False)
