"""Prints a nest as the C function of one of its threads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod

from kernels.address import Affine, Table
from kernels.cuda.arrays import Arrays
from kernels.cuda.body import Body, Noted, Parameter, Staged
from kernels.cuda.expression import called_name, operation_lines
from kernels.cuda.module import Number, Pointer
from kernels.cuda.nest import INT32_MAX, Axes, Nest, Site, View, interleaved
from kernels.cuda.staging import TILE, Row, rows_of
from kernels.sweep import apart

NEAR = 64
"""Places that are no further apart share one address, and their distances are part of the text."""

LIGHT = 4
"""Loads, and operations, of a point so cheap that a thread takes several points, to have more loads under way."""

_CONSTANT = re.compile(r"\s*const (?:int|i64|u32|u64|double) (\w+) = ")
_NAME = re.compile(r"\b[a-z_]\w*")


def print_body(nest: Nest, arrays: Arrays, *, alone: bool, noted: Noted | None = None) -> Body:
    """The function, and what to pass it.

    Parameters
    ----------
    nest : Nest
    arrays : Arrays
        Where its tables are put.
    alone : bool
        Whether nothing that it reads is written in the same launch: reads may then go through the read-only cache, and
        pointers are known to differ.
    noted : Noted, optional
        Whose numbers to look at.
    """
    rows = rows_of(nest) if alone and not _is_wide(nest) else ()
    staged = tuple(Staged(_Printer(nest, arrays, alone, None, ()).put(row), row) for row in rows)
    return _Printer(nest, arrays, alone, noted, staged).body()


class _Printer:
    def __init__(
        self, nest: Nest, arrays: Arrays, alone: bool, noted: Noted | None, staged: tuple[Staged, ...]
    ) -> None:
        self.nest = nest
        self.arrays = arrays
        self.alone = alone
        self.noted = noted
        self.staged = staged
        self._stages = {number: k for k, number in enumerate(n for part in staged for n in part.row.results)}
        self.parameters: dict[str, Parameter] = {}
        self.wide = _is_wide(nest)
        self.integer = "i64" if self.wide else "int"
        self._lines: list[str] = []
        self._depth = 1
        self._pointers: dict[tuple[View, str], str] = {}
        self._bases: dict[tuple[object, ...], str] = {}
        self._offsets: dict[tuple[object, ...], list[tuple[str, int]]] = {}
        self._entries: list[tuple[str, Table, Axes]] = []
        self._written = {result.site.view for result in nest.results}

    def body(self) -> Body:
        nest = self.nest
        self._indices()
        outputs = tuple(nest.kernel.outputs[result.output] for result in nest.results)
        operations, loads, functions = operation_lines(nest.kernel, outputs)
        stores = [self._place(result.site) for result in nest.results] if nest.summing else []
        if nest.summing or nest.chained:
            self._open_sums(stores)
        for k in loads:
            self._emit(f"const double v{k} = {self._read(nest.loads[k])};")
        for line in operations:
            self._emit(line)
        values = [f"v{nest.kernel.outputs[result.output]}" for result in nest.results]
        if nest.summing:
            for k, value in enumerate(values):
                self._emit(f"total{k} += {value};")
            while self._depth > 1:
                self._close()
            values = [f"total{k}" for k in range(len(values))]
        for k, value in enumerate(values):
            self._store(k, value, stores[k] if stores else "")
        while self._depth > 1:
            self._close()
        for k, part in enumerate(self.staged):
            if part.row.distances:
                self._emit(f"where[{k * TILE}] = {self._place(nest.results[part.row.results[0]].site)};")
        light = not nest.summing and len(loads) <= LIGHT and len(operations) <= LIGHT and not functions
        return self._finish([f"const {self._thread} t"], functions, light=light)

    def put(self, row: Row) -> Body:
        """The function that stores what others have computed, at a place that they tell or that a table holds."""
        first = self.nest.results[row.results[0]].site
        if row.distances:
            jumps = pairwise(enumerate(row.distances))
            steps = [f" + (k >= {k} ? {b - a - 1} : 0)" for (_, a), (k, b) in jumps if b - a > 1]
            at, place = "const int at", f"at + k{''.join(steps)}"
        else:
            places = interleaved([self.nest.results[number].site.address for number in row.results])
            table = self._pointer(self.arrays.table(places), "q")
            at, place = "const u32 at", f"(int)__ldg({table} + (at * {row.count} + k))"
        self._emit(f"{self._pointer(first.view, 'b')}[{place}] = value;")
        return self._finish([at, "const int k", "const number value"], kind="put")

    def _finish(
        self, first: Sequence[str], functions: frozenset[str] = frozenset(), *, kind: str = "", light: bool = False
    ) -> Body:
        lines, used = _without_unused(self._lines)
        if not kind and "t" not in used:
            lines.insert(0, "    (void)t;")
        self.parameters = {name: p for name, p in self.parameters.items() if name in used}
        last = ["number *__restrict__ stage"] if self.staged else []
        last += ["int *__restrict__ where"] if self._tells else []
        parameters = ", ".join([*first, *(f"{p.type}{p.name}" for p in self.parameters.values()), *last])
        inside = "\n".join(lines)
        functions = frozenset(name for name in functions if re.search(rf"\b{called_name(name)}\(", inside))
        digest = hashlib.blake2b(f"{parameters}{inside}".encode(), digest_size=6).hexdigest()
        name = f"{kind or self.nest.kind}_{digest}"
        text = f"INLINE void {name}({parameters})\n{{\n{inside}\n}}\n"
        return Body(name, text, tuple(self.parameters.values()), self.nest.threads, functions, self.staged, light)

    @property
    def _thread(self) -> str:
        return "u64" if self.wide else "u32"

    @property
    def _tells(self) -> bool:
        """Whether the function tells where its staged results go."""
        return any(part.row.distances for part in self.staged)

    def _emit(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _number(self, name: str, value: int) -> str:
        if name not in self.parameters:
            number = Number(value, "int64" if self.wide else "int32")
            self.parameters[name] = Parameter(name, f"const {self.integer} ", number)
        return name

    def _pointer(self, view: View, prefix: str) -> str:
        """A pointer to the beginning of a view's buffer part: numbers are ``b0``, ``b1``, ...; tables ``q0``, ..."""
        key = (view, prefix)
        if key not in self._pointers:
            name = f"{prefix}{sum(p == prefix for _, p in self._pointers)}"
            written = view in self._written
            buffer = self.arrays.buffers[view.buffer]
            kind = {"int32": "int", "int64": "i64"}.get(buffer.dtype, "number")
            fixed = self.alone or prefix == "q"
            type_ = f"{'' if written else 'const '}{kind} *{'__restrict__ ' if fixed else ''}"
            self.parameters[name] = Parameter(name, type_, Pointer(view.buffer, view.offset), written)
            self._pointers[key] = name
        return self._pointers[key]

    def _indices(self) -> None:
        """The index of the thread along each axis: rows, then pieces, then seeds."""
        nest = self.nest
        axes = [(f"i{k}", f"n{k}", length) for k, length in enumerate(nest.rows)]
        axes += [("c", "pieces", nest.pieces)] if nest.pieces else []
        axes += [("s", "seeds", nest.seeds)] if nest.seeds else []
        rest = "t"
        for k, (index, name, length) in reversed(list(enumerate(axes))):
            if k == 0:
                self._emit(f"const {self.integer} {index} = ({self.integer}){rest};")
                continue
            size = f"({self._thread}){self._number(name, length)}"
            self._emit(f"const {self.integer} {index} = ({self.integer})({rest} % {size});")
            self._emit(f"const {self._thread} t{k} = {rest} / {size};")
            rest = f"t{k}"

    def _open_sums(self, stores: Sequence[str]) -> None:
        nest = self.nest
        for k, result in enumerate(nest.results if nest.summing else ()):
            start = f"{self._pointer(result.site.view, 'b')}[{stores[k]}]" if result.adds else "0.0"
            self._emit(f"double total{k} = {start};")
        if nest.indptr is not None:
            ends = self._pointer(self.arrays.table(nest.indptr), "q")
            self._emit(f"const {self.integer} end = ({self.integer})__ldg({ends} + i0 + 1);")
            self._loop(f"p = ({self.integer})__ldg({ends} + i0)", "p < end", "++p")
        elif nest.pieces:
            total, step = self._number("length", prod(nest.sums)), self._number("pieces", nest.pieces)
            self._loop("p = c", f"p < {total}", f"p += {step}")
            self._decompose()
        else:
            for k, length in enumerate(nest.sums):
                self._loop(f"j{k} = 0", f"j{k} < {self._number(f'm{k}', length)}", f"++j{k}")

    def _loop(self, start: str, test: str, step: str) -> None:
        self._emit(f"for ({self.integer} {start}; {test}; {step}) {{")
        self._depth += 1

    def _close(self) -> None:
        self._depth -= 1
        self._emit("}")

    def _decompose(self) -> None:
        """The indices of point p of a row."""
        rest = "p"
        for k in range(len(self.nest.sums) - 1, -1, -1):
            if k == 0:
                self._emit(f"const {self.integer} j0 = {rest};")
                continue
            size = self._number(f"m{k}", self.nest.sums[k])
            self._emit(f"const {self.integer} j{k} = {rest} % {size};")
            self._emit(f"const {self.integer} p{k} = {rest} / {size};")
            rest = f"p{k}"

    def _axes(self, over: Axes) -> list[tuple[str, str, int]]:
        """Index, name of the length, and length of each axis that an address ranges over."""
        nest = self.nest
        if over == "points" and nest.indptr is not None:
            return [("p", "", 0)]
        axes = [(f"i{k}", f"n{k}", length) for k, length in enumerate(nest.rows)]
        if over == "points":
            axes += [(f"j{k}", f"m{k}", length) for k, length in enumerate(nest.sums)]
        return axes + ([("c", "pieces", nest.pieces)] if over == "pieces" else [])

    def _place(self, site: Site) -> str:
        """The place in its view, as an expression."""
        place = self._affine(site) if isinstance(site.address, Affine) else self._tabled(site)
        return f"{place} + s" if site.seeds else place

    def _affine(self, site: Site) -> str:
        address, scale = site.address, max(site.seeds, 1)
        assert isinstance(address, Affine)
        axes = [axis for axis, _, _ in self._axes(site.over)]
        strides = tuple(s * scale if n > 1 else 0 for s, n in zip(address.strides, address.box, strict=True))
        base = self._base(axes, strides)
        return self._offset((site.view, base), address.offset * scale) + (f" + {base}" if base else "")

    def _base(self, axes: Sequence[str], strides: tuple[int, ...]) -> str:
        """What a place has beyond its offset; equal for equal strides."""
        key = (tuple(axes), strides)
        if key not in self._bases:
            group = len(self._bases)
            terms = [
                axis if stride == 1 else f"{axis} * {self._number(f's{group}_{k}', stride)}"
                for k, (axis, stride) in enumerate(zip(axes, strides, strict=True))
                if stride
            ]
            self._bases[key] = " + ".join(terms)
        return self._bases[key]

    def _offset(self, key: tuple[object, ...], offset: int) -> str:
        known = self._offsets.setdefault(key, [])
        for name, other in known:
            if abs(offset - other) <= NEAR:
                distance = offset - other
                return name if not distance else f"{name} {'+' if distance > 0 else '-'} {abs(distance)}"
        name = f"o{sum(map(len, self._offsets.values()))}"
        known.append((name, offset))
        return self._number(name, offset)

    def _tabled(self, site: Site) -> str:
        assert isinstance(site.address, Table)
        place = self._entry(site.address, site.over)
        return f"({place}) * {self._number('seeds', site.seeds)}" if site.seeds else place

    def _entry(self, address: Table, over: Axes) -> str:
        """The number in a table; tables that are everywhere at one distance from an earlier one are not read."""
        for name, other, range_ in self._entries:
            distance = apart(other.places, address.places) if range_ == over else None
            if distance is not None and abs(distance) <= NEAR:
                return name if not distance else f"{name} {'+' if distance > 0 else '-'} {abs(distance)}"
            if distance is not None:
                return f"{name} + {self._number(f'd{len(self.parameters)}', distance)}"
        name = f"w{len(self._entries)}"
        table = self._pointer(self.arrays.table(address.places, address.content), "q")
        self._emit(f"const {self.integer} {name} = ({self.integer})__ldg({table} + {self._running(over)});")
        self._entries.append((name, address, over))
        return name

    def _running(self, over: Axes) -> str:
        """The running number of a point or row in C order."""
        nest = self.nest
        if not nest.seeds and not nest.pieces and nest.indptr is None and (over == "rows" or not nest.sums):
            return "t"
        axes = self._axes(over)
        if not axes:
            return "0"
        number = axes[0][0]
        for index, name, length in axes[1:]:
            number = f"({number}) * {self._number(name, length)} + {index}"
        return number

    def _read(self, site: Site) -> str:
        name, place = self._pointer(site.view, "b"), self._place(site)
        if self.alone and site.view not in self._written:
            return f"__ldg({name} + ({place}))" if " " in place else f"__ldg({name} + {place})"
        return f"{name}[{place}]"

    def _store(self, k: int, value: str, place: str) -> None:
        result = self.nest.results[k]
        if k in self._stages:
            target = f"stage[{self._stages[k]}]"
        else:
            target = f"{self._pointer(result.site.view, 'b')}[{place or self._place(result.site)}]"
        if self.nest.seeds and result.once:
            self._emit("if (s == 0) {")
            self._depth += 1
        if result.adds and not self.nest.summing:
            value = f"({target} + {value})"
        if self.noted is not None and self.noted.buffer == result.site.view.buffer:
            value = self._note(k, value, self.noted.status)
        self._emit(f"{target} = {value if value.startswith('r') else f'(number){value}'};")
        if self.nest.seeds and result.once:
            self._close()

    def _note(self, k: int, value: str, status: Pointer) -> str:
        """Whatever is added to a number that is not finite, it stays so."""
        self.parameters["status"] = Parameter("status", "int *", status, written=True)
        self._emit(f"const number r{k} = (number){value};")
        self._emit(f"if (r{k} - r{k} != 0)")
        self._emit("    RELAXED_STORE(status + 1, 1);")
        return f"r{k}"


def _without_unused(lines: Sequence[str]) -> tuple[list[str], set[str]]:
    """Without constants that nobody reads; and the names in what is left."""
    kept: list[str] = []
    used: set[str] = set()
    for line in reversed(lines):
        defined = _CONSTANT.match(line)
        if defined is None or defined[1] in used:
            kept.append(line)
            used.update(_NAME.findall(line))
    return kept[::-1], used


def _is_wide(nest: Nest) -> bool:
    """Whether some number is beyond 32 bits."""
    sites = [*nest.loads, *(result.site for result in nest.results)]
    points = 0 if nest.indptr is None else int(nest.indptr[-1])
    ends = [site.reach()[1] for site in sites]
    return max([nest.threads, nest.longest, prod(nest.rows) * prod(nest.sums), points, *ends]) > INT32_MAX // 2
