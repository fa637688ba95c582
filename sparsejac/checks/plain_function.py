"""f as it is, without tracing, as a function of a flat vector; and what a trace of it says."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.checks.differences import Floats, Slope, slope_along
from sparsejac.errors import InputTypeError, SparsejacError
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import user_location
from sparsejac.matrices import assemble
from sparsejac.reports.dependence import Dependences
from sparsejac.signature import Bound
from sparsejac.structure import Leaf, flatten, split, unflatten


class PlainFunction:
    """f beside one point, at which it is called when this is made.

    Parameters
    ----------
    bound : Bound
    complex_step : bool
        Whether it may be called with complex numbers.
    """

    def __init__(self, bound: Bound, *, complex_step: bool) -> None:
        self.bound, self.complex_step = bound, complex_step
        self.flat = bound.x
        self.inputs = bound.inputs
        self.outputs, parts = flatten(self._call(self.flat), _as_result, "f's result")
        self.value = np.concatenate([np.empty(0), *parts])
        self.shape = (self.value.size, self.flat.size)

    def _call(self, flat: npt.NDArray[Any]) -> Any:
        bound = self.bound
        return bound.signature.f(*args_of(bound, flat), **bound.kwargs)

    def evaluate(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The results of f as a vector."""
        parts = flatten(self._call(flat), lambda _, value: (Leaf(()), np.asarray(value).reshape(-1)), "f's result")[1]
        return np.concatenate([np.empty(0), *parts])

    @cached_property
    def repeats(self) -> bool:
        """Whether f gives the same again."""
        return bool(np.array_equal(self.evaluate(self.flat), self.value, equal_nan=True))

    def slope(self, direction: Floats) -> Slope:
        """The slope of f along a direction."""
        return slope_along(self.evaluate, self.flat, self.value, direction, complex_step=self.complex_step)

    def traced_jacobian(self) -> csr_array[Any]:
        """The Jacobian of the whole, all outputs by all unknowns, as `sparse_jacobian` computes it."""
        traced = self.bound.trace()
        engine = engine_for(traced.program, {}, traced.constants)
        data = engine.data([self.flat, *traced.constants], check=False)
        return csr_array(assemble(engine.pattern, data, "csr", copy_structure=True))

    def dependences(self) -> Dependences | None:
        """What a trace of f knows of its dependences; None where f cannot be traced."""
        try:
            traced = self.bound.trace()
            pattern = engine_for(traced.program, {}, traced.constants).pattern
        except SparsejacError:
            return None
        return Dependences(traced, self.inputs, pattern)


def args_of(bound: Bound, flat: npt.NDArray[Any] | None = None) -> list[Any]:
    """The arguments of f at a point, as f takes them, in memory of their own."""
    parts = split(bound.inputs, np.array(bound.x if flat is None else flat))
    args = list(bound.args)
    for position, argument in bound.signature.by_position(unflatten(bound.inputs, parts)).items():
        args[position] = argument
    return args


def _as_result(path: str, value: Any) -> tuple[Leaf, Floats]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            f"check_jacobian: {path} holds {array.dtype} values, not real numbers\n  {user_location()}\n  Cure: return "
            "arrays of floats."
        )
    return Leaf(array.shape), np.array(array, dtype=np.float64).reshape(-1)
