"""Second partial derivatives of a kernel, all of them in one backward sweep on its scalar expression.

The sweep carries, beside the adjoints, a symmetric matrix of the values that are still to be met. An operation that is
reached takes its row out of the matrix and passes it on to its operands (pushing), and puts in its own curvature
(creating). Each pair of values is one number: half the matrix is computed, and it is symmetric to the last bit.

Reference: Gower & Mello, A new framework for the computation of Hessians, Optimization Methods and Software 27(2),
2012, algorithm edge_pushing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import TypeVar

from kernels.kernel import Instruction, Kernel, KernelBuilder
from sparsejac.primitives import PRIMITIVES, Primitive, Term
from sparsejac.schedules.partials import differentiable_loads, linearized

K = TypeVar("K")
Pair = tuple[int, int]


def second_partials(kernel: Kernel, loads: Sequence[int]) -> Curvature:
    """The second partial derivatives of a kernel.

    Parameters
    ----------
    kernel : Kernel
        One output.
    loads : sequence of int
        Loads to differentiate by.

    Returns
    -------
    Curvature

    Examples
    --------
    >>> from kernels import KernelBuilder
    >>> build = KernelBuilder(2)
    >>> product = build.build(build.apply(PRIMITIVES["multiply"].operation, 0, 1))
    >>> second_partials(product, (0, 1)).pairs
    ((0, 1),)
    """
    sweep = _Sweep(kernel, frozenset(loads))
    for t in range(len(kernel.instructions) - 1, -1, -1):
        sweep.visit(kernel.loads + t, kernel.instructions[t])
    found = {pair: part.settled() for pair, part in sorted(sweep.curved.items())}
    kept = {pair: term for pair, term in found.items() if not term.is_literal(0.0)}
    return Curvature(sweep.builder.build(*(term.value for term in kept.values())), tuple(kept))


@dataclass(frozen=True, eq=False)
class Curvature:
    """Second partial derivatives that are not zero everywhere.

    Parameters
    ----------
    kernel : Kernel
        The same loads; one output for each pair.
    pairs : tuple of (int, int)
        The two loads of each, the smaller first.
    """

    kernel: Kernel
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class _Part:
    """A number that counts only where `guard` holds (everywhere if None); it is masked elsewhere, not multiplied."""

    term: Term
    guard: Term | None

    def settled(self) -> Term:
        return self.term if self.guard is None else self.guard.call("select", self.term, 0.0)

    def times(self, factor: Term | float, *guards: Term | None) -> _Part:
        guard = self.guard
        for other in guards:
            guard = other if guard is None else guard if other is None else guard.call("logical_and", other)
        return _Part(self.term * factor, guard)

    def plus(self, other: _Part) -> _Part:
        if self.guard is None or other.guard is None:
            return _Part(self.settled() + other.settled(), None)
        if self.guard == other.guard:
            return _Part(self.term + other.term, self.guard)
        return _Part(self.settled() + other.settled(), self.guard.call("logical_or", other.guard))


@dataclass(frozen=True)
class _Slope:
    """What a result passes on to one of its values: a factor, which counts where a guard holds."""

    factor: Term
    guard: Term | None


@dataclass(eq=False)
class _Sweep:
    """The backward sweep: adjoints of values, and pairs of values with their curvature, as far as they are known."""

    kernel: Kernel
    loads: frozenset[int]
    builder: KernelBuilder = field(init=False)
    values: list[int] = field(init=False)
    adjoints: dict[int, _Part] = field(init=False)
    curved: dict[Pair, _Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.builder = KernelBuilder(self.kernel.loads)
        self.values = self.builder.replay(self.kernel, range(self.kernel.loads))
        one = Term(self.builder, self.builder.literal(1.0))
        self.adjoints = {self.kernel.outputs[0]: _Part(one, None)}
        self.needed = set(self.loads)
        for t, instruction in enumerate(self.kernel.instructions):
            if not self.needed.isdisjoint(instruction.operands):
                self.needed.add(self.kernel.loads + t)

    def visit(self, number: int, instruction: Instruction) -> None:
        """Pass on what belongs to a value to the values it was made of."""
        adjoint = self.adjoints.pop(number, None)
        row = {sum(pair) - number: self.curved.pop(pair) for pair in list(self.curved) if number in pair}
        if instruction.operation is None or number not in self.needed or (adjoint is None and not row):
            return
        slopes = self._slopes(number, instruction)
        own = row.pop(number, None)
        self._push(row, slopes)
        if own is not None:
            self._push_own(own, slopes, one_at_a_time=instruction.operation.name == "select")
        if adjoint is not None:
            for operand, slope in slopes.items():
                _add(self.adjoints, operand, adjoint.times(slope.factor, slope.guard))
            self._create(number, instruction, adjoint)

    def _push(self, row: Mapping[int, _Part], slopes: Mapping[int, _Slope]) -> None:
        """Pass on the pairs of a value with other ones."""
        for other, part in row.items():
            for operand, slope in slopes.items():
                # The pair of two different values stands for both of its entries, which meet on the diagonal.
                factor = slope.factor * 2.0 if operand == other else slope.factor
                _add(self.curved, _pair(operand, other), part.times(factor, slope.guard))

    def _push_own(self, own: _Part, slopes: Mapping[int, _Slope], *, one_at_a_time: bool) -> None:
        """Pass on the pair of a value with itself; of two branches only one is ever taken."""
        for (a, one), (b, two) in combinations_with_replacement(slopes.items(), 2):
            if a == b or not one_at_a_time:
                _add(self.curved, _pair(a, b), own.times(one.factor * two.factor, one.guard, two.guard))

    def _slopes(self, number: int, instruction: Instruction) -> dict[int, _Slope]:
        """First partial derivatives by the values that were read, those of equal operands added up."""
        assert instruction.operation is not None
        primitive = PRIMITIVES[instruction.operation.name]
        result, *operands = self._terms(number, instruction)
        found: dict[int, _Slope] = {}
        for k, operand in enumerate(instruction.operands):
            rule = primitive.partials[k]
            if rule is None or operand not in self.needed:
                continue
            if primitive.name == "select":
                branch = operands[0] if k == 1 else operands[0].call("logical_not")
                slope = _Slope(operands[0].lift(1.0), branch)
            else:
                partial = rule(result, *operands)
                slope = _Slope(partial, partial if primitive.chooses else None)
            known = found.get(operand)
            found[operand] = slope if known is None else _Slope(known.factor + slope.factor, None)
            if known is not None and primitive.name == "select":
                found[operand] = _Slope(operands[0].lift(1.0), None)
        return found

    def _create(self, number: int, instruction: Instruction, adjoint: _Part) -> None:
        """Add the curvature of an operation, times its adjoint."""
        assert instruction.operation is not None
        primitive = PRIMITIVES[instruction.operation.name]
        terms = [term.value for term in self._terms(number, instruction)]
        places = defaultdict[Pair, list[Pair]](list)
        for (j, a), (k, b) in combinations_with_replacement(enumerate(instruction.operands), 2):
            if {a, b} <= self.needed and primitive.partials[j] is not None and primitive.partials[k] is not None:
                places[_pair(a, b)] += [(j, k)] if j == k or a != b else [(j, k), (j, k)]
        for pair, positions in places.items():
            for j, k in positions:
                second = _second(primitive.name, j, k)
                if second is not None:
                    made = Term(self.builder, self.builder.replay(second, terms)[second.outputs[0]])
                    _add(self.curved, pair, adjoint.times(made))

    def _terms(self, number: int, instruction: Instruction) -> list[Term]:
        return [Term(self.builder, self.values[v]) for v in (number, *instruction.operands)]


def _add(parts: dict[K, _Part], place: K, part: _Part) -> None:
    if part.term.is_literal(0.0):
        return
    known = parts.get(place)
    parts[place] = part if known is None else known.plus(part)


def _pair(a: int, b: int) -> Pair:
    return (a, b) if a <= b else (b, a)


@lru_cache(maxsize=1024)
def _second(name: str, j: int, k: int) -> Kernel | None:
    """A second partial of a primitive as an expression of the result and the operands; None if it is zero."""
    if name == "select":
        return None
    first = _rule(PRIMITIVES[name], j)
    moving = tuple(sorted(differentiable_loads(first) & {0, 1 + k}))
    derivative = linearized(first, moving)
    builder = KernelBuilder(first.loads)
    numbers = builder.replay(derivative, range(first.loads))
    by = {load: Term(builder, numbers[output]) for load, output in zip(moving, derivative.outputs[1:], strict=True)}
    total = by.get(1 + k, Term(builder, builder.literal(0.0)))
    if 0 in by:
        slope = _rule(PRIMITIVES[name], k)
        total = total + by[0] * Term(builder, builder.replay(slope, range(first.loads))[slope.outputs[0]])
    return None if total.is_literal(0.0) else builder.build(total.value)


def _rule(primitive: Primitive, k: int) -> Kernel:
    """A first partial as an expression of the result and the operands."""
    rule = primitive.partials[k]
    assert rule is not None
    builder = KernelBuilder(len(primitive.partials) + 1)
    return builder.build(rule(*(Term(builder, number) for number in range(builder.loads))).value)
