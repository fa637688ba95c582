"""Random schedules, and those of whole functions, printed for a device and emulated: the bits of the CPU's code."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emulated import recorded, rows_for, run_all_ways, same_bits
from kernels import NumbaExecutor, Schedule, allocate
from kernels.cuda import Module, print_module
from kernels.executor import Rows
from schedules import schedules

VARIANTS = ("value", "partials", "forward", "reverse")
SEEDS = 3


def by_cpu(schedule: Schedule, variant: str, inputs: list[np.ndarray], rows: Rows) -> np.ndarray:
    """All that a variant writes."""
    executor, buffers = NumbaExecutor(schedule), allocate(schedule)
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        buffers[buffer][:] = array
    given = [row for row in rows if row is not None]
    if variant == "value":
        executor.values(buffers)
    elif variant == "partials":
        return np.concatenate([a.reshape(-1) for a in (*buffers, *executor.partials(buffers))])
    elif variant == "forward":
        executor.forward(buffers, rows, SEEDS)
    else:
        executor.reverse(buffers, rows, SEEDS)
    return np.concatenate([a.reshape(-1) for a in (*buffers, *([] if variant == "value" else given))])


def compare(made: dict[str, tuple[Schedule, list[np.ndarray]]], *, fuse: bool = True) -> Module:
    """All variants of some schedules, in one source."""
    evaluations, inputs, expected = {}, {}, {}
    for name, (schedule, numbers) in made.items():
        for variant in VARIANTS:
            key = f"{name} {variant}"
            rows = rows_for(schedule, SEEDS, np.random.default_rng(5))
            evaluations[key] = recorded(schedule, variant, rows, SEEDS)
            extra = [row.reshape(-1).copy() for row in rows if row is not None]
            inputs[key] = [*numbers, *(extra if variant in ("forward", "reverse") else [])]
            expected[key] = by_cpu(schedule, variant, numbers, rows)
    module = print_module(evaluations, fuse=fuse)
    for key, outcome in run_all_ways(module, inputs).items():
        assert same_bits(outcome.out, expected[key]), key
    return module


@settings(max_examples=2)
@given(st.lists(schedules(), min_size=8, max_size=8), st.booleans())
def test_random_schedules(made: list[Schedule], fuse: bool) -> None:
    random = np.random.default_rng(9)
    filled = {str(k): (s, [random.normal(size=s.sizes[b]) for b in s.inputs]) for k, s in enumerate(made)}
    compare(filled, fuse=fuse)
