"""Recorded tasks as nests: variants of launches, sweeps, products, sums that are long, places that are met twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table
from kernels.cuda.arrays import Arrays
from kernels.cuda.nest import Nest, Result, Site, View, c_order, distinct, overlap, places_of, table_of
from kernels.cuda.recorder import Task
from kernels.entry import Invocation
from kernels.executor import rows_of
from kernels.kernel import Kernel, KernelBuilder
from kernels.lazy import load
from kernels.operation import Operation
from kernels.step import Launch
from kernels.sweep import Sweep

ADD = Operation("add", 2, np.add, "{0} + {1}")
SUBTRACT = Operation("subtract", 2, np.subtract, "{0} - {1}")
MULTIPLY = Operation("multiply", 2, np.multiply, "{0} * {1}")
SHORT = 256
"""Longer sums are cut into pieces where there are few of them: their terms are then added in another order than on the
CPU."""
PIECE = 64
"""Terms of a piece."""
ENOUGH = 1 << 15
"""Sums that keep a device busy."""


def nests(task: Task | Invocation, arrays: Arrays) -> list[Nest]:
    """What a task runs, in order.

    Raises
    ------
    ValueError
        If an invocation is none of `kernels.products`, or a step reads or stores outside its arrays.
    """
    if isinstance(task, Invocation):
        found = _product(task, arrays)
    elif isinstance(task.step, Sweep):
        found = _sweep(task, task.step, arrays)
    else:
        found = _LAUNCHES[task.variant](task, task.step, arrays)
    cut = [part for nest in found if nest.threads for part in cut_sums(nest, arrays)]
    for nest in cut:
        _check(nest, arrays)
    return cut


def cut_sums(nest: Nest, arrays: Arrays) -> list[Nest]:
    """Sums of many terms as sums of sums, if there are too few for a device; what is summed does not depend on it."""
    if not nest.summing or nest.threads >= ENOUGH or nest.longest <= SHORT:
        return [nest]
    inner, outer = (_cut_box if nest.indptr is None else _cut_ragged)(nest, arrays)
    return [inner, *cut_sums(outer, arrays)]


def _cut_box(nest: Nest, arrays: Arrays) -> tuple[Nest, Nest]:
    """Neighbouring pieces sum neighbouring points, so that loads of neighbouring threads are next to each other."""
    pieces = -(-nest.longest // PIECE)
    box = (*nest.rows, pieces)
    parts = [_part(result, c_order(box), "pieces", nest, arrays) for result in nest.results]
    inner = replace(nest, pieces=pieces, results=tuple(parts))
    loads = tuple(replace(part.site, over="points") for part in parts)
    return inner, _outer(nest, loads, sums=(pieces,))


def _cut_ragged(nest: Nest, arrays: Arrays) -> tuple[Nest, Nest]:
    """Pieces are ranges of points."""
    assert nest.indptr is not None
    bounds = np.asarray(nest.indptr, dtype=np.int64)
    counts = -(-np.diff(bounds) // PIECE)
    outer = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.arange(len(counts)), counts)
    starts = bounds[row] + PIECE * (np.arange(outer[-1]) - outer[row])
    rows = (int(outer[-1]),)
    parts = [_part(result, c_order(rows), "rows", nest, arrays) for result in nest.results]
    inner = replace(nest, rows=rows, indptr=np.append(starts, bounds[-1]), results=tuple(parts))
    return inner, _outer(nest, tuple(replace(part.site, over="points") for part in parts), indptr=outer)


def _part(result: Result, address: Affine, over: Any, nest: Nest, arrays: Arrays) -> Result:
    """A result that goes to scratch memory first."""
    seeds = 0 if result.once else nest.seeds
    view = arrays.scratch(address.points * max(seeds, 1))
    return Result(Site(view, address, over, seeds), result.output, adds=False, once=result.once)


def _outer(nest: Nest, loads: tuple[Site, ...], sums: tuple[int, ...] = (), indptr: Index | None = None) -> Nest:
    kernel = KernelBuilder(len(loads)).build(*range(len(loads)))
    results = tuple(replace(result, output=k) for k, result in enumerate(nest.results))
    return Nest("sums", kernel, nest.rows, loads, results, sums, indptr, 0, nest.seeds)


def _value(task: Task, launch: Launch, arrays: Arrays) -> list[Nest]:
    return [_rows(task, launch, launch.kernel, arrays)]


def _rows(task: Task, launch: Launch, kernel: Kernel, arrays: Arrays) -> Nest:
    """The values of a launch: output 0 of the kernel."""
    result = Result(_store(task, launch, arrays), 0)
    loads = _loads(task, launch, arrays)
    sums = () if launch.indptr is not None else launch.box[len(launch.box) - launch.reduced :]
    return Nest("value", kernel, launch.row_box, loads, (result,), sums, launch.indptr)


def _loads(task: Task, launch: Launch | Sweep, arrays: Arrays) -> tuple[Site, ...]:
    return tuple(Site(arrays.view(task.buffers[a.buffer]), a.address) for a in launch.loads)


def _store(task: Task, launch: Launch, arrays: Arrays) -> Site:
    return Site(arrays.view(task.buffers[launch.store.buffer]), launch.store.address, "rows")


def _partials(task: Task, launch: Launch, arrays: Arrays) -> list[Nest]:
    """With sums, values and partials are told apart: there are as many partials as points."""
    assert task.partials is not None
    values = replace(_rows(task, launch, launch.linearized, arrays), kind="partials")
    stores = _partial_stores(launch, arrays.view(task.partials))
    if not values.summing:
        return [replace(values, results=(*values.results, *stores))]
    return [values, _points(launch, values).with_results("partials", *stores)]


def _partial_stores(launch: Launch, view: View) -> list[Result]:
    count = len(launch.active)
    return [Result(Site(view, c_order(launch.box, k, count), "rows"), 1 + k) for k in range(count)]


def _points(launch: Launch, nest: Nest) -> Nest:
    """All points of a launch side by side."""
    return replace(nest, rows=launch.box, sums=(), indptr=None, results=())


def _forward(task: Task, launch: Launch, arrays: Arrays) -> list[Nest]:
    seeds, values = task.seeds, _rows(task, launch, launch.linearized, arrays)
    k = KernelBuilder(launch.linearized.loads + len(launch.active))
    numbers = k.replay(launch.linearized, range(launch.linearized.loads))
    outputs = [numbers[o] for o in launch.linearized.outputs]
    terms = [k.apply(MULTIPLY, p, launch.linearized.loads + t) for t, p in enumerate(outputs[1:])]
    total = terms[0]
    for term in terms[1:]:
        total = k.apply(ADD, total, term)
    loads = tuple(_seeded(task, launch.loads[a].buffer, values.loads[a], arrays) for a in launch.active)
    stored = Result(_seeded(task, launch.store.buffer, values.results[0].site, arrays), 1)
    results = (replace(values.results[0], once=True), stored)
    kernel = k.build(outputs[0], total)
    return [replace(values, kind="forward", kernel=kernel, loads=values.loads + loads, results=results, seeds=seeds)]


def _seeded(task: Task, buffer: int, site: Site, arrays: Arrays) -> Site:
    """The tangents or adjoints at the same places."""
    return replace(site, view=arrays.view(rows_of(task.rows, buffer)), seeds=task.seeds)


def _reverse(task: Task, launch: Launch, arrays: Arrays) -> list[Nest]:
    """Each point adds to the adjoints of its loads; where they meet, each place sums what all points have for it."""
    values = _rows(task, launch, launch.linearized, arrays)
    adjoint = replace(
        _seeded(task, launch.store.buffer, _spread(launch, values.results[0].site), arrays), over="points"
    )
    targets = [_seeded(task, launch.loads[a].buffer, values.loads[a], arrays) for a in launch.active]
    points = _points(launch, values)
    if _all_distinct(targets):
        return [_pulled(points, targets, adjoint, task.seeds)]
    partials = arrays.scratch(launch.points * len(launch.active))
    stores = _partial_stores(launch, partials)
    weights = [replace(store.site, over="points") for store in stores]
    found = [points.with_results("partials", *stores)]
    for group in _by_view(targets):
        chosen = [(targets[t], weights[t]) for t in group]
        found += _segments(chosen, adjoint, task.seeds, arrays)
    return found


def _pulled(points: Nest, targets: Sequence[Site], adjoint: Site, seeds: int) -> Nest:
    kernel = points.kernel
    k = KernelBuilder(kernel.loads + 1)
    numbers = k.replay(kernel, range(kernel.loads))
    terms = [k.apply(MULTIPLY, numbers[o], kernel.loads) for o in kernel.outputs[1:]]
    results = tuple(Result(replace(site, over="rows"), t, adds=True) for t, site in enumerate(targets))
    loads = (*points.loads, adjoint)
    return replace(points, kind="reverse", kernel=k.build(*terms), loads=loads, results=results, seeds=seeds)


def _spread(launch: Launch, store: Site) -> Site:
    """The place of the row of each point."""
    address = store.address
    if launch.indptr is None and isinstance(address, Affine):
        spread: Address = Affine(launch.box, address.offset, address.strides + (0,) * launch.reduced)
    else:
        spread = Table(launch.box, places_of(address)[launch.row_of_point])
    return replace(store, address=spread)


def _segments(targets: Sequence[tuple[Site, Site]], adjoint: Site | None, seeds: int, arrays: Arrays) -> list[Nest]:
    """Sums at each place of what points have for it, point after point, at each point target after target.

    Parameters
    ----------
    targets : sequence of (Site, Site)
        Where to add, all in one view, and what; both over points.
    adjoint : Site, optional
        A factor for each point and seed.
    seeds : int
    arrays : Arrays
    """
    places = np.stack([places_of(site.address) for site, _ in targets], axis=-1).reshape(-1)
    slots = np.stack([places_of(term.address) for _, term in targets], axis=-1).reshape(-1)
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    indptr = np.append(starts, len(order))
    loads = [Site(targets[0][1].view, table_of(slots[order]))]
    k = KernelBuilder(1 if adjoint is None else 2)
    output = 0
    if adjoint is not None:
        row = np.repeat(places_of(adjoint.address), len(targets))[order]
        loads.append(replace(adjoint, address=table_of(row)))
        output = k.apply(MULTIPLY, 0, 1)
    site = replace(targets[0][0], address=table_of(ordered[starts]), over="rows")
    rows = (len(starts),)
    return [Nest("added", k.build(output), rows, tuple(loads), (Result(site, 0, adds=True),), (), indptr, 0, seeds)]


def _by_view(sites: Sequence[Site]) -> list[list[int]]:
    """Numbers of the sites of each view."""
    found: dict[View, list[int]] = {}
    for number, site in enumerate(sites):
        found.setdefault(site.view, []).append(number)
    return list(found.values())


def _all_distinct(sites: Sequence[Site]) -> bool:
    """Whether no place comes twice in all of them together."""
    for group in _by_view(sites):
        if not all(distinct(sites[k].address) for k in group):
            return False
        if any(overlap(sites[k], sites[m]) for k in group for m in group if k < m):
            return False
    return True


def _sweep(task: Task, sweep: Sweep, arrays: Arrays) -> list[Nest]:
    """Results that are stored, then those that are added."""
    sites = [Site(arrays.view(task.buffers[s.access.buffer]), s.access.address, "rows") for s in sweep.stores]
    nest = Nest("sweep", sweep.kernel, sweep.box, _loads(task, sweep, arrays), ())
    stored = [Result(site, k) for k, site in enumerate(sites) if not sweep.stores[k].adds]
    added = [Result(site, k, adds=True) for k, site in enumerate(sites) if sweep.stores[k].adds]
    if _all_distinct([result.site for result in added]):
        meet = any(a.site.view == b.site.view and overlap(a.site, b.site) for a in added for b in stored)
        parts = [stored, added] if meet else [[*stored, *added]]
        return [nest.with_results("sweep", *part) for part in parts if part]
    scratch = arrays.scratch(sweep.points * len(added))
    terms = [Site(scratch, c_order(sweep.box, k, len(added)), "rows") for k in range(len(added))]
    kept = [Result(term, result.output) for term, result in zip(terms, added, strict=True)]
    found = [nest.with_results("sweep", *stored, *kept)]
    for group in _by_view([result.site for result in added]):
        found += _segments([(added[k].site, terms[k]) for k in group], None, 0, arrays)
    return found


def _product(call: Invocation, arrays: Arrays) -> list[Nest]:
    rule = _PRODUCTS.get(call.source.name)
    if rule is None:
        names = ", ".join(_PRODUCTS)
        raise ValueError(f"print_module: an invocation of {call.source.name}; expected a Task, or one of {names}")
    _, length, *given = call.arguments
    return [rule(call.source.name, length, *given, arrays=arrays)]


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


_LAUNCHES: dict[str, Callable[[Task, Launch, Arrays], list[Nest]]] = {
    "value": _value,
    "partials": _partials,
    "forward": _forward,
    "reverse": _reverse,
}
_PRODUCTS: dict[str, Callable[..., Nest]] = {
    "gather": _gather,
    "place": _place,
    "copy": _copy,
    "add_at": _add_at,
    "zero": _zero,
    "slot_sums": _slot_sums,
    "pair_sums": _pair_sums,
    "pair_products": _pair_products,
    "subtract_along": _subtract_along,
}


def _check(nest: Nest, arrays: Arrays) -> None:
    """Devices test no index; and what one thread stores, no other thread of the same launch may read."""
    for site in (*nest.loads, *(result.site for result in nest.results)):
        low, high = site.reach()
        if low < high and not (site.view.offset <= low and high <= site.view.offset + site.view.size):
            raise ValueError(f"print_module: places {low} ... {high - 1} of a buffer whose size is {site.view.size}")
    for result in () if nest.chained else nest.results:
        for read in nest.needed:
            if read.view.buffer == result.site.view.buffer and overlap(read, result.site):
                name = arrays.buffers[read.view.buffer].name
                raise ValueError(f"print_module: a step reads places of {name} to which it stores")
