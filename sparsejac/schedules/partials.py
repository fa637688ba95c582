"""Local partial derivatives of a kernel, by reverse mode on its scalar expression.

Griewank & Walther, Evaluating Derivatives, 2nd ed. 2008, section 3.2: one backward sweep gives all partials.
"""

from __future__ import annotations

from functools import lru_cache

from kernels.kernel import Instruction, Kernel, KernelBuilder
from kernels.records import dataclass
from sparsejac.primitives import PRIMITIVES, Primitive, Term


@dataclass(frozen=True)
class _Adjoint:
    """A derivative that counts only where `guard` holds (everywhere if None).

    Behind the dead branch of a select an adjoint is not multiplied by zero but masked: the partials there may be
    infinite or NaN, and zero times NaN would leak.
    """

    term: Term
    guard: Term | None

    def settled(self) -> Term:
        """The derivative with its guard applied."""
        return self.term if self.guard is None else self.guard.call("select", self.term, 0.0)


def linearized(kernel: Kernel, loads: tuple[int, ...]) -> Kernel:
    """The kernel of the value and the partial derivatives by `loads`.

    Parameters
    ----------
    kernel : Kernel
        One output.
    loads : tuple of int
        Loads to differentiate by.

    Returns
    -------
    Kernel
        The same loads; the value, then one partial for each of `loads`.

    Examples
    --------
    >>> from kernels import KernelBuilder
    >>> build = KernelBuilder(2)
    >>> product = build.build(build.apply(PRIMITIVES["multiply"].operation, 0, 1))
    >>> linearized(product, (0, 1)).outputs  # the value, then the other operand
    (2, 1, 0)
    """
    return _linearized(_ByDigest(kernel), loads)


class _ByDigest:
    """A kernel as a key: the same expression is met in a launch, in the terms of entries, and in other functions."""

    __slots__ = ("kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __hash__(self) -> int:
        return hash(self.kernel.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and self.kernel.digest == other.kernel.digest


@lru_cache(maxsize=256)
def _linearized(expression: _ByDigest, loads: tuple[int, ...]) -> Kernel:
    builder, value, adjoints = _swept(expression.kernel, loads)
    zero = builder.literal(0.0)
    partials = [adjoints[k].settled().value if k in adjoints else zero for k in loads]
    return builder.build(value, *partials)


def branches(kernel: Kernel, loads: tuple[int, ...]) -> Kernel:
    """The kernel that tells for each of `loads` whether some branch that reads it is taken: not 0.0 if so."""
    builder, _, adjoints = _swept(kernel, loads)
    guards = [adjoints[k].guard if k in adjoints else None for k in loads]
    return builder.build(*(builder.literal(1.0) if guard is None else guard.value for guard in guards))


def _swept(kernel: Kernel, loads: tuple[int, ...]) -> tuple[KernelBuilder, int, dict[int, _Adjoint]]:
    """One backward sweep: where it was written to, the value, and the adjoints of the values of the kernel."""
    builder = KernelBuilder(kernel.loads)
    value_of = builder.replay(kernel, range(kernel.loads))
    adjoints: dict[int, _Adjoint] = {kernel.outputs[0]: _Adjoint(_term(builder, builder.literal(1.0)), None)}
    needed = _depends(kernel, set(loads))
    for t in range(len(kernel.instructions) - 1, -1, -1):
        number = kernel.loads + t
        if number in adjoints and number in needed:
            _push(builder, kernel.instructions[t], number, value_of, adjoints, needed)
    return builder, value_of[kernel.outputs[0]], adjoints


def differentiable_loads(kernel: Kernel) -> set[int]:
    """The loads on which the output depends other than through comparisons and rounding."""
    reached = {kernel.outputs[0]}
    for t in range(len(kernel.instructions) - 1, -1, -1):
        instruction = kernel.instructions[t]
        if kernel.loads + t in reached and instruction.operation is not None:
            rules = PRIMITIVES[instruction.operation.name].partials
            reached.update(o for o, rule in zip(instruction.operands, rules, strict=True) if rule is not None)
    return {value for value in reached if value < kernel.loads}


def _depends(kernel: Kernel, loads: set[int]) -> set[int]:
    """The values that depend on `loads`."""
    reached = set(loads)
    for t, instruction in enumerate(kernel.instructions):
        if not reached.isdisjoint(instruction.operands):
            reached.add(kernel.loads + t)
    return reached


def _term(builder: KernelBuilder, value: int) -> Term:
    return Term(builder, value)


def _push(
    builder: KernelBuilder,
    instruction: Instruction,
    number: int,
    value_of: list[int],
    adjoints: dict[int, _Adjoint],
    needed: set[int],
) -> None:
    """Add to the adjoints of the operands what the result's adjoint means for them."""
    if instruction.operation is None:
        return
    primitive = PRIMITIVES[instruction.operation.name]
    above = adjoints[number]
    result = _term(builder, value_of[number])
    operands = [_term(builder, value_of[o]) for o in instruction.operands]
    merged = _merged_operands(primitive, instruction.operands)
    for k, operand in enumerate(instruction.operands):
        rule = primitive.equal if _are_equal(primitive, instruction.operands) else primitive.partials[k]
        if rule is None or operand not in needed or merged[k] == 0:
            continue
        if primitive.name == "select":
            branch = operands[0] if k == 1 else operands[0].call("logical_not")
            share = _Adjoint(above.term, _both(above.guard, branch))
        else:
            partial = merged[k] * rule(result, *operands)
            guard = _both(above.guard, partial) if primitive.chooses else above.guard
            share = _Adjoint(above.term * partial, guard)
        _collect(adjoints, operand, share)


def _both(guard: Term | None, condition: Term) -> Term:
    return condition if guard is None else guard.call("logical_and", condition)


def _merged_operands(primitive: Primitive, operands: tuple[int, ...]) -> list[int]:
    """How often the partial by each operand counts: equal operands of a symmetric primitive merge into the first."""
    if _are_equal(primitive, operands):
        return [1] + [0] * (len(operands) - 1)
    counts = [1] * len(operands)
    for group in primitive.operation.symmetries:
        for position, k in enumerate(group):
            first = next(j for j in group[: position + 1] if operands[j] == operands[k])
            if first != k:
                counts[first] += 1
                counts[k] = 0
    return counts


def _are_equal(primitive: Primitive, operands: tuple[int, ...]) -> bool:
    """Whether there is a rule for all operands together, and they are one and the same."""
    return primitive.equal is not None and len(set(operands)) == 1


def _collect(adjoints: dict[int, _Adjoint], operand: int, share: _Adjoint) -> None:
    known = adjoints.get(operand)
    if known is None:
        adjoints[operand] = share
    elif known.guard is None or share.guard is None:
        adjoints[operand] = _Adjoint(known.settled() + share.settled(), None)
    elif known.guard == share.guard:
        adjoints[operand] = _Adjoint(known.term + share.term, known.guard)
    else:
        either = known.guard.call("logical_or", share.guard)
        adjoints[operand] = _Adjoint(known.settled() + share.settled(), either)
