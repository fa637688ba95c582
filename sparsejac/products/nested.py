"""Products with derivatives inside a function that is being followed: their nodes become a part of its Program.

The inner function is followed by the trace that is there, from a node of its own that stands for its x. Tangents and
cotangents are then nodes like all others, and the outer derivative goes through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import Any

import numpy as np

from kernels.address import Affine
from sparsejac.arguments import check_argnums_given
from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.options import check_flags
from sparsejac.products.applied import with_loss
from sparsejac.products.followed import described
from sparsejac.products.followed_vectors import arrays_of, as_seed_node, as_vector, begins, side_by_side, whole
from sparsejac.products.losses import checked_loss
from sparsejac.products.vectors import product_name
from sparsejac.programs.addressing import c_strides, contiguous
from sparsejac.programs.program import Graph, Node
from sparsejac.signature import Signature, pair_of
from sparsejac.structure import Leaf, Structure, flatten, tuple_of, unflatten
from sparsejac.tracing.conversion import wrap
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.results import outputs
from sparsejac.tracing.trace import Trace, current_trace
from sparsejac.transforms.builder import Builder
from sparsejac.transforms.cotangents import linear_nodes, pull
from sparsejac.transforms.order import check_nodes, has_jumps
from sparsejac.transforms.tangents import push


class Inner:
    """A function followed at one point inside another one; see `Linearization`.

    Parameters
    ----------
    trace : Trace
        Of the function around.
    call : str
        For messages.
    signature : Signature
    args, kwargs : tuple and dict
    at_zero : bool
        Whether x says shapes alone, and f is followed where all unknowns are zero.
    """

    def __init__(
        self,
        trace: Trace,
        call: str,
        signature: Signature,
        args: tuple[Any, ...],
        kwargs: Any,
        *,
        at_zero: bool = False,
    ) -> None:
        trace.begin()
        self.trace = trace
        self.call = call
        self.builder = Builder(trace.graph)
        placed, structures, vectors = list(args), [], []
        check_argnums_given(call, signature.positions, len(args))
        for k in signature.positions:
            structure, parts = flatten(args[k], self._leaf, "x")
            structures.append(structure)
            vectors += parts
        several = isinstance(signature.argnums, tuple)
        self.inputs: Structure = tuple_of(structures) if several else structures[0]
        beside = side_by_side(trace, vectors)
        self.source = trace.graph.copy(whole(trace.constant(np.zeros(beside.size)) if at_zero else beside))
        chosen = signature.by_position(self._structured(self.source, self.inputs, None))
        for k in signature.positions:
            placed[k] = chosen[k]
        self.is_nested = _depth() > 0
        self.aux: Any = None
        with _deeper(), _moving(trace.graph, self.source):
            returned = signature.f(*placed, **kwargs)
            if signature.has_aux:
                returned, self.aux = pair_of(returned, signature.f)
            self.output, self.result = outputs(trace, returned)

    @property
    def value(self) -> Any:
        """What the function returned."""
        return self._structured(self.output, self.result, None)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self.output.size, self.source.size

    @property
    def not_linear(self) -> Mapping[str, bool]:
        """What says that f is not linear, where it was followed at zero."""
        graph = self.trace.graph
        with self._quiet():
            tangent = self.trace.constant(np.zeros(self.source.size))
            pushed = self._pushed(tangent, None, guarded=False)
            decided = [decision.node.index for decision in self.trace.all_decisions()]
            moving = linear_nodes(self.builder, self.source, graph.nodes[-1])
        nodes = graph.nodes[self.source.index + 1 : self.output.index + 1]
        return {
            "its derivative depends on x": pushed is not None and pushed.index in moving,
            "it decides on values of x": not moving.isdisjoint(decided),
            "it jumps": has_jumps(nodes, self.source, self.output),
            "f(0) is not 0": bool(self.trace.decide(Vector(self.output, contiguous((self.output.size,)))).any()),
        }

    def __iter__(self) -> Iterator[Any]:
        """The value, and the function that pushes tangents forward."""
        return iter((self.value, self.jvp))

    def jvp(self, v: Any) -> Any:
        """J v."""
        seeds, count = self._seeds("jvp", "v", self.inputs, v)
        return self._structured(self.push(seeds, count), self.result, count)

    def vjp(self, w: Any) -> Any:
        """Jᵀ w."""
        seeds, count = self._seeds("vjp", "w", self.result, w)
        return self._structured(self.pull(seeds, count), self.inputs, count)

    def jtj(self, v: Any, loss_hessian: Any = None) -> Any:
        """Jᵀ J v, or Jᵀ H J v with the Hessian of a loss."""
        seeds, count = self._seeds("jtj", "v", self.inputs, v)
        loss = checked_loss(self.output.size, loss_hessian)
        pushed = with_loss(self.trace, loss, self.push(seeds, count), count)
        return self._structured(self.pull(pushed, count), self.inputs, count)

    def gradient(self) -> Any:
        """The gradient of one number."""
        if self.result != Leaf(()):
            raise InputError(
                f"{self.call}: f returned {described(self.result)}, and a gradient is that of one number\n  "
                f"{user_location()}\n  Cure: return a number, such as np.sum(y) or y[0]."
            )
        seeds = self.trace.constant([1.0])
        return self._structured(self.pull(seeds, None), self.inputs, None)

    def dense(self, *, forward: bool) -> Any:
        """The Jacobian as dense arrays."""
        rows, columns = self.shape
        units = self.trace.constant(np.eye(columns if forward else rows))
        found = self.push(units, columns) if forward else self.pull(units, rows)
        steps = (columns, 1) if forward else (1, rows)
        blocks = (
            unflatten(self.inputs, (self._block(found, y, a, x, b, steps) for x, b in begins(self.inputs)))
            for y, a in begins(self.result)
        )
        return unflatten(self.result, blocks)

    def push(self, tangent: Node, count: int | None) -> Node:
        """J times a vector of tangents."""
        with self._quiet():
            found = self._pushed(tangent, count, guarded=True)
            return found or self.builder.zeros(self.output.size * (1 if count is None else count))

    def pull(self, cotangent: Node, count: int | None) -> Node:
        """The transpose of J times a vector of cotangents."""
        with self._quiet():
            size = self.source.size * (1 if count is None else count)
            stand_in = self.trace.constant(np.zeros(size))
            found = self._pushed(stand_in, count, guarded=False)
            if found is None:
                return self.builder.zeros(size)
            return pull(self.builder, stand_in, found, whole(cotangent))

    def _pushed(self, tangent: Node, count: int | None, *, guarded: bool) -> Node | None:
        graph = self.trace.graph
        nodes = graph.nodes[self.source.index + 1 : self.output.index + 1]
        check_nodes(nodes, [self.source], dict(enumerate(graph.sites)), self.call, all_nodes=self.is_nested)
        if count == 0:
            return None
        start, again = {self.source.index: tangent}, self.is_nested or any(node.active for node in nodes)
        return push(self.builder, nodes, start, count, guarded=guarded, again=again).get(self.output.index)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Put back which line of f is noted for new nodes."""
        graph = self.trace.graph
        site = graph.site
        try:
            yield
        finally:
            graph.site = site

    def _leaf(self, path: str, given: Any) -> tuple[Leaf, Vector]:
        vector = as_vector(self.trace, self.call, path, given)
        return Leaf(vector.address.box, is_number=not isinstance(given, np.ndarray | list | tuple)), vector

    def _seeds(self, method: str, name: str, structure: Structure, given: Any) -> tuple[Node, int | None]:
        return as_seed_node(self.trace, product_name(self.call, method), name, structure, given)

    def _structured(self, node: Node, structure: Structure, count: int | None) -> Any:
        return unflatten(structure, arrays_of(self.trace, node, structure, count))

    def _block(self, node: Node, y: Leaf, row: int, x: Leaf, column: int, steps: tuple[int, int]) -> Any:
        """A part of a dense matrix."""
        down, across = steps
        shape = (*y.shape, *x.shape)
        strides = (*(down * s for s in c_strides(y.shape)), *(across * s for s in c_strides(x.shape)))
        return wrap(self.trace, Value(Vector(node, Affine(shape, row * down + column * across, strides))))


_RUNNING = local()


def _depth() -> int:
    """How many inner functions run in this thread: each of them is differentiated."""
    depth: int = getattr(_RUNNING, "depth", 0)
    return depth


@contextmanager
def _deeper() -> Iterator[None]:
    _RUNNING.depth = _depth() + 1
    try:
        yield
    finally:
        _RUNNING.depth -= 1


@contextmanager
def _moving(graph: Graph, source: Node) -> Iterator[None]:
    """Let the graph know what is differentiated, though it may not depend on its own x."""
    is_outermost = not graph.moving
    graph.moving.add(source.index)
    try:
        yield
    finally:
        if is_outermost:
            graph.moving.clear()


def inner(
    call: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    argnums: int | tuple[int, ...],
    *,
    has_aux: bool = False,
    at_zero: bool = False,
) -> Inner | None:
    """A function followed inside another one; None where none is being followed."""
    trace = current_trace()
    if trace is None:
        return None
    check_flags(call, has_aux=has_aux)
    signature = Signature(call, f, argnums, has_aux=has_aux).checked()
    return Inner(trace, call, signature, args, dict(kwargs or {}), at_zero=at_zero)
