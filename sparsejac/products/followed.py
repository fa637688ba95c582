"""A function followed at one point, for products with its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.errors import InputError
from sparsejac.location import definition_of
from sparsejac.options import BackendName, check_flags, check_option
from sparsejac.products.evaluation import evaluate, kept_template
from sparsejac.programs.program import Program
from sparsejac.signature import Signature
from sparsejac.structure import Leaf, Structure, offsets_of
from sparsejac.tracing.results import Rebuild
from sparsejac.transforms import Template, aux_of, check_differentiable_again

Floats = npt.NDArray[np.float64]
_NONE: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class Followed:
    """What f did at one x.

    Parameters
    ----------
    call : str
        The public call, for messages.
    f : callable
    program : Program
    constants : list of array
        What f captured.
    x : array
        All unknowns side by side.
    inputs, result : Leaf or Branch
        How the arrays of x and of the result belong together.
    rebuild : callable
        From the numbers of the auxiliary node to what f returned beside its result.
    backend : {"auto", "numpy", "numba"}
    """

    call: str
    f: Callable[..., Any]
    program: Program
    constants: list[Floats]
    x: Floats
    inputs: Structure
    result: Structure
    rebuild: Rebuild
    backend: BackendName

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return offsets_of(self.result)[-1], len(self.x)

    def at_zero(self) -> Followed:
        """The same Program where all unknowns are zero."""
        return replace(self, x=np.zeros_like(self.x))

    def made(self, gradient: Template) -> Followed:
        """The gradient at this point, as if it were what was followed."""
        constants = gradient.constants(self.constants)
        return replace(self, program=gradient.program, constants=constants, result=self.inputs)

    def evaluate(self, template: Template, *further: Floats) -> tuple[Floats, Floats]:
        """The result of a transformed Program at x, and what is wanted beside it."""
        return evaluate(template, [self.x, *further], self.constants, self.backend)

    @property
    def aux(self) -> Any:
        """What f returned beside its result, all in it that depends on x as ordinary numbers."""
        if self.program.aux is None:
            return self.rebuild(np.empty(0))
        program = self.program
        numbers, _ = self.evaluate(kept_template(("aux", program.digest), lambda: aux_of(program)))
        return self.rebuild(numbers)

    def scalar(self) -> Followed:
        """The same, unless the result is not one number."""
        if self.result == Leaf(()):
            return self
        raise InputError(
            f"{self.call}: f returned {described(self.result)}, and a gradient is that of one number\n  "
            f"{definition_of(self.f)}\n  Cure: return a number, such as np.sum(y) or y[0]; for all outputs ask vjp, "
            "jacrev or sparse_jacobian."
        )

    def smooth(self) -> Followed:
        """The same, unless something in f has a rule for first derivatives only."""
        check_differentiable_again(self.program, self.call)
        return self


def followed(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    backend: BackendName,
    *,
    has_aux: bool = False,
) -> Followed:
    """Trace f at a point; further arguments are constants."""
    check_option(call, "backend", backend, BackendName)
    check_flags(call, has_aux=has_aux)
    signature = Signature(call, f, argnums, has_aux=has_aux).checked()
    bound = signature.bind(call, args, _NONE if kwargs is None else kwargs, frozen=True)
    traced = bound.trace()
    program, constants = traced.program, traced.constants
    return Followed(call, f, program, constants, bound.x, bound.inputs, traced.result, traced.rebuild, backend)


def described(result: Structure) -> str:
    """What f returned, in words."""
    return f"an array of shape {result}" if isinstance(result, Leaf) else f"several arrays, {result}"
