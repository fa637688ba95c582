"""The equations f(x, p) = 0 as Programs: one for each way through f that is met on the way to a solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sparsejac.errors import InputError
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import NOWHERE, definition_of
from sparsejac.patterns.pattern import Pattern
from sparsejac.programs.addressing import contiguous
from sparsejac.programs.program import Decision, Graph, Load, Piece, Program, program
from sparsejac.signature import Bound
from sparsejac.structure import Leaf, Structure, leaves_of, offsets_of
from sparsejac.systems.factors import System, system_of
from sparsejac.tracing import Traced
from sparsejac.transforms.builder import Builder, copied, part

Floats = npt.NDArray[np.float64]

MOST = 32
"""Ways through f that are followed for one solution."""


class OtherWayError(Exception):
    """An iterate takes a way through f that was not followed."""


@dataclass(frozen=True, eq=False)
class Way:
    """One way through f.

    Parameters
    ----------
    program : Program
        Its input is x and, behind it, p.
    size : int
        Number of unknowns, which is that of equations.
    constants : tuple of array
        What f captured when it was followed; patterns are those of its zeros.
    """

    program: Program
    size: int
    constants: tuple[Floats, ...]

    @cached_property
    def by_x(self) -> Program:
        """The Program of the inputs x and p, differentiated by x."""
        return _split(self.program, self.size, (0, 1))

    @cached_property
    def by_p(self) -> Program:
        """The Program of the inputs p and x, differentiated by p."""
        return _split(self.program, self.size, (1, 0))

    @cached_property
    def engine(self) -> Engine:
        """Values, and the Jacobian by x."""
        return engine_for(self.by_x, {}, self.constants)

    @cached_property
    def engine_by_p(self) -> Engine:
        """The Jacobian by p."""
        return engine_for(self.by_p, {}, self.constants)

    @property
    def pattern(self) -> Pattern:
        """Of the Jacobian by x."""
        return self.engine.pattern

    @cached_property
    def system(self) -> System:
        """The systems of Newton's steps."""
        return system_of(self.pattern)


@dataclass(frozen=True, eq=False)
class State:
    """The equations at one point.

    Parameters
    ----------
    x : array
    residual : array
    data : array
        Entries of the Jacobian by x.
    way : Way
        The way through f that they belong to.
    is_multiple : bool
        Whether it was reached by steps that shrank by a constant factor, as they do towards a multiple root.
    """

    x: Floats
    residual: Floats
    data: Floats
    way: Way
    is_multiple: bool = False


class Ways:
    """The ways through f that are known.

    Parameters
    ----------
    size : int
        Number of unknowns.
    known : sequence of Way
    bound : Bound, optional
        How f is called: further ways are followed with it. Without it they are refused.

    Attributes
    ----------
    failed : bool
        Whether f raised when it was followed.
    """

    def __init__(self, size: int, known: Sequence[Way] = (), bound: Bound | None = None) -> None:
        self.size = size
        self.known = list(known)
        self.bound = bound
        self.failed = False

    def frozen(self) -> Ways:
        """The same ways, and no others."""
        return Ways(self.size, self.known)

    def state(self, x: Floats, p: Floats, constants: Sequence[Sequence[Floats]] | None = None) -> State:
        """The equations at a point; `constants` of each way are other numbers than those that it was followed with."""
        for k, way in enumerate(self.known):
            given = way.constants if constants is None else constants[k]
            try:
                residual, data = way.engine.value_and_data([x, p, *given])
            except DecisionError:
                continue
            return State(x, residual, np.array(data), way)
        way = self._follow(x, p)
        residual, data = way.engine.value_and_data([x, p, *way.constants], check=False)
        return State(x, residual, np.array(data), way)

    def residual(self, x: Floats, p: Floats, constants: Sequence[Sequence[Floats]] | None = None) -> Floats:
        """The residual alone; see `state`."""
        for k, way in enumerate(self.known):
            given = way.constants if constants is None else constants[k]
            try:
                return way.engine.value([x, p, *given])
            except DecisionError:
                continue
        way = self._follow(x, p)
        return way.engine.value([x, p, *way.constants], check=False)

    def _follow(self, x: Floats, p: Floats) -> Way:
        """The way through f at a point, noted among those that are known."""
        if self.bound is None:
            raise OtherWayError
        if len(self.known) >= MOST:
            raise InputError(
                f"{self.bound.signature.call}: f decided in {MOST} different ways before a solution was found\n  "
                f"{definition_of(self.bound.signature.f)}\n  Cure: write its decisions as np.where, np.maximum or "
                "np.clip, which hold for all x."
            )
        try:
            traced = self.bound.at(np.concatenate([x, p])).trace()
        except Exception:
            self.failed = True
            raise
        check_result(self.bound, traced, self.size)
        way = Way(traced.program, self.size, tuple(traced.constants))
        self.known.append(way)
        return way


def check_result(bound: Bound, traced: Traced, size: int) -> None:
    """Refuse an f that does not give one equation for each unknown."""
    found = offsets_of(traced.result)[-1]
    if found == size:
        return
    raise InputError(
        f"{bound.signature.call}: f returned {_described(traced.result, 'equation')} for a guess of "
        f"{_described(unknowns_of(bound), 'unknown')}\n  {definition_of(bound.signature.f)}\n  Cure: return one "
        "equation for each unknown, and take a guess of the shape of x."
    )


def unknowns_of(bound: Bound) -> Structure:
    """How the unknowns belong together."""
    several = isinstance(bound.signature.argnums, tuple)
    return bound.inputs.children[0] if several and not isinstance(bound.inputs, Leaf) else bound.inputs


def _described(structure: Structure, what: str) -> str:
    count = offsets_of(structure)[-1]
    plural = "" if count == 1 else "s"
    shapes = ", ".join(str(leaf.shape) for leaf in leaves_of(structure))
    return f"{count} {what}{plural} (shape {shapes})"


def _split(joint: Program, size: int, order: tuple[int, int]) -> Program:
    """A Program of one input as one of two, its first part and the rest, in any order; the first of them is x."""
    graph = Graph()
    graph.site = NOWHERE
    sizes = (size, joint.input_sizes[0] - size)
    inputs = {k: graph.input(sizes[k], active=place == 0) for place, k in enumerate(order)}
    starts = (0, size)
    pieces = [Piece(part((sizes[k],), starts[k]), Load(inputs[k], contiguous((sizes[k],)))) for k in (0, 1) if sizes[k]]
    whole = graph.join(sum(sizes), tuple(pieces))
    constants = [graph.placeholder(length) for length in joint.constant_sizes]
    made = copied(joint, Builder(graph), [whole, *constants])
    graph.site = NOWHERE
    decisions = [Decision(made[d.node.index], d.expected, d.sites) for d in joint.decisions]
    return program(graph, made[joint.output.index], decisions)
