"""Orders of the present values, and the decisions that hold them fast.

An order is found from the numbers at this x. What is recorded for plans is no sort but comparisons of the elements that
stand next to each other in it: as long as these come out the same, a sort would give the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass
from sparsejac.programs.addressing import composed, recognised
from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import as_value
from sparsejac.tracing.numpy_rules.complex_rules import imag_of, is_complex
from sparsejac.tracing.reals import Real, Value, Vector
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.int64]
Axes = int | tuple[int, ...] | None


def in_vectors(trace: Trace, value: Value) -> Value:
    """The value with all its parts in nodes."""
    return value.each(lambda part: trace.vector(part, value.shape))


def gathered(value: Value, places: Places) -> Value:
    """Elements of a value in vectors, by their number in C order."""

    def gather(part: Real) -> Real:
        assert isinstance(part, Vector)
        return Vector(part.node, composed(part.address, recognised(places)))

    return value.each(gather)


def precedes(trace: Trace, a: Value, b: Value, strictly: bool) -> Real:
    """Whether `a` comes before `b` in NumPy's order (or is equal to it); False if one of them is NaN."""
    name = "less" if strictly else "less_equal"
    if not is_complex(a, b):
        return trace.apply(name, a.real, b.real)
    tie = trace.apply("equal", a.real, b.real)
    by_imag = trace.apply("logical_and", tie, trace.apply(name, imag_of(a), imag_of(b)))
    before = trace.apply("logical_or", trace.apply("less", a.real, b.real), by_imag)
    nan = trace.apply("logical_or", trace.apply("isnan", imag_of(a)), trace.apply("isnan", imag_of(b)))
    return trace.apply("logical_and", before, trace.apply("logical_not", nan))


def decide_before(trace: Trace, value: Value, left: Places, right: Places, strict: Any) -> None:
    """Record that each element in `left` comes before its neighbour in `right`, or is equal where not `strict`."""
    strict = np.broadcast_to(strict, left.shape)
    for strictly in (False, True):
        chosen = strict == strictly
        if chosen.any():
            first, second = gathered(value, left[chosen]), gathered(value, right[chosen])
            trace.decide(precedes(trace, first, second, strictly))


def decide_nans(trace: Trace, value: Value, places: Places) -> None:
    """Record which of these elements are NaN."""
    if places.size and value.kind not in "bi":
        trace.decide(trace.apply("isnan", gathered(value, places.reshape(-1)).real))


@dataclass(frozen=True, eq=False)
class Lanes:
    """The parts of an array along some of its axes, one after the other.

    Parameters
    ----------
    trace : Trace
    value : Value
        The array, in vectors.
    places : array of shape (lanes, length)
        The numbers of the elements in C order.
    numbers : array of shape (lanes, length)
        Their values at this x.
    """

    trace: Trace
    value: Value
    places: Places
    numbers: npt.NDArray[Any]

    @property
    def length(self) -> int:
        """Elements of a lane."""
        return int(self.places.shape[1])

    def subset(self, rows: Any) -> Lanes:
        """Some of the lanes."""
        return Lanes(self.trace, self.value, self.places[rows], self.numbers[rows])

    def stable_order(self) -> Places:
        """For each lane the order that a stable sort gives; NaNs come last."""
        return np.argsort(self.numbers, axis=1, kind="stable")

    def decide_order(self, order: Places, *, stable: bool = True) -> None:
        """Record what makes a sort give this order.

        A stable sort gives it as long as no neighbours swap. Any other method of sorting depends on which elements are
        equal, too.
        """
        if self.length < 2:
            return
        places, numbers = (np.take_along_axis(table, order, axis=1) for table in (self.places, self.numbers))
        nans = np.isnan(numbers)
        known = ~nans[:, 1:]
        left, right = places[:, :-1][known], places[:, 1:][known]
        tied = (numbers[:, :-1] == numbers[:, 1:])[known]
        decide_before(self.trace, self.value, left, right, right < left if stable else ~tied)
        if not stable:
            decide_before(self.trace, self.value, right[tied], left[tied], False)
        lone = nans.sum(axis=1, keepdims=True) == self.length - 1
        decide_nans(self.trace, self.value, places[nans | lone])

    def decide_ranks(self, order: Places, ranks: Places) -> None:
        """Record what makes a stable sort put the same elements at `ranks`; the others may be in any order.

        `order` holds no NaNs, but may leave out elements.
        """
        places = np.take_along_axis(self.places, order, axis=1)
        positions = np.arange(places.shape[1])
        lower = np.searchsorted(ranks, positions, "left") - 1
        upper = np.searchsorted(ranks, positions, "right")
        has_lower = lower >= 0
        has_upper = (upper < len(ranks)) & ~np.isin(positions, ranks)
        left = np.concatenate([ranks[lower[has_lower]], positions[has_upper]])
        right = np.concatenate([positions[has_lower], ranks[upper[has_upper]]])
        before, after = places[:, left].reshape(-1), places[:, right].reshape(-1)
        decide_before(self.trace, self.value, before, after, after < before)


def lanes_of(trace: Trace, a: Any, axis: Axes) -> tuple[Lanes, tuple[int, ...], tuple[int, ...]]:
    """An array (or a value) as lanes along `axis`; the axes that stay, and those that go."""
    value = in_vectors(trace, a if isinstance(a, Value) else as_value(trace, a))
    shape = value.shape
    gone = axes_of(axis, len(shape))
    stay = tuple(k for k in range(len(shape)) if k not in gone)
    lanes = prod(shape[k] for k in stay), prod(shape[k] for k in gone)
    numbers = peek(trace, value)
    if value.kind == "c" and np.isnan(numbers).any():
        raise trace.refusal("an order of complex numbers with NaN", "there is no rule for it", "leave out the NaNs")
    places = np.arange(value.size, dtype=np.int64).reshape(shape).transpose(stay + gone).reshape(lanes)
    return Lanes(trace, value, places, numbers.transpose(stay + gone).reshape(lanes)), stay, gone


def axes_of(axis: Axes, ndim: int) -> tuple[int, ...]:
    """The axes that go, in order; all of them for None."""
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, ndim)))


def by_first_equal(numbers: npt.NDArray[Any]) -> Callable[[Any], Places]:
    """For numbers that stand in a flat array, the place where each stands first."""
    distinct, first = np.unique(numbers, return_index=True)
    return lambda wanted: first[np.searchsorted(distinct, wanted)]
