"""The linear part of a pushed Program, transposed: cotangents go back from its output to its input.

Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 3.2, on whole vectors. Linear are the nodes that
depend on a tangent; each of them is a sum, a join, or one of a handful of maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from kernels.address import Address, Affine
from sparsejac.primitives.passing import PASSING
from sparsejac.programs.addressing import c_strides, contiguous, covers, table
from sparsejac.programs.program import Load, Node
from sparsejac.transforms.builder import Box, Builder, read
from sparsejac.transforms.order import dependent
from sparsejac.transforms.scattering import Share, cleaned, opened, separated, upright, whole


def pull(builder: Builder, source: Node, output: Node, cotangent: Load) -> Node:
    """The cotangent of `source` for one of `output`, which is linear in it.

    Parameters
    ----------
    builder : Builder
    source, output : Node
        Of the builder's graph; `source` is an input.
    cotangent : Load
        Over a box of one dimension, of the output's size.
    """
    return _Pulling(builder, linear_nodes(builder, source, output)).run(source, output, cotangent)


def linear_nodes(builder: Builder, source: Node, output: Node) -> set[int]:
    """The nodes up to `output` that depend on `source`."""
    return dependent(builder.graph.nodes[source.index + 1 : output.index + 1], source)


class _Pulling:
    def __init__(self, builder: Builder, linear: set[int]) -> None:
        self.builder = builder
        self.linear = linear
        self.pending: dict[int, list[Share]] = {}

    def run(self, source: Node, output: Node, cotangent: Load) -> Node:
        """Sweep from the output back to the source."""
        graph = self.builder.graph
        self._give(Load(output, contiguous((output.size,))), cotangent)
        for node in graph.nodes[output.index : source.index : -1]:
            shares = self.pending.pop(node.index, None)
            if shares:
                graph.site = graph.sites[node.index]
                _KINDS[node.kind](self, node, shares)
        found = cleaned(self.builder, whole(self.builder, source.size, self.pending.pop(source.index, [])))
        return self.builder.owned((source.size,), self.builder.flat(found.value))

    def _give(self, load: Load, value: Load, guard: Load | None = None, is_clean: bool = True) -> None:
        if load.node.index not in self.linear:
            return
        marks = None if guard is None else self.builder.marks(guard)
        if marks is None or marks.any():
            share = opened(self.builder, Share(load.address, value, guard, is_clean))
            self.pending.setdefault(load.node.index, []).append(share)

    def map(self, node: Node, shares: list[Share]) -> None:
        """Pass on what came back to a map, where it came back."""
        assert node.primitive is not None
        for share in separated(self.builder, node.size, shares):
            share = self._on_box_of(node, upright(self.builder, node.size, share))
            loads = [read(load, share.address) for load in node.loads]
            rule = _RULES[node.primitive.name]
            for k, load in enumerate(loads):
                if load.node.index in self.linear:
                    self._give(load, *rule(self.builder, share, loads, k))

    def _on_box_of(self, node: Node, share: Share) -> Share:
        """A share of a whole node over the node's box, over which its operands are read."""
        if share.address.box == node.box or not covers(share.address, node.size):
            return share
        guard = None if share.guard is None else self.builder.on_box(share.guard, node.box)
        return Share(contiguous(node.box), self.builder.on_box(share.value, node.box), guard, share.is_clean)

    def sum(self, node: Node, shares: list[Share]) -> None:
        """Give each term what came back to its sum."""
        load = node.loads[0]
        for share in separated(self.builder, node.size, shares):
            if node.indptr is not None:
                points = self._of_ranges(node, share)
            else:
                rows = node.box[: len(node.box) - node.reduced]
                if covers(share.address, node.size):
                    guard = None if share.guard is None else self.builder.on_box(share.guard, rows)
                    share = Share(contiguous(rows), self.builder.on_box(share.value, rows), guard, share.is_clean)
                points = _of_terms(node.box[len(rows) :], share)
            self._give(read(load, points.address), points.value, points.guard, points.is_clean)

    def _of_ranges(self, node: Node, share: Share) -> Share:
        """What came back to ragged sums, for each of their points."""
        assert node.indptr is not None
        share = whole(self.builder, node.size, [share])
        rows = np.repeat(np.arange(node.size), np.diff(node.indptr))
        places = table((len(rows),), rows)
        guard = None if share.guard is None else read(self.builder.flat(share.guard), places)
        return Share(contiguous((len(rows),)), read(self.builder.flat(share.value), places), guard, share.is_clean)

    def join(self, node: Node, shares: list[Share]) -> None:
        """Give each piece its part."""
        share = whole(self.builder, node.size, shares)
        value = self.builder.flat(share.value)
        guard = None if share.guard is None else self.builder.flat(share.guard)
        for piece in node.pieces:
            counts = None if guard is None else read(guard, piece.store)
            self._give(piece.load, read(value, piece.store), counts, share.is_clean)

    def call(self, node: Node, shares: list[Share]) -> None:
        """Give the operands in which a function of whole vectors is linear what its rule says."""
        assert node.routine is not None
        assert node.routine.rule is not None
        value = self.builder.flat(cleaned(self.builder, whole(self.builder, node.size, shares)).value)
        for k, load in enumerate(node.loads):
            if load.node.index in self.linear:
                self._give(load, node.routine.rule.pull(self.builder, node, k, value))


