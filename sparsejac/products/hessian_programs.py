"""Gradients whose Jacobian is wanted as a Hessian: their Programs, with what they are the gradients of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.errors import InputError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import user_location
from sparsejac.options import HessianStrategyName, check_option
from sparsejac.pieces.pieces import in_pieces
from sparsejac.products.evaluation import gradient_once, kept_template
from sparsejac.products.followed import Followed, described
from sparsejac.programs.program import Program
from sparsejac.structure import Branch, Leaf, Structure
from sparsejac.tracing import Traced
from sparsejac.transforms import Template, check_differentiable_again, gradient_of, weighted_gradient_of
from sparsejac.transforms.symmetric import HessianOf, Triangle

Floats = npt.NDArray[np.float64]


def hessian_engine(
    point: Followed, triangle: Triangle, strategy: HessianStrategyName, weights: Floats | None = None
) -> tuple[Engine, list[Floats]]:
    """The engine of a Hessian at a point, and what it is to be given.

    Parameters
    ----------
    point : Followed
    triangle : {"full", "lower", "upper"}
    strategy : str
    weights : array, optional
        Factors by which all results are summed; without them the result is one number.
    """
    check_option(point.call, "strategy", strategy, HessianStrategyName)
    program = (point if weights is not None else point.scalar()).smooth().program
    template, place = _gradient(program, weighted=weights is not None)
    constants = template.constants(point.constants)
    hessian = _hessian_of(program, template, triangle, place)
    options = {"strategy": strategy, "backend": point.backend}
    engine = engine_for(template.program, options, constants, hessian=hessian)
    return engine, [point.x, *([] if weights is None else [weights]), *constants]


def _gradient(program: Program, *, weighted: bool) -> tuple[Template, int | None]:
    """The gradient, and which of its inputs holds the weights."""
    if not weighted:
        return gradient_once(program), None
    last = len(program.input_sizes)
    template = kept_template(("weighted", program.digest), lambda: weighted_gradient_of(in_pieces(program), last))
    return template, last


def _hessian_of(program: Program, template: Template, triangle: Triangle, weights: int | None) -> HessianOf:
    place = {source: k for k, source in enumerate(template.sources) if isinstance(source, int)}
    return HessianOf(triangle, program, weights, tuple(place.get(k) for k in range(len(program.constants))))


def curved(call: str, triangle: Triangle, traced: Traced, inputs: Structure, weights: int | None = None) -> Traced:
    """The gradient of what was traced, with its decisions; for plans of Hessians.

    Parameters
    ----------
    call : str
        For messages.
    triangle : {"full", "lower", "upper"}
    traced : Traced
    inputs : Leaf or Branch
        The structure of x.
    weights : int, optional
        The input that holds the factors by which the results are summed: one that there is already, or one more.

    Raises
    ------
    InputError
        Where no weights are given, if the result is more than one number; else if there is no weight for each.
    """
    program = traced.program
    if weights is None and traced.result != Leaf(()):
        raise InputError(
            f"{call}: f returned {described(traced.result)}, and a Hessian is that of one number\n  {user_location()}\n"
            "  Cure: return a number, such as np.sum(y); for a Lagrangian use lagrangian_hessian or prepare_nlp."
        )
    if weights is not None and program.input_sizes[weights : weights + 1] not in ((), (program.output.size,)):
        raise InputError(
            f"{call}: f or g took another way at this x, and its results have other shapes\n  {user_location()}\n  "
            "Cure: write the decision as np.where, np.maximum or np.clip, whose pattern holds for all x."
        )
    check_differentiable_again(program, call)

    def make() -> Template:
        pieces = in_pieces(program)
        if weights is None:
            return gradient_of(pieces, decided=True, again=True)
        return weighted_gradient_of(pieces, weights, decided=True)

    template = kept_template(("decided gradient", program.digest, weights), make)
    hessian = _hessian_of(program, template, triangle, weights)
    constants = template.constants(traced.constants)
    return replace(traced, program=template.program, constants=constants, result=inputs, hessian=hessian)


def check_objective(call: str, both: Structure) -> None:
    """Refuse an objective that is not one number; what follows its first number would count among the constraints.

    Parameters
    ----------
    call : str
        For messages.
    both : Branch
        The objective, and the constraints behind it.
    """
    assert isinstance(both, Branch)
    if both.children[0] == Leaf(()):
        return
    raise InputError(
        f"{call}: f returned {described(both.children[0])}, and an objective is one number\n  {user_location()}\n  "
        "Cure: return a number, such as np.sum(y)."
    )


def joined(
    f: Callable[..., Any], g: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], x: Any, *_: Any
) -> Any:
    """Objective and constraints as one function of x, as `partial(joined, f, g, args, kwargs)`.

    The parts of a partial are seen: where f and g were defined, and which functions of NumPy they have bound. The
    weights of a Lagrangian come behind x, and are for its derivatives alone.
    """
    return {"objective": f(x, *args, **kwargs), "constraints": g(x, *args, **kwargs)}


def deriving(call: str, triangle: Triangle, weights: int | None = None) -> Any:
    """`curved` as what a signature asks for."""
    return partial(curved, call, triangle, weights=weights)
