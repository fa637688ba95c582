"""Sums that are cut into pieces: within their bound, in an order that depends on their length alone."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
import pytest

from emulated import recorded, rows_for, run_all_ways, same_bits
from gpu_sources import check_source
from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, Schedule, allocate, products
from kernels.cuda import Evaluation, Module, print_module
from kernels.cuda.cutting import ENOUGH, PIECE, SHORT
from kernels.cuda.operations import ADD, MULTIPLY
from kernels.executor import FloatArray

SEEDS = 2
BOXES = {"to a scalar": ((1000,), 1), "rows": ((3, 700), 1), "two axes": ((2, 30, 41), 2), "three": ((7, 9, 11), 3)}


def schedule_of(box: tuple[int, ...], reduced: int) -> Schedule:
    """Rows of sums of ``x_i x_0 + x_i``: every point reads its own number, and all of them the first one."""
    points, rows = prod(box), box[: len(box) - reduced]
    strides = tuple(prod(box[axis + 1 :]) for axis in range(len(box)))
    k, linear = KernelBuilder(2), KernelBuilder(2)
    value = k.build(k.apply(ADD, k.apply(MULTIPLY, 0, 1), 0))
    total = linear.apply(ADD, linear.apply(MULTIPLY, 0, 1), 0)
    slopes = linear.apply(ADD, 1, linear.literal(1.0)), 0
    loads = (Access(0, Affine(box, 0, strides)), Access(0, Affine(box, 0, (0,) * len(box))))
    store = Affine(rows, 0, tuple(prod(rows[axis + 1 :]) for axis in range(len(rows))))
    launch = Launch(value, linear.build(total, *slopes), box, loads, Access(1, store), (0, 1), reduced)
    return Schedule((points, prod(rows)), (0,), (launch,), 1)


def by_cpu(schedule: Schedule, variant: str, x: FloatArray, rows: list[FloatArray | None]) -> FloatArray:
    executor, buffers = NumbaExecutor(schedule), allocate(schedule)
    buffers[0][:] = x
    more: list[FloatArray] = []
    if variant == "partials":
        more = executor.partials(buffers)
    elif variant == "forward":
        executor.forward(buffers, rows, SEEDS)
    elif variant == "reverse":
        executor.reverse(buffers, rows, SEEDS)
    else:
        executor.values(buffers)
    more += [row for row in rows if row is not None] if variant in ("forward", "reverse") else []
    return np.concatenate([array.reshape(-1) for array in (*buffers, *more)])


def test_every_variant_of_long_sums_stays_within_the_bound() -> None:
    """Errors of either order are at most the number of terms of one sum, in units of the last place of all terms."""
    random = np.random.default_rng(1)
    evaluations, inputs, expected = {}, {}, {}
    for name, (box, reduced) in BOXES.items():
        schedule = schedule_of(box, reduced)
        x = random.uniform(0.5, 1.5, schedule.sizes[0])  # no terms cancel
        for variant in ("value", "partials", "forward", "reverse"):
            rows = [abs(row) if row is not None else None for row in rows_for(schedule, SEEDS, random)]
            key = f"{name} {variant}"
            evaluations[key] = recorded(schedule, variant, rows, SEEDS)
            given = [row.reshape(-1).copy() for row in rows if row is not None]
            inputs[key] = [x, *(given if variant in ("forward", "reverse") else [])]
            expected[key] = by_cpu(schedule, variant, x, rows)
    module = print_module(evaluations)
    assert "pieces" in module.source
    for key, outcome in run_all_ways(module, inputs).items():
        np.testing.assert_allclose(outcome.out, expected[key], rtol=2 * 2500 * 2.0**-53, err_msg=key)
    check_source(module.source, "sm_90")


def in_order(terms: FloatArray) -> float:
    total = 0.0
    for term in terms.tolist():
        total += term
    return total


def tree(terms: FloatArray, *, side_by_side: bool) -> float:
    """A long sum as it is documented: of pieces of 64 terms, or of terms that are as far apart as there are pieces."""
    if len(terms) <= SHORT:
        return in_order(terms)
    count = -(-len(terms) // PIECE)
    pieces = [terms[c::count] if side_by_side else terms[c * PIECE : (c + 1) * PIECE] for c in range(count)]
    return tree(np.array([in_order(piece) for piece in pieces]), side_by_side=side_by_side)


def ragged(lengths: list[int]) -> tuple[Module, FloatArray, list[FloatArray]]:
    """Sums of so many numbers each."""
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    x, out = np.random.default_rng(4).normal(size=int(indptr[-1])), np.empty(len(lengths))
    task = products.slot_sums_invocation(indptr, np.arange(len(x)), x, out)
    rows = [x[a:b].copy() for a, b in pairwise(indptr)]
    return print_module({"sums": Evaluation([task], [x], out)}), x.copy(), rows


def test_ranges_are_cut_into_pieces_of_neighbours() -> None:
    module, x, rows = ragged([3, 40_000, 0, SHORT + 1, 1])
    found = run_all_ways(module, {"sums": [x]})["sums"].out
    # One long range cuts all: the short ones are sums of at most one piece, or of several ones that are added in order.
    expected = [in_order(np.array([in_order(row[a : a + PIECE]) for a in range(0, len(row), PIECE)])) for row in rows]
    expected[1] = tree(rows[1], side_by_side=False)
    assert same_bits(found, expected)


def test_boxes_are_cut_into_pieces_that_lie_side_by_side() -> None:
    schedule = schedule_of((20_000,), 1)
    x = np.random.default_rng(3).normal(size=20_000)
    module = print_module({"sum": recorded(schedule, "value", [], 0)})
    found = run_all_ways(module, {"sum": [x]})["sum"].out
    assert found[-1] == tree(x * x[0] + x, side_by_side=True)


@pytest.mark.parametrize(("rows", "length"), [(1, SHORT), (ENOUGH, SHORT + 1)])
def test_what_is_short_or_keeps_a_device_busy_is_not_cut(rows: int, length: int) -> None:
    schedule = schedule_of((rows, length), 1)
    source = print_module({"sum": recorded(schedule, "value", [], 0)}).source
    assert "pieces" not in source
