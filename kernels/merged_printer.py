"""Prints the shape of a merged launch as Python text to be compiled.

Arguments of every function: `start`, `stop` (the outermost rows to run), `g` (the geometry), `b0`, `b1`, ... (buffers),
`q0`, ... (index tables), `indptr`.
"""

from __future__ import annotations

import hashlib

from kernels.merged import MergedShape
from kernels.numba_printer import HEADER, expression_lines
from kernels.source import Source, read_only

ROOM = 2048
"""Numbers that are fetched from places all over before anything is computed with them: half of a first-level cache."""

BLOCKS = (128, 64, 32)
"""For so many points, as many as there is room for."""

BESIDE = 256
"""Rows whose sums are added up side by side: as many accumulators for each sum are near at hand."""

SLOW = 4
"""Weight of operations that take much longer one by one than in vectors."""


def fetches(shape: MergedShape) -> bool:
    """Whether numbers are fetched a block at a time.

    Where they lie all over, compilers take point after point, and compute each quotient and root by itself. So fetching
    and computing are loops of their own: the second one has vector instructions.
    """
    far = [shape.kinds[place] for _, place in {*shape.loads, *shape.stores}]
    count = sum(kind not in ("unit", "still") for kind in far)
    is_slow = any(i.operation is not None and i.operation.weight >= SLOW for i in shape.kernel.instructions)
    has_sums = shape.indptr_bits or shape.sum_dims
    return not has_sums and is_slow and 0 < count * BLOCKS[-1] <= ROOM


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
    added = len(shape.stores) - shape.adds
    kinds = [f"{shape.kinds[place]}{' +' if t >= added else ''}" for t, (_, place) in enumerate(shape.stores)]
    stores = ", ".join(f"b{slot} {kind}" for (slot, _), kind in zip(shape.stores, kinds, strict=True))
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
        blocks = fetches(shape)
        if blocks:
            self._rooms()
        if shape.across:
            for t in range(len(shape.stores)):
                self._emit(f"t{t} = np.empty({BESIDE})")
        self._open("for c in range(g[0]):")
        self._cell()
        if blocks or shape.across:
            (self._in_blocks if blocks else self._across)()
            return self._lines
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

    def _rooms(self) -> None:
        """Room for what is fetched, and for what is put somewhere."""
        shape = self.shape
        self.fetched = [k for k, (_, place) in enumerate(shape.loads) if shape.kinds[place] not in ("unit", "still")]
        self.put = [t for t, (_, place) in enumerate(shape.stores) if shape.kinds[place] != "unit" or self._adds(t)]
        names = [f"r{k}" for k in self.fetched] + [f"s{t}" for t in self.put]
        self.block = next(size for size in BLOCKS if len(names) * size <= ROOM or size == BLOCKS[-1])
        for name in names:
            self._emit(f"{name} = np.empty({self.block})")

    def _in_blocks(self) -> None:
        """The points of the last dimension, some at a time."""
        shape = self.shape
        loop, depth = self._blocks(self.block), self._depth
        slots, where = [slot for slot, _ in shape.loads], [self.places[place] for _, place in shape.loads]
        last = shape.row_dims - 1
        if self.fetched:
            self._open(loop)
            for k in self.fetched:
                self._emit(f"r{k}[i{last} - a] = b{slots[k]}[{where[k]}]")
            self._depth = depth
        self._open(loop)
        room = {k: f"v{k} = r{k}[i{last} - a]" for k in self.fetched}
        for line in expression_lines(shape.kernel, shape.kernel.outputs, slots, where):
            name = line.split(" ", 1)[0]
            self._emit(room.get(int(name[1:]), line))
        results = [f"v{output}" for output in shape.kernel.outputs]
        for t, (slot, place) in enumerate(shape.stores):
            target = f"s{t}[i{last} - a]" if t in self.put else f"b{slot}[{self.places[place]}]"
            self._emit(f"{target} = {results[t]}")
        self._depth = depth
        if self.put:
            self._open(loop)
            for t in self.put:
                slot, place = shape.stores[t]
                self._emit(f"b{slot}[{self.places[place]}] {'+=' if self._adds(t) else '='} s{t}[i{last} - a]")

    def _blocks(self, size: int) -> str:
        """Open the loops up to that over blocks of the last dimension of the rows; the head of that over a block."""
        last = self.shape.row_dims - 1
        first, stop = "max(np.uint64(start), low)", "min(np.uint64(stop), high)"
        if last:
            self._open(f"for i0 in range({first}, {stop}):")
            self._loops(range(1, last))
            first, stop = "np.uint64(0)", f"n{last}"
        self._emit(f"first, end = {first}, {stop}")
        self._emit(f"count = (np.int64(max(first, end) - first) + {size - 1}) // {size}")
        self._open("for k in range(count):")
        self._emit(f"a = first + np.uint64(k) * np.uint64({size})")
        self._emit(f"b = min(a + np.uint64({size}), end)")
        return f"for i{last} in range(a, b):"

    def _across(self) -> None:
        """Sums of neighbouring rows side by side, each in its order."""
        last, sums = self.shape.row_dims - 1, range(len(self.shape.stores))
        loop, depth = self._blocks(BESIDE), self._depth
        self._open(loop)
        for t in sums:
            self._emit(f"t{t}[i{last} - a] = 0.0")
        self._depth = depth
        self._open(f"for i{last + 1} in range(n{last + 1}):")
        self._open(loop)
        self._expression()
        for t in sums:
            self._emit(f"t{t}[i{last} - a] += v{self.shape.kernel.outputs[t]}")
        self._depth = depth
        self._open(loop)
        self._store([f"t{t}[i{last} - a]" for t in sums])

    def _adds(self, store: int) -> bool:
        """Whether a result is added to what is there."""
        return store >= len(self.shape.stores) - self.shape.adds

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
            if kind.startswith("near"):
                self.places.append(f"{self.places[int(kind[4:])]} + o{k}")
                names.append(f"o{k}")
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
        axes = [f"i{axis}" for axis in range(self.shape.row_dims if rows else self.dims)]
        if self.shape.across and not rows:
            axes[-2:] = axes[:-3:-1]
        return axes

    def _expression(self) -> None:
        """Load, and compute."""
        shape = self.shape
        for k in range(shape.over_points):
            self._emit(f"w{k} = {self.places[k]}")
        slots, where = [slot for slot, _ in shape.loads], [f"w{place}" for _, place in shape.loads]
        for line in expression_lines(shape.kernel, shape.kernel.outputs, slots, where):
            self._emit(line)

    def _point(self) -> None:
        self._expression()
        if self.sums:
            for t, output in enumerate(self.shape.kernel.outputs):
                self._emit(f"t{t} += v{output}")

    def _row(self) -> None:
        """Store the results; without sums still within the point."""
        self._store([f"t{t}" if self.sums else f"v{output}" for t, output in enumerate(self.shape.kernel.outputs)])

    def _store(self, results: list[str]) -> None:
        shape = self.shape
        for k in sorted({place for _, place in shape.stores}):
            self._emit(f"w{k} = {self.places[k]}")
        for t, ((slot, place), result) in enumerate(zip(shape.stores, results, strict=True)):
            self._emit(f"b{slot}[w{place}] {'+=' if self._adds(t) else '='} {result}")


def _number(axes: list[str]) -> str:
    """The running number of a point or row in C order."""
    number = axes[0]
    for axis in axes[1:]:
        number = f"({number}) * n{axis[1:]} + {axis}"
    return number
