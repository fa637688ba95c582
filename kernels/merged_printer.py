"""Prints the shape of a merged launch as Python text to be compiled.

Arguments of every function: `start`, `stop` (the outermost rows to run), `g` (the geometry), `b0`, `b1`, ... (buffers),
`q0`, ... (index tables), `indptr`.
"""

from __future__ import annotations

import hashlib

from kernels.merged import MergedShape
from kernels.numba_printer import HEADER, expression_lines
from kernels.source import Source, read_only


def print_merged(shape: MergedShape) -> Source:
    """The function that runs merged launches of this shape."""
    stored = {slot for slot, _ in shape.stores}
    slots = 1 + max(slot for slot, _ in (*shape.loads, *shape.stores))
    parameters = [("start", "int64"), ("stop", "int64"), ("g", read_only("uint64"))]
    parameters += [(f"b{s}", "float64[::1]" if s in stored else read_only("float64")) for s in range(slots)]
    tables = [kind for kind in shape.kinds if kind.startswith("table")]
    parameters += [(f"q{t}", read_only(f"uint{kind[5:]}")) for t, kind in enumerate(tables)]
    parameters += [("indptr", read_only(f"uint{shape.indptr_bits}"))] if shape.indptr_bits else []
    body = "\n".join([f'    """{_title(shape)}"""', *(f"    {line}" for line in _Body(shape).lines())])
    signature = f"void({', '.join(kind for _, kind in parameters)})"
    name = f"merged_{hashlib.blake2b(f'{signature}{body}'.encode(), digest_size=8).hexdigest()}"
    text = f"{HEADER}\n\ndef {name}({', '.join(parameter for parameter, _ in parameters)}):\n{body}\n"
    return Source(name, text, signature)


def _title(shape: MergedShape) -> str:
    rows = "ragged rows" if shape.indptr_bits else f"{shape.row_dims}-D rows"
    sums = f", sums over {shape.sum_dims}-D" if shape.sum_dims else ""
    loads = ", ".join(f"b{slot} {shape.kinds[place]}" for slot, place in shape.loads)
    stores = ", ".join(f"b{slot} {shape.kinds[place]}" for slot, place in shape.stores)
    return f"{rows}{sums}: {loads or 'nothing'} -> {stores}."


class _Body:
    """The statements of one function, collected from the outermost loop inwards."""

    def __init__(self, shape: MergedShape) -> None:
        self.shape = shape
        self.dims = shape.row_dims + shape.sum_dims
        self.sums = bool(shape.indptr_bits or shape.sum_dims)
        self._lines: list[str] = []
        self._depth = 0

    def lines(self) -> list[str]:
        """All statements."""
        shape = self.shape
        self._open("for c in range(g[0]):")
        self._cell()
        self._open("for i0 in range(max(np.uint64(start), low), min(np.uint64(stop), high)):")
        self._loops(range(1, shape.row_dims))
        row_depth = self._depth
        if self.sums:
            for t in range(len(shape.stores)):
                self._emit(f"t{t} = 0.0")
        if shape.indptr_bits:
            self._open("for p in range(np.uint64(indptr[i0]), np.uint64(indptr[i0 + ONE])):")
        self._loops(range(shape.row_dims, self.dims))
        self._point()
        self._depth = row_depth
        self._row()
        return self._lines

    def _emit(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _open(self, line: str) -> None:
        self._emit(line)
        self._depth += 1

    def _loops(self, axes: range) -> None:
        for axis in axes:
            self._open(f"for i{axis} in range(n{axis}):")

    def _cell(self) -> None:
        """Name the numbers of a cell, and say where each address leads."""
        names = ["low", "high", *(f"n{axis}" for axis in range(1, self.dims))]
        tables = 0
        self.places: list[str] = []
        for k, kind in enumerate(self.shape.kinds):
            axes = self._axes(rows=k >= self.shape.over_points)
            if kind.startswith("table"):
                self.places.append(f"q{tables}[{_number(axes)}]")
                tables += 1
                continue
            terms = [f"o{k}", *(f"{axis} * s{k}_{t}" for t, axis in enumerate(axes))]
            numbers = [f"o{k}", *(f"s{k}_{t}" for t in range(len(axes)))]
            if kind != "strided":
                numbers.pop()
                terms[-1:] = [axes[-1]] if kind == "unit" else []
            names += numbers
            self.places.append(" + ".join(terms))
        self._emit(f"z = ONE + c * np.uint64({len(names)})")
        for t, name in enumerate(names):
            self._emit(f"{name} = g[z + np.uint64({t})]")

    def _axes(self, *, rows: bool) -> list[str]:
        """Loop variables that an address depends on."""
        if self.shape.indptr_bits:
            return ["i0"] if rows else ["p"]
        return [f"i{axis}" for axis in range(self.shape.row_dims if rows else self.dims)]

    def _point(self) -> None:
        shape = self.shape
        for k in range(shape.over_points):
            self._emit(f"w{k} = {self.places[k]}")
        slots, where = [slot for slot, _ in shape.loads], [f"w{place}" for _, place in shape.loads]
        for line in expression_lines(shape.kernel, shape.kernel.outputs, slots, where):
            self._emit(line)
        if self.sums:
            for t, output in enumerate(shape.kernel.outputs):
                self._emit(f"t{t} += v{output}")

    def _row(self) -> None:
        """Store the results; without sums still within the point."""
        shape = self.shape
        results = [f"t{t}" if self.sums else f"v{output}" for t, output in enumerate(shape.kernel.outputs)]
        for k in sorted({place for _, place in shape.stores}):
            self._emit(f"w{k} = {self.places[k]}")
        for (slot, place), result in zip(shape.stores, results, strict=True):
            self._emit(f"b{slot}[w{place}] = {result}")


def _number(axes: list[str]) -> str:
    """The running number of a point or row in C order."""
    number = axes[0]
    for axis in axes[1:]:
        number = f"({number}) * n{axis[1:]} + {axis}"
    return number
