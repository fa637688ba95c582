"""One run of f under observation: the graph being built, constants, decisions, refusals."""

from __future__ import annotations

import sys
import warnings
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import local
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.views import view_of
from sparsejac.bits import same_bits
from sparsejac.errors import InputTypeError, UntraceableError
from sparsejac.location import Site, definition_of, site_key, user_location, user_site
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import broadcast, broadcast_box, contiguous
from sparsejac.programs.program import Decision, Graph, Load, Node
from sparsejac.tracing.reals import Real, Scalar, Vector
from sparsejac.tracing.tape import ScalarTape

Floats = npt.NDArray[np.float64]

_array = np.array
"""NumPy's own also while f runs: it is called for each constant, and a route looks at the caller."""

_contiguous = np.ascontiguousarray

_copies: ContextVar[dict[object, Floats] | None] = ContextVar("copies", default=None)

_ALONE = 0.25
"""Share of nodes among numbers from which these are computed one by one: chains of scalars."""

_SHARED = 64
"""Length of arrays for which it is looked whether they were captured before."""

ACTIVE = local()
"""The traces of each thread whose f is running, innermost last, as `stack`."""


def current_trace() -> Trace | None:
    """The trace of this thread, if f is running."""
    stack: list[Trace | None] = getattr(ACTIVE, "stack", [])
    return stack[-1] if stack else None


def outlets() -> tuple[int, ...]:
    """What is printed and warned of goes through these; who collects it puts others in their place."""
    return id(sys.stdout), id(sys.stderr), id(warnings.filters), id(warnings.showwarning)


@contextmanager
def sharing_copies() -> Iterator[None]:
    """Copy the same numbers at the same place once: for whoever follows a function again."""
    token = _copies.set({})
    try:
        yield
    finally:
        _copies.reset(token)


def _copied(place: object, numbers: Floats) -> Floats:
    """A copy, or an earlier one that nobody has changed either."""
    known = _copies.get()
    copy = None if known is None else known.get(place)
    if copy is None or not same_bits(copy, numbers):
        copy = numbers.copy()
        if known is not None:
            known[place] = copy
    return copy


@contextmanager
def untraced() -> Iterator[None]:
    """Run foreign code in the middle of a trace: for it, NumPy is what it always is."""
    stack: list[Trace | None] = ACTIVE.__dict__.setdefault("stack", [])
    stack.append(None)
    try:
        yield
    finally:
        stack.pop()


