"""The derivative of f at one point, found once: products with it and with its transpose, as many as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.engine import Engine
from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.process_bound import ProcessBound
from sparsejac.products.evaluation import linearized_once, value_engine, widened_once
from sparsejac.products.followed import Followed
from sparsejac.products.vectors import as_seeds, shaped
from sparsejac.structure import values_in
from sparsejac.transforms import Template, then

Floats = npt.NDArray[np.float64]


class Linearization(ProcessBound):
    """f at one point: its value, and products with its Jacobian J and the transpose of J.

    Made by `linearize`. The numbers that the products need (all partial derivatives, where they are no constants) were
    computed with the value and are stored: a product reads them and computes no part of f again. Their memory grows
    with the number of operations of f. It unpacks like the pair that `jax.linearize` gives: ``y, push =
    linearize(f, x)``.

    Attributes
    ----------
    value : float, array or structure of arrays
        f(x).
    aux : object
        What f returned beside its result, if it was followed with has_aux=True.
    shape : tuple of int
        (size of the result, size of x): that of J.
    """

    made_by = "linearize"

    def __init__(self, point: Followed) -> None:
        self._point = point
        self._cut = linearized_once(point.program)
        found, self._value = point.evaluate(self._cut.values)
        self.aux = point.aux
        self._engines: dict[tuple[int, int | None], tuple[Engine, list[Floats]]] = {}
        self._stored = [found[a:b] for a, b in pairwise(self._cut.bounds)]

    @property
    def value(self) -> Any:
        """f(x)."""
        return values_in(self._point.result, self.flat_value)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self._point.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the stored numbers."""
        return sum(stretch.nbytes for stretch in self._stored)

    @property
    def flat_value(self) -> Floats:
        """The value, all its arrays side by side."""
        return self._value.copy()

    def __iter__(self) -> Iterator[Any]:
        """The value, and the function that pushes tangents forward."""
        return iter((self.value, self.jvp))

    def __repr__(self) -> str:
        name = getattr(self._point.f, "__name__", type(self._point.f).__name__)
        return f"<Linearization of {name}: Jacobian {self.shape[0]} x {self.shape[1]}, {self.nbytes} bytes>"

    def jvp(self, v: Any) -> Any:
        """J v.

        Parameters
        ----------
        v : array_like or structure of arrays
            Of the structure and the shapes of x; with one more axis, the last, several vectors at once.

        Returns
        -------
        float, array or structure of arrays
            As f's result; with one more axis for several vectors.
        """
        seeds, count = as_seeds("Linearization.jvp", "v", self._point.inputs, v)
        return shaped(self._point.result, self.push(seeds, count), count)

    def vjp(self, w: Any) -> Any:
        """Jᵀ w.

        Parameters
        ----------
        w : array_like or structure of arrays
            Of the structure and the shapes of f's result; with one more axis, the last, several vectors at once.

        Returns
        -------
        float, array or structure of arrays
            As x; with one more axis for several vectors.
        """
        seeds, count = as_seeds("Linearization.vjp", "w", self._point.result, w)
        return shaped(self._point.inputs, self.pull(seeds, count), count)

    def jtj(self, v: Any, loss_hessian: Any = None) -> Any:
        """Jᵀ J v, or Jᵀ H J v: the Gauss-Newton product.

        Parameters
        ----------
        v : array_like or structure of arrays
            See `jvp`.
        loss_hessian : array, sparse matrix, LinearOperator or callable, optional
            H, symmetric, by the flat results of f: a diagonal as one array of their number, a matrix, or a function
            that multiplies by it arrays of shape (size of the result,) or (size of the result, vectors).
        """
        seeds, count = as_seeds("Linearization.jtj", "v", self._point.inputs, v)
        return shaped(self._point.inputs, self.normal(seeds, count, self.checked_loss(loss_hessian)), count)

    def push(self, seeds: Floats, count: int | None) -> Floats:
        """J times flat tangents, `count` side by side for each number."""
        return self._product(self._cut.forward, seeds, count)

    def pull(self, seeds: Floats, count: int | None) -> Floats:
        """The transpose of J times flat cotangents; see `push`."""
        return self._product(self._cut.reverse, seeds, count)

    def normal(self, seeds: Floats, count: int | None, loss: Callable[[Floats], Any] | None) -> Floats:
        """The Gauss-Newton product of flat tangents; see `push`."""
        pushed = self.push(seeds, count)
        if loss is not None:
            shape = (self.shape[0],) if count is None else (self.shape[0], count)
            pushed = np.ascontiguousarray(np.asarray(loss(pushed.reshape(shape)), dtype=np.float64)).reshape(-1)
            if pushed.size != np.prod(shape, dtype=int):
                raise InputError(
                    f"jtj: loss_hessian gave {pushed.size} numbers for an array of shape {shape}\n  {user_location()}\n"
                    "  Cure: return its product with that array."
                )
        return self.pull(pushed, count)

    def checked_loss(self, loss_hessian: Any) -> Callable[[Floats], Any] | None:
        """What multiplies by the Hessian of a loss."""
        if loss_hessian is None or (callable(loss_hessian) and not hasattr(loss_hessian, "shape")):
            return loss_hessian  # type: ignore[no-any-return]
        rows = self.shape[0]
        matrix = loss_hessian if hasattr(loss_hessian, "shape") else np.asarray(loss_hessian, dtype=np.float64)
        if matrix.shape == (rows,):
            return lambda a: (np.asarray(matrix) * a.T).T
        if matrix.shape == (rows, rows):
            return lambda a: matrix @ a
        raise InputError(
            f"jtj: loss_hessian has shape {matrix.shape}, and f has {rows} results\n  {user_location()}\n  Cure: pass "
            f"its diagonal, of shape ({rows},), or a matrix of shape ({rows}, {rows})."
        )

    @property
    def is_constant(self) -> bool:
        """Whether J is known to be the same for all x."""
        return self._cut.is_constant

    def _product(self, part: Template, seeds: Floats, count: int | None) -> Floats:
        if count == 0:
            return np.empty(0)
        engine, rest = self._prepared(part, count)
        if count is None:
            return engine.value([seeds, *self._stored, *rest], check=False)
        unread = np.empty(part.program.input_sizes[0])  # of the single tangent, in whose place there are several
        return engine.value([unread, *self._stored, seeds, *rest], check=False)

    def _prepared(self, part: Template, count: int | None) -> tuple[Engine, list[Floats]]:
        """The engine of a product with one or several vectors, and its constants."""
        known = self._engines.get((id(part), count))
        if known is None:
            wide = part if count is None else then(part, widened_once(part.program, count))
            constants = wide.constants(self._point.constants)
            known = value_engine(wide.program, self._point.backend), constants
            self._engines[id(part), count] = known
        return known
