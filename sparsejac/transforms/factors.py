"""Factors of tangents that are to be differentiated again.

The derivative of a library's function is that of a surrogate: an expression in which results of the function, and of
others, are held fixed. In the tangent they are factors, and move with x. So the factors of a tangent that is
differentiated again are not the held results, but their successors: expressions of the same values that have
derivatives, by surrogates of their own. Any order follows, as each derivative puts in the next successors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sparsejac.errors import UntraceableError
from sparsejac.programs.addressing import composed, contiguous
from sparsejac.programs.program import Load, Node, Program
from sparsejac.transforms.builder import Builder, remade
from sparsejac.transforms.order import refusal


class MovingFactors:
    """What stands for nodes of a graph where they are factors; made when it is asked for.

    Parameters
    ----------
    builder : Builder
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._known: dict[int, Load] = {}
        self._replaced = _replaced_in(builder.graph.nodes)

    def __call__(self, load: Load) -> Load:
        """The same numbers with their derivatives."""
        return self._through(load) if load.node.index in self._replaced and self._of(load.node) else load

    def _of(self, node: Node) -> Load:
        """What stands for a node that is replaced, as a load of all of it in order."""
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [n for n in self._needed(top) if n.index in self._replaced and n.index not in self._known]
            if missing and top.index not in self._known:
                stack += missing
                continue
            stack.pop()
            if top.index not in self._known:
                self._known[top.index] = self._made(top)
        return self._known[node.index]

    def _needed(self, node: Node) -> Sequence[Node]:
        """What has to be known before something can stand for a node."""
        loads = node.loads[:1] if _name(node) == "derived" else node.operands()
        return [load.node for load in loads]

    def _through(self, load: Load) -> Load:
        found = self._known.get(load.node.index)
        return load if found is None else Load(found.node, composed(found.address, load.address))

    def _made(self, node: Node) -> Load:
        if _name(node) in ("hold", "derived"):
            return self._through(node.loads[0])
        if not _is_held(node):
            return _whole(remade(self.builder.graph, node, self._through))
        assert node.routine is not None
        assert node.routine.successor is not None
        graph = self.builder.graph
        before, site = graph.site, graph.sites[node.index - graph.first]
        try:
            program, constants = node.routine.successor.template()
        except UntraceableError as error:
            raise refusal("", node.routine.name, site) from error
        graph.site = site
        made = spliced(self.builder, program, constants, [self._through(load) for load in node.loads])
        graph.site = before
        return made


def _name(node: Node) -> str:
    return "" if node.primitive is None else node.primitive.name


def _is_held(node: Node) -> bool:
    """Whether a node is a call that moves with its operands and has no derivative by them, but a successor."""
    return node.routine is not None and node.routine.rule is None and node.routine.successor is not None


def _replaced_in(nodes: Iterable[Node]) -> set[int]:
    """The nodes that something else stands for: those that are held, and those that are computed from such nodes.

    A value that has a surrogate moves as that does, unless the call that it comes from reads such nodes: it is a step
    of another surrogate then, and what stands for the result of the call stands for it.
    """
    replaced: set[int] = set()
    beyond: set[int] = set()
    for node in nodes:
        name = _name(node)
        if name == "stop":
            continue
        read = [load.node.index for load in (node.loads[:1] if name == "derived" else node.operands())]
        changed = any(index in replaced for index in read)
        if any(index in beyond for index in read) or (changed and node.routine is not None):
            beyond.add(node.index)
        is_replaced = node.index in beyond if name == "derived" else changed or name == "hold" or _is_held(node)
        if is_replaced:
            replaced.add(node.index)
    return replaced


def _whole(node: Node) -> Load:
    return Load(node, contiguous((node.size,)))


def spliced(
    builder: Builder, program: Program, constants: Sequence[npt.NDArray[np.float64]], operands: Sequence[Load]
) -> Load:
    """The result of a Program, as nodes on operands of the builder's graph.

    Parameters
    ----------
    builder : Builder
    program : Program
    constants : sequence of array
        Those of the Program.
    operands : sequence of Load
        One for each input, in its order.
    """
    made: dict[int, Load] = {}
    place = {slot: k for k, slot in enumerate(program.constants)}

    def through(load: Load) -> Load:
        found = made[load.node.index]
        return Load(found.node, composed(found.address, load.address))

    for node in program.nodes:
        if node.kind == "input":
            made[node.index] = operands[node.slot]
        elif node.kind == "constant":
            made[node.index] = builder.numbers(constants[place[node.slot]])
        else:
            made[node.index] = _whole(remade(builder.graph, node, through))
    return made[program.output.index]
