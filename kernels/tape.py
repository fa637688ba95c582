"""Sweeps of few points written out for one loop that knows their operations: nothing is compiled for each of them.

A Python loop without a pattern becomes hundreds of different kernels, run at a point or two each. NumPy takes a
microsecond for each of their operations, and to compile them all takes seconds. On a tape each operation at each point
is a row, and one loop, compiled for the operations that there are, takes some nanoseconds a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from kernels import tape_loops
from kernels.kernel import Kernel
from kernels.memory import ENTRIES
from kernels.numba_printer import HEADER
from kernels.operation import Operation
from kernels.records import dataclass
from kernels.source import Source, read_only, text_of
from kernels.step import Access, Launch
from kernels.sweep import Sweep

LOAD, STORE, ADD, KEEP = range(4)
"""Rows that are no operation; the operations of a tape follow."""

KEPT = -1
"""In the place of a buffer: what is stored there stays among the registers."""

MOST_POINTS = 128
"""Where NumPy's time for an operation on an array is still some times that of the rows."""

MOST_OPERANDS = 3

LAST_PLACE = 2**32 - 1
"""That a row can name."""

_HEADER = (
    HEADER.replace("\nONE", "from typing import Any\n\nfrom kernels.memory import float64_1, float64_2\n\nONE") + "\n\n"
)

_COLUMNS = 2 + MOST_OPERANDS
"""What to do, where the result goes, and the operands."""


@dataclass(frozen=True, eq=False)
class Tape:
    """Rows, and what the loop needs beside them.

    Parameters
    ----------
    source : Source
        The loop: takes a range of rows, `code`, a table of addresses (see `kernels.memory`) and `registers`.
    code : array of uint32, shape (rows, 5)
    registers : array of float64
        The literals of all kernels; those who run the tape need a copy.
    kept : int
        The first register of what is stored to `KEPT`.
    buffers : tuple of int
        In the order of the table.
    """

    source: Source
    code: npt.NDArray[np.uint32]
    registers: npt.NDArray[np.float64]
    kept: int
    buffers: tuple[int, ...]


def fits(kernel: Kernel, points: int, accesses: Iterable[Access] = ()) -> bool:
    """Whether a kernel at so many points is worth writing out, and its places are numbers that rows can hold."""
    return (
        points <= MOST_POINTS
        and all(len(i.operands) <= MOST_OPERANDS for i in kernel.instructions)
        and all(access.address.span[1] <= LAST_PLACE for access in accesses)
    )


def rows_of(kernel: Kernel, points: int) -> int:
    """Number of rows that it takes."""
    return points * (kernel.loads + len(kernel.instructions) + len(kernel.outputs))


def write(sweeps: Sequence[Sweep]) -> Tape:
    """Write sweeps out, one after the other, point after point; results are stored before others are added.

    Examples
    --------
    >>> from kernels.address import Affine
    >>> from kernels.kernel import KernelBuilder
    >>> from kernels.step import Access
    >>> from kernels.sweep import Store
    >>> double = Operation("double", 1, lambda a: 2 * a, "2.0 * {0}")
    >>> builder = KernelBuilder(1)
    >>> kernel = builder.build(builder.apply(double, 0))
    >>> box = Affine((2,), 0, (1,))
    >>> write([Sweep(kernel, (2,), (Access(0, box),), (Store(Access(1, box)),))]).code[:3].tolist()
    [[0, 0, 0, 0, 0], [4, 1, 0, 0, 0], [1, 3, 1, 0, 0]]
    """
    operations = {i.operation.name: i.operation for sweep in sweeps for i in sweep.kernel.instructions if i.operation}
    numbers = {name: KEEP + 1 + k for k, name in enumerate(sorted(operations))}
    literals = sorted({i.literal.hex() for sweep in sweeps for i in sweep.kernel.instructions if i.operation is None})
    room = max((sweep.kernel.loads + len(sweep.kernel.instructions) for sweep in sweeps), default=0)
    registers = {literal: room + k for k, literal in enumerate(literals)}
    accesses = [a for sweep in sweeps for a in (*sweep.loads, *(store.access for store in sweep.stores))]
    buffers = tuple(dict.fromkeys(access.buffer for access in accesses if access.buffer != KEPT))
    places = {buffer: ENTRIES * k for k, buffer in enumerate(buffers)}
    places[KEPT] = kept = room + len(literals)
    parts = [_rows(sweep, numbers, registers, places) for sweep in sweeps]
    keeps = sum(sweep.points for sweep in sweeps for store in sweep.stores if store.access.buffer == KEPT)
    return Tape(
        print_tape([operations[name] for name in sorted(operations)]),
        np.concatenate([np.empty((0, _COLUMNS), np.uint32), *parts]),
        np.array([0.0] * room + [float.fromhex(literal) for literal in literals] + [0.0] * keeps),
        kept,
        buffers,
    )