_KINDS: dict[str, Callable[[_Pulling, Node, list[Share]], None]] = {
    "map": _Pulling.map,
    "sum": _Pulling.sum,
    "join": _Pulling.join,
    "call": _Pulling.call,
}


def _of_terms(reduced: Box, share: Share) -> Share:
    """What came back to sums over trailing dimensions, for each of their terms."""
    count = prod(reduced)

    def along(load: Load | None) -> Load | None:
        return None if load is None else Load(load.node, _with_still(load.address, reduced))

    address: Address = share.address
    if isinstance(address, Affine):
        strides = (*(count * stride for stride in address.strides), *c_strides(reduced))
        address = Affine((*address.box, *reduced), count * address.offset, strides)
    else:
        places = address.places.astype(np.int64)[:, None] * count + np.arange(count)
        address = table((*address.box, *reduced), places)
    value = along(share.value)
    assert value is not None
    return Share(address, value, along(share.guard), share.is_clean)


def _with_still(address: Address, reduced: Box) -> Address:
    """The address with further dimensions along which it stays where it is."""
    if isinstance(address, Affine):
        return Affine((*address.box, *reduced), address.offset, (*address.strides, *(0 for _ in reduced)))
    return table((*address.box, *reduced), np.repeat(address.places, prod(reduced)))


_Passed = tuple[Load, Load | None, bool]
_MapRule = Callable[[Builder, Share, Sequence[Load], int], _Passed]


def _as_it_is(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    return share.value, share.guard, share.is_clean


def _negative(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    return builder.negative(share.address.box, share.value), share.guard, share.is_clean


def _difference(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    return (_negative if k else _as_it_is)(builder, share, loads, k)


def _product(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    box, factor = share.address.box, loads[1 - k]
    value = builder.times(box, share.value, factor)
    if share.guard is None or builder.literal(factor) is not None:
        return value, share.guard, share.is_clean
    # Zero times a factor that is infinite or NaN is none. What is known not to count may never be read.
    if builder.marks(share.guard) is not None:
        return value, share.guard, False
    return builder.masked(box, share.guard, value), share.guard, True


def _branch(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    box, condition = share.address.box, loads[0]
    zero = builder.number(0.0, box)
    chosen = (share.value, zero) if k == 1 else (zero, share.value)
    value = builder.map("select", box, condition, *chosen)
    taken = condition if k == 1 else builder.map("logical_not", box, condition)
    return value, _both(builder, share, taken), share.is_clean


def _passing(name: str) -> _MapRule:
    def rule(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
        box = share.address.box
        value = builder.map(name, box, share.value, *loads[1:])
        taken = builder.map(name, box, builder.number(1.0, box), *loads[1:])
        return value, _both(builder, share, taken), share.is_clean

    return rule


def _turning(builder: Builder, share: Share, loads: Sequence[Load], k: int) -> _Passed:
    value = builder.map("pass_copysign", share.address.box, share.value, *loads[1:])
    return value, share.guard, share.is_clean


def _both(builder: Builder, share: Share, condition: Load) -> Load:
    if share.guard is None:
        return condition
    return builder.map("logical_and", share.address.box, share.guard, condition)


_RULES: dict[str, _MapRule] = {
    "copy": _as_it_is,
    "negative": _negative,
    "add": _as_it_is,
    "subtract": _difference,
    "multiply": _product,
    "select": _branch,
    **{name: _passing(name) for name in PASSING.values()},
    "pass_copysign": _turning,
}
"""Maps of tangents: their transposes."""
