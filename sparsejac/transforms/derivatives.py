"""Programs of derivatives: pushed forward, pulled back, and linearized in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from kernels.address import identity
from sparsejac.location import NOWHERE
from sparsejac.programs.addressing import contiguous
from sparsejac.programs.program import Decision, Graph, Load, Node, Piece, Program, program
from sparsejac.transforms.builder import Builder, copied, copy_of, part
from sparsejac.transforms.cotangents import linear_nodes, pull
from sparsejac.transforms.tangents import push

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Template:
    """A Program made of another one, and where the numbers of its constants come from.

    Parameters
    ----------
    program : Program
    sources : tuple of (int or array)
        For each constant its position among the constants of the other Program, or its numbers.
    """

    program: Program
    sources: tuple[int | Floats, ...]

    def constants(self, given: Sequence[Floats]) -> list[Floats]:
        """The constants, from those of the other Program."""
        return [given[source] if isinstance(source, int) else source for source in self.sources]


def then(first: Template, second: Template) -> Template:
    """What was made of a transformed Program, as made of the one at the start."""
    sources = (first.sources[source] if isinstance(source, int) else source for source in second.sources)
    return Template(second.program, tuple(sources))


@dataclass(frozen=True, eq=False)
class Linearized:
    """A Program cut in two: what depends on x alone, and what is linear in a tangent or cotangent.

    Parameters
    ----------
    values : Template
        Gives the numbers that the linear parts read, side by side, and the result beside them.
    forward, reverse : Template
        Their inputs are the tangent (or cotangent), and the stretches of these numbers, one by one.
    sizes : tuple of int
        Lengths of the stretches.
    is_constant : bool
        Whether no number that the linear parts read depends on x.
    """

    values: Template
    forward: Template
    reverse: Template
    sizes: tuple[int, ...]
    is_constant: bool

    @property
    def bounds(self) -> list[int]:
        """Where each stretch begins, and the length of all."""
        return list(accumulate(self.sizes, initial=0))


class _Copy:
    """A Program in a graph of its own, to be differentiated."""

    def __init__(self, program: Program) -> None:
        self.graph = Graph()
        self.graph.site = NOWHERE
        self.inputs = [self.graph.input(size, active=k == 0) for k, size in enumerate(program.input_sizes)]
        constants = [self.graph.placeholder(size) for size in program.constant_sizes]
        self.builder = Builder(self.graph)
        made = copied(program, self.builder, [*self.inputs, *constants])
        self.nodes = sorted({node.index: node for node in made.values()}.values(), key=lambda node: node.index)
        self.output = made[program.output.index]
        self.aux = None if program.aux is None else made[program.aux.index]
        self.decisions = [Decision(made[d.node.index], d.expected, d.sites) for d in program.decisions]
        self.given = len(constants)

    def argument(self, size: int) -> Node:
        """A further input: a tangent or cotangent."""
        self.graph.site = NOWHERE
        return self.graph.input(size, active=False)

    def pushed(self, tangent: Node, seeds: int | None, *, guarded: bool, again: bool = False) -> Node:
        """The tangent of the output for one of x; see `push`."""
        start = {self.inputs[0].index: tangent}
        tangents = push(self.builder, self.nodes, start, seeds, guarded=guarded, again=again)
        known = tangents.get(self.output.index)
        return known or self.builder.zeros(self.output.size * (seeds or 1))

    def pulled(self, cotangent: Load, seeds: int | None = None, *, again: bool = False) -> Node:
        """The cotangent of x for one of the output; see `push`."""
        source = self.argument(self.inputs[0].size * (seeds or 1))
        found = self.pushed(source, seeds, guarded=False, again=again)
        return pull(self.builder, source, found, cotangent)

    def finished(
        self, outputs: Sequence[Node], inputs: int, beside: Node | None = None, *, decided: bool = False
    ) -> Template:
        """The Program of results side by side, and of what is wanted beside them; its decisions only if wanted.

        Only the first inputs are kept: others served the making alone.
        """
        self.graph.site = NOWHERE
        whole = _beside(self.graph, outputs)
        del self.graph.input_sizes[inputs:]
        made = program(self.graph, whole, self.decisions if decided else (), beside)
        return Template(made, tuple(self.source_of(slot) for slot in made.constants))

    def source_of(self, slot: int) -> int | Floats:
        """Where the numbers of a constant come from; see `Template`."""
        return slot if slot < self.given else self.graph.constants[slot]


def pushed(program: Program, seeds: int | None = None, *, with_value: bool = True) -> Template:
    """The Program of the tangents of a result.

    Parameters
    ----------
    program : Program
    seeds : int, optional
        Number of tangents, which stand side by side for each unknown; None for one.
    with_value : bool
        Whether the result is wanted beside them.

    Returns
    -------
    Template
        Its Program has one more input, the last: the tangents of the first.
    """
    copy = _Copy(program)
    tangent = copy.argument(program.input_sizes[0] * (seeds or 1))
    found = copy.pushed(tangent, seeds, guarded=True)
    return copy.finished([found], len(program.input_sizes) + 1, copy.output if with_value else None)


def pulled(program: Program, seeds: int | None = None) -> Template:
    """The Program of the cotangents of the first input, with the result beside them; see `pushed`.

    Returns
    -------
    Template
        Its Program has one more input, the last: the cotangents of the result.
    """
    copy = _Copy(program)
    size = program.output.size * (seeds or 1)
    cotangent = copy.argument(size)
    back = copy.pulled(Load(cotangent, identity(size)), seeds)
    return copy.finished([back], len(program.input_sizes) + 1, copy.output)


def gradient_of(program: Program, *, with_value: bool = False, decided: bool = False, again: bool = False) -> Template:
    """The Program of the gradient of a Program with one number as its result.

    Parameters
    ----------
    program : Program
    with_value : bool
        Whether the result is wanted beside it.
    decided : bool
        Whether it keeps the decisions.
    again : bool
        Whether it will be differentiated.
    """
    copy = _Copy(program)
    back = copy.pulled(copy.builder.number(1.0, (1,)), again=again)
    return copy.finished([back], len(program.input_sizes), copy.output if with_value else None, decided=decided)


def aux_of(program: Program) -> Template:
    """The Program of what is wanted beside the result, alone."""
    copy = _Copy(program)
    return copy.finished([copy.builder.zeros(0) if copy.aux is None else copy.aux], len(program.input_sizes))


def weighted_gradient_of(program: Program, weights: int, *, decided: bool = False) -> Template:
    """The Program of the gradient of the sum of all results, weighted by an input; for Hessians.

    Parameters
    ----------
    program : Program
    weights : int
        The input that holds the weights: one that there is already, or one more, the last.
    decided : bool
        Whether it keeps the decisions.
    """
    copy = _Copy(program)
    size, count = program.output.size, len(program.input_sizes)
    given = copy.argument(size) if weights == count else copy.inputs[weights]
    back = copy.pulled(Load(given, identity(size)), again=True)
    return copy.finished([back], max(count, weights + 1), decided=decided)


def widened(program: Program, seeds: int) -> Template:
    """A linear Program for several tangents at once, which stand side by side.

    Returns
    -------
    Template
        Its Program has one more input, the last: the tangents. The first one is not read.
    """
    copy = _Copy(program)
    wide = copy.argument(program.input_sizes[0] * seeds)
    return copy.finished([copy.pushed(wide, seeds, guarded=False)], len(program.input_sizes) + 1)


def linearized(program: Program) -> Linearized:
    """A Program cut in two; see `Linearized`."""
    copy = _Copy(program)
    tangent = copy.argument(program.input_sizes[0])
    ahead = copy.pushed(tangent, None, guarded=True)
    cotangent = copy.argument(program.output.size)
    back = copy.pulled(Load(cotangent, identity(program.output.size)))
    parts = [_LinearPart(copy, source, output) for source, output in ((tangent, ahead), (cotangent, back))]
    residuals = sorted({node.index: node for p in parts for node in p.residuals}.values(), key=lambda n: n.index)
    values = copy.finished(residuals, len(program.input_sizes), copy.output)
    forward, reverse = (p.template(residuals) for p in parts)
    moving = linear_nodes(copy.builder, copy.inputs[0], copy.graph.nodes[-1])
    sizes = tuple(node.size for node in residuals)
    return Linearized(values, forward, reverse, sizes, not any(node.index in moving for node in residuals))


class _LinearPart:
    """The nodes of a graph between a tangent and what is linear in it."""

    def __init__(self, copy: _Copy, source: Node, output: Node) -> None:
        self.copy = copy
        self.source = source
        self.output = output
        linear = linear_nodes(copy.builder, source, output)
        needed = {output.index} & linear
        self.read: dict[int, Node] = {}
        for node in copy.graph.nodes[output.index :: -1]:
            for load in node.operands() if node.index in needed else ():
                if load.node.index in linear:
                    needed.add(load.node.index)
                else:
                    self.read[load.node.index] = load.node
        needed.discard(source.index)
        self.nodes = [node for node in copy.graph.nodes[: output.index + 1] if node.index in needed]

    @property
    def residuals(self) -> list[Node]:
        """What it reads that is neither linear nor a constant."""
        return [node for node in self.read.values() if node.kind != "constant"]

    def template(self, residuals: Sequence[Node]) -> Template:
        """The Program of its own, whose inputs are the tangent and `residuals`."""
        graph = Graph()
        graph.site = NOWHERE
        made = {self.source.index: graph.input(self.source.size, active=True)}
        made.update({node.index: graph.input(node.size, active=False) for node in residuals})
        constants = [node for node in self.read.values() if node.kind == "constant"]
        made.update({node.index: graph.placeholder(node.size) for node in constants})
        for node in self.nodes:
            graph.site = self.copy.graph.sites[node.index]
            made[node.index] = copy_of(graph, node, made)
        graph.site = NOWHERE
        output = made.get(self.output.index) or graph.join(self.output.size, ())
        found = program(graph, output, ())
        return Template(found, tuple(self.copy.source_of(constants[slot].slot) for slot in found.constants))


def _beside(graph: Graph, nodes: Sequence[Node]) -> Node:
    """A vector of several, one after the other."""
    if len(nodes) == 1:
        return nodes[0]
    pieces, start = [], 0
    for node in nodes:
        if node.size:
            pieces.append(Piece(part((node.size,), start), Load(node, contiguous((node.size,)))))
        start += node.size
    return graph.join(start, tuple(pieces))
