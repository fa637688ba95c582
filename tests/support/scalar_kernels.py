"""Random scalar kernels, and their derivatives by complex step: an evaluation that knows nothing of partials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import Kernel, KernelBuilder
from kernels.interpreter import Interpreter
from sparsejac.primitives import PRIMITIVES

Array = NDArray[np.float64]
LARGEST = 200.0

# On complex numbers; choices are made by the real part.
ANALYTIC: dict[str, Callable[..., Any]] = {
    "select": lambda c, a, b: a if c.real != 0.0 else b,
    "greater": lambda a, b: complex(a.real > b.real),
    "maximum": lambda a, b: a if a.real > b.real else b,
    "minimum": lambda a, b: a if a.real < b.real else b,
    "absolute": lambda a: a if a.real > 0 else -a,
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    "logical_not": lambda a: complex(a.real == 0.0),
}
UNARY = ("sin", "cos", "tanh", "arctan", "negative", "square", "absolute", "sqrt", "log", "reciprocal", "exp")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "hypot")
KINDS = ("unary", "binary", "guard", "literal", "same")
GUARDED = ("sqrt", "log")


def apply(builder: KernelBuilder, name: str, *operands: int) -> int:
    """Append a primitive."""
    return builder.apply(PRIMITIVES[name].operation, *operands)


@st.composite
def scalar_kernels(draw: st.DrawFn) -> Kernel:
    """A kernel of 1 to 4 loads: shared sub-expressions, equal operands, nested selects with poles on the dead side."""
    loads = draw(st.integers(1, 4))
    builder = KernelBuilder(loads)
    values = list(range(loads))

    def pick() -> int:
        return values[draw(st.integers(0, len(values) - 1))]

    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=14)):
        if kind == "literal":
            made = builder.literal(draw(st.sampled_from((0.0, 1.0, -1.0, 0.7, 2.0))))
        elif kind == "unary":
            made = apply(builder, draw(st.sampled_from(UNARY)), pick())
        elif kind == "binary":
            made = apply(builder, draw(st.sampled_from(BINARY)), pick(), pick())
        elif kind == "same":
            operand = pick()
            made = apply(builder, draw(st.sampled_from(BINARY)), operand, operand)
        else:
            # f(u) where u > v, else w: what guards f against its pole may itself be guarded.
            u = pick()
            condition = apply(builder, "greater", u, builder.literal(draw(st.sampled_from((0.0, 0.3)))))
            inner = apply(builder, draw(st.sampled_from(GUARDED)), u)
            if draw(st.booleans()):
                inner = apply(builder, "multiply", inner, pick())
            branches = (inner, pick())
            if draw(st.booleans()):
                condition, branches = apply(builder, "logical_not", condition), branches[::-1]
            made = apply(builder, "select", condition, *branches)
        values.append(made)
    return builder.build(values[-1])


def evaluate(kernel: Kernel, loads: list[complex]) -> list[complex]:
    """All values of a kernel at a complex point, one by one."""
    values: list[Any] = [np.complex128(load) for load in loads]
    with np.errstate(all="ignore"):
        for i in kernel.instructions:
            if i.operation is None:
                values.append(np.complex128(i.literal))
            else:
                function = ANALYTIC.get(i.operation.name, i.operation.evaluate)
                values.append(np.complex128(function(*(values[o] for o in i.operands))))
    return values


def gradient(kernel: Kernel, point: Array, step: float = 1e-30) -> Array:
    """The partial derivatives of the first output by complex step."""
    found = []
    for k in range(kernel.loads):
        moved = [complex(v, step if j == k else 0.0) for j, v in enumerate(point)]
        found.append(evaluate(kernel, moved)[kernel.outputs[0]].imag / step)
    return np.array(found)


def reached(kernel: Kernel, point: Array) -> set[int]:
    """The values that the output depends on at this point: dead branches of selects left out."""
    values = evaluate(kernel, [complex(v) for v in point])
    found, stack = set(), [kernel.outputs[0]]
    while stack:
        value = stack.pop()
        if value in found:
            continue
        found.add(value)
        if value < kernel.loads:
            continue
        made = kernel.instructions[value - kernel.loads]
        if made.operation is not None and made.operation.name == "select":
            condition, chosen, other = made.operands
            stack += [condition, chosen if values[condition].real != 0.0 else other]
        else:
            stack += made.operands
    return found


def is_regular(kernel: Kernel, point: Array) -> bool:
    """Whether everything that the output needs is tame here, and no choice is near its edge."""
    values = evaluate(kernel, [complex(v) for v in point])
    for value in reached(kernel, point):
        if not np.isfinite(values[value]) or abs(values[value]) > LARGEST or abs(values[value].imag) > 1e-12:
            return False
        if value >= kernel.loads and not _is_tame(kernel, value, values):
            return False
    return True


def _is_tame(kernel: Kernel, value: int, values: list[complex]) -> bool:
    made = kernel.instructions[value - kernel.loads]
    operands = [values[o].real for o in made.operands]
    name = "" if made.operation is None else made.operation.name
    if name in ("sqrt", "log", "absolute", "reciprocal"):
        return abs(operands[0]) > 1e-2
    if name == "divide":
        return abs(operands[1]) > 1e-2
    if name in ("maximum", "minimum", "greater"):
        return made.operands[0] == made.operands[1] or abs(operands[0] - operands[1]) > 1e-6
    return name != "hypot" or max(map(abs, operands)) > 1e-2


def partials_at(linearized: Kernel, point: Array) -> tuple[float, Array]:
    """The value and the partials that a linearized kernel gives at one point."""
    with np.errstate(all="ignore"):
        value, *partials = Interpreter(linearized)([np.asarray(v) for v in point])
    return float(value), np.array([float(p) for p in partials])
