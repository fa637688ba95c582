"""Small pieces of one form become one piece: edges and corners are few launches, and few functions to compile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from kernels.address import Address, Affine
from sparsejac.programs.addressing import Box, composed, contiguous, recognised
from sparsejac.programs.program import Graph, Load, Node, Piece


def gathered(graph: Graph, pieces: Iterable[Piece], most: int) -> tuple[Piece, ...]:
    """The same pieces, those put together that apply the same operations to the same vectors.

    Parameters
    ----------
    graph : Graph
        Where the maps of several pieces are made.
    pieces : iterable of Piece
        Their stores do not overlap.
    most : int
        Points that pieces may have to become one.
    """
    forms = _Forms()
    groups: dict[int, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(forms.of(piece.load.node), []).append(piece)
    result: list[Piece] = []
    for group in groups.values():
        some: list[Piece] = []
        points = 0
        for piece in sorted(group, key=lambda one: one.store.points):
            points += piece.store.points
            (some if points <= most else result).append(piece)
        result += [_Gathering(graph, forms, some).piece()] if len(some) > 1 else some
    return tuple(result)


class _Forms:
    """Numbers of expressions: equal for those that do the same with the same vectors, wherever they read them."""

    def __init__(self) -> None:
        self._by_node: dict[int, int] = {}
        self._numbers: dict[object, int] = {}

    def of(self, node: Node) -> int:
        """The number of a node; operands come first, by an explicit stack since chains may be long."""
        stack = [node]
        while stack:
            top = stack[-1]
            operands = [load.node for load in top.loads] if top.primitive is not None else []
            missing = [one for one in operands if one.index not in self._by_node]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            form: object = top.index
            if top.primitive is not None:
                form = (top.primitive.name, *(self._by_node[load.node.index] for load in self.operands(top)))
            self._by_node[top.index] = self._numbers.setdefault(form, len(self._numbers))
        return self._by_node[node.index]

    def operands(self, node: Node) -> Sequence[Load]:
        """Operands of a map; those that may be exchanged stand in the order of their forms."""
        assert node.primitive is not None
        if not node.primitive.operation.symmetries or len(node.loads) != 2:
            return node.loads
        return sorted(node.loads, key=lambda load: self._by_node[load.node.index])


class _Gathering:
    """Pieces of one form side by side: stacked where they are alike, else end to end."""

    def __init__(self, graph: Graph, forms: _Forms, pieces: Sequence[Piece]) -> None:
        self._graph = graph
        self._forms = forms
        self._pieces = pieces
        boxes = [piece.store.box for piece in pieces]
        self._box: Box = (len(boxes), *boxes[0]) if boxes.count(boxes[0]) == len(boxes) else (sum(map(prod, boxes)),)
        self._known: dict[object, Load] = {}

    def piece(self) -> Piece:
        """All of them as one."""
        load = self._load(tuple(piece.load for piece in self._pieces))
        return Piece(self._address([piece.store for piece in self._pieces]), load, self._pieces[0].site)

    def _load(self, loads: tuple[Load, ...]) -> Load:
        """One operand for one of each piece."""
        stack = [loads]
        while stack:
            top = stack[-1]
            node = top[0].node
            key = _key(top)
            if key in self._known:
                stack.pop()
            elif all(load.node is node for load in top):
                self._known[key] = Load(node, self._address([load.address for load in top]))
                stack.pop()
            else:
                operands = self._operands(top)
                missing = [one for one in operands if _key(one) not in self._known]
                if missing:
                    stack.extend(missing)
                else:
                    assert node.primitive is not None
                    read = tuple(self._known[_key(one)] for one in operands)
                    made = self._graph.plain_map(node.primitive, self._box, read)
                    self._known[key] = Load(made, contiguous(self._box))
                    stack.pop()
        return self._known[_key(loads)]

    def _operands(self, loads: tuple[Load, ...]) -> list[tuple[Load, ...]]:
        rows = [[_at(operand, load) for operand in self._forms.operands(load.node)] for load in loads]
        return list(zip(*rows, strict=True))

    def _address(self, addresses: Sequence[Address]) -> Address:
        """One address for one of each piece."""
        first = addresses[0]
        if len(self._box) == 1 + len(first.box) and all(isinstance(a, Affine) for a in addresses):
            stacked = _stacked([a for a in addresses if isinstance(a, Affine)])
            if stacked is not None:
                return stacked
        if isinstance(first, Affine) and all(_is_place(a, first.offset) for a in addresses):
            return Affine(self._box, first.offset, (0,) * len(self._box))
        return recognised(np.concatenate([a.table() for a in addresses]).reshape(self._box))


def _at(operand: Load, load: Load) -> Load:
    """What a map reads at the points at which it is read itself."""
    if load.address is contiguous(load.node.box):
        return operand
    return Load(operand.node, composed(operand.address, load.address))


def _key(loads: tuple[Load, ...]) -> object:
    return tuple([load.key for load in loads])


def _is_place(address: Address, place: int) -> bool:
    """Whether an address leads to one place only."""
    return isinstance(address, Affine) and address.offset == place and not any(address.strides)


def _stacked(addresses: Sequence[Affine]) -> Affine | None:
    """Affine maps over equal boxes as one, if each lies as far behind the one before."""
    first = addresses[0]
    step = addresses[1].offset - first.offset
    for k, one in enumerate(addresses):
        if one.strides != first.strides or one.offset != first.offset + k * step:
            return None
    return Affine((len(addresses), *first.box), first.offset, (step, *first.strides))
