"""Why an output depends on an unknown, or why not: the operations between them, with the lines of f they stand in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np

from kernels.step import Call, Launch
from sparsejac.location import CodeLine, line_of
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.zeros import fact_of, live_partials
from sparsejac.programs.program import Node
from sparsejac.reports.elements import label_of, number_of
from sparsejac.reports.reach import Follow, Link, Search, is_live
from sparsejac.schedules.fusion import unfused
from sparsejac.structure import Structure
from sparsejac.tracing import Traced
from sparsejac.transforms.explicit import explicit

Index = tuple[int, ...]

Reason = Literal["", "given pattern", "cancels", "zero", "zero derivative", "decision", "unread"]
"""Why there is no entry; empty where there is one."""

_TOLD: dict[Reason, str] = {
    "": "depends on {x}",
    "given pattern": "depends on {x}, but the pattern that was given has no entry for it",
    "cancels": "has no entry for {x}: what comes on different ways cancels, whatever x is",
    "zero": "has no entry for {x}: constants make the derivative of {operation} zero there, whatever x is",
    "zero derivative": "has no entry for {x}: the derivative of {operation} is zero wherever it exists",
    "decision": "has no entry for {x}, but a decision of f depends on it: {operation} chose the way through f",
    "unread": "does not depend on {x}: nothing that it is computed from reads it",
}

_FOLLOWED: tuple[Follow, ...] = ("live", "active", "all")

_NEAR = 16
"""Nodes among which the function behind a rule is looked for."""

_WORDS = {
    "copy": "",
    "select": "np.where",
    "stop": "stop_gradient",
    "hold": "a rule of its own",
    "sum": "np.sum",
    "derived": "a rule of its own",
}


@dataclass(frozen=True)
class Operation:
    """One operation between an unknown and an output.

    Parameters
    ----------
    name : str
        In NumPy's words.
    index : tuple of int
        Which element of its result is on the way.
    shape : tuple of int
        Of the result as it was computed; parts that are put together count as one vector.
    line : CodeLine, optional
        Where in the user's file it stands: where an equal operation was met first.
    """

    name: str
    index: Index
    shape: Index
    line: CodeLine | None

    def __str__(self) -> str:
        if math.prod(self.shape) == 1:
            return self.name
        return f"{self.name} [{', '.join(map(str, self.index))}] of shape {self.shape}"


@dataclass(frozen=True)
class Dependence:
    """How an output depends on an unknown, or why it does not; print it. True where there is an entry.

    Parameters
    ----------
    row, column : int
    output, unknown : str
        The same as a reader would write them: ``output[1, 2]``, ``x['u'][0]``.
    reason : str
        Why there is no entry: "given pattern", "cancels" (ways that cancel each other), "zero" (of a constant),
        "zero derivative" (of a step such as floor), "decision" (only an ``if`` or a mask reads the unknown), "unread".
        Empty where there is an entry.
    operations : tuple of Operation
        A shortest chain, from the unknown to the output; what only moves elements is left out, but for assignments and
        calls that join arrays. Where there is no entry, the chain that comes closest.
    culprit : Operation, optional
        The operation that ends the dependence.
    """

    row: int
    column: int
    output: str
    unknown: str
    reason: Reason
    operations: tuple[Operation, ...] = ()
    culprit: Operation | None = None

    def __bool__(self) -> bool:
        """Whether the output depends on the unknown by way of derivatives."""
        return not self.reason

    @property
    def lines(self) -> tuple[CodeLine, ...]:
        """The lines of the user's code on the way, each once."""
        return tuple(dict.fromkeys(o.line for o in self.operations if o.line is not None))

    def __str__(self) -> str:
        """Write the chain line by line of the user's code."""
        operation = self.culprit.name if self.culprit else "an operation"
        head = _TOLD[self.reason].format(x=self.unknown, operation=operation)
        lines = [f"{self.output} {head}"]
        for line, operations in groupby(self.operations, key=lambda o: o.line):
            lines += [f"  {text}" for text in str(line).split("\n")] if line else []
            lines += [f"        {o}{'  <-- here' if o == self.culprit else ''}" for o in operations]
        if not self.operations and not self.reason:
            lines.append("      moved there as it is")
        return "\n".join(lines)


