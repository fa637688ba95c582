"""Products with inverses inside a function that is being followed: linear equations, solved as implicit functions.

s = J(x)⁻¹ v is the solution of J(x) s - v = 0, and a function of v and of all that J depends on; its derivative is

    ds = J⁻¹ (dv - dJ s)

So nothing new has to be differentiated: the equations are solved as those of `implicit` are, and their left side is a
product with J like others inside f. The whole J is factorized there, not lump by lump.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.errors import InputError, SingularError
from sparsejac.implicit_functions.api import ImplicitFunction
from sparsejac.implicit_functions.newton import Options
from sparsejac.inverse.messages import not_square
from sparsejac.location import user_location
from sparsejac.products.api import linearize
from sparsejac.products.nested import Inner
from sparsejac.products.vectors import count_of, parts_of
from sparsejac.signature import Signature
from sparsejac.structure import Leaf, Structure, flatten, leaves_of, unflatten
from sparsejac.tracing.base import is_traced
from sparsejac.tracing.trace import Trace

Floats = npt.NDArray[np.float64]

_LINALG = Lazy("scipy.sparse.linalg")

_OPTIONS = Options(tolerance=1e-3, max_iterations=50)
"""The equations are linear: the second step only corrects what the first one has rounded."""


class InnerInverse:
    """The inverse of the Jacobian of a function inside of another one; see `InverseLinearization`.

    Parameters
    ----------
    trace : Trace
        Of the function around.
    call : str
    f, args, kwargs, argnums
        See `ivjp`.

    Raises
    ------
    InputError
        If the Jacobian is not square.
    """

    def __init__(
        self,
        trace: Trace,
        call: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None,
        argnums: int | tuple[int, ...],
    ) -> None:
        self._call = call
        self._given = f, args, dict(kwargs or {}), argnums
        self._inner = Inner(trace, call, Signature(call, f, argnums).checked(), args, dict(kwargs or {}))
        rows, columns = self.shape
        if rows != columns:
            raise not_square(call, f, rows, columns)

    @property
    def value(self) -> Any:
        """f(x)."""
        return self._inner.value

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self._inner.shape

    def ivjp(self, v: Any) -> Any:
        """J⁻¹ v."""
        return self._solved("v", self._inner.inputs, self._inner.result, v, lambda lin, s: lin.jvp(s))

    def ijvp(self, w: Any) -> Any:
        """J⁻ᵀ w."""
        return self._solved("w", self._inner.result, self._inner.inputs, w, lambda lin, s: lin.vjp(s))

    def newton_step(self, damping: Any = 0.0) -> Any:
        """The step s with J s = -f(x), or the one that minimises |J s + f(x)|² + damping |s|²."""
        inputs, weight = self._inner.inputs, _weight(self._call, damping)
        if weight == 0.0:
            return _combined(inputs, lambda s: -s, self.ivjp(self.value))

        def left(lin: Any, s: Any) -> Any:
            return _combined(inputs, lambda a, b: a + weight * b, lin.vjp(lin.jvp(s)), s)

        return self._solved("v", inputs, inputs, _combined(inputs, lambda a: -a, self._inner.vjp(self.value)), left)

    def _solved(self, name: str, unknowns: Structure, right: Structure, v: Any, left: Callable[[Any, Any], Any]) -> Any:
        """The s for which the left side is v."""
        parts = parts_of(self._call, name, right, v)
        count = count_of(self._call, name, [(leaf, path, np.shape(part)) for leaf, path, part in parts])
        f, args, kwargs, argnums = self._given

        def equations(s: Any, v: Any, *args: Any) -> Any:
            lin = linearize(f, *args, kwargs=kwargs, argnums=argnums)
            return _combined(right, lambda a, b: a - b, left(lin, s), v)

        equations.__name__ = f"{self._call} of {getattr(f, '__name__', type(f).__name__)}"
        call = self._call

        def solver(fun: Any, guess: Floats) -> Floats:
            return guess + _divided(call, fun.jacobian(guess), -fun(guess))

        solution = ImplicitFunction(call, equations, equations, solver, _OPTIONS)
        return solution(unflatten(unknowns, _zeros(unknowns, count)), v, *args)


def _divided(call: str, matrix: Any, right: Floats) -> Floats:
    try:
        found: Floats = _LINALG.splu(matrix.tocsc()).solve(right)
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        raise SingularError(
            f"{call}: the Jacobian of f is singular at this x\n  {user_location()}\n  Cure: make f invertible there; "
            "newton_step(..., damping=...) gives a regularised step whatever the rank is."
        ) from None
    return found


def _zeros(structure: Structure, count: int | None) -> Iterator[Any]:
    tail = () if count is None else (count,)
    return (np.zeros((*leaf.shape, *tail)) for leaf in leaves_of(structure))


def _combined(structure: Structure, operation: Callable[..., Any], *given: Any) -> Any:
    """An operation on structures, leaf by leaf; one array may stand for a structure of one."""
    leaves = [flatten(one, _leaf, "")[1] for one in given]
    return unflatten(structure, map(operation, *leaves))


def _leaf(path: str, value: Any) -> tuple[Leaf, Any]:
    array = np.asarray(value) if isinstance(value, list | tuple) else value
    return Leaf(np.shape(array)), array


def _weight(call: str, damping: Any) -> float:
    if is_traced(damping) or isinstance(damping, dict) or np.ndim(damping) or not 0.0 <= float(damping) < np.inf:
        given = "a number that depends on x" if is_traced(damping) else repr(damping)
        raise InputError(
            f"{call}: damping={given} inside a function that is followed\n  {user_location()}\n  Cure: pass one "
            "number there that is finite and not negative."
        )
    return float(damping)
