"""How sweeps and products are taken apart for the disk, and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.address import Affine, Content, Table
from kernels.kernel import Instruction, Kernel
from kernels.lazy import Lazy
from kernels.step import Access
from kernels.sweep import Store, Sweep
from sparsejac.on_disk.flat_files import Form, Forms
from sparsejac.primitives.term import OPERATIONS

PRODUCTS = Lazy("sparsejac.elimination.products")
SUMS = Lazy("sparsejac.elimination.sums")


def sweep_forms() -> Forms:
    """Forms of everything that sweeps and products are made of, for one value: its tables share what they hold."""
    contents: dict[int, Content] = {}

    def table(parts: tuple[Any, ...]) -> Table:
        box, places = parts
        return Table(box, contents.setdefault(id(places), Content(places)))

    return (
        Sweep,
        Store,
        Access,
        Affine,
        Form(Table, lambda held: (held.box, held.places), table),
        Form(Kernel, _kernel_parts, _kernel),
        PRODUCTS.Products,
        SUMS.Sums,
    )


def _kernel_parts(kernel: Kernel) -> tuple[Any, ...]:
    """Operations by their names, which say what they compute."""
    written = [(i.operation and i.operation.name, i.operands, i.literal) for i in kernel.instructions]
    return (kernel.loads, written, kernel.outputs, kernel.digest)


def _kernel(parts: Sequence[Any]) -> Kernel:
    loads, written, outputs, digest = parts
    instructions = (Instruction(name and OPERATIONS[name], operands, literal) for name, operands, literal in written)
    made = Kernel(loads, tuple(instructions), outputs)
    if made.digest != digest:
        raise ValueError("a kernel is another one")
    return made
