"""Sums over dimensions of a box, without the factors that are the same along these."""

from __future__ import annotations

from math import prod

from kernels.address import Address, Affine
from sparsejac.programs.addressing import contiguous, permuted
from sparsejac.programs.program import Load
from sparsejac.transforms.builder import Builder, read


def summed(builder: Builder, value: Load, moving: list[int], still: list[int]) -> Load:
    """Sums over some dimensions; one along which all numbers are the same becomes a factor."""
    value, factors = _factored(builder, value, still)
    address = value.address
    factor = 1
    if isinstance(address, Affine):
        same = [d for d in still if address.strides[d] == 0]
        factor = prod(address.box[d] for d in same)
        rest = [d for d in still if d not in same]
        axes = (*moving, *rest)
        box = tuple(address.box[d] for d in axes)
        load = Load(value.node, Affine(box, address.offset, tuple(address.strides[d] for d in axes)))
    else:
        rest = still
        load = Load(value.node, permuted(address, (*moving, *still)))
    box = load.address.box[: len(moving)]
    if rest:
        load = Load(builder.graph.sum(load.address.box, load, len(rest)), contiguous(box))
    load = load if factor == 1 else builder.times(box, load, builder.number(float(factor), box))
    for name, loads in reversed(factors):
        others = [along(other, moving) for other in loads]
        if name == "divide":  # the partial derivative by what is divided is there already
            name, others = "multiply", [builder.map("divide", box, builder.number(1.0, box), *others)]
        load = builder.map(name, box, load, *others)
    return load


_Factor = tuple[str, tuple[Load, ...]]


def _factored(builder: Builder, value: Load, still: list[int], depth: int = 4) -> tuple[Load, list[_Factor]]:
    """What a value is without factors and divisors that are the same along some dimensions; and these, the last first.

    They come out of sums over these dimensions: a product for each sum is done in the place of one for each term.
    """
    node, box = value.node, value.address.box
    name = "" if node.primitive is None else node.primitive.name
    if depth == 0 or name not in ("multiply", "divide", "negative"):
        return value, []
    loads = [read(load, value.address) for load in node.loads]
    for k in reversed(range(len(loads) if name == "multiply" else 0)):
        if is_still(loads[k].address, still):
            inner, factors = _factored(builder, loads[1 - k], still, depth - 1)
            return inner, [("multiply", (loads[k],)), *factors]
    inner, factors = _factored(builder, loads[0], still, depth - 1)
    if name == "negative":
        return (inner, [("negative", ()), *factors]) if factors else (value, [])
    if name == "divide":
        return (inner, [("divide", (loads[1],)), *factors]) if is_still(loads[1].address, still) else (value, [])
    other, further = _factored(builder, loads[1], still, depth - 1)
    if not factors and not further:
        return value, []
    return builder.map("multiply", box, inner, other), [*factors, *further]


def is_still(address: Address, dimensions: list[int]) -> bool:
    """Whether an address stays where it is along some dimensions."""
    return isinstance(address, Affine) and not any(address.strides[d] for d in dimensions)


def along(load: Load, dimensions: list[int]) -> Load:
    """What is read along some dimensions, at the first point of the others."""
    address = load.address
    assert isinstance(address, Affine)
    box, strides = (tuple(numbers[d] for d in dimensions) for numbers in (address.box, address.strides))
    return Load(load.node, Affine(box, address.offset, strides))
