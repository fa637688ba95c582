"""Recorded tasks as nests: variants of launches, sweeps, products, sums that are long, places that are met twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.cuda.arrays import Arrays
from kernels.cuda.cutting import cut_sums
from kernels.cuda.nest import Nest, Result, Site, View, c_order, distinct, interleaved, overlap, places_of, table_of
from kernels.cuda.operations import ADD, MULTIPLY
from kernels.cuda.product_nests import product
from kernels.cuda.recorder import Task
from kernels.evaluation import Invocation
from kernels.executor import rows_of
from kernels.kernel import Kernel, KernelBuilder
from kernels.step import Launch
from kernels.sweep import Sweep


def nests(task: Task | Invocation, arrays: Arrays) -> list[Nest]:
    """What a task runs, in order.

    Raises
    ------
    ValueError
        If an invocation is none of `kernels.products`, or a step reads or stores outside its arrays.
    """
    if isinstance(task, Invocation):
        found = [product(task, arrays)]
    elif isinstance(task.step, Sweep):
        found = _sweep(task, task.step, arrays)
    else:
        found = _LAUNCHES[task.variant](task, task.step, arrays)
    cut = [part for nest in found if nest.threads for part in cut_sums(nest, arrays)]
    for nest in cut:
        _check(nest, arrays)
    return cut


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
    places = interleaved([site.address for site, _ in targets])
    slots = interleaved([term.address for _, term in targets])
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
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


_LAUNCHES: dict[str, Callable[[Task, Launch, Arrays], list[Nest]]] = {
    "value": _value,
    "partials": _partials,
    "forward": _forward,
    "reverse": _reverse,
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
