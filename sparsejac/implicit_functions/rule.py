"""The derivative of a solution by the implicit function theorem.

For f(x, p) = 0 it is ``(df/dx) ẋ = -(df/dp) ṗ``: f is pushed through at the solution, and one sparse system solved.
All of it are nodes that depend on x and p in turn, so that derivatives of any order follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.lazy import Lazy
from sparsejac.implicit_functions.ways import Way
from sparsejac.on_disk.digests import digest_of
from sparsejac.programs.addressing import contiguous, recognised
from sparsejac.programs.program import Decision, Load, Node, Program, Routine
from sparsejac.systems.rule import SparseSolve
from sparsejac.systems.written_out import written_out
from sparsejac.transforms.builder import Builder, copied
from sparsejac.transforms.tangents import push

COLORING = Lazy("coloring")

Floats = npt.NDArray[np.float64]

GUESS, PARAMETERS, CONSTANTS = 0, 1, 2
"""Positions of the operands of a solution: where it was looked for, p, and from here on what f captured."""


@dataclass(frozen=True, eq=False)
class Implicit:
    """The rule of a call that solves f(x, p) = 0 for x.

    Parameters
    ----------
    title : str
        What readers know it by.
    way : Way
        The way through f at the solution.
    skipped : int
        Number of operands that are constants of other ways, before those of this one.
    """

    title: str
    way: Way
    skipped: int = 0

    @property
    def differentiable(self) -> tuple[int, ...]:
        """The parameters."""
        return (PARAMETERS,)

    @property
    def inner(self) -> tuple[Program, ...]:
        """F."""
        return (self.way.program,)

    @cached_property
    def solving(self) -> SparseSolve:
        """The systems with df/dx."""
        return SparseSolve(self.title, self.way.pattern)

    @cached_property
    def colors(self) -> npt.NDArray[np.int64]:
        """Of the columns of df/dx."""
        return np.asarray(COLORING.color(self.way.pattern, "column").colors, dtype=np.int64)

    def push(
        self,
        builder: Builder,
        node: Node,
        tangents: Mapping[int, Load],
        seeds: int | None,
        *,
        guarded: bool,
        again: bool = False,
    ) -> Node | None:
        """See `CallRule`."""
        if not node.size:
            return None
        spliced = _Spliced(self, builder, node, node.loads, guarded=guarded, again=again)
        flat = builder.flat(tangents[PARAMETERS])
        moved = spliced.pushed(spliced.p, builder.owned(flat.address.box, flat), seeds)
        if moved is None:
            return None
        right = builder.negative((moved.size,), Load(moved, contiguous((moved.size,))))
        return self.solving.solution(builder, spliced.jacobian(), right)

    def pull(self, builder: Builder, node: Node, operand: int, cotangent: Load) -> Load:
        """See `CallRule`: no operand enters linearly."""
        raise AssertionError("a solution is linear in none of its operands")

    def explicit(self, builder: Builder, node: Node, loads: tuple[Load, ...], source: Node) -> Node:
        """See `CallRule`: df/dx and df/dp as numbers, and what they make of p."""
        graph, way = builder.graph, self.way
        x = Load(node, contiguous((node.size,)))
        entries, by_p = way.pattern.nnz, way.engine_by_p.pattern
        operands = (x, builder.flat(loads[PARAMETERS]), *self.constants(loads))
        held = graph.call(self._entries(), entries + by_p.nnz, operands)
        box, p = (by_p.nnz,), builder.flat(loads[PARAMETERS])
        parameters = builder.owned(p.address.box, p)
        factors = Load(held, _stretch(entries, by_p.nnz))
        products = builder.map("multiply", box, factors, Load(parameters, recognised(by_p.indices.astype(np.int64))))
        total = graph.sum(box, products, indptr=by_p.indptr.astype(np.int64))
        residual = builder.negative((total.size,), Load(total, contiguous((total.size,))))
        right = builder.owned((total.size,), residual)
        return written_out(builder, node, self.solving, Load(held, _stretch(0, entries)), right, source)

    def constants(self, loads: tuple[Load, ...]) -> tuple[Load, ...]:
        """The operands that f captured on this way."""
        first = CONSTANTS + self.skipped
        return loads[first : first + len(self.way.constants)]

    def _entries(self) -> Routine:
        """What gives the entries of df/dx, and those of df/dp behind them."""
        way = self.way

        def entries(x: Floats, p: Floats, *constants: Floats) -> Floats:
            captured = [np.asarray(c).reshape(-1) for c in constants]
            by_x = way.engine.data([x.reshape(-1), p.reshape(-1), *captured], check=False)
            by_p = way.engine_by_p.data([p.reshape(-1), x.reshape(-1), *captured], check=False)
            return np.concatenate([by_x, by_p])

        return Routine(f"the Jacobian of {self.title}", key_of(way), entries)


def key_of(way: Way) -> tuple[object, ...]:
    """What tells a way from others."""
    return (way.program.digest, way.size, digest_of(way.pattern), digest_of(way.engine_by_p.pattern))


class _Spliced:
    """f as a part of another graph, at nodes that stand for x and p."""

    def __init__(
        self, rule: Implicit, builder: Builder, x: Node, loads: tuple[Load, ...], *, guarded: bool, again: bool = False
    ) -> None:
        self.rule, self.builder, self.guarded, self.again = rule, builder, guarded, again
        self.x, self.p = x, _whole(builder, loads[PARAMETERS])
        constants = [_whole(builder, load) for load in rule.constants(loads)]
        program, site = rule.way.by_x, builder.graph.site
        self.made = made = copied(program, builder, [self.x, self.p, *constants])
        builder.graph.site = site
        given = {self.x.index, self.p.index, *(node.index for node in constants)}
        own = {node.index: node for node in made.values() if node.index not in given}
        self.nodes = sorted(own.values(), key=lambda node: node.index)
        self.output = made[program.output.index]

    def pushed(self, source: Node, tangents: Node, seeds: int | None) -> Node | None:
        """Tangents of the residual."""
        site = self.builder.graph.site
        start = {source.index: tangents}
        found = push(self.builder, self.nodes, start, seeds, guarded=self.guarded, again=self.again)
        self.builder.graph.site = site
        return found.get(self.output.index)

    def jacobian(self) -> Load:
        """The entries of df/dx, from as few tangents as there are colors."""
        pattern, colors = self.rule.way.pattern, self.rule.colors
        count = int(colors.max(initial=0)) + 1
        seeds = np.zeros((self.x.size, count))
        seeds[np.arange(self.x.size), np.maximum(colors, 0)] = colors >= 0
        found = self.pushed(self.x, self.builder.graph.constant(seeds.reshape(-1)), count)
        assert found is not None
        places = pattern.rows().astype(np.int64) * count + colors[pattern.indices]
        return Load(found, recognised(places))


def decisions_at(rule: Implicit, builder: Builder, node: Node) -> list[Decision]:
    """The decisions of f at a solution, as those of the graph that the solution is a node of."""
    spliced = _Spliced(rule, builder, node, node.loads, guarded=False)
    return [Decision(spliced.made[d.node.index], d.expected, d.sites) for d in rule.way.by_x.decisions]


def _whole(builder: Builder, load: Load) -> Node:
    flat = builder.flat(load)
    return builder.owned(flat.address.box, flat)


def _stretch(start: int, length: int) -> Affine:
    return Affine((length,), start, (1,))
