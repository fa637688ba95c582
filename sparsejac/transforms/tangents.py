"""Tangents pushed through a Program, node by node.

Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 3.1. A tangent is zero for two reasons: because it
happens to be, or because of the structure of f, behind a branch that is not taken or at a place where a constant
stands. A partial derivative that is infinite or NaN must not meet a zero of the second sort: it is masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.address import Affine, Index, Table
from sparsejac.primitives import Primitive
from sparsejac.primitives.passing import PASSING
from sparsejac.programs.addressing import contiguous, permuted, table
from sparsejac.programs.program import Load, Node, Piece
from sparsejac.transforms.builder import Box, Builder, read, seeded, spread
from sparsejac.transforms.factors import MovingFactors
from sparsejac.transforms.rules import multiplicities, partial

_PASSES = frozenset(PASSING.values())


@dataclass(frozen=True, eq=False)
class _Tangent:
    """Tangents of a node and where they count (everywhere if None): not 0.0 there."""

    node: Node
    guard: Node | None


@dataclass(frozen=True, eq=False)
class _Term:
    """One summand of a tangent over the box of a map."""

    value: Load
    guard: Load | None


def push(
    builder: Builder,
    nodes: Sequence[Node],
    tangents: dict[int, Node],
    seeds: int | None,
    *,
    guarded: bool,
    again: bool = False,
) -> dict[int, Node]:
    """Tangents of all nodes that have one.

    Parameters
    ----------
    builder : Builder
    nodes : sequence of Node
        Of the builder's graph, operands first.
    tangents : dict
        Those of inputs, by index. Each number has `seeds` tangents, side by side.
    seeds : int, optional
        None for one tangent.
    guarded : bool
        Whether zeros of structure are masked; the transposed linear part needs no masks.
    again : bool
        Whether the tangents will be differentiated, so that their factors have to move with x; see `MovingFactors`.
    """
    known = {index: _Tangent(node, None) for index, node in tangents.items()}
    pushing = _Pushing(builder, seeds, known, guarded=guarded, again=again)
    sites = builder.graph.sites
    for node in nodes:
        builder.graph.site = sites[node.index]
        if node.index not in pushing.known:
            pushing.node(node)
    return {index: tangent.node for index, tangent in pushing.known.items()}


class _Pushing:
    def __init__(
        self, builder: Builder, seeds: int | None, known: dict[int, _Tangent], *, guarded: bool, again: bool
    ) -> None:
        self.builder = builder
        self.seeds = seeds
        self.known = known
        self.guarded = guarded
        self.again = again
        self.moving: Callable[[Load], Load] = MovingFactors(builder) if again else _as_it_is

    def node(self, node: Node) -> None:
        """Find the tangent of a node, if it has one."""
        if all(load.node.index not in self.known for load in node.operands()):
            return
        made = self._made(node)
        if made is not None:
            self.known[node.index] = made

    def _made(self, node: Node) -> _Tangent | None:
        if node.routine is not None:
            return self._call(node)
        return self._map(node) if node.primitive else self._sum(node) if node.kind == "sum" else self._join(node)

    def _call(self, node: Node) -> _Tangent | None:
        """The tangent of a function of whole vectors, by its rule."""
        rule = None if node.routine is None else node.routine.rule
        if rule is None:
            return None
        known = {k: node.loads[k] for k in rule.differentiable if node.loads[k].node.index in self.known}
        tangents = {k: self._read(load).value for k, load in known.items()}
        if not tangents:
            return None
        found = rule.push(self.builder, node, tangents, self.seeds, guarded=self.guarded, again=self.again)
        return None if found is None else _Tangent(found, None)

    def _wide(self, box: Box) -> Box:
        return box if self.seeds is None else (*box, self.seeds)

    def _read(self, load: Load) -> _Term:
        known = self.known[load.node.index]
        guard = None if known.guard is None or not self.guarded else Load(known.guard, load.address)
        marks = None if guard is None else self.builder.marks(guard)
        if guard is not None and marks is not None:
            guard = None if marks.all() else self.builder.on_box(guard, load.address.box)
        return _Term(Load(known.node, seeded(load.address, self.seeds)), guard)

    def _map(self, node: Node) -> _Tangent | None:
        primitive = node.primitive
        assert primitive is not None
        counts = multiplicities(primitive, node.loads)
        chosen = [
            k
            for k, (load, rule) in enumerate(zip(node.loads, primitive.partials, strict=True))
            if rule is not None and counts[k] and load.node.index in self.known
        ]
        if not chosen:
            return None
        if primitive.name == "select":
            return self._select(node, chosen)
        turned = _exchange(primitive, node)
        if turned is not None and self._read(node.loads[0]).guard is None:
            return self._folded(node, primitive, turned)
        one_of_several = primitive.chooses and len(chosen) == 1
        terms = [self._term(node, primitive, k, counts[k], one_of_several, len(chosen)) for k in chosen]
        return self._total(node.box, [term for term in terms if term is not None])

    def _folded(self, node: Node, primitive: Primitive, axes: tuple[int, ...]) -> _Tangent:
        """The tangent of a symmetric operation of a vector with itself along two axes: one term, and it turned."""
        wide = self._wide(node.box)
        term = self._term(node, primitive, 0, 1, guarded=False, of=2)
        assert term is not None
        axes = axes if self.seeds is None else (*axes, len(axes))
        turned = Load(term.value.node, permuted(term.value.address, axes))
        return _Tangent(self.builder.owned(wide, self.builder.plus(wide, term.value, turned)), None)

    def _term(self, node: Node, primitive: Primitive, k: int, count: int, guarded: bool, of: int) -> _Term | None:
        box, wide = node.box, self._wide(node.box)
        tangent = self._read(node.loads[k])
        if primitive.name in _PASSES:
            return self._passed_again(node, tangent)
        if primitive.name in PASSING:
            return tangent if count > 1 else self._passed(node, k, tangent, guarded=guarded)
        loads = map(self.moving, (Load(node, contiguous(box)), *node.loads))
        factor = partial(self.builder, box, primitive, k, *loads, again=self.again)
        if self.builder.literal(factor) == 0.0:
            return None
        turned = self.builder.turned(factor) if of > 1 else None
        value = self.builder.times(wide, tangent.value, spread(turned or factor, self.seeds))
        if turned is not None:  # the sum of the terms subtracts it
            value = self.builder.negative(wide, value)
        if tangent.guard is not None and self.builder.literal(factor) is None:
            value = self.builder.masked(wide, spread(tangent.guard, self.seeds), value)
        # The number of equal operands comes last: transposed, it meets a cotangent before the cotangent is spread.
        return _Term(self.builder.times(wide, value, self.builder.number(float(count), wide)), tangent.guard)

    def _passed(self, node: Node, k: int, tangent: _Term, *, guarded: bool) -> _Term:
        """What of a tangent passes through a selection, which is all that it may be zero by structure for."""
        assert node.primitive is not None
        builder, box = self.builder, node.box
        name = PASSING[node.primitive.name]
        this, other = node.loads[k], node.loads[1 - k]
        passed = builder.map(name, self._wide(box), tangent.value, spread(this, self.seeds), spread(other, self.seeds))
        if not self.guarded or not guarded:
            return _Term(passed, tangent.guard)
        taken = builder.map(name, box, builder.number(1.0, box), this, other)
        return _Term(passed, self._both(box, tangent.guard, taken))

    def _passed_again(self, node: Node, tangent: _Term) -> _Term:
        """The same of a tangent's tangent, in which it is linear."""
        assert node.primitive is not None
        rest = [spread(load, self.seeds) for load in node.loads[1:]]
        return _Term(self.builder.map(node.primitive.name, self._wide(node.box), tangent.value, *rest), tangent.guard)

    def _both(self, box: Box, guard: Load | None, condition: Load) -> Load:
        return condition if guard is None else self.builder.map("logical_and", box, guard, condition)

    def _total(self, box: Box, terms: list[_Term]) -> _Tangent | None:
        """The sum of terms; it counts where one of them does."""
        if not terms:
            return None
        value, guard = terms[0].value, terms[0].guard
        for term in terms[1:]:
            value = self.builder.plus(self._wide(box), value, term.value)
            one_open = guard is None or term.guard is None
            guard = None if one_open else self.builder.either(box, guard, term.guard)  # type: ignore[arg-type]
        return _Tangent(
            self.builder.owned(self._wide(box), value), None if guard is None else self.builder.owned(box, guard)
        )

    def _select(self, node: Node, chosen: list[int]) -> _Tangent:
        builder, box, wide = self.builder, node.box, self._wide(node.box)
        condition = node.loads[0]
        branches = {k: self._read(node.loads[k]) for k in chosen}
        values = [branches[k].value if k in branches else builder.number(0.0, wide) for k in (1, 2)]
        value = builder.map("select", wide, spread(condition, self.seeds), *values)
        guard = self._guard_of_select(box, condition, branches) if self.guarded else None
        return _Tangent(self.builder.owned(wide, value), None if guard is None else self.builder.owned(box, guard))

    def _guard_of_select(self, box: Box, condition: Load, branches: dict[int, _Term]) -> Load | None:
        if len(branches) == 2 and all(term.guard is None for term in branches.values()):
            return None
        ones, zeros = self.builder.number(1.0, box), self.builder.number(0.0, box)
        guards = [(branches[k].guard or ones) if k in branches else zeros for k in (1, 2)]
        return self.builder.map("select", box, condition, *guards)

    def _sum(self, node: Node) -> _Tangent:
        load, seeds = node.loads[0], self.seeds
        value = self._read(load).value
        graph = self.builder.graph
        if node.indptr is not None:
            return _Tangent(self._ragged(node, value), None)
        if seeds is None:
            return _Tangent(graph.sum(node.box, value, node.reduced), None)
        rows = len(node.box) - node.reduced
        axes = (*range(rows), len(node.box), *range(rows, len(node.box)))
        turned = Load(value.node, permuted(value.address, axes))
        return _Tangent(graph.sum(turned.address.box, turned, node.reduced), None)

    def _ragged(self, node: Node, value: Load) -> Node:
        """Sums over ranges of points, for each seed."""
        graph, seeds = self.builder.graph, self.seeds
        assert node.indptr is not None
        if seeds is None:
            return graph.sum(node.box, value, indptr=node.indptr)
        order, indptr = ranges_of_seeds(node.indptr, seeds)
        return graph.sum((order.points,), read(self.builder.flat(value), order), indptr=indptr)

    def _join(self, node: Node) -> _Tangent:
        terms = [(p, self._read(p.load)) for p in node.pieces if p.load.node.index in self.known]
        pieces = tuple(Piece(seeded(piece.store, self.seeds), term.value, piece.site) for piece, term in terms)
        value = self.builder.graph.join(node.size * (self.seeds or 1), pieces)
        return _Tangent(value, self._guard_of_join(node, terms) if self.guarded else None)

    def _guard_of_join(self, node: Node, terms: list[tuple[Piece, _Term]]) -> Node | None:
        """Where pieces with a tangent lie, and count."""
        marks = np.zeros(node.size, dtype=np.bool_)
        for piece, term in terms:
            known = True if term.guard is None else self.builder.marks(term.guard)
            if known is None:
                break
            marks[piece.store.table()] = known
        else:
            return None if marks.all() else self.builder.mask(marks).node
        guards = [
            Piece(piece.store, term.guard or self.builder.number(1.0, piece.store.box), piece.site)
            for piece, term in terms
        ]
        return self.builder.graph.join(node.size, tuple(guards))


