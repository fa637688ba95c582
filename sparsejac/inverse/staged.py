"""The Program whose Jacobian holds those of all lumps: at each cut the derivative begins anew.

Its input is T: x, and behind it one number for each that the lumps make, but for the result. These stand for the
numbers at the cuts in derivatives alone: what a later lump reads has the value that f gave it, and the derivative of
its number in T. The output is what all lumps make, one after the other. So one sparse Jacobian, with the patterns,
colorings, strategies and compiled code of any other, holds the local Jacobians of all lumps, evaluated at f's own
values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import Chain
from sparsejac.location import NOWHERE
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, recognised
from sparsejac.programs.program import Decision, Graph, Load, Node, Piece, Program, program

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Staged:
    """The Program of a chain.

    Parameters
    ----------
    program : Program
    size : int
        Numbers of T.
    constants : tuple of int
        For each constant of the Program its position among those of the given one.
    columns : mapping
        For each buffer with numbers at cuts their places, and the first of their numbers in T, where these stand in
        order.
    """

    program: Program
    size: int
    constants: tuple[int, ...]
    columns: Mapping[int, tuple[Ints, int]]


def staged(liveness: Liveness, chain: Chain) -> Staged:
    """The Program whose Jacobian holds those of all lumps of a chain."""
    making = _Staging(liveness, chain)
    return making.finished()


class _Staging:
    def __init__(self, liveness: Liveness, chain: Chain) -> None:
        self.given = liveness.program
        self.schedule = liveness.schedule
        self.chain = chain
        self.columns = _columns(chain)
        self.size = chain.size + sum(lump.size for lump in chain.lumps[:-1])
        self.graph = Graph()
        self.graph.site = NOWHERE
        self.point = self.graph.input(self.size, active=True)
        others = [self.graph.input(size, active=False) for size in self.given.input_sizes[1:]]
        constants = [self.graph.placeholder(size) for size in self.given.constant_sizes]
        self.operands = dict(enumerate(others, 1))
        self.constants = dict(zip(self.given.constants, constants, strict=True))
        self.buffers = _buffers(liveness)
        self.stops = np.array([lump.stop for lump in chain.lumps], dtype=np.int64)
        # For each old node: the node as it was made, and as later lumps read it.
        self.made: dict[int, Node] = {}
        self.begun: dict[int, Node] = {}
        self.lump_of: dict[int, int] = {}

    def finished(self) -> Staged:
        sites = self.given.sites or (NOWHERE,) * len(self.given.nodes)
        for time, (node, site) in enumerate(zip(self.given.nodes, sites, strict=True)):
            self.graph.site = site
            self._take(node, int(np.searchsorted(self.stops, time)))
        self.graph.site = NOWHERE
        nodes = {buffer: index for index, buffer in self.buffers.items()}
        pieces, start = [], 0
        for lump in self.chain.lumps:
            for buffer, places in lump.fresh:
                store = Affine((len(places),), start, (1,))
                pieces.append(Piece(store, Load(self.made[nodes[buffer]], recognised(places))))
                start += len(places)
        output = self.graph.join(start, tuple(pieces))
        decisions = [Decision(self.made[d.node.index], d.expected, d.sites) for d in self.given.decisions]
        made = program(self.graph, output, decisions)
        return Staged(made, self.size, made.constants, self.columns)

    def _take(self, node: Node, lump: int) -> None:
        """A node with the same operations on what its lump reads."""
        self.lump_of[node.index] = lump
        if node.kind == "input" and node.slot == 0:
            whole = Load(self.point, contiguous((self.chain.size,)))
            # T begins with x: readers read it there. What asks for x as a node gets a copy.
            self.made[node.index] = self.graph.copy(whole) if self.size != self.chain.size else self.point
            self.begun[node.index] = self.point
            self.lump_of[node.index] = -1
        elif node.kind == "input":
            self.made[node.index] = self.operands[node.slot]
        elif node.kind == "constant":
            self.made[node.index] = self.constants[node.slot]
        else:
            self.made[node.index] = self._like(node, lump)
            buffer = self.buffers.get(node.index)
            if buffer in self.columns and lump < len(self.chain.lumps) - 1:
                self.begun[node.index] = self._anew(self.made[node.index], *self.columns[buffer])

    def _like(self, node: Node, lump: int) -> Node:
        loads = tuple(self._read(load, lump) for load in node.loads)
        if node.primitive is not None:
            return self.graph.map(node.primitive, node.box, loads)
        if node.routine is not None:
            return self.graph.call(node.routine, node.size, loads)
        if node.kind == "sum":
            return self.graph.sum(node.box, loads[0], node.reduced, node.indptr)
        pieces = (Piece(p.store, self._read(p.load, lump), p.site) for p in node.pieces)
        return self.graph.join(node.size, tuple(pieces))

    def _read(self, load: Load, lump: int) -> Load:
        index = load.node.index
        earlier = self.lump_of[index] < lump and index in self.begun
        return Load(self.begun[index] if earlier else self.made[index], load.address)

    def _anew(self, node: Node, places: Ints, first: int) -> Node:
        """The values of a node, with derivatives of T at some places and none elsewhere."""
        count = len(places)
        box = (count,)
        own, tangent = Load(node, recognised(places)), Load(self.point, Affine(box, first, (1,)))
        begun = self.graph.map(PRIMITIVES["derived"], box, (own, tangent))
        if count == node.size:
            return begun
        rest = np.setdiff1d(np.arange(node.size), places, assume_unique=True)
        address = recognised(rest)
        still = self.graph.map(PRIMITIVES["stop"], (len(rest),), (Load(node, address),))
        pieces = (
            Piece(address, Load(still, contiguous((len(rest),)))),
            Piece(recognised(places), Load(begun, contiguous(box))),
        )
        return self.graph.join(node.size, pieces)


def _columns(chain: Chain) -> dict[int, tuple[Ints, int]]:
    """Where the numbers that lumps make stand in T, the result's left out."""
    found, start = {}, chain.size
    for lump in chain.lumps[:-1]:
        for buffer, places in lump.fresh:
            found[buffer] = (places, start)
            start += len(places)
    return found


def _buffers(liveness: Liveness) -> dict[int, int]:
    """The buffer of each node that depends on x."""
    by_time = {birth: buffer for buffer, birth in liveness.births.items() if birth >= 0}
    return {node.index: by_time[time] for time, node in enumerate(liveness.program.nodes) if time in by_time}
