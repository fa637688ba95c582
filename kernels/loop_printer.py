"""Prints the shape of a loop as Python text to be compiled, in three variants.

Arguments are those of `kernels.numba_printer`. All partial derivatives of some turns are computed before they are used:
once the values are known, no turn waits for another one there, so that the loop that computes them is vectorised. What
is left to do turn by turn is to multiply and to add.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from kernels.loops import LoopShape
from kernels.numba_printer import HEADER, expression_lines
from kernels.source import Source, read_only

LoopVariant = Literal["value", "forward", "reverse"]

_BLOCK, _LEAST, _ROOM = 64, 8, 1 << 12
"""Turns whose partial derivatives are computed at once, at most and at least, and numbers that there is room for."""


def print_loop(shape: LoopShape, variant: LoopVariant) -> Source:
    """The function that runs loops of this shape."""
    parameters = _parameters(shape, variant)
    lines = [f'    """A loop of {len(shape.parts)} parts, by turns."""']
    lines += [f"    {line}" for line in [*_geometry(shape), *_BODIES[variant](shape)]]
    body, signature = "\n".join(lines), f"void({', '.join(kind for _, kind in parameters)})"
    name = f"loop_{variant}_{hashlib.blake2b(f'{signature}{body}'.encode(), digest_size=8).hexdigest()}"
    arguments = ", ".join(parameter for parameter, _ in parameters)
    return Source(name, f"{HEADER}\n\ndef {name}({arguments}):\n{body}\n", signature)


def _parameters(shape: LoopShape, variant: LoopVariant) -> list[tuple[str, str]]:
    """Names and types of the arguments, in the order in which the executor passes them."""
    stored = {shape.accesses[part.store].slot for part in shape.parts} if variant != "reverse" else set()
    found = [("start", "int64"), ("stop", "int64")]
    found += [("seeds", "int64")] if variant == "forward" else []
    found += [("g", read_only("uint64"))]
    found += [(f"b{s}", "float64[::1]" if s in stored else read_only("float64")) for s in range(shape.slots)]
    if variant != "value":
        found += [(f"d{slot}", "float64[:, ::1]") for slot in shape.active_slots]
    tables = [access.kind for access in shape.accesses if access.kind.startswith("table")]
    return found + [(f"q{t}", read_only(f"uint{kind[5:]}")) for t, kind in enumerate(tables)]


def _geometry(shape: LoopShape) -> list[str]:
    """Names of the run-time numbers."""
    names = ["n0"]
    for k, access in enumerate(shape.accesses):
        if not access.kind.startswith("table"):
            names += [f"o{k}", f"s{k}"][: 2 if access.kind == "strided" else 1]
    return [f"{name} = g[{t}]" for t, name in enumerate(names)]


def _place(shape: LoopShape, k: int, turn: str) -> str:
    """The place of an access."""
    access = shape.accesses[k]
    if access.kind.startswith("table"):
        tables = [j for j, other in enumerate(shape.accesses) if other.kind.startswith("table")]
        return f"q{tables.index(k)}[{turn}]"
    return {"unit": f"o{k} + {turn}", "still": f"o{k}", "strided": f"o{k} + {turn} * s{k}"}[access.kind]


def _value(shape: LoopShape) -> list[str]:
    """All values, turn by turn."""
    before = {load: maker for load, maker, turns in shape.made if turns}
    carried = sorted(set(before.values()))
    firsts = {maker: load for load, maker in reversed(before.items())}
    lines = [f"c{m} = b{shape.accesses[k].slot}[{_place(shape, k, 'np.uint64(0)')}]" for m, k in firsts.items()]
    lines.append("for i in range(np.uint64(0), n0):")
    kernel, places = shape.values, [_place(shape, k, "i") for k in range(len(shape.accesses))]
    inside = [f"v{k} = c{maker}" for k, maker in before.items()]
    found = expression_lines(kernel, kernel.outputs, [a.slot for a in shape.accesses], places)
    inside += [line for line in found if not line.startswith(tuple(f"v{k} = b" for k in before))]
    for number, (part, output) in enumerate(zip(shape.parts, kernel.outputs, strict=True)):
        inside.append(f"b{shape.accesses[part.store].slot}[{_place(shape, part.store, 'i')}] = v{output}")
        inside += [f"c{number} = v{output}"] if number in carried else []
    return lines + _indented(inside)


def _forward(shape: LoopShape) -> list[str]:
    """All values, and then tangents, turn by turn."""
    if not _columns(shape):
        return _value(shape)
    return _value(shape) + _room(shape) + _in_blocks(shape, _push(shape))


def _push(shape: LoopShape) -> list[str]:
    lines = []
    for number, part in enumerate(shape.parts):
        if not part.active:
            continue
        terms = []
        for j in part.active:
            k = part.loads[j]
            lines += [f"p{number}_{j} = {_partial(shape, number, j)}", f"a{number}_{j} = {_place(shape, k, 'i')}"]
            terms.append(f"p{number}_{j} * d{shape.accesses[k].slot}[a{number}_{j}, s]")
        lines.append(f"w{number} = {_place(shape, part.store, 'i')}")
        lines.append("for s in range(np.uint64(seeds)):")
        lines.append(f"    d{shape.accesses[part.store].slot}[w{number}, s] = {' + '.join(terms)}")
    return lines


def _reverse(shape: LoopShape) -> list[str]:
    """Adjoints, the last turn first; `start` and `stop` are seeds."""
    if not _columns(shape):
        return ["return"]
    many = _in_blocks(shape, _pull(shape), backward=True)
    return [*_room(shape), "if stop - start == 1:", *_indented(_carry(shape)), "else:", *_indented(many)]


def _pull(shape: LoopShape) -> list[str]:
    """Add to the adjoints of the loads of a turn, one after the other."""
    lines = []
    for number, part in reversed(list(enumerate(shape.parts))):
        if not part.active:
            continue
        lines.append(f"w{number} = {_place(shape, part.store, 'i')}")
        for j in part.active:
            k = part.loads[j]
            lines.append(f"p{number}_{j} = {_partial(shape, number, j)}")
            lines.append(f"a{number}_{j} = {_place(shape, k, 'i')}")
            lines.append("for s in range(np.uint64(start), np.uint64(stop)):")
            term = f"p{number}_{j} * d{shape.accesses[part.store].slot}[w{number}, s]"
            lines.append(f"    d{shape.accesses[k].slot}[a{number}_{j}, s] += {term}")
    return lines


def _carry(shape: LoopShape) -> list[str]:
    """As `_pull` for a single seed: what goes to the same turn or the one before does not pass through memory."""
    made = {load: (maker, turns) for load, maker, turns in shape.made}
    active = {number for number, part in enumerate(shape.parts) if part.active}
    ones = [(number, j) for number in sorted(active) for j in shape.parts[number].active]
    carried = sorted({made[k][0] for k in _loaded(shape, ones) if made.get(k, (0, 0))[1]} & active)
    lines = ["e = np.uint64(start)", *(f"g{maker} = 0.0" for maker in carried)]
    lines += _in_blocks(shape, _carry_turn(shape, made, carried), backward=True)
    for maker in carried:
        k = next(k for k, (m, turns) in made.items() if (m, turns) == (maker, 1))
        lines.append(f"d{shape.accesses[k].slot}[{_place(shape, k, 'np.uint64(0)')}, e] += g{maker}")
    return lines


def _loaded(shape: LoopShape, ones: Sequence[tuple[int, int]]) -> list[int]:
    return [shape.parts[number].loads[j] for number, j in ones]


def _carry_turn(shape: LoopShape, made: dict[int, tuple[int, int]], carried: Sequence[int]) -> list[str]:
    # What is added to the adjoint of a part: in its own turn, and in the turn before.
    now: dict[int, list[str]] = {}
    ahead: dict[int, list[str]] = {}
    lines: list[str] = []
    for number, part in reversed(list(enumerate(shape.parts))):
        if not part.active:
            continue
        at = f"d{shape.accesses[part.store].slot}[{_place(shape, part.store, 'i')}, e]"
        terms = [at, *([f"g{number}"] if number in carried else []), *now.get(number, [])]
        lines.append(f"y{number} = {' + '.join(terms)}")
        for j in part.active:
            k, name = part.loads[j], f"t{number}_{j}"
            lines.append(f"{name} = {_partial(shape, number, j)} * y{number}")
            maker, turns = made.get(k, (-1, 0))
            if maker >= 0 and shape.parts[maker].active:
                (ahead if turns else now).setdefault(maker, []).append(name)
            else:
                lines.append(f"d{shape.accesses[k].slot}[{_place(shape, k, 'i')}, e] += {name}")
    return lines + [f"g{maker} = {' + '.join(ahead.get(maker, ['0.0']))}" for maker in carried]


def _columns(shape: LoopShape) -> dict[tuple[int, int], int]:
    """For each part and each of its active loads the number of the partial derivative."""
    pairs = [(number, j) for number, part in enumerate(shape.parts) for j in part.active]
    return {pair: column for column, pair in enumerate(pairs)}


def _size(shape: LoopShape) -> int:
    """Turns of a block; 0 where a turn has so many partial derivatives that they are used at once."""
    size = min(_BLOCK, _ROOM // max(len(_columns(shape)), 1))
    return size if size >= _LEAST else 0


def _room(shape: LoopShape) -> list[str]:
    """A place for the partial derivatives of a block."""
    size = _size(shape)
    return [f"block = np.empty({size * len(_columns(shape))})"] if size else []


def _partial(shape: LoopShape, part: int, load: int) -> str:
    """The partial derivative of a part by a load, in turn i."""
    size, column = _size(shape), _columns(shape)[part, load]
    return f"block[i - first + np.uint64({size * column})]" if size else f"v{shape.partials.outputs[column]}"


def _in_blocks(shape: LoopShape, inside: Sequence[str], *, backward: bool = False) -> list[str]:
    """Some turns at a time: all their partial derivatives, then what is done with them in each turn."""
    size = _size(shape)
    if not size:
        turn = "i = n0 - ONE - r" if backward else "i = r"
        lines = [turn, *_derivatives(shape, "i"), *inside]
        return ["for r in range(np.uint64(0), n0):", *_indented(lines)]
    results = [
        f"block[j - first + np.uint64({size * column})] = v{o}" for column, o in enumerate(shape.partials.outputs)
    ]
    return [
        f"count = (np.int64(n0) + {size - 1}) // {size}",
        "for c in range(count):",
        f"    first = np.uint64({'count - 1 - c' if backward else 'c'}) * np.uint64({size})",
        f"    last = min(first + np.uint64({size}), n0)",
        "    for j in range(first, last):",
        *_indented(_indented([*_derivatives(shape, "j"), *results])),
        "    for r in range(np.uint64(0), last - first):",
        f"        i = {'last - ONE - r' if backward else 'first + r'}",
        *_indented(_indented(inside)),
    ]


def _derivatives(shape: LoopShape, turn: str) -> list[str]:
    """The partial derivatives of a turn."""
    kernel, places = shape.partials, [_place(shape, k, turn) for k in range(len(shape.accesses))]
    return expression_lines(kernel, kernel.outputs, [a.slot for a in shape.accesses], places)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


_BODIES = {"value": _value, "forward": _forward, "reverse": _reverse}
