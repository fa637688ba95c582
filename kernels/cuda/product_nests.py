"""The gathers, sums and products of `kernels.products` as nests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Index
from kernels.cuda.arrays import Arrays
from kernels.cuda.nest import Nest, Result, Site, c_order, table_of
from kernels.cuda.operations import MULTIPLY, SUBTRACT
from kernels.evaluation import Invocation
from kernels.kernel import KernelBuilder
from kernels.lazy import load


def product(call: Invocation, arrays: Arrays) -> Nest:
    """What an invocation runs.

    Raises
    ------
    ValueError
        If it is none of `kernels.products`.
    """
    rule = _PRODUCTS.get(call.source.name)
    if rule is None:
        names = ", ".join(_PRODUCTS)
        raise ValueError(f"print_module: an invocation of {call.source.name}; expected a Task, or one of {names}")
    _, length, *given = call.arguments
    return rule(call.source.name, length, *given, arrays=arrays)


def _signed(slots: npt.NDArray[Any]) -> Index:
    """Tables are passed unsigned."""
    return slots.view(np.int32) if slots.dtype.itemsize == 4 else slots.view(np.int64)


def _copied(kind: str, length: int, source: Site, target: Site, *, adds: bool = False) -> Nest:
    return Nest(kind, KernelBuilder(1).build(0), (length,), (source,), (Result(target, 0, adds=adds),))


def _line(array: npt.NDArray[Any], arrays: Arrays, length: int) -> Site:
    return Site(arrays.view(array), c_order((length,)), "rows")


def _slots(array: npt.NDArray[Any], slots: Any, arrays: Arrays) -> Site:
    return Site(arrays.view(array), table_of(_signed(slots)))


def _subtract_along(kind: str, n: int, targets: Any, positions: Any, out: Any, *, arrays: Arrays) -> Nest:
    """In order; steps that share no place, directly or by others, run at the same time."""
    order, indptr = chains(_signed(targets)[:n], _signed(positions)[:n], len(out))
    k = KernelBuilder(2)
    loads = tuple(_slots(out, slots[:n][order], arrays) for slots in (targets, positions))
    kernel = k.build(k.apply(SUBTRACT, 0, 1))
    return Nest(kind, kernel, (len(indptr) - 1,), loads, (Result(loads[0], 0),), indptr=indptr, chained=True)


def chains(targets: Index, positions: Index, size: int) -> tuple[Index, Index]:
    """Steps sorted by what they are connected with, each group in the order given; and where each group begins.

    Parameters
    ----------
    targets, positions : array of int
        The two places of each step.
    size : int
        Number of places.

    Examples
    --------
    >>> order, indptr = chains(np.array([0, 4, 1]), np.array([1, 3, 2]), 5)
    >>> order.tolist(), indptr.tolist()
    ([0, 2, 1], [0, 2, 3])
    """
    edges = load("scipy.sparse").coo_array((np.ones(len(targets)), (targets, positions)), shape=(size, size))
    _, groups = load("scipy.sparse.csgraph").connected_components(edges, directed=False)
    group = groups[targets]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return order, np.append(starts, len(order))


def _gather(kind: str, n: int, slots: Any, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    return _copied(kind, n, _slots(source, slots, arrays), _line(out, arrays, n))


def _copy_runs(kind: str, n: int, indptr: Any, slots: Any, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    bounds, firsts = _signed(indptr)[: n + 1], _signed(slots)[:n]
    lengths = np.diff(bounds)
    places = np.arange(bounds[0], bounds[-1], dtype=bounds.dtype) + np.repeat(firsts - bounds[:-1], lengths)
    return _gather("gather", len(places), places, source, out, arrays=arrays)


def _place(kind: str, n: int, positions: Any, slots: Any, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    target = replace(_slots(out, positions, arrays), over="rows")
    return _copied(kind, n, _slots(source, slots, arrays), target)


def _copy(kind: str, n: int, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    return _copied(kind, n, replace(_line(source, arrays, n), over="points"), _line(out, arrays, n))


def _add_at(kind: str, n: int, positions: Any, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    target = replace(_slots(out, positions, arrays), over="rows")
    return _copied(kind, n, _slots(source, positions, arrays), target, adds=True)


def _zero(kind: str, n: int, out: Any, *, arrays: Arrays) -> Nest:
    k = KernelBuilder(0)
    return Nest(kind, k.build(k.literal(0.0)), (n,), (), (Result(_line(out, arrays, n), 0),))


def _slot_sums(kind: str, n: int, indptr: Any, slots: Any, source: Any, out: Any, *, arrays: Arrays) -> Nest:
    nest = _copied(kind, n, _slots(source, slots, arrays), _line(out, arrays, n))
    return replace(nest, indptr=_signed(indptr)[: n + 1])


def _pair_products(kind: str, n: int, left: Any, right: Any, a: Any, b: Any, out: Any, *, arrays: Arrays) -> Nest:
    k = KernelBuilder(2)
    loads = (_slots(a, left, arrays), _slots(b, right, arrays))
    return Nest(kind, k.build(k.apply(MULTIPLY, 0, 1)), (n,), loads, (Result(_line(out, arrays, n), 0),))


def _pair_sums(
    kind: str, n: int, indptr: Any, left: Any, right: Any, a: Any, b: Any, out: Any, *, arrays: Arrays
) -> Nest:
    return replace(_pair_products(kind, n, left, right, a, b, out, arrays=arrays), indptr=_signed(indptr)[: n + 1])


_PRODUCTS: dict[str, Callable[..., Nest]] = {
    "gather": _gather,
    "copy_runs": _copy_runs,
    "place": _place,
    "copy": _copy,
    "add_at": _add_at,
    "zero": _zero,
    "slot_sums": _slot_sums,
    "pair_sums": _pair_sums,
    "pair_products": _pair_products,
    "subtract_along": _subtract_along,
}
