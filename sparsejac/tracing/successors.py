"""What gives the results of library calls together with their derivatives: followed once, for any operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.kept import Kept
from sparsejac.location import NOWHERE
from sparsejac.programs.addressing import contiguous
from sparsejac.programs.program import Node, Piece, Program, program
from sparsejac.tracing.calls import Successor, parts_of
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.routing import routed
from sparsejac.tracing.trace import Trace
from sparsejac.transforms.builder import part

Floats = npt.NDArray[np.float64]

CAPACITY = 256
"""Number of them that are kept; the one that was not used for longest goes first."""

_KNOWN: Kept[tuple[Program, list[Floats]]] = Kept(CAPACITY)


def template_of(successor: Successor) -> tuple[Program, list[Floats]]:
    """The Program of a successor and its constants; its inputs are the parts of the operands, in their order.

    Raises
    ------
    UntraceableError
        Where the derivative of the call is made of something that has none.
    """
    key = (successor.name, repr(successor.key), successor.moving)
    return _KNOWN.get(key, lambda: _followed(successor))


def _followed(successor: Successor) -> tuple[Program, list[Floats]]:
    trace = Trace()
    trace.graph.site = NOWHERE
    try:
        operands = [_operand(trace, successor, k) for k in range(len(successor.forms))]
        with routed(trace, successor.again):
            results = successor.again(trace, *operands)
        output = _beside(trace, results if isinstance(results, tuple) else (results,))
        if trace.all_decisions():
            raise RuntimeError(f"the rule of {successor.name} decides by values, which a kept Program cannot")
        made = program(trace.graph, output, ())
        return made, [trace.graph.constants[slot] for slot in made.constants]
    finally:
        trace.close()


def _operand(trace: Trace, successor: Successor, k: int) -> Any:
    """An operand; its numbers are examples, on which nothing may depend."""
    form, moving = successor.forms[k], successor.moving[k]
    given = successor.examples[k]
    example = np.broadcast_to(given.reshape(()) if given.size == 1 else given, form.shape)
    parts = (example.real, example.imag + 0.0 * example.real) if form.kind == "c" else (example,)
    numbers = (np.array(part, dtype=np.float64).reshape(-1) for part in parts)
    nodes = [trace.input(part, active=moving) for part in numbers]
    vectors = [Vector(node, contiguous(form.shape)) for node in nodes]
    return wrap(trace, Value.of(vectors, form.kind), scalar=False)


def _beside(trace: Trace, results: tuple[Any, ...]) -> Node:
    """All results side by side, as a call gives them."""
    pieces, start = [], 0
    for result in results:
        for vector in map(trace.vector, parts_of(as_value(trace, result))):
            box = vector.address.box
            pieces.append(Piece(part(box, start), vector.load))
            start += vector.address.points
    return trace.graph.join(start, tuple(pieces))
