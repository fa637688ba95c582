"""The inverse of the derivative of f at one point, factorized once: products with it and with its transpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.arguments import as_number
from sparsejac.errors import InputError
from sparsejac.inverse.damping import UndeterminedError, damped_step
from sparsejac.inverse.factored import Factored
from sparsejac.inverse.inverter import Inverter, Lines, NotFiniteError
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.stages import LumpError, Stages
from sparsejac.location import user_location
from sparsejac.process_bound import ProcessBound
from sparsejac.products.vectors import as_seeds, shaped
from sparsejac.structure import Structure, is_container, offsets_of, values_in

if TYPE_CHECKING:
    from sparsejac.inverse.explanation import InverseExplanation

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The local Jacobians of all lumps at one point, and how numbers of f are named.

    Parameters
    ----------
    teller : Teller
    inverter : Inverter
    lines : Lines
    """

    teller: Teller
    inverter: Inverter
    lines: Lines

    @property
    def flat_value(self) -> Floats:
        """The value of f, all its arrays side by side."""
        made = self.lines.made
        return made[len(made) - self.inverter.size :].copy()

    def factored(self) -> Factored:
        """Factorize all lumps."""
        try:
            return self.inverter.factored(self.lines)
        except LumpError as error:
            raise self.teller.numerical(error, self.inverter, self.lines.made) from None

    def damped(self, call: str, damping: Any) -> Any:
        """The regularised step; see `newton_step`."""
        weights = as_damping(call, self.teller, damping)
        try:
            step = damped_step(self.inverter, self.lines, self.flat_value, weights)
        except UndeterminedError:
            raise self.teller.undetermined(call) from None
        return shaped(self.teller.inputs, step, None)


def evaluated(
    teller: Teller, inverter: Inverter, inputs: list[Floats], constants: list[Floats], *, check: bool
) -> Evaluated:
    """Evaluate the lumps at a point; see `Inverter.lines`."""
    try:
        return Evaluated(teller, inverter, inverter.lines(inputs, constants, check=check))
    except NotFiniteError as error:
        raise teller.not_finite(error, inverter) from None


def is_undamped(damping: Any) -> bool:
    """Whether a step is Newton's: an array of zeros has to be looked at."""
    return isinstance(damping, int | float) and not damping


def as_damping(call: str, teller: Teller, damping: Any) -> Floats:
    """The weight of each unknown in a damped step."""
    size = offsets_of(teller.inputs)[-1]
    if not is_container(damping) and np.ndim(damping) == 0:
        weights = np.full(size, as_number(call, damping, "damping"))
    else:
        weights, _ = as_seeds(call, "damping", teller.inputs, damping)
    if weights.shape != (size,) or not np.isfinite(weights).all() or (weights < 0.0).any():
        raise InputError(
            f"{call}: damping={damping!r} is no weight of the unknowns\n  {user_location()}\n  Cure: pass one number "
            "that is finite and not negative, or one for each unknown, in the structure of x."
        )
    return weights


class InverseLinearization(ProcessBound):
    """The inverse of the Jacobian J of f at one point, as a product of the inverses of the lumps that f is made of.

    Made by `linearize_inverse` or an `InversePlan`. Everything was factorized when it was made: all products, with J⁻¹
    and with J⁻ᵀ, with one vector or many, are substitutions.

    Attributes
    ----------
    value : float, array or structure of arrays
        f(x).
    shape : tuple of int
        That of J.
    """

    made_by = "linearize_inverse"

    def __init__(self, point: Evaluated) -> None:
        self._point = point
        self._teller = point.teller
        self._factored = point.factored()

    @property
    def value(self) -> Any:
        """f(x)."""
        return values_in(self._teller.result, self._point.flat_value)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return (self._factored.size, self._factored.size)

    @property
    def structures(self) -> tuple[Structure, Structure]:
        """How the arrays of x, and those of the result, belong together."""
        return self._teller.inputs, self._teller.result

    @property
    def stages(self) -> Stages:
        """The lumps and their forms."""
        return self._factored.stages

    def __repr__(self) -> str:
        name = getattr(self._teller.f, "__name__", type(self._teller.f).__name__)
        lumps = len(self.stages.stages)
        return f"<InverseLinearization of {name}: {self.shape[0]} unknowns, {lumps} lump{'s' if lumps != 1 else ''}>"

    def ivjp(self, v: Any) -> Any:
        """J⁻¹ v: the tangent of x that the tangent v of the result comes from.

        Parameters
        ----------
        v : array_like or structure of arrays
            Of the structure and the shapes of f's result; with one more axis, the last, several vectors at once.

        Returns
        -------
        float, array or structure of arrays
            As x; with one more axis for several vectors.
        """
        seeds, count = as_seeds("ivjp", "v", self._teller.result, v)
        return shaped(self._teller.inputs, self.divide(seeds, count), count)

    def ijvp(self, w: Any) -> Any:
        """J⁻ᵀ w: the cotangent of the result that gives the cotangent w of x.

        Parameters
        ----------
        w : array_like or structure of arrays
            Of the structure and the shapes of x; with one more axis, the last, several vectors at once.

        Returns
        -------
        float, array or structure of arrays
            As f's result; with one more axis for several vectors.
        """
        seeds, count = as_seeds("ijvp", "w", self._teller.inputs, w)
        return shaped(self._teller.result, self.divide_transposed(seeds, count), count)

    def divide(self, seeds: Floats, count: int | None) -> Floats:
        """J⁻¹ times flat tangents, `count` side by side for each number."""
        return self._applied(self._factored.solve, seeds, count)

    def divide_transposed(self, seeds: Floats, count: int | None) -> Floats:
        """J⁻ᵀ times flat cotangents; see `divide`."""
        return self._applied(self._factored.solve_transposed, seeds, count)

    def _applied(self, product: Any, seeds: Floats, count: int | None) -> Floats:
        given = seeds if count is None else seeds.reshape(self.shape[0], count)
        found: Floats = product(given) if given.size else given
        return np.ascontiguousarray(found).reshape(-1)

    def slogdet(self) -> tuple[float, float]:
        """Sign of the determinant of J, and the logarithm of its absolute value."""
        sign, log = self._factored.slogdet()
        return float(sign), float(log)

    def newton_step(self) -> Any:
        """The step s with J s = -f(x); see `newton_step`."""
        return shaped(self._teller.inputs, self.divide(-self._point.flat_value, None), None)

    def explain(self) -> InverseExplanation:
        """The lumps, the widths between them, and the choice by the cost model. Print it."""
        found: InverseExplanation = load("sparsejac.inverse.explanation").explain(self._point.inverter)
        return found
