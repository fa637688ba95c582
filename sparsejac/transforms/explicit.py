"""Calls with rules written out, for strategies that multiply partial derivatives one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sparsejac.location import NOWHERE
from sparsejac.programs.program import Decision, Graph, Load, Node, Program, Routine, has_active_calls, program
from sparsejac.transforms.builder import Builder, copy_of


def explicit(given: Program) -> Program:
    """The Program in which no derivative passes through a call: its result has that of an expression in its place.

    Parameters
    ----------
    given : Program
        Itself the result where it has no active calls.

    Returns
    -------
    Program
        With the same inputs and constants, in the same order. Its first derivatives are those of `given`.

    Raises
    ------
    UntraceableError
        If the expression would be made of too many products.
    """
    if not has_active_calls(given):
        return given
    graph = _Numbered()
    graph.site = NOWHERE
    builder, made = Builder(graph), dict[int, Node]()
    inputs = [graph.input(size, active=k == 0) for k, size in enumerate(given.input_sizes)]
    for node, site in zip(given.nodes, given.sites, strict=True):
        graph.site = site
        if node.kind == "input":
            made[node.index] = inputs[node.slot]
        elif node.kind == "constant":
            made[node.index] = graph.operand(node.size)
        else:
            made[node.index] = _written_out(builder, node, made, inputs[0])
    graph.site = NOWHERE
    decisions = [Decision(made[d.node.index], d.expected, d.sites) for d in given.decisions]
    aux = None if given.aux is None else made[given.aux.index]
    return program(graph, made[given.output.index], decisions, aux)


class _Numbered(Graph):
    """A graph whose constants are those of another Program; further numbers are results of calls without operands."""

    def operand(self, size: int) -> Node:
        """A constant of the other Program."""
        return super().constant(np.empty(size))

    def constant(self, values: npt.NDArray[np.float64]) -> Node:
        """Numbers that come up in derivatives."""
        return self.call(Routine("numbers", (values.tobytes(),), lambda: values), len(values), ())


def _written_out(builder: Builder, node: Node, made: dict[int, Node], source: Node) -> Node:
    """A node in another graph: a call with a rule as its value, with the derivative of an expression."""
    if node.routine is None or node.routine.rule is None or not node.active:
        return copy_of(builder.graph, node, made)
    loads = tuple(Load(made[load.node.index], load.address) for load in node.loads)
    value = builder.graph.call(replace(node.routine, rule=None), node.size, loads)
    return node.routine.rule.explicit(builder, value, loads, source)
