"""The derivative of f at one point, found once: products with it and with its transpose, as many as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.arguments import as_point
from sparsejac.evaluation.engine import Engine
from sparsejac.process_bound import ProcessBound
from sparsejac.products.applied import applied, as_product_node, with_loss
from sparsejac.products.evaluation import linearized_once, value_engine, widened_once
from sparsejac.products.followed import Followed
from sparsejac.products.followed_vectors import arrays_of, as_seed_node, trace_of
from sparsejac.products.losses import check_product, checked_loss
from sparsejac.products.vectors import as_seeds, product_name, shaped
from sparsejac.programs.program import Node
from sparsejac.structure import unflatten, values_in
from sparsejac.tracing.base import owner
from sparsejac.tracing.trace import Trace
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
        return self._multiplied(product_name(self._point.call, "jvp"), "v", v, forward=True)

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
        return self._multiplied(product_name(self._point.call, "vjp"), "w", w, forward=False)

    def jtj(self, v: Any, loss_hessian: Any = None) -> Any:
        """Jᵀ J v, or Jᵀ H J v: the Gauss-Newton product.

        Parameters
        ----------
        v : array_like or structure of arrays
            See `jvp`.
        loss_hessian : array, sparse matrix, LinearOperator or callable, optional
            H, symmetric, by the flat results of f: a diagonal as one array of their number, a matrix, or a function
            that multiplies by it arrays of shape (size of the result,) or (size of the result, vectors), and returns
            as many numbers in the same shape.
        """
        call, point, loss = "Linearization.jtj", self._point, checked_loss(self.shape[0], loss_hessian)
        trace = trace_of(call, "v", point.inputs, v)
        if trace is None:
            seeds, count = as_seeds(call, "v", point.inputs, v)
            product = self._weighted(self.push(seeds, count), count, loss)
            trace = owner(product)
            if trace is None:
                return shaped(point.inputs, self.pull(product.reshape(-1), count), count)
            weighted = as_product_node(trace, product)
        else:
            node, count = as_seed_node(trace, call, "v", point.inputs, v)
            weighted = with_loss(trace, loss, self._applied(trace, self._cut.forward, node, count), count)
        found = self._applied(trace, self._cut.reverse, weighted, count)
        return unflatten(point.inputs, arrays_of(trace, found, point.inputs, count))

    def push(self, seeds: Floats, count: int | None) -> Floats:
        """J times flat tangents, `count` side by side for each number."""
        return self._product(self._cut.forward, seeds, count)

    def pull(self, seeds: Floats, count: int | None) -> Floats:
        """The transpose of J times flat cotangents; see `push`."""
        return self._product(self._cut.reverse, seeds, count)

    def normal(self, seeds: Floats, count: int | None, loss: Callable[[Floats], Any] | None) -> Floats:
        """The Gauss-Newton product of flat tangents; see `push`."""
        return self.pull(self._weighted(self.push(seeds, count), count, loss).reshape(-1), count)

    @property
    def is_constant(self) -> bool:
        """Whether J is known to be the same for all x."""
        return self._cut.is_constant

    def _multiplied(self, call: str, name: str, given: Any, *, forward: bool) -> Any:
        """J v, or the transpose of J times w."""
        point = self._point
        part = self._cut.forward if forward else self._cut.reverse
        source, target = (point.inputs, point.result) if forward else (point.result, point.inputs)
        trace = trace_of(call, name, source, given)
        if trace is None:
            seeds, count = as_seeds(call, name, source, given)
            return shaped(target, self._product(part, seeds, count), count)
        node, count = as_seed_node(trace, call, name, source, given)
        found = self._applied(trace, part, node, count)
        return unflatten(target, arrays_of(trace, found, target, count))

    def _weighted(self, pushed: Floats, count: int | None, loss: Callable[[Floats], Any] | None) -> Any:
        """Tangents of the result times the Hessian of a loss, which may depend on the unknowns of a function around."""
        if loss is None:
            return pushed
        shape = (self.shape[0],) if count is None else (self.shape[0], count)
        product = loss(pushed.reshape(shape))
        if owner(product) is None:
            product = as_point("jtj", product, "the product with loss_hessian")
        check_product(shape, np.shape(product))
        return product

    def _applied(self, trace: Trace, part: Template, seeds: Node, count: int | None) -> Node:
        return applied(trace, part, self._stored, self._point.constants, seeds, count)

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
