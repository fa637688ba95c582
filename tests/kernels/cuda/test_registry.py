"""Every primitive, printed for a device: compiled for GPUs, and emulated, where it gives the bits of the CPU's code."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from elementary_oracle import BINARY, points
from emulated import Outcome, needs_fma, recorded, run_all_ways, same_bits
from gpu_sources import check_source
from kernels import Access, Affine, Kernel, KernelBuilder, Launch, NumbaExecutor, Operation, Schedule, allocate
from kernels.cuda import Module, print_module
from kernels.cuda.elementary import definitions
from kernels.elementary.functions import FUNCTIONS, ROUNDINGS
from primitive_points import regular_points, special_points, tail_points
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.partials import differentiable_loads, linearized

Array = np.ndarray
EXACT = {"fma", "sqrt", "rint"}
"""What every device rounds in the same way."""


def kernel_of(operation: Operation) -> Kernel:
    k = KernelBuilder(operation.arity)
    return k.build(k.apply(operation, *range(operation.arity)))


def schedule_of(kernel: Kernel, linear: Kernel, active: tuple[int, ...], length: int) -> Schedule:
    """A kernel at each point of its operands, which lie one behind the other in x."""
    loads = tuple(Access(0, Affine((length,), t * length, (1,))) for t in range(kernel.loads))
    launch = Launch(kernel, linear, (length,), loads, Access(1, Affine((length,), 0, (1,))), active)
    return Schedule((kernel.loads * length, length), (0,), (launch,), 1)


@cache
def operands(name: str) -> Array:
    """Operands of a primitive, one behind the other: special, regular, close to zero and far out."""
    arity = PRIMITIVES[name].operation.arity
    tails = tail_points(name)
    some = slice(None, None, 1 + len(tails[0]) // 2000)
    sets = [special_points()[:arity], regular_points(name), tuple(tail[some] for tail in tails)]
    return np.concatenate([np.concatenate([np.asarray(s[t], np.float64) for s in sets]) for t in range(arity)])


def registered(name: str) -> Schedule:
    kernel = kernel_of(PRIMITIVES[name].operation)
    active = tuple(sorted(differentiable_loads(kernel)))
    length = len(operands(name)) // kernel.loads
    return schedule_of(kernel, linearized(kernel, active), active, length)


def elementary(name: str) -> tuple[Schedule, Array]:
    arity = 2 if name in BINARY else 1
    code = f"elementary.{name}({', '.join(f'{{{t}}}' for t in range(arity))})"
    kernel = kernel_of(Operation(f"elementary-{name}", arity, np.positive, code))
    if name in ROUNDINGS:
        x = np.concatenate([[0.0, -0.0, np.inf, np.nan, 65520.0, 6e-8], np.random.default_rng(2).normal(size=2000)])
        return schedule_of(kernel, kernel, (), len(x)), x
    both = np.concatenate(
        [np.concatenate([p, [0.0, -0.0, np.inf, -np.inf, np.nan, 1e300]]) for p in points(name, 2000)]
    )
    x = both if arity == 2 else both[: len(both) // 2]
    return schedule_of(kernel, kernel, (), len(x) // arity), x


def by_cpu(schedule: Schedule, x: Array) -> Array:
    buffers = allocate(schedule)
    buffers[0][:] = x
    partials = NumbaExecutor(schedule).partials(buffers)
    return np.concatenate([*buffers, *(p.reshape(-1) for p in partials)])


@cache
def printed() -> tuple[Module, dict[str, Array], dict[str, Schedule]]:
    """All primitives and all elementary functions in one source."""
    schedules = {name: registered(name) for name in PRIMITIVES}
    inputs = {name: operands(name) for name in PRIMITIVES}
    for name in FUNCTIONS | ROUNDINGS:
        schedules[f"elementary.{name}"], inputs[f"elementary.{name}"] = elementary(name)
    evaluations = {name: recorded(schedule, "partials", [], 0) for name, schedule in schedules.items()}
    return print_module(evaluations), inputs, schedules


@cache
def outcomes() -> dict[str, Outcome]:
    module, inputs, _ = printed()
    return run_all_ways(module, {name: [x] for name, x in inputs.items()})


@pytest.mark.parametrize("name", [*PRIMITIVES, *(f"elementary.{name}" for name in FUNCTIONS | ROUNDINGS)])
def test_values_and_partials_have_the_bits_of_the_cpu(name: str) -> None:
    needs_fma()
    _, inputs, schedules = printed()
    assert same_bits(outcomes()[name].out, by_cpu(schedules[name], inputs[name]))


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_all_of_it_compiles_for_gpus_without_a_warning_and_without_spills(architecture: str) -> None:
    check_source(printed()[0].source, architecture)


@pytest.mark.parametrize("name", list(FUNCTIONS | ROUNDINGS))
def test_elementary_functions_call_no_library(name: str) -> None:
    text = "".join(definitions(name).values())
    called = set(re.findall(r"\b([a-z]\w*)(?:<\d+>)?\(", text)) - {"if", "return"}
    assert {c for c in called if not c.startswith(("sparsejac_", "wide_"))} <= EXACT
    assert "return" in text
