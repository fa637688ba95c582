"""Prints the shape of a sweep as Python text for numba.

Arguments of every function: `start`, `stop` (the outermost rows to run), `g` (the geometry), `b0`, `b1`, ... (buffers),
`q` (the interleaved index tables).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernels.numba_printer import HEADER, expression_lines
from kernels.source import IN_VECTORS, Source, read_only
from kernels.sweep import PlaceShape, SweepShape, columns


def print_sweep(shape: SweepShape, *, checked: bool = False) -> Source:
    """The function that runs sweeps of this shape.

    Parameters
    ----------
    shape : SweepShape
    checked : bool
        Whether there is a last argument `f`, an array whose first number is set to 1.0 where some result is not finite
        (or results are so large that their sum is not).
    """
    stored = {store.access.slot for store in shape.stores}
    slots = 1 + max(place.access.slot for place in shape.places)
    parameters = [("start", "int64"), ("stop", "int64"), ("g", read_only("uint64"))]
    parameters += [(f"b{s}", "float64[::1]" if s in stored else read_only("float64")) for s in range(slots)]
    parameters += [("q", read_only(f"uint{shape.bits}"))]
    parameters += [("f", "float64[::1]")] if checked else []
    body = "\n".join([f'    """{_title(shape)}"""', *(f"    {line}" for line in _lines(shape, checked=checked))])
    signature = f"void({', '.join(kind for _, kind in parameters)})"
    name = f"sweep_{hashlib.blake2b(f'{signature}{body}'.encode(), digest_size=8).hexdigest()}"
    text = f"{HEADER}\n\ndef {name}({', '.join(parameter for parameter, _ in parameters)}):\n{body}\n"
    return Source(name, text, signature)


def _title(shape: SweepShape) -> str:
    loads = ", ".join(f"b{p.access.slot} {p.access.kind}" for p in shape.loads)
    pairs = zip(shape.stores, shape.adds, strict=True)
    stores = ", ".join(f"b{p.access.slot} {p.access.kind}{' +' if adds else ''}" for p, adds in pairs)
    blocks = f", in blocks of {shape.block}" if shape.block else ""
    blocks += ", stored before added" if shape.by_rows else ""
    return f"{shape.dims}-D{blocks}: {loads or 'nothing'} -> {stores}."


def _lines(shape: SweepShape, *, checked: bool) -> list[str]:
    names = [f"n{axis}" for axis in range(shape.dims)]
    names += [name for k, place in enumerate(shape.places) for name in _numbers(k, place, shape.dims)]
    lines = [f"{name} = g[{t}]" for t, name in enumerate(names) if t > 0]
    way = _ways[bool(shape.block), shape.by_rows]
    outer = shape.dims - 1 if shape.block or shape.by_rows else shape.dims
    lines += [f"block = np.empty({shape.block * len(_columns(shape))})"] if shape.block else []
    lines += _looking(shape) if checked else []
    for axis in range(outer):
        limits = f"n{axis}" if axis else "np.uint64(start), np.uint64(stop)"
        lines.append(f"{'    ' * axis}for i{axis} in range({limits}):")
    inside = [line for line in way(shape) if checked or not line.lstrip().startswith(_CHECKS)]
    return lines + [f"{'    ' * outer}{line}" for line in inside] + (_noting(shape) if checked else [])


def _point_by_point(shape: SweepShape, chosen: Sequence[int] | None = None) -> list[str]:
    """What is done at a point, with all results or some."""
    chosen = range(len(shape.stores)) if chosen is None else chosen
    loads, outputs = shape.kernel.loads, shape.kernel.outputs
    found = [repr(IN_VECTORS)] if shape.is_short and not any(shape.adds[k] for k in chosen) else []
    found += _leaders(shape, _Names("i", "w", "point", shape.dims), [*range(loads), *(loads + k for k in chosen)])
    found += _values(shape, tuple(outputs[k] for k in chosen))
    found += [f"spoilt |= {_whole(outputs[k] for k in chosen)} != 0.0"] if len(chosen) else []
    for k in chosen:
        found.append(f"{_to(shape, k, 'w')} {'+=' if shape.adds[k] else '='} v{outputs[k]}")
    return found


_CHECKS = ("spoilt |=", "looked[")
"""What lines begin with that look for results that are not finite."""


def _whole(values: Iterable[int]) -> str:
    """Something that is zero where values are finite: their sum is not, if one of them is not."""
    whole = " + ".join(f"v{value}" for value in dict.fromkeys(values))
    return f"({whole}) - ({whole})"


def _looking(shape: SweepShape) -> list[str]:
    """Before anything is found; a block notes it point by point, which is vectorised and leaves nothing to be done."""
    if not shape.block:
        return ["spoilt = False"]
    size = shape.block
    return [f"looked = np.empty({size})", f"for t in range({size}):", "    looked[np.uint64(t)] = 0.0"]


def _noting(shape: SweepShape) -> list[str]:
    """In the end."""
    noted = ["if spoilt:", "    f[0] = 1.0"]
    if not shape.block:
        return noted
    found = ["spoilt = False", f"for t in range({shape.block}):", "    spoilt |= looked[np.uint64(t)] != 0.0"]
    return found + noted


def _to(shape: SweepShape, k: int, prefix: str) -> str:
    """Where the result of a store goes."""
    place = shape.stores[k]
    return f"b{place.access.slot}[{_relative(prefix, shape.kernel.loads + k, place)}]"


def _ends(shape: SweepShape) -> tuple[str, str]:
    """Beginning and end of the innermost loop."""
    return ("np.uint64(start)", "np.uint64(stop)") if shape.dims == 1 else ("np.uint64(0)", f"n{shape.dims - 1}")


def _in_two_loops(shape: SweepShape) -> list[str]:
    """The innermost loop, once for what is stored and once for what is added."""
    found = []
    for adds in (False, True):
        chosen = [k for k, added in enumerate(shape.adds) if added is adds]
        found.append(f"for i{shape.dims - 1} in range({', '.join(_ends(shape))}):")
        found += [f"    {line}" for line in _point_by_point(shape, chosen)]
    return found


def _in_blocks(shape: SweepShape) -> list[str]:
    """The innermost loop, as two for each block: all results of its points, then all stores."""
    axis, size = shape.dims - 1, f"np.uint64({shape.block})"
    first, last = _ends(shape)
    length = "stop - start" if axis == 0 else f"np.int64(n{axis})"
    found = [
        f"for c in range(({length} + {shape.block - 1}) // {shape.block}):",
        f"    first = {first} + np.uint64(c) * {size}",
        f"    last = min(first + {size}, {last})",
    ]
    inside = [*_computing(shape), *_storing(shape, range(len(shape.stores)))]
    return found + [f"    {line}" for line in inside]


def _in_whole_rows(shape: SweepShape) -> list[str]:
    """The innermost loop, as one for all results, then one for each group of stores, and then what is added."""
    first, last = _ends(shape)
    found = [f"first = {first}", f"last = {last}", *_computing(shape)]
    groups: dict[int, list[int]] = {}
    for k, place in enumerate(shape.stores):
        if not shape.adds[k]:
            groups.setdefault(place.leader, []).append(k)
    for group in groups.values():
        found += _storing(shape, group)
    added = [k for k, adds in enumerate(shape.adds) if adds]
    return found + (_summing if shape.still else _storing)(shape, added)


_ways = {
    (False, False): _point_by_point,
    (False, True): _in_two_loops,
    (True, False): _in_blocks,
    (True, True): _in_whole_rows,
}
"""How the innermost loop is run, by whether there is a block and whether stores come first."""


def _columns(shape: SweepShape) -> dict[int, int]:
    """The columns of a block, by the number of the value that each holds."""
    return {value: k for k, value in enumerate(dict.fromkeys(v for v, _ in columns(shape.kernel).values()))}


def _computing(shape: SweepShape) -> list[str]:
    """The loop that computes a block."""
    axis, found = shape.dims - 1, _columns(shape)
    inside = [*_leaders(shape, _Names("i", "w", "point", shape.dims), range(shape.kernel.loads))]
    inside += [*_values(shape, tuple(found)), f"looked[i{axis} - first] += {_whole(found)}"]
    inside += [f"block[i{axis} - first + np.uint64({shape.block * k})] = v{value}" for value, k in found.items()]
    return [f"for i{axis} in range(first, last):", *(f"    {line}" for line in inside)]


def _storing(shape: SweepShape, chosen: Sequence[int]) -> list[str]:
    """The loop that stores results of a block."""
    axis, loads = shape.dims - 1, shape.kernel.loads
    inside = _leaders(shape, _Names("j", "u", "number", shape.dims), [loads + k for k in chosen])
    inside += [f"{_to(shape, k, 'u')} {'+=' if shape.adds[k] else '='} {_held(shape, k)}" for k in chosen]
    return [f"for j{axis} in range(first, last):", *(f"    {line}" for line in inside)]


def _summing(shape: SweepShape, chosen: Sequence[int]) -> list[str]:
    """The loop that adds results of a block whose places stay as they are, in registers."""
    axis, loads = shape.dims - 1, shape.kernel.loads
    found = _leaders(shape, _Names("j", "u", "number", shape.dims), [loads + k for k in chosen])
    found += [f"t{k} = {_to(shape, k, 'u')}" for k in chosen]
    found.append(f"for j{axis} in range(first, last):")
    found += [f"    t{k} += {_held(shape, k)}" for k in chosen]
    return found + [f"{_to(shape, k, 'u')} = t{k}" for k in chosen]


def _held(shape: SweepShape, k: int) -> str:
    """A result as it stands in the block."""
    value, is_negated = columns(shape.kernel)[shape.kernel.outputs[k]]
    column = f"np.uint64({shape.block * _columns(shape)[value]})"
    return f"{'-' if is_negated else ''}block[j{shape.dims - 1} - first + {column}]"


def _values(shape: SweepShape, outputs: tuple[int, ...]) -> list[str]:
    slots = [place.access.slot for place in shape.loads]
    where = [_relative("w", k, place) for k, place in enumerate(shape.loads)]
    return expression_lines(shape.kernel, outputs, slots, where)


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


def _leaders(shape: SweepShape, names: _Names, chosen: Iterable[int]) -> list[str]:
    """Places of the loads and stores that those chosen are relative to."""
    needed = {shape.places[k].leader for k in chosen}
    tables = [k for k, place in enumerate(shape.places) if place.leader == k and place.access.kind.startswith("table")]
    found = []
    for k in sorted(needed):
        where = f"q[{_tabled(shape, names, tables, k)}]" if k in tables else _affine(k, shape.places[k], names)
        found.append(f"{names.place}{k} = {where}")
    start = _number_of(shape, names, tables) if needed.intersection(tables) else []
    return start + found


def _number_of(shape: SweepShape, names: _Names, tables: Sequence[int]) -> list[str]:
    """Where the tables say what there is to say of a point."""
    if not shape.in_blocks:
        return [f"{names.point} = ({names.number}) * np.uint64({shape.tables})"]
    loaded = sum(k < shape.kernel.loads for k in tables)
    found = [f"{names.point} = first * np.uint64({shape.tables}) + ({names.index(0)} - first)"]
    after = f"first * np.uint64({shape.tables}) + np.uint64({loaded * shape.block})"
    return [*found, f"{names.point}s = {after} + ({names.index(0)} - first) * np.uint64({shape.tables - loaded})"]


def _tabled(shape: SweepShape, names: _Names, tables: Sequence[int], k: int) -> str:
    """The place of a number of a table."""
    number = tables.index(k)
    if not shape.in_blocks:
        return f"{names.point} + np.uint64({number})"
    loaded = sum(other < shape.kernel.loads for other in tables)
    if number < loaded:
        return f"{names.point} + np.uint64({number * shape.block})"
    return f"{names.point}s + np.uint64({number - loaded})"


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
