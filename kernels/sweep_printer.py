"""Prints the shape of a sweep as Python text for numba.

Arguments of every function: `start`, `stop` (the outermost rows to run), `g` (the geometry), `b0`, `b1`, ... (buffers),
`q` (the interleaved index tables).
"""

from __future__ import annotations

import hashlib

from kernels.numba_printer import HEADER, expression_lines
from kernels.shape import AccessShape
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
    return f"{shape.dims}-D: {loads or 'nothing'} -> {stores}."


def _lines(shape: SweepShape) -> list[str]:
    names, places = _places(shape)
    lines = [f"{name} = g[{t}]" for t, name in enumerate(names) if t > 0]
    lines.append("for i0 in range(np.uint64(start), np.uint64(stop)):")
    lines += [f"{'    ' * axis}for i{axis} in range(n{axis}):" for axis in range(1, shape.dims)]
    inside = [f"point = ({_number(shape.dims)}) * np.uint64({shape.tables})"] if shape.tables else []
    inside += [f"w{k} = {places[k]}" for k, place in enumerate(shape.places) if place.leader == k]
    slots = [place.access.slot for place in shape.loads]
    inside += expression_lines(shape.kernel, shape.kernel.outputs, slots, [_relative(place) for place in shape.loads])
    for store, adds, output in zip(shape.stores, shape.adds, shape.kernel.outputs, strict=True):
        inside.append(f"b{store.access.slot}[{_relative(store)}] {'+=' if adds else '='} v{output}")
    return lines + [f"{'    ' * shape.dims}{line}" for line in inside]


def _relative(place: PlaceShape) -> str:
    if not place.distance:
        return f"w{place.leader}"
    return f"w{place.leader} {'-' if place.distance < 0 else '+'} np.uint64({abs(place.distance)})"


def _places(shape: SweepShape) -> tuple[list[str], list[str]]:
    """Names of the numbers of the geometry, and the place of each load and store that leads."""
    names, tables = [f"n{axis}" for axis in range(shape.dims)], 0
    found = []
    for k, place in enumerate(shape.places):
        text = ""
        if place.access.kind.startswith("table"):
            text = f"q[point + np.uint64({tables})]"
            tables += 1
        elif place.leader == k:
            text = _affine(k, place.access, shape.dims, place.step, names)
        found.append(text)
    return names, found


def _affine(k: int, access: AccessShape, dims: int, step: int, names: list[str]) -> str:
    """The place of an affine access; the names of its numbers are appended."""
    names.append(f"o{k}")
    terms = [f"o{k}"]
    for axis in range(dims):
        innermost = axis == dims - 1
        if innermost and access.kind in ("unit", "still"):
            terms += [f"i{axis}"] if access.kind == "unit" else []
            continue
        names.append(f"s{k}_{axis}")
        constant = innermost and step
        terms.append(f"i{axis} * {f'np.uint64({step})' if constant and step > 0 else f's{k}_{axis}'}")
    return " + ".join(terms)


def _number(dims: int) -> str:
    """The running number of the point in C order."""
    number = "i0"
    for axis in range(1, dims):
        number = f"({number}) * n{axis} + i{axis}"
    return number