class Dependences:
    """Finds dependences in what one trace of f has recorded.

    Parameters
    ----------
    traced : Traced
    inputs : Leaf or Branch
        The shape of x.
    pattern : Pattern
        Of the Jacobian.
    given : bool
        Whether the pattern was given by the user.
    """

    def __init__(self, traced: Traced, inputs: Structure, pattern: Pattern, *, given: bool = False) -> None:
        self._program = program = explicit(traced.program)
        self._outputs, self._inputs = traced.result, inputs
        self._pattern = pattern
        self._given = given
        self._schedule, nodes = unfused(program)
        first = len(program.input_sizes)
        known = {first + k: fact_of(values) for k, values in enumerate(traced.constants)}
        self._live = live_partials(self._schedule, known)
        sites = program.sites
        self._sites = {n.index: site for n, site in zip(program.nodes, sites, strict=True)} if sites else {}
        self._sources = dict(zip(map(id, self._schedule.launches), _with_numbers(nodes), strict=True))
        calls = (node for node in program.nodes if node.kind == "call")
        self._calls = dict(zip(map(id, self._schedule.calls), calls, strict=True))

    def find(self, i: Any, j: Any) -> Dependence:
        """How output i depends on unknown j: numbers of elements in C order, or tuples of keys and indices."""
        row = number_of("why", "f's result", self._outputs, i)
        column = number_of("why", "x", self._inputs, j)
        start, stop = self._pattern.indptr[row : row + 2]
        if column in self._pattern.indices[start:stop]:
            links = self._way("live", row, column)
            if links is None and not self._given:
                links = self._way("active", row, column)
            if links is not None:
                return self._dependence(row, column, "", links)
        return self._missing(row, column)

    def _dependence(
        self, row: int, column: int, reason: Reason, links: tuple[Link, ...] = (), culprit: Link | None = None
    ) -> Dependence:
        output, unknown = label_of("output", self._outputs, row), label_of("x", self._inputs, column)
        chain = tuple(operation for operation in map(self._operation, links) if operation.name)
        ended = self._operation(culprit) if culprit else None
        return Dependence(row, column, output, unknown, reason, chain, ended)

    def _missing(self, row: int, column: int) -> Dependence:
        """Why there is no entry: by the first sort of way that exists after all."""
        for follow in _FOLLOWED:
            links = self._way(follow, row, column)
            if links is None:
                continue
            if follow == "live":
                return self._dependence(row, column, "given pattern" if self._given else "cancels", links)
            dead = next((link for link in links if self._is_dead(link, follow)), None)
            if follow == "all":
                return self._dependence(row, column, "zero derivative", links, dead)
            alone = dead is not None and isinstance(dead.step, Launch) and len(dead.step.active) == len(dead.step.loads)
            return self._dependence(row, column, "cancels" if alone else "zero", links, dead)
        return self._decided(row, column)

    def _is_dead(self, link: Link, follow: Follow) -> bool:
        if follow == "active":
            return not is_live(self._live, self._schedule, link)
        return isinstance(link.step, Call) or link.load not in link.step.active

    def _decided(self, row: int, column: int) -> Dependence:
        """Whether only a decision reads the unknown."""
        for guard, decision in zip(self._schedule.guards, self._program.decisions, strict=True):
            search = Search(self._schedule, self._live, "all", guard.buffer, np.arange(decision.node.size))
            links = search.way_from(column)
            if links is not None:
                named = [link for link in links if self._operation(link).name]
                return self._dependence(row, column, "decision", links, named[-1] if named else None)
        return self._dependence(row, column, "unread")

    def _way(self, follow: Follow, row: int, column: int) -> tuple[Link, ...] | None:
        search = Search(self._schedule, self._live, follow, self._schedule.output, np.array([row]))
        return search.way_from(column)

    def _operation(self, link: Link) -> Operation:
        node, number = (self._calls[id(link.step)], 0) if isinstance(link.step, Call) else self._sources[id(link.step)]
        piece = node.pieces[number] if node.pieces else None
        site = piece.site if piece is not None and piece.site[0] is not None else self._sites.get(node.index)
        box = node.box[: len(node.box) - node.reduced] if node.box and node.indptr is None else (node.size,)
        index = tuple(int(k) for k in np.unravel_index(link.place, box))
        return Operation(name_of(node, number), index, box, line_of(site) if site else None)


def name_of(node: Node, piece: int = 0) -> str:
    """What a node is, in NumPy's words; nothing where it only moves what a buffer holds."""
    if node.kind in ("input", "constant"):
        return ""
    if node.kind == "join":
        return "put in place" if node.pieces[piece].site[0] is not None else ""
    if node.routine is not None:
        return node.routine.name
    if node.primitive is None:
        return _WORDS.get(node.kind, node.kind)
    if node.primitive.name == "derived":
        return _routine_behind(node) or _WORDS["derived"]
    name = node.primitive.name
    return _WORDS.get(name, f"np.{name}" if hasattr(np, name) else name)


def _routine_behind(node: Node) -> str:
    """Name of the library's function that gave a value, if it is what a few inactive steps lead to."""
    waiting = [node.loads[0].node]
    for _ in range(_NEAR):
        if not waiting:
            break
        source = waiting.pop()
        if source.routine is not None:
            return source.routine.name
        waiting += [load.node for load in source.operands()]
    return ""


def _with_numbers(nodes: tuple[Node, ...]) -> Iterator[tuple[Node, int]]:
    """Nodes of launches with the number of the launch among those of the node."""
    seen: dict[int, int] = {}
    for node in nodes:
        seen[node.index] = seen.get(node.index, -1) + 1
        yield node, seen[node.index]
