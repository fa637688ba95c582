"""Kernels in the order of use: the same numbers, each computed right before it is needed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import Kernel, KernelBuilder
from kernels.interpreter import Interpreter
from kernels.kernel import in_order_of_use
from kernels.operation import Operation

OPERATIONS = (
    Operation("add", 2, np.add, "{0} + {1}"),
    Operation("multiply", 2, np.multiply, "{0} * {1}"),
    Operation("negative", 1, np.negative, "-{0}"),
)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    """Expressions that share parts, with several outputs: loads, literals and one value twice among them."""
    loads = draw(st.integers(0, 3))
    builder = KernelBuilder(loads)
    values = [*range(loads), builder.literal(draw(st.sampled_from([0.5, -3.0])))]
    for _ in range(draw(st.integers(0, 25))):
        operation = draw(st.sampled_from(OPERATIONS))
        values.append(builder.apply(operation, *(draw(st.sampled_from(values)) for _ in range(operation.arity))))
    return builder.build(*draw(st.lists(st.sampled_from(values), min_size=1, max_size=4)))


def cone(kernel: Kernel, value: int) -> set[int]:
    """The instructions that a value hangs on, its own among them."""
    found, left = set[int](), {value}
    while left:
        one = left.pop()
        if one >= kernel.loads and one not in found:
            found.add(one)
            left.update(kernel.instructions[one - kernel.loads].operands)
    return found


@given(kernels())
def test_numbers_and_amount_of_work_stay(kernel: Kernel) -> None:
    ordered = in_order_of_use(kernel)
    loads = [np.array([0.3, -1.7]) + k for k in range(kernel.loads)]
    for one, other in zip(Interpreter(kernel)(loads), Interpreter(ordered)(loads), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(ordered.instructions) == len(kernel.instructions)
    assert ordered.loads == kernel.loads


@given(kernels())
def test_operands_stand_before_and_the_last_output_first(kernel: Kernel) -> None:
    ordered = in_order_of_use(kernel)
    for t, instruction in enumerate(ordered.instructions):
        assert all(operand < ordered.loads + t for operand in instruction.operands)
    needed = cone(ordered, ordered.outputs[-1])
    assert needed == set(range(ordered.loads, ordered.loads + len(needed)))


def test_a_value_stands_beside_its_derivative() -> None:
    add, multiply, _ = OPERATIONS
    builder = KernelBuilder(2)  # x, y: (x + x) (y + y) first, then the square of each half
    first, second = builder.apply(add, 0, 0), builder.apply(add, 1, 1)
    value = builder.apply(multiply, first, second)
    squares = builder.apply(multiply, first, first), builder.apply(multiply, second, second)
    kernel = in_order_of_use(builder.build(value, builder.apply(add, *squares)))
    names = [(i.operation.name if i.operation else "", i.operands) for i in kernel.instructions]
    assert names == [
        ("add", (1, 1)),
        ("multiply", (2, 2)),
        ("add", (0, 0)),
        ("multiply", (4, 4)),
        ("add", (5, 3)),
        ("multiply", (4, 2)),
    ]
    assert kernel.outputs == (7, 6)


def test_long_expressions_need_no_deep_stack() -> None:
    builder, value = KernelBuilder(1), 0
    for _ in range(5_000):
        value = builder.apply(OPERATIONS[0], value, 0)
    kernel = builder.build(0, value)
    assert in_order_of_use(kernel) == kernel
