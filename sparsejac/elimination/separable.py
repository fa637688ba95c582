"""Partial separability: a function that is a sum of small terms has the sum of their Hessians as its Hessian.

The sum is found on the Program, by a walk from the result back through what is linear: sums, joins, signs and constant
factors. An *element* is an expression of a few unknowns at each point of a box; all its second partial derivatives come
from one kernel, and each is a term of an entry below the diagonal. Nothing is colored, and no gradient is formed.

Reference: Griewank & Toint, On the unconstrained optimization of partially separable functions, in Powell (ed.),
Nonlinear Optimization 1981, Academic Press 1982.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kernels.address import Address, Affine, identity
from kernels.kernel import Instruction, Kernel, KernelBuilder
from kernels.step import Access
from sparsejac.elimination.demands import Demand, Factor, listed, loaded
from sparsejac.elimination.expansion import OUTPUT, Term, X, joined, summed
from sparsejac.elimination.expression import LARGEST, TooLargeError, expand, is_short
from sparsejac.elimination.second_partials import Curvature, second_partials
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import composed, recognised
from sparsejac.programs.program import Load, Node, Program
from sparsejac.schedules.partials import differentiable_loads

MOST_UNKNOWNS = 24
"""Unknowns of an element; its Hessian is dense."""

MOST_TERMS = 600
"""Second partial derivatives of all elements."""

MOST_OPERATIONS = 2500
"""Instructions for the Hessian of one element: to compile more takes too long."""

MOST_PARTS = 200
"""Summands that are followed."""

MOST_PIECES = 16
"""Parts of a box at which different pieces of joins are read."""

_SIGNS: dict[str, tuple[float, float]] = {"add": (1.0, 1.0), "subtract": (1.0, -1.0), "negative": (-1.0, 1.0)}


class NotSeparableError(Exception):
    """A function is no sum of small terms."""


@dataclass(frozen=True, eq=False)
class Element:
    """Terms of a sum, one at each point of a box.

    Parameters
    ----------
    kernel : Kernel
        One output: the term.
    loads : tuple of Load
        Of inputs and constants alone.
    factors : tuple of Factor
        What each term is multiplied by.
    """

    kernel: Kernel
    loads: tuple[Load, ...]
    factors: tuple[Factor, ...]

    @property
    def unknowns(self) -> tuple[int, ...]:
        """The loads of x."""
        rules = differentiable_loads(self.kernel)
        return tuple(k for k, load in enumerate(self.loads) if load.node.active and k in rules)


def hessian_terms(program: Program, buffers: Mapping[int, int], weights: int | None) -> tuple[Term, ...] | None:
    """The terms of the lower triangle of the Hessian of a sum of small terms; None where a Program is none.

    Parameters
    ----------
    program : Program
        In pieces.
    buffers : mapping
        Where inputs and constants lie, by the index of their node.
    weights : int, optional
        The buffer of the factors by which the results are summed; a single result is not weighted.
    """
    try:
        elements = list(_elements(program, buffers, weights))
        found: list[Term] = []
        for element in elements:
            found += _terms(element, buffers)
            if len(found) > MOST_TERMS:
                return None
    except (NotSeparableError, TooLargeError):
        return None
    return tuple(found)


def _elements(program: Program, buffers: Mapping[int, int], weights: int | None) -> Iterator[Element]:
    """Walk from the result back through all that is linear."""
    whole = identity(program.output.size)
    factors = () if weights is None else (loaded(weights, whole),)
    demands = {program.output.index: [Demand(OUTPUT, whole, factors, whole)]}
    count = 0
    for node in reversed(program.nodes):
        for demand in demands.pop(node.index, []):
            if node.kind == "input" or not node.active or demand.address.points == 0:
                continue
            count += 1
            if count > MOST_PARTS:
                raise NotSeparableError
            found = list(_elements_at(node, demand)) if node.kind == "map" else [None]
            yield from (element for element in found if element is not None)
            if None in found:
                for read, part in _passed(node, demand, buffers):
                    demands.setdefault(read.index, []).append(part)


def _elements_at(node: Node, demand: Demand) -> Iterator[Element | None]:
    """A map as expressions of few unknowns, at the points of a demand; one None if it is none."""
    waiting, found = [demand], list[Element]()
    while waiting:
        if len(waiting) + len(found) > MOST_PIECES:
            yield None
            return
        part = waiting.pop()
        read = _read_through(node, part)
        if read is None:
            yield None
            return
        if isinstance(read, Element):
            found.append(read)
        else:
            waiting += [part.over(points) for points in read]
    yield from found


def _read_through(node: Node, demand: Demand) -> Element | list[Address] | None:
    """A map as one expression; the points at which it reads the same pieces, if they differ from point to point."""
    try:
        kernel, loads = expand(node, demand.address, _is_load)
        while joins := [k for k, load in enumerate(loads) if load.node.kind == "join"]:
            met = [_piece_at(loads[k]) for k in joins]
            kinds, labels = np.unique(np.stack(met), axis=1, return_inverse=True)
            if kinds.shape[1] > MOST_PIECES:
                return None
            if kinds.shape[1] > 1:
                return [listed(np.flatnonzero(labels.reshape(-1) == k)) for k in range(kinds.shape[1])]
            pieces = {k: _at_piece(loads[k], int(piece)) for k, piece in zip(joins, kinds[:, 0], strict=True)}
            kernel, loads = _composed(kernel, loads, pieces)
    except TooLargeError:
        return None
    found = Element(kernel, loads, demand.factors)
    is_plain = all(load.node.kind in ("input", "constant") for load in loads)
    return found if is_plain and len(found.unknowns) <= MOST_UNKNOWNS else None


def _is_load(load: Load) -> bool:
    return load.node.kind != "map" and not is_short(load.node)


def _piece_at(load: Load) -> np.ndarray:
    """For each point the number of the piece of a join that is read, -1 where there is none."""
    owners = np.full(load.node.size, -1, dtype=np.int64)
    for number, piece in enumerate(load.node.pieces):
        owners[piece.store.table()] = number
    return np.asarray(owners[load.address.table()])


def _at_piece(load: Load, number: int) -> Load | None:
    """What a join holds where it is read, all in one piece; None for zeros."""
    if number < 0:
        return None
    piece = load.node.pieces[number]
    places = np.zeros(load.node.size, dtype=np.int64)
    places[piece.store.table()] = np.arange(piece.store.points)
    points = recognised(places[load.address.table()].reshape(load.address.box))
    return Load(piece.load.node, composed(piece.load.address, points))


def _composed(kernel: Kernel, loads: Sequence[Load], instead: Mapping[int, Load | None]) -> _Expression:
    """An expression with other ones in the place of some loads; None stands for zero."""
    inner: dict[int, _Expression] = {}
    for k, load in enumerate(loads):
        other = instead.get(k, load)
        if other is not None:
            is_leaf = k not in instead or _is_load(other)
            inner[k] = (_LOAD, (other,)) if is_leaf else expand(other.node, other.address, _is_load)
    reads = {load.key: load for _, own in inner.values() for load in own}
    numbers = {key: number for number, key in enumerate(reads)}
    builder = KernelBuilder(len(numbers))
    values = []
    for k in range(len(loads)):
        if k in inner:
            own, its = inner[k]
            values.append(builder.replay(own, [numbers[load.key] for load in its])[own.outputs[0]])
        else:
            values.append(builder.literal(0.0))
    made = builder.build(builder.replay(kernel, values)[kernel.outputs[0]])
    if len(made.instructions) > LARGEST:
        raise TooLargeError
    return made, tuple(reads.values())


_Expression = tuple[Kernel, tuple[Load, ...]]
_LOAD = Kernel(1, (), (0,))
_RECIPROCAL = Kernel(1, (Instruction(PRIMITIVES["reciprocal"].operation, (0,)),), (1,))


def _passed(node: Node, demand: Demand, buffers: Mapping[int, int]) -> Iterator[tuple[Node, Demand]]:
    """What is asked of the operands of a node that is linear in them."""
    if node.kind == "sum":
        yield node.loads[0].node, summed(node, demand)
    elif node.kind == "join":
        yield from joined(node, demand)
    elif node.primitive is not None and node.primitive.name in ("copy", *_SIGNS):
        for load, sign in zip(node.loads, _SIGNS.get(node.primitive.name, (1.0,)), strict=False):
            factors = demand.factors if sign == 1.0 else (*demand.factors, number(sign))
            yield _through(load, demand, factors)
    elif node.primitive is not None and node.primitive.name in ("multiply", "divide"):
        fixed, moving = sorted(node.loads, key=lambda load: load.node.active)
        if fixed.node.active or (node.primitive.name == "divide" and fixed is node.loads[0]):
            raise NotSeparableError
        kernel = _RECIPROCAL if node.primitive.name == "divide" else _LOAD
        factor = _factor(kernel, fixed, buffers).over(demand.address)
        yield _through(moving, demand, (*demand.factors, factor))
    else:
        raise NotSeparableError


def _factor(kernel: Kernel, load: Load, buffers: Mapping[int, int]) -> Factor:
    """A function of a number that does not depend on x."""
    own, loads = (_LOAD, (load,)) if _is_load(load) else expand(load.node, load.address, _is_load)
    if any(read.node.index not in buffers for read in loads):
        raise NotSeparableError
    builder = KernelBuilder(own.loads)
    value = builder.replay(own, range(own.loads))[own.outputs[0]]
    made = builder.build(builder.replay(kernel, [value])[kernel.outputs[0]])
    return Factor(made, tuple(Access(buffers[read.node.index], read.address) for read in loads))


def _through(load: Load, demand: Demand, factors: tuple[Factor, ...]) -> tuple[Node, Demand]:
    return load.node, Demand(demand.vertex, demand.rows, factors, composed(load.address, demand.address))


@lru_cache(maxsize=64)
def number(value: float) -> Factor:
    """A factor that is one number everywhere."""
    return Factor(Kernel(0, (Instruction(None, (), value),), (0,)), ())


@lru_cache(maxsize=256)
def _curvature(kernel: Kernel, unknowns: tuple[int, ...]) -> Curvature:
    return second_partials(kernel, unknowns)


def _terms(element: Element, buffers: Mapping[int, int]) -> Iterator[Term]:
    """The second partial derivatives of an element, each at its entry below the diagonal."""
    curvature = _curvature(element.kernel, element.unknowns)
    if len(curvature.kernel.instructions) > MOST_OPERATIONS:
        raise NotSeparableError
    needed = {operand for i in curvature.kernel.instructions for operand in i.operands} | set(curvature.kernel.outputs)
    missing = [load for k, load in enumerate(element.loads) if k in needed and load.node.index not in buffers]
    if missing:
        raise NotSeparableError
    loads = tuple(Access(buffers.get(load.node.index, 0), load.address) for load in element.loads)
    for (a, b), output in zip(curvature.pairs, curvature.kernel.outputs, strict=True):
        factors = (*element.factors, Factor(curvature.kernel, loads, output))
        yield from _placed(element.loads[a].address, element.loads[b].address, factors, is_square=a == b)


def _placed(one: Address, other: Address, factors: tuple[Factor, ...], *, is_square: bool) -> Iterator[Term]:
    """A term below the diagonal: where both unknowns are one, the pair counts for both of its entries."""
    if is_square:
        yield Term(OUTPUT, X, one, one, factors)
        return
    apart = np.asarray(one.table()).astype(np.int64) - other.table()
    if isinstance(one, Affine) and isinstance(other, Affine) and (apart > 0).all():
        yield Term(OUTPUT, X, one, other, factors)
    elif isinstance(one, Affine) and isinstance(other, Affine) and (apart < 0).all():
        yield Term(OUTPUT, X, other, one, factors)
    else:
        low = recognised(np.minimum(one.table(), other.table()).reshape(one.box))
        high = recognised(np.maximum(one.table(), other.table()).reshape(one.box))
        yield Term(OUTPUT, X, high, low, factors)
        met = np.flatnonzero(apart == 0)
        if len(met):
            points = listed(met)
            yield Term(OUTPUT, X, high, low, factors).over(points)