class Trace:
    """What is known of one run of f.

    Parameters
    ----------
    strict : bool
        Whether functions of the math module look at once if Python would raise. Otherwise their results are rows of
        the tape in `unchecked`.
    packs_lists : bool
        Whether ufuncs make arrays of lists of traced numbers. Otherwise `met_lists` says that one should have.
    """

    def __init__(self, *, strict: bool = False, packs_lists: bool = False) -> None:
        self.graph = Graph()
        self.tape = ScalarTape(self.graph, self.node_values, self._tape_constants)
        self.decisions: list[Decision] = []
        self.first_refusal: UntraceableError | None = None
        self.finished = False
        self.strict = strict
        self.packs_lists = packs_lists
        self.met_lists = False
        self.wrote_outside = False
        # Whether NumPy asked for ordinary arrays of what it found in a list, and got arrays of objects.
        self.gave_objects = False
        # Whether f may wait for the error of divisions by zero: numbers of Python raise it, and those of NumPy do not.
        self.awaits_zero_division = False
        # What stands for arrays among the arguments of f, in a run where all arrays of f are ours.
        self.argument_stand_in: Callable[[Any], Any] | None = None
        self.function: object = None
        self.texts: set[str] = set()
        self.formatted: set[float] = set()  # by the operator %
        self.outlets = outlets()
        self.unchecked = array("q")
        self._values: dict[int, Floats] = {}
        # The arrays are kept, so that their memory does not become that of others.
        self._captured: dict[object, tuple[npt.NDArray[Any], Node]] = {}
        self._decided_rows: dict[int, tuple[float, Site]] = {}
        self._step = 0

    def input(self, values: Floats, *, active: bool) -> Node:
        """A new argument of f with its value."""
        node = self.graph.input(len(values), active=active)
        self._values[node.index] = values
        return node

    def constant(self, values: npt.ArrayLike) -> Node:
        """A node of numbers that f captured; they are copied, once if the same memory is read again unchanged."""
        if type(values) is not np.ndarray or values.size < _SHARED:
            return self.graph.constant(_array(values, dtype=np.float64).reshape(-1))
        flat = _contiguous(values, dtype=np.float64).reshape(-1)  # a view, where it can be one
        place = (values.__array_interface__["data"][0], values.shape, values.strides, values.dtype)
        _, node = self._captured.get(place, (None, None))
        if node is None or not same_bits(self.graph.constants[node.slot], flat):
            node = self.graph.constant(_copied(place, flat))
            self._captured[place] = values, node
        return node

    def refusal(self, operation: str, why: str, cure: str) -> UntraceableError:
        """The error to raise for what cannot be followed; the whole trace fails then, even if f catches it."""
        message = f"sparsejac cannot follow {operation}: {why}\n  {user_location()}\n  Cure: {cure}."
        error = UntraceableError(message)
        if self.first_refusal is None:
            self.first_refusal = error
        return error

    def wrong_result(self, what: str, cure: str) -> InputTypeError:
        """The error to raise for what f returned."""
        return InputTypeError(f"sparsejac: f returned {what}\n  {definition_of(self.function)}\n  Cure: {cure}.")

    def outside_write(self, operation: str, why: str, cure: str) -> UntraceableError:
        """The refusal to write into an array that is not ours; f may be run again with one that is."""
        error = self.refusal(operation, why, cure)
        self.wrote_outside = self.first_refusal is error
        return error

    def close(self) -> None:
        """End the trace; arrays that outlive it keep nothing of it alive."""
        self.finished = True
        self.function = None
        self.graph = Graph()
        self.tape = ScalarTape(self.graph, self.node_values, self._tape_constants)
        self.decisions = []
        self._values.clear()
        self._captured.clear()
        self._decided_rows.clear()

    def begin(self) -> None:
        """Mark the start of one call of the user's; its scalar operations are numbered from here."""
        if self.finished:
            raise UntraceableError(
                "sparsejac: a traced value was used after f had returned\n  "
                f"{user_location()}\n  Cure: do not keep values that depend on x outside f; return them, beside the "
                "result with has_aux=True."
            )
        self._step = 0

    def apply(self, name: str, *operands: Real) -> Real:
        """An elementwise primitive on numbers of any sort."""
        primitive = PRIMITIVES[name]
        boxes = [o.address.box for o in operands if isinstance(o, Vector)]
        if boxes:
            box = boxes[0] if len(boxes) == 1 else broadcast_box(boxes)
            loads = tuple([self.vector(o, box).load for o in operands])
            return Vector(self.graph.map(primitive, box, loads), contiguous(box))
        if any(isinstance(o, Scalar) for o in operands):
            rows = tuple(o.row if isinstance(o, Scalar) else self.tape.constant(float(o)) for o in operands)  # type: ignore[arg-type]
            self._step += 1
            return Scalar(self.tape.apply(name, rows, (site_key(), self._step)))
        with np.errstate(all="ignore"):
            return float(primitive.operation.evaluate(*(np.float64(o) for o in operands)))  # type: ignore[arg-type]

    def apply_copy(self, vector: Vector) -> Vector:
        """The numbers of a vector in memory of their own, in C order."""
        box = vector.address.box
        return Vector(self.graph.map(PRIMITIVES["copy"], box, (vector.load,)), contiguous(box))

    def vector(self, number: Real, box: tuple[int, ...] | None = None) -> Vector:
        """A number of any sort as a vector, broadcast to `box`."""
        if not isinstance(number, Vector):
            if isinstance(number, Scalar):
                node, place = self.tape.place(number.row)
                address = Affine((), place, ())
            else:
                node, address = self.constant([number]), contiguous(())
            return Vector(node, address if not box else Affine(box, address.offset, (0,) * len(box)))
        if box is None or box == number.address.box:
            return number
        return Vector(number.node, broadcast(number.address, box))

    def decide(self, number: Real) -> Floats:
        """The value of a number on which the way through f depends; the decision is recorded."""
        if isinstance(number, Scalar):
            value = self.tape.value(number.row)
            if number.row not in self._decided_rows:
                self._decided_rows[number.row] = value, user_site()
            return np.array(value)
        if isinstance(number, Vector):
            node = number.node
            if node.size != number.address.points or number.address.key != contiguous(number.address.box).key:
                node = self.apply_copy(number).node
            values = self.node_values(node)
            self.decisions.append(Decision(node, values.copy(), (user_site(),)))
            return values.reshape(number.address.box)
        return np.array(float(number))

    def is_active(self, number: Real) -> bool:
        """Whether a number depends differentiably on x: not where it was rounded, compared, or stopped.

        Inside a function that is differentiated itself, its x counts, too.
        """
        if isinstance(number, Scalar):
            return self.tape.is_active(number.row)
        return isinstance(number, Vector) and self.graph.is_differentiated(number.node)

    def peek(self, number: Real) -> Floats:
        """The value of a number, for showing it to a person."""
        if isinstance(number, Scalar):
            return np.array(self.tape.value(number.row))
        if isinstance(number, Vector):
            values = view_of(number.address).read(self.node_values(number.node))
            return np.array(values).reshape(number.address.box)
        return np.array(float(number))

    def all_decisions(self) -> list[Decision]:
        """Decisions on vectors, and those on scalars gathered into one."""
        if not self._decided_rows:
            return self.decisions
        rows = np.fromiter(self._decided_rows, dtype=np.int64)
        node = self.graph.join(len(rows), self.tape.pieces(rows, np.arange(len(rows))))
        values, sites = zip(*self._decided_rows.values(), strict=True)
        return [*self.decisions, Decision(node, np.array(values), sites)]

    def math_errors(self) -> bool:
        """Whether a function of the math module gave no number for numbers, where Python raises."""
        if not self.unchecked:
            return False
        rows = np.array(self.unchecked, dtype=np.int64)
        nodes, places = self.tape.located(rows)
        values, distinct = np.empty(len(rows)), np.unique(nodes)
        if len(distinct) > _ALONE * len(rows):
            values[:] = [self.tape.value(row) for row in rows.tolist()]
            distinct = distinct[:0]
        for node in distinct:
            here = nodes == node
            values[here] = self.node_values(self.graph.nodes[int(node)])[places[here]]
        return any(self.tape.is_born(int(row)) for row in rows[~np.isfinite(values)])

    def know(self, node: Node, values: Floats) -> None:
        """Note the values of a node that were found already."""
        self._values.setdefault(node.index, values)

    def node_values(self, node: Node) -> Floats:
        """The values of a node at the x of this trace, computed when asked for and kept."""
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [load.node for load in top.operands() if load.node.index not in self._values]
            if top.index in self._values:
                stack.pop()
            elif missing:
                stack.extend(missing)
            else:
                self._values[top.index] = self._evaluate(stack.pop())
        return self._values[node.index]

    def _evaluate(self, node: Node) -> Floats:
        if node.kind == "constant":
            return self.graph.constants[node.slot]
        if node.kind == "join":
            values = np.zeros(node.size)
            for piece in node.pieces:
                view_of(piece.store).write(values, self._read(piece.load))
            return values
        if node.kind == "sum":
            return self._evaluate_sum(node)
        if node.routine is not None:
            with untraced():
                return np.asarray(node.routine.function(*map(self._read, node.loads)), dtype=np.float64).reshape(-1)
        assert node.primitive is not None
        with np.errstate(all="ignore"):
            result = node.primitive.operation.evaluate(*(self._read(load) for load in node.loads))
        return np.ascontiguousarray(np.broadcast_to(result, node.box), dtype=np.float64).reshape(-1)

    def _evaluate_sum(self, node: Node) -> Floats:
        terms = np.asarray(self._read(node.loads[0]))
        if node.indptr is None:
            axes = tuple(range(len(node.box) - node.reduced, len(node.box)))
            return np.asarray(terms.sum(axis=axes), dtype=np.float64).reshape(-1)
        rows = np.repeat(np.arange(node.size), np.diff(node.indptr))
        return np.bincount(rows, weights=terms, minlength=node.size).astype(np.float64)

    def _read(self, load: Load) -> Floats:
        return view_of(load.address).read(self._values[load.node.index])

    def _tape_constants(self, values: Floats) -> tuple[Node, int, int]:
        """Constants of re-rolled loops: one number if they are all equal, bit by bit as 0.0 and -0.0 are not."""
        if len(values) > 1 and not same_bits(values[1:], values[:-1]):
            return self.constant(values), 0, 1
        return self.constant(values[:1]), 0, 0
