"""Every variant of every hand-built launch, printed for a device and emulated, beside the CPU's compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulated import recorded, rows_for, run_all_ways, same_bits
from kernels import NumbaExecutor, Schedule
from kernels.cuda import print_module

CASE_NAMES = (
    "elementwise-0", "elementwise-1", "elementwise-7", "elementwise-131", "grid", "cube", "tables-32", "tables-64",
    "reduced-to-scalar", "reduced-1", "reduced-2", "reduced-3", "reduced-nothing", "reduced-no-rows", "ragged-32",
    "ragged-64", "ragged-empty", "ragged-no-rows", "many-loads", "chain",
)  # fmt: skip
VARIANTS = ("value", "partials", "forward", "reverse")
SEEDS = (1, 3)


def by_cpu(schedule: Schedule, variant: str, buffers: list[np.ndarray], rows: Any, seeds: int) -> np.ndarray:
    """All that a variant writes."""
    executor = NumbaExecutor(schedule)
    more: Any = [row for row in rows if row is not None]
    if variant == "value":
        executor.values(buffers)
        more = []
    elif variant == "partials":
        more = executor.partials(buffers)
    elif variant == "forward":
        executor.forward(buffers, rows, seeds)
    else:
        executor.reverse(buffers, rows, seeds)
    return np.concatenate([array.reshape(-1) for array in (*buffers, *more)])


@pytest.mark.parametrize("fuse", [True, False])
def test_every_variant_of_every_launch_gives_the_bits_of_the_cpu(cases: Any, fuse: bool) -> None:
    random = np.random.default_rng(8)
    evaluations, inputs, expected = {}, {}, {}
    for name in CASE_NAMES:
        case = cases(name)
        for variant, seeds in [(v, s) for v in VARIANTS for s in SEEDS if v in ("forward", "reverse") or s == 1]:
            key = f"{name} {variant} {seeds}"
            rows = rows_for(case.schedule, seeds, random)
            evaluations[key] = recorded(case.schedule, variant, rows, seeds)
            given = [row.reshape(-1).copy() for row in rows if row is not None]
            inputs[key] = [*case.inputs, *(given if variant in ("forward", "reverse") else [])]
            expected[key] = by_cpu(case.schedule, variant, case.buffers(), rows, seeds)
    module = print_module(evaluations, fuse=fuse)
    found = run_all_ways(module, inputs)
    for key, outcome in found.items():
        assert same_bits(outcome.out, expected[key]), key
