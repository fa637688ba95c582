"""Straight-line scalar expressions: what happens at one point of a launch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

from kernels.operation import Operation
from kernels.records import dataclass


@dataclass(frozen=True)
class Instruction:
    """One operation on earlier values, or (``operation is None``) a literal number."""

    operation: Operation | None
    operands: tuple[int, ...] = ()
    literal: float = 0.0


@dataclass(frozen=True)
class Kernel:
    """A scalar expression over `loads` inputs with one or several outputs.

    Values are numbered: 0 ... ``loads - 1`` are the loads, ``loads + t`` is the result of instruction t.
    Instructions stand in an order in which operands come before their use.

    Parameters
    ----------
    loads : int
        Number of scalars read at each point.
    instructions : tuple of Instruction
    outputs : tuple of int
        Value numbers of the results. A load may itself be an output.
    """

    loads: int
    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]

    @property
    def weight(self) -> int:
        """Cost at one point, in additions (see `Operation.weight`)."""
        return sum(i.operation.weight for i in self.instructions if i.operation is not None)

    def weight_of(self, value: int) -> int:
        """Cost of one of the values alone."""
        needed, weight = {value}, 0
        for number in range(value, self.loads - 1, -1):
            i = self.instructions[number - self.loads]
            if number in needed:
                needed.update(i.operands)
                weight += 0 if i.operation is None else i.operation.weight
        return weight

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of the structure; literals count, data that is loaded does not."""
        text = [str(self.loads), str(self.outputs)]
        for i in self.instructions:
            name = i.operation.name if i.operation is not None else float(i.literal).hex()
            text.append(f"{name}{i.operands}")
        return hashlib.blake2b(";".join(text).encode(), digest_size=16).hexdigest()


def lean(kernel: Kernel) -> tuple[Kernel, tuple[int, ...]]:
    """A kernel without the loads that no output needs, and the loads that are left.

    >>> lean(Kernel(3, (), (2,)))
    (Kernel(loads=1, instructions=(), outputs=(0,)), (2,))
    """
    used = set(kernel.outputs)
    for t in range(len(kernel.instructions) - 1, -1, -1):
        if kernel.loads + t in used:
            used.update(kernel.instructions[t].operands)
    kept = tuple(sorted(k for k in used if k < kernel.loads))  # of thousands, where a builder had room for them
    if len(used) == kernel.loads + len(kernel.instructions):
        return kernel, kept
    builder = KernelBuilder(len(kept))
    loads = [-1] * kernel.loads
    for n, k in enumerate(kept):
        loads[k] = n
    numbers = builder.replay(kernel, loads)
    return builder.build(*(numbers[o] for o in kernel.outputs)), kept


def in_order_of_use(kernel: Kernel) -> Kernel:
    """The same kernel with each instruction right before the first one that needs it; last outputs and operands first.

    A number that is wanted again much later has left the registers, and a processor looks a few hundred instructions
    ahead: it overlaps more of them where a value stands beside the derivatives that it is a factor of.

    >>> from kernels.operation import Operation
    >>> double, triple = (Operation(f"by {k}", 1, None, "") for k in (2, 3))
    >>> builder = KernelBuilder(1)
    >>> ninefold = builder.apply(triple, builder.apply(triple, 0))
    >>> kernel = in_order_of_use(builder.build(ninefold, builder.apply(double, 0)))
    >>> [instruction.operation.name for instruction in kernel.instructions], kernel.outputs
    (['by 2', 'by 3', 'by 3'], (3, 1))
    """
    builder = KernelBuilder(kernel.loads)
    made = {load: load for load in range(kernel.loads)}
    stack = list(kernel.outputs)
    while stack:
        value = stack.pop()
        if value in made:
            continue
        i = kernel.instructions[value - kernel.loads]
        missing = [operand for operand in i.operands if operand not in made]
        if missing:
            stack += [value, *missing]
        else:
            made[value] = builder.replayed(i, [made[operand] for operand in i.operands])
    return builder.build(*(made[output] for output in kernel.outputs))


class KernelBuilder:
    """Builds a `Kernel` instruction by instruction; equal instructions become one value."""

    def __init__(self, loads: int) -> None:
        self.loads = loads
        self._instructions: list[Instruction] = []
        self._numbers: dict[tuple[object, ...], int] = {}

    @property
    def size(self) -> int:
        """Number of instructions so far, those included that no output may need."""
        return len(self._instructions)

    def literal(self, number: float) -> int:
        """The value number of a literal."""
        return self._add(None, (), float(number))

    def apply(self, operation: Operation, *operands: int) -> int:
        """The value number of `operation` applied to earlier values."""
        return self._add(operation, operands, 0.0)

    def replay(self, kernel: Kernel, loads: Sequence[int]) -> list[int]:
        """Add the instructions of a kernel, whose loads are earlier values here; the numbers of all its values."""
        numbers = list(loads)
        for i in kernel.instructions:
            numbers.append(self._add(i.operation, tuple([numbers[o] for o in i.operands]), i.literal))
        return numbers

    def replayed(self, instruction: Instruction, operands: Sequence[int]) -> int:
        """The value number of an instruction of another kernel, on earlier values here."""
        return self._add(instruction.operation, tuple(operands), instruction.literal)

    def instruction(self, value: int) -> Instruction | None:
        """The instruction that made `value`; None for a load."""
        return self._instructions[value - self.loads] if value >= self.loads else None

    def is_literal(self, value: int, number: float) -> bool:
        """Whether `value` is the literal `number`."""
        made = self.instruction(value)
        return made is not None and made.operation is None and made.literal == number

    def build(self, *outputs: int) -> Kernel:
        """The kernel with these outputs; instructions that no output needs are dropped."""
        needed = set(outputs)
        for t in range(len(self._instructions) - 1, -1, -1):
            if self.loads + t in needed:
                needed.update(self._instructions[t].operands)
        renumber: dict[int, int] = {}  # but for loads, which keep their numbers
        kept: list[Instruction] = []
        for t, i in enumerate(self._instructions):
            if self.loads + t in needed:
                renumber[self.loads + t] = self.loads + len(kept)
                operands = tuple([renumber.get(o, o) for o in i.operands])
                kept.append(i if operands == i.operands else Instruction(i.operation, operands, i.literal))
        return Kernel(self.loads, tuple(kept), tuple([renumber.get(o, o) for o in outputs]))

    def _add(self, operation: Operation | None, operands: tuple[int, ...], literal: float) -> int:
        """The number of an instruction, which is made if it is not there yet."""
        key = ("literal", literal.hex()) if operation is None else (operation.name, *operands)
        number = self._numbers.get(key)
        if number is None:
            number = self.loads + len(self._instructions)
            self._instructions.append(Instruction(operation, operands, literal))
            self._numbers[key] = number
        return number
