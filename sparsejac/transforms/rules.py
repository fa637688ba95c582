"""Partial derivatives of primitives as nodes: the rules of the registry, written out over a box."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kernels.address import Affine
from kernels.kernel import Kernel, KernelBuilder
from sparsejac.primitives import PRIMITIVES, Primitive, Term
from sparsejac.programs.program import Load
from sparsejac.transforms.builder import Box, Builder


def multiplicities(primitive: Primitive, loads: Sequence[Load]) -> list[int]:
    """How often the partial by each operand counts: equal operands of a symmetric primitive merge into the first."""
    if _are_equal(primitive, loads):
        return [1] + [0] * (len(loads) - 1)
    counts = [1] * len(loads)
    for group in primitive.operation.symmetries:
        for position, k in enumerate(group):
            first = next(j for j in group[: position + 1] if loads[j].key == loads[k].key)
            if first != k:
                counts[first] += 1
                counts[k] = 0
    return counts


def _are_equal(primitive: Primitive, loads: Sequence[Load]) -> bool:
    """Whether there is a rule for all operands together, and they are one and the same."""
    return primitive.equal is not None and all(load.key == loads[0].key for load in loads)


def partial(
    builder: Builder, box: Box, primitive: Primitive, k: int, value: Load, *loads: Load, again: bool = True
) -> Load:
    """The partial derivative by operand k, over a box; by all of them where `multiplicities` has merged them.

    Parameters
    ----------
    builder : Builder
    box : tuple of int
    primitive : Primitive
    k : int
    value : Load
        The primitive's result.
    *loads : Load
        Its operands.
    again : bool
        Whether it may be differentiated.
    """
    equal = _are_equal(primitive, loads)
    if primitive.name == "divide" and k == 1 and not equal and not again:
        found = _by_divisor(builder, box, value, *loads)
        if found is not None:
            return found
    kernel = _kernel(primitive.name, None if equal else k)
    values = [value, *loads]
    for instruction in kernel.instructions:
        if instruction.operation is None:
            values.append(builder.number(instruction.literal, box))
        else:
            values.append(builder.map(instruction.operation.name, box, *(values[o] for o in instruction.operands)))
    return values[kernel.outputs[0]]


def _by_divisor(builder: Builder, box: Box, value: Load, numerator: Load, divisor: Load) -> Load | None:
    """The derivative of a quotient by its divisor, where that takes no further division at each point; else None.

    One over the divisor is there already if the numerator moves with x, too: as the partial derivative by it. If the
    numerator is one constant for many points, it is the value over this constant; where that is zero or infinite, so is
    the derivative.
    """
    one = builder.number(1.0, box)
    if numerator.node.active:
        return builder.negative(box, builder.times(box, value, builder.map("divide", box, one, divisor)))
    address = numerator.address
    if address.points < 2 or not isinstance(address, Affine) or any(address.strides):
        return None
    has_no_inverse = builder.map("equal", box, numerator, builder.map("add", box, numerator, numerator))
    inverse = builder.map("divide", box, one, numerator)
    inverse = builder.negative(box, builder.map("select", box, has_no_inverse, numerator, inverse))
    return builder.times(box, value, builder.times(box, value, inverse))


@lru_cache(maxsize=1024)
def _kernel(name: str, k: int | None) -> Kernel:
    """The partial as an expression of the result and the operands."""
    primitive = PRIMITIVES[name]
    rule = primitive.equal if k is None else primitive.partials[k]
    assert rule is not None
    builder = KernelBuilder(len(primitive.partials) + 1)
    terms = [Term(builder, number) for number in range(builder.loads)]
    return builder.build(rule(*terms).value)
