"""Scalar expressions of a Program over a box: nodes read under addresses, down to those that are left as loads."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from math import prod

from kernels.address import Address, Affine
from kernels.kernel import Kernel, KernelBuilder
from kernels.operation import Operation
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import composed
from sparsejac.programs.program import Load, Node, is_zero

_COPY = PRIMITIVES["copy"].operation
_ADD = PRIMITIVES["add"].operation

SHORT = 8
"""Sums of so few terms are written out."""

CHEAP = 48
"""Weight up to which a node is computed again where it is read, though it has a buffer."""

LARGEST = 400
"""Instructions of an expression; where more would be needed, sums are not written out."""


class TooLargeError(Exception):
    """An expression has more than `LARGEST` instructions."""


def is_short(node: Node) -> bool:
    """Whether a node is a sum that may be written out."""
    return node.kind == "sum" and node.indptr is None and 0 < _length(node) <= SHORT


def expand(node: Node, address: Address, is_load: Callable[[Load], bool]) -> tuple[Kernel, tuple[Load, ...]]:
    """What a node is at the points of a box.

    Parameters
    ----------
    node : Node
        A map or a short sum; it is expanded in any case.
    address : Address
        Place of the node for each point of the box.
    is_load : callable
        Whether what is met is left as a load.

    Returns
    -------
    Kernel
        One output.
    tuple of Load
        The same node under the same address is loaded once.

    Raises
    ------
    TooLargeError
    """
    expression = _Expression(is_load)
    return expression.build(expression.value(node, address))


class _Expression:
    """Steps, each an operation on earlier ones; loads are numbered -1, -2, ... until their number is known."""

    def __init__(self, is_load: Callable[[Load], bool]) -> None:
        self._is_load = is_load
        self._loads: dict[object, tuple[int, Load]] = {}
        # Operations on earlier steps; zero is the literal 0.0.
        self._steps: list[tuple[Operation | None, tuple[int, ...]]] = []
        self._known: dict[object, int] = {}

    def value(self, node: Node, address: Address) -> int:
        """The number of a node's value; operands come first, by an explicit stack since chains may be long."""
        known = self._known
        wanted = (node.index, address.key)
        stack: list[tuple[object, Load, list[object] | None]] = [(wanted, Load(node, address), None)]
        while stack:
            key, top, keys = stack.pop()
            if keys is not None:  # its operands are there by now
                known[key] = self._apply(top.node, [known[k] for k in keys])
            elif key in known:
                continue
            elif is_zero(top.node):
                known[key] = self._step(None, [])
            elif key != wanted and self._is_load(top):
                known[key] = self._loads.setdefault(key, (-1 - len(self._loads), top))[0]
            else:
                operands = operands_of(top.node, top.address)
                keys = [operand.key for operand in operands]
                stack.append((key, top, keys))
                stack += [(k, one, None) for k, one in zip(keys, operands, strict=True) if k not in known]
        return known[wanted]

    def _apply(self, node: Node, operands: list[int]) -> int:
        if node.primitive is not None:
            return operands[0] if node.primitive.operation is _COPY else self._step(node.primitive.operation, operands)
        total = operands[0]
        for operand in operands[1:]:
            total = self._step(_ADD, [total, operand])
        return total

    def _step(self, operation: Operation | None, operands: list[int]) -> int:
        if len(self._steps) >= LARGEST:
            raise TooLargeError
        self._steps.append((operation, tuple(operands)))
        return len(self._steps) - 1

    def build(self, top: int) -> tuple[Kernel, tuple[Load, ...]]:
        """The kernel and its loads."""
        builder = KernelBuilder(len(self._loads))
        numbers: list[int] = []

        def final(value: int) -> int:
            return -1 - value if value < 0 else numbers[value]

        for operation, operands in self._steps:
            made = builder.literal(0.0) if operation is None else builder.apply(operation, *map(final, operands))
            numbers.append(made)
        return builder.build(final(top)), tuple(load for _, load in self._loads.values())


def operands_of(node: Node, address: Address) -> list[Load]:
    """What a map or a short sum reads at the points of a box, in order."""
    if node.kind == "map":
        return [Load(load.node, composed(load.address, address)) for load in node.loads]
    (load,), length = node.loads, _length(node)
    terms = (composed(Affine((node.size,), j, (length,)), address) for j in range(length))
    return [Load(load.node, composed(load.address, term)) for term in terms]


def weights(nodes: Iterable[Node], buffers: Container[int]) -> dict[int, int]:
    """What it costs to compute a map or a short sum at one point, from what has a buffer and is not cheap itself.

    Parameters
    ----------
    nodes : iterable of Node
        In the order of the program.
    buffers : container of int
        Indices of the nodes that have a buffer.
    """
    found: dict[int, int] = {}
    for node in nodes:
        below = 0
        for load in node.loads if node.kind == "map" or is_short(node) else ():
            weight = found.get(load.node.index, 0)
            below += 0 if load.node.index in buffers and weight > CHEAP else weight
        if node.primitive is not None:
            found[node.index] = below + node.primitive.operation.weight
        elif is_short(node):
            found[node.index] = _length(node) * (below + 1)
    return found


def _length(node: Node) -> int:
    return prod(node.box[len(node.box) - node.reduced :])