def _rows(
    sweep: Sweep, numbers: dict[str, int], registers: dict[str, int], places: dict[int, int]
) -> npt.NDArray[np.uint32]:
    """The rows of one sweep: those of a point, for each point with places of its own."""
    kernel = sweep.kernel
    found: list[tuple[int, ...]] = []
    at = list(range(kernel.loads))  # the register of each value
    for k, load in enumerate(sweep.loads):
        found.append((LOAD, k, places[load.buffer], 0, 0))
    for instruction in kernel.instructions:
        if instruction.operation is None:
            at.append(registers[instruction.literal.hex()])
            continue
        operands = [at[operand] for operand in instruction.operands] + [0] * MOST_OPERANDS
        at.append(len(at))
        found.append((numbers[instruction.operation.name], at[-1], *operands[:MOST_OPERANDS]))
    stored = sorted(range(len(sweep.stores)), key=lambda k: sweep.stores[k].adds)
    for k in stored:
        store = sweep.stores[k]
        kind = ADD if store.adds else KEEP if store.access.buffer == KEPT else STORE
        found.append((kind, places[store.access.buffer], at[kernel.outputs[k]], 0, 0))
    rows = np.tile(np.array(found, dtype=np.uint32).reshape(len(found), _COLUMNS), (sweep.points, 1, 1))
    for k, load in enumerate(sweep.loads):
        rows[:, k, 3] = load.address.table()
    for row, k in enumerate(stored, len(found) - len(stored)):
        rows[:, row, 3] = sweep.stores[k].access.address.table()
    return rows.reshape(-1, _COLUMNS)


def print_tape(operations: Iterable[Operation]) -> Source:
    """The loop for these operations."""
    lines = [
        "for k in range(np.uint64(start), np.uint64(stop)):",
        "    operation = code[k, 0]",
        f"    if operation == {LOAD}:",
        "        source = float64_1(table, code[k, 2])",
        "        registers[code[k, 1]] = source[code[k, 3]]",
        f"    elif operation == {STORE}:",
        "        target = float64_1(table, code[k, 1])",
        "        target[code[k, 3]] = registers[code[k, 2]]",
        f"    elif operation == {ADD}:",
        "        sums = float64_1(table, code[k, 1])",
        "        sums[code[k, 3]] += registers[code[k, 2]]",
        f"    elif operation == {KEEP}:",
        "        registers[code[k, 1] + code[k, 3]] = registers[code[k, 2]]",
    ]
    for number, operation in enumerate(operations, KEEP + 1):
        names = [f"v{number}_{k}" for k in range(operation.arity)]
        lines.append(f"    elif operation == {number}:  # {operation.name}")
        lines += [f"        {name} = registers[code[k, {2 + k}]]" for k, name in enumerate(names)]
        lines.append(f"        registers[code[k, 1]] = {operation.code.format(*names)}")
    body = "\n".join(f"    {line}" for line in lines)
    name = f"tape_{hashlib.blake2b(body.encode(), digest_size=8).hexdigest()}"
    text = f"{_HEADER}def {name}(start, stop, code, table, registers):\n{body}\n"
    signature = f"void(int64, int64, uint32[:, ::1], {read_only('int64')}, float64[::1])"
    return Source(name, text, signature, may_overlap=True)


def print_terms() -> Source:
    """The loop over `terms`."""
    signature = f"void(int64, int64, int64, uint32[:, ::1], {read_only('int64')}, {read_only('float64')})"
    return Source(tape_loops.run_terms.__name__, _HEADER + text_of(tape_loops.run_terms), signature, may_overlap=True)


def terms(launches: Sequence[Launch], kept: int, *, reverse: bool) -> tuple[npt.NDArray[np.uint32], tuple[int, ...]]:
    """How tangents or adjoints pass launches whose partial derivatives were kept, point after point.

    Parameters
    ----------
    launches : sequence of Launch
        None of them sums.
    kept : int
        The register of the first partial derivative.
    reverse : bool

    Returns
    -------
    terms : array of uint32, shape (partial derivatives, 6)
        Target and source, each by its array and row; the register of the factor; and whether it is added.
    buffers : tuple of int
        In the order of the table.
    """
    active = [launch for launch in launches if launch.active]
    accesses = [a for launch in active for a in (launch.store, *(launch.loads[k] for k in launch.active))]
    buffers = tuple(dict.fromkeys(access.buffer for access in accesses))
    places = {buffer: ENTRIES * k for k, buffer in enumerate(buffers)}
    parts = [np.empty((0, 6), np.uint32)]
    for launch in active:
        rows = np.empty((launch.points, len(launch.active), 6), dtype=np.uint32)
        near, far = (2, 0) if reverse else (0, 2)
        rows[:, :, near], rows[:, :, near + 1] = places[launch.store.buffer], launch.store.address.table()[:, None]
        for k, load in enumerate(launch.active):
            access = launch.loads[load]
            rows[:, k, far], rows[:, k, far + 1] = places[access.buffer], access.address.table()
        rows[:, :, 5] = 1
        rows[:, 0, 5] = int(reverse)
        parts.append(rows.reshape(-1, 6))
    whole = np.concatenate(parts)
    whole[:, 4] = kept + np.arange(len(whole))
    return np.ascontiguousarray(whole[::-1]) if reverse else whole, buffers
