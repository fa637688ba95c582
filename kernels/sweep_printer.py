"""Prints the shape of a sweep as Python text for numba.

Arguments of every function: `start`, `stop` (the outermost rows to run), `g` (the geometry), `b0`, `b1`, ... (buffers),
`q` (the interleaved index tables).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kernels.numba_printer import HEADER, expression_lines
from kernels.source import Source, read_only
from kernels.sweep import PlaceShape, SweepShape


def print_sweep(shape: SweepShape) -> Source:
    """The function that runs sweeps of this shape."""
    stored = {store.access.slot for store in shape.stores}
    slots = 1 + max(place.access.slot for place in shape.places)
    parameters = [("start", "int64"), ("stop", "int64"), ("g", read_only("uint64"))]
    parameters += [(f"b{s}", "float64[::1]" if s in stored else read_only("float64")) for s in range(slots)]
    parameters += [("q", read_only(f"uint{shape.bits}"))]
    body = "\n".join([f'    """{_title(shape)}"""', *(f"    {line}" for line in _lines(shape))])
    signature = f"void({', '.join(kind for _, kind in parameters)})"
    name = f"sweep_{hashlib.blake2b(f'{signature}{body}'.encode(), digest_size=8).hexdigest()}"
    text = f"{HEADER}\n\ndef {name}({', '.join(parameter for parameter, _ in parameters)}):\n{body}\n"
    return Source(name, text, signature)


def _title(shape: SweepShape) -> str:
    loads = ", ".join(f"b{p.access.slot} {p.access.kind}" for p in shape.loads)
    pairs = zip(shape.stores, shape.adds, strict=True)
    stores = ", ".join(f"b{p.access.slot} {p.access.kind}{' +' if adds else ''}" for p, adds in pairs)
    blocks = f", in blocks of {shape.block}" if shape.block else ""
    return f"{shape.dims}-D{blocks}: {loads or 'nothing'} -> {stores}."


def _lines(shape: SweepShape) -> list[str]:
    names = [f"n{axis}" for axis in range(shape.dims)]
    names += [name for k, place in enumerate(shape.places) for name in _numbers(k, place, shape.dims)]
    lines = [f"{name} = g[{t}]" for t, name in enumerate(names) if t > 0]
    inside = _in_blocks(shape) if shape.block else _point_by_point(shape)
    lines += [f"block = np.empty({shape.block * len(set(shape.kernel.outputs))})"] if shape.block else []
    for axis in range(shape.dims - bool(shape.block)):
        limits = f"n{axis}" if axis else "np.uint64(start), np.uint64(stop)"
        lines.append(f"{'    ' * axis}for i{axis} in range({limits}):")
    return lines + [f"{'    ' * (shape.dims - bool(shape.block))}{line}" for line in inside]


def _point_by_point(shape: SweepShape) -> list[str]:
    """What is done at a point."""
    found = _leaders(shape, _Names("i", "w", "point", shape.dims), range(len(shape.places)))
    found += _values(shape)
    where = [_relative("w", k, place) for k, place in enumerate(shape.places)]
    stores = zip(shape.stores, where[shape.kernel.loads :], shape.adds, shape.kernel.outputs, strict=True)
    return found + [f"b{p.access.slot}[{to}] {'+=' if adds else '='} v{output}" for p, to, adds, output in stores]


def _in_blocks(shape: SweepShape) -> list[str]:
    """The innermost loop, as two for each block: all results of its points, then all stores."""
    axis, size = shape.dims - 1, f"np.uint64({shape.block})"
    first, last = ("np.uint64(start)", "np.uint64(stop)") if axis == 0 else ("np.uint64(0)", f"n{axis}")
    length = "stop - start" if axis == 0 else f"np.int64(n{axis})"
    found = [
        f"for c in range(({length} + {shape.block - 1}) // {shape.block}):",
        f"    first = {first} + np.uint64(c) * {size}",
        f"    last = min(first + {size}, {last})",
        f"    for i{axis} in range(first, last):",
    ]
    loads, outputs = shape.kernel.loads, list(dict.fromkeys(shape.kernel.outputs))
    inside = [*_leaders(shape, _Names("i", "w", "point", shape.dims), range(loads)), *_values(shape)]
    column = {output: f"np.uint64({shape.block * k})" for k, output in enumerate(outputs)}
    inside += [f"block[i{axis} - first + {column[output]}] = v{output}" for output in outputs]
    found += [f"        {line}" for line in inside]
    found.append(f"    for j{axis} in range(first, last):")
    inside = _leaders(shape, _Names("j", "u", "number", shape.dims), range(loads, len(shape.places)))
    for k, (place, adds, output) in enumerate(zip(shape.stores, shape.adds, shape.kernel.outputs, strict=True)):
        to = f"b{place.access.slot}[{_relative('u', loads + k, place)}]"
        inside.append(f"{to} {'+=' if adds else '='} block[j{axis} - first + {column[output]}]")
    return found + [f"        {line}" for line in inside]


def _values(shape: SweepShape) -> list[str]:
    slots = [place.access.slot for place in shape.loads]
    where = [_relative("w", k, place) for k, place in enumerate(shape.loads)]
    return expression_lines(shape.kernel, shape.kernel.outputs, slots, where)


@dataclass(frozen=True)
class _Names:
    """What a loop calls its innermost index, places, and the number of the point."""

    inner: str
    place: str
    point: str
    dims: int

    def index(self, axis: int) -> str:
        """The index along an axis."""
        return f"{self.inner if axis == self.dims - 1 else 'i'}{axis}"

    @property
    def number(self) -> str:
        """The running number of the point in C order."""
        number = self.index(0)
        for axis in range(1, self.dims):
            number = f"({number}) * n{axis} + {self.index(axis)}"
        return number


def _leaders(shape: SweepShape, names: _Names, chosen: range) -> list[str]:
    """Places of the loads and stores that those chosen are relative to."""
    needed = {shape.places[k].leader for k in chosen}
    found, tables = [], 0
    for k, place in enumerate(shape.places):
        is_table = place.leader == k and place.access.kind.startswith("table")
        if k in needed:
            where = f"q[{names.point} + np.uint64({tables})]" if is_table else _affine(k, place, names)
            found.append(f"{names.place}{k} = {where}")
        tables += is_table
    has_tables = any(shape.places[k].access.kind.startswith("table") for k in needed)
    start = [f"{names.point} = ({names.number}) * np.uint64({shape.tables})"] if has_tables else []
    return start + found


def _relative(prefix: str, k: int, place: PlaceShape) -> str:
    if place.is_far:
        return f"{prefix}{place.leader} + d{k}"
    if not place.distance:
        return f"{prefix}{place.leader}"
    return f"{prefix}{place.leader} {'-' if place.distance < 0 else '+'} np.uint64({abs(place.distance)})"


def _numbers(k: int, place: PlaceShape, dims: int) -> list[str]:
    """Names of what the geometry says of a load or store."""
    if place.leader != k:
        return [f"d{k}"] if place.is_far else []
    if place.access.kind.startswith("table"):
        return []
    strides = dims - (place.access.kind in ("unit", "still"))
    return [f"o{k}", *(f"s{k}_{axis}" for axis in range(strides))]


def _affine(k: int, place: PlaceShape, names: _Names) -> str:
    """The place of an affine access."""
    terms = [f"o{k}"]
    for axis in range(names.dims):
        innermost = axis == names.dims - 1
        if innermost and place.access.kind in ("unit", "still"):
            terms += [names.index(axis)] if place.access.kind == "unit" else []
            continue
        stride = f"np.uint64({place.step})" if innermost and place.step > 0 else f"s{k}_{axis}"
        terms.append(f"{names.index(axis)} * {stride}")
    return " + ".join(terms)
