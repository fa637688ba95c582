"""Prints the shape of a launch as Python text to be compiled, in four variants.

Arguments of every function: `start`, `stop` (the outermost rows to run; the seeds for ``reverse``), `seeds` (only
``forward``), `g` (the geometry), `b0`, `b1`, ... (value buffers), `d0`, ... (tangents or adjoints of the buffers of
the same number), `partials`, `q0`, ... (index tables), `indptr`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Literal

from kernels.kernel import Kernel
from kernels.shape import AccessShape, LaunchShape, active_slots
from kernels.source import Source, read_only

Variant = Literal["value", "partials", "forward", "reverse"]
Task = Variant | Literal["results"]
"""What an executor is asked for: a variant of each launch, or results (see `kernels.merging`)."""
VARIANTS: tuple[Variant, ...] = ("value", "partials", "forward", "reverse")
SEPARATE_LOOPS = 8
"""Up to that many active loads, ``reverse`` has one loop over the seeds for each: these vectorise, but take long to
compile (20 loads: 1.5 s instead of 0.4 s)."""

HEADER = (
    "import math\n\nimport numpy as np\n\nfrom kernels.elementary import compiled as elementary\n\nONE = np.uint64(1)\n"
)


def print_launch(shape: LaunchShape, variant: Variant) -> Source:
    """The function that runs launches of this shape."""
    parameters = _parameters(shape, variant)
    body = "\n".join([f'    """{_title(shape)}"""', *(f"    {line}" for line in _Body(shape, variant).lines())])
    arguments = ", ".join(name for name, _ in parameters)
    signature = f"void({', '.join(kind for _, kind in parameters)})"
    name = f"{variant}_{hashlib.blake2b(f'{signature}{body}'.encode(), digest_size=8).hexdigest()}"
    return Source(name, f"{HEADER}\n\ndef {name}({arguments}):\n{body}\n", signature)


def _title(shape: LaunchShape) -> str:
    rows = "ragged rows" if shape.ragged else f"{shape.row_dims}-D rows"
    sums = f", sums over {shape.sum_dims}-D" if shape.sum_dims else ""
    accesses = ", ".join(f"b{a.slot} {a.kind}" for a in shape.loads)
    return f"{rows}{sums}: {accesses or 'nothing'} -> b{shape.store.slot} {shape.store.kind}."


def _parameters(shape: LaunchShape, variant: Variant) -> list[tuple[str, str]]:
    """Names and types of the arguments, in the order in which the executor passes them."""
    found = [("start", "int64"), ("stop", "int64")]
    found += [("seeds", "int64")] if variant == "forward" else []
    found += [("g", read_only("uint64"))]
    slots = 1 + max([shape.store.slot, *(a.slot for a in shape.loads)])
    found += [(f"b{s}", "float64[::1]" if s == shape.store.slot else read_only("float64")) for s in range(slots)]
    if variant in ("forward", "reverse"):
        found += [(f"d{slot}", "float64[:, ::1]") for slot in active_slots(shape)]
    found += [("partials", "float64[::1]")] if variant == "partials" else []
    tables = [a.kind for a in (*shape.loads, shape.store) if a.kind.startswith("table")]
    found += [(f"q{t}", read_only(f"uint{kind[5:]}")) for t, kind in enumerate(tables)]
    return found + ([("indptr", read_only(f"uint{shape.indptr_bits}"))] if shape.ragged else [])


class _Body:
    """The statements of one function, collected from the outermost loop inwards."""

    def __init__(self, shape: LaunchShape, variant: Variant) -> None:
        self.shape = shape
        self.variant = variant
        self.dims = shape.row_dims + shape.sum_dims
        self.sums = shape.ragged or shape.sum_dims > 0
        self._lines: list[str] = []
        self._depth = 0

    def lines(self) -> list[str]:
        """All statements."""
        self._unpack_geometry()
        self._open_loops(range(self.shape.row_dims))
        self._row()
        return self._lines

    def _emit(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _unpack_geometry(self) -> None:
        """Name the numbers of `g` and the place of each access."""
        names = [f"n{axis}" for axis in range(self.dims)]
        tables = 0
        self.places: list[str] = []
        for k, access in enumerate((*self.shape.loads, self.shape.store)):
            is_store = k == len(self.shape.loads)
            if access.kind.startswith("table"):
                self.places.append(f"q{tables}[{self._number(rows=is_store)}]")
                tables += 1
            else:
                strides, place = self._affine(k, access, is_store)
                names += strides
                self.places.append(place)
        first = 0 if self.variant == "reverse" else 1
        for t, name in enumerate(names):
            if t >= first:
                self._emit(f"{name} = g[{t}]")

    def _affine(self, k: int, access: AccessShape, is_store: bool) -> tuple[list[str], str]:
        """Names of the numbers of an affine access, and its place as an expression of them."""
        axes = self._axes(rows=is_store)
        names = [f"o{k}", *(f"s{k}_{axis}" for axis in range(len(axes)))]
        terms = [f"o{k}", *(f"{axis} * s{k}_{t}" for t, axis in enumerate(axes))]
        if access.kind != "strided":
            names.pop()
            terms[-1:] = [axes[-1]] if access.kind == "unit" else []
        return names, " + ".join(terms)

    def _axes(self, rows: bool) -> list[str]:
        """Loop variables that an access depends on."""
        if self.shape.ragged:
            return ["i0"] if rows else ["p"]
        return [f"i{axis}" for axis in range(self.shape.row_dims if rows else self.dims)]

    def _number(self, rows: bool) -> str:
        """The running number of the point or row in C order."""
        number, *inner = self._axes(rows)
        for t, axis in enumerate(inner, start=1):
            number = f"({number}) * n{t} + {axis}" if t > 1 else f"{number} * n{t} + {axis}"
        return number

    def _open_loops(self, axes: range) -> None:
        for axis in axes:
            if axis > 0 or self.variant == "reverse":
                self._emit(f"for i{axis} in range(n{axis}):")
            else:
                self._emit("for i0 in range(np.uint64(start), np.uint64(stop)):")
            self._depth += 1

    def _row(self) -> None:
        row_depth = self._depth
        self._emit(f"row = {self.places[-1]}")
        rows_carry = self.variant == "forward" and bool(self.shape.active)
        if self.sums and self.variant != "reverse":
            self._emit("total = 0.0")
            if rows_carry:
                self._seed_loop([f"d{self.shape.store.slot}[row, s] = 0.0"])
        if self.shape.ragged:
            self._emit("for p in range(np.uint64(indptr[i0]), np.uint64(indptr[i0 + ONE])):")
            self._depth += 1
        self._open_loops(range(self.shape.row_dims, self.dims))
        self._point()
        self._depth = row_depth
        if self.sums and self.variant != "reverse":
            self._emit(f"b{self.shape.store.slot}[row] = total")

    def _point(self) -> None:
        kernel = self.shape.kernel if self.variant == "value" else self.shape.linearized
        outputs = kernel.outputs[1:] if self.variant == "reverse" else kernel.outputs
        self._expression(kernel, outputs)
        if self.variant != "reverse":
            stored = "total +=" if self.sums else f"b{self.shape.store.slot}[row] ="
            self._emit(f"{stored} v{kernel.outputs[0]}")
        partials = [f"v{o}" for o in kernel.outputs[1:]]
        if self.variant == "partials":
            self._store_partials(partials)
        elif self.variant == "forward" and partials:
            self._push(partials)
        elif self.variant == "reverse":
            self._pull(partials)

    def _expression(self, kernel: Kernel, outputs: tuple[int, ...]) -> None:
        for line in expression_lines(kernel, outputs, [access.slot for access in self.shape.loads], self.places):
            self._emit(line)

    def _store_partials(self, partials: list[str]) -> None:
        count = len(partials)
        self._emit(f"point = ({self._number(rows=False)}) * np.uint64({count})")
        for k, partial in enumerate(partials):
            self._emit(f"partials[point + np.uint64({k})] = {partial}")

    def _name_places(self) -> list[str]:
        """Name the places of the active loads; returns their rows of tangents or adjoints."""
        for k in self.shape.active:
            self._emit(f"a{k} = {self.places[k]}")
        return [f"d{self.shape.loads[k].slot}[a{k}, s]" for k in self.shape.active]

    def _push(self, partials: list[str]) -> None:
        rows = self._name_places()
        terms = " + ".join(f"{p} * {row}" for p, row in zip(partials, rows, strict=True))
        self._seed_loop([f"d{self.shape.store.slot}[row, s] {'+=' if self.sums else '='} {terms}"])

    def _pull(self, partials: list[str]) -> None:
        """Add to the adjoints of the loads, one after the other: their places may coincide."""
        adjoint = f"d{self.shape.store.slot}[row, s]"
        pairs = list(zip(self._name_places(), partials, strict=True))
        if len(pairs) <= SEPARATE_LOOPS:
            for row, partial in pairs:
                self._seed_loop([f"{row} += {partial} * {adjoint}"])
        else:
            self._seed_loop([f"w = {adjoint}", *(f"{row} += {partial} * w" for row, partial in pairs)])

    def _seed_loop(self, statements: list[str]) -> None:
        seeds = "np.uint64(seeds)" if self.variant == "forward" else "np.uint64(start), np.uint64(stop)"
        self._emit(f"for s in range({seeds}):")
        for statement in statements:
            self._emit(f"    {statement}")


def expression_lines(
    kernel: Kernel, outputs: tuple[int, ...], slots: Sequence[int], places: Sequence[str]
) -> list[str]:
    """The loads and instructions that the outputs need."""
    needed = set(outputs)
    for t in range(len(kernel.instructions) - 1, -1, -1):
        if kernel.loads + t in needed:
            needed.update(kernel.instructions[t].operands)
    lines = [f"v{k} = b{slots[k]}[{places[k]}]" for k in range(kernel.loads) if k in needed]
    for t, i in enumerate(kernel.instructions, start=kernel.loads):
        if t in needed:
            code = _literal(i.literal) if i.operation is None else i.operation.code
            lines.append(f"v{t} = {code.format(*(f'v{o}' for o in i.operands))}")
    return lines


def _literal(number: float) -> str:
    if math.isnan(number):
        return "np.nan"
    if math.isinf(number):
        return "np.inf" if number > 0 else "-np.inf"
    return repr(float(number))