def _as_it_is(load: Load) -> Load:
    return load


def _exchange(primitive: Primitive, node: Node) -> tuple[int, ...] | None:
    """Axes of the box with two of them exchanged, where that exchanges the operands of a symmetric primitive."""
    if (
        primitive.operation.symmetries != ((0, 1),)
        or len(node.loads) != 2
        or node.loads[0].node is not node.loads[1].node
    ):
        return None
    one, other = (load.address for load in node.loads)
    if not isinstance(one, Affine) or not isinstance(other, Affine) or one.offset != other.offset:
        return None
    differ = [d for d, (a, b) in enumerate(zip(one.strides, other.strides, strict=True)) if a != b]
    if len(differ) != 2 or node.box[differ[0]] != node.box[differ[1]]:
        return None
    axes = list(range(len(node.box)))
    axes[differ[0]], axes[differ[1]] = differ[1], differ[0]
    return tuple(axes) if permuted(one, tuple(axes)).key == other.key else None


def ranges_of_seeds(indptr: Index, seeds: int) -> tuple[Table, Index]:
    """Ranges of points with `seeds` numbers each, sorted so that each range and seed is a range of its own.

    >>> order, indptr = ranges_of_seeds(np.array([0, 2, 3]), 2)
    >>> order.places.tolist(), indptr.tolist()
    ([0, 2, 1, 3, 4, 5], [0, 2, 4, 5, 6])
    """
    lengths = np.diff(indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    keys = (rows[:, None] * seeds + np.arange(seeds)).reshape(-1)
    order = np.argsort(keys, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.repeat(lengths, seeds))])
    return table((len(order),), order), starts
