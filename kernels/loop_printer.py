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

_BLOCK, _ROOM = 64, 1 << 12
"""Turns whose partial derivatives are computed at once, and numbers that there is room for."""


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
    lines = [f"c{maker} = b{shape.accesses[k].slot}[{_place(shape, k, 'np.uint64(0)')}]" for k, maker in _first(before)]
    lines.append("for i in range(np.uint64(0), n0):")
    kernel = shape.values
    inside = expression_lines(
        kernel,
        kernel.outputs,
        [a.slot for a in shape.accesses],
        [_place(shape, k, "i") for k in range(len(shape.accesses))],
    )
    # Each line that loads begins with the name of the access: see `expression_lines`.
    taken = {f"v{k} = ": f"v{k} = c{maker}" for k, maker in before.items()}
    inside = [next((new for old, new in taken.items() if _loads(line, old)), line) for line in inside]
    for number, (part, output) in enumerate(zip(shape.parts, kernel.outputs, strict=True)):
        inside.append(f"b{shape.accesses[part.store].slot}[{_place(shape, part.store, 'i')}] = v{output}")
        inside += [f"c{number} = v{output}"] if number in carried else []
    return lines + [f"    {line}" for line in inside]


def _first(before: dict[int, int]) -> list[tuple[int, int]]:
    """For each part whose result of the turn before is taken, one access that loads it."""
    found: dict[int, int] = {}
    for load, maker in before.items():
        found.setdefault(maker, load)
    return [(load, maker) for maker, load in found.items()]


def _loads(line: str, beginning: str) -> bool:
    return line.startswith(f"{beginning}b")


def _forward(shape: LoopShape) -> list[str]:
    """All values, and then tangents, turn by turn."""
    lines = _value(shape)
    columns = _columns(shape)
    if not columns:
        return lines
    return lines + _in_blocks(shape, "block", [*_turns("i = first + r"), *_indented(_push(shape))])


def _push(shape: LoopShape) -> list[str]:
    size, columns, lines = _size(shape), _columns(shape), []
    for number, part in enumerate(shape.parts):
        if not part.active:
            continue
        terms = []
        for j in part.active:
            k = part.loads[j]
            lines += [f"p{number}_{j} = block[r + np.uint64({size * columns[number, j]})]"]
            lines += [f"a{number}_{j} = {_place(shape, k, 'i')}"]
            terms.append(f"p{number}_{j} * d{shape.accesses[k].slot}[a{number}_{j}, s]")
        lines.append(f"w{number} = {_place(shape, part.store, 'i')}")
        lines.append("for s in range(np.uint64(seeds)):")
        lines.append(f"    d{shape.accesses[part.store].slot}[w{number}, s] = {' + '.join(terms)}")
    return lines


def _reverse(shape: LoopShape) -> list[str]:
    """Adjoints, the last turn first; `start` and `stop` are seeds."""
    if not _columns(shape):
        return ["return"]
    one = _carry(shape)
    many = _in_blocks(shape, "block", [*_turns("i = last - ONE - r"), *_indented(_pull(shape))], backward=True)
    room, *many = many
    return [room, "if stop - start == 1:", *_indented(one), "else:", *_indented(many)]


def _pull(shape: LoopShape) -> list[str]:
    """Add to the adjoints of the loads of a turn, one after the other."""
    size, columns, lines = _size(shape), _columns(shape), []
    for number, part in reversed(list(enumerate(shape.parts))):
        if not part.active:
            continue
        lines.append(f"w{number} = {_place(shape, part.store, 'i')}")
        for j in part.active:
            k = part.loads[j]
            lines.append(f"p{number}_{j} = block[i - first + np.uint64({size * columns[number, j]})]")
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
    _, *blocks = _in_blocks(
        shape, "block", [*_turns("i = last - ONE - r"), *_indented(_carry_turn(shape, made, carried))], backward=True
    )
    lines += blocks
    for maker in carried:
        k = next(k for k, (m, turns) in made.items() if (m, turns) == (maker, 1))
        lines.append(f"d{shape.accesses[k].slot}[{_place(shape, k, 'np.uint64(0)')}, e] += g{maker}")
    return lines


def _loaded(shape: LoopShape, ones: Sequence[tuple[int, int]]) -> list[int]:
    return [shape.parts[number].loads[j] for number, j in ones]


def _carry_turn(shape: LoopShape, made: dict[int, tuple[int, int]], carried: Sequence[int]) -> list[str]:
    size, columns = _size(shape), _columns(shape)
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
            lines.append(f"{name} = block[i - first + np.uint64({size * columns[number, j]})] * y{number}")
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
    """Turns of a block."""
    return min(_BLOCK, max(_ROOM // max(len(_columns(shape)), 1), 1))


def _turns(turn: str) -> list[str]:
    return ["for r in range(np.uint64(0), last - first):", f"    {turn}"]


def _in_blocks(shape: LoopShape, room: str, inside: Sequence[str], *, backward: bool = False) -> list[str]:
    """Some turns at a time: all their partial derivatives, then what is done with them."""
    size, kernel = _size(shape), shape.partials
    number = "count - 1 - c" if backward else "c"
    lines = [
        f"{room} = np.empty({size * len(_columns(shape))})",
        f"count = (np.int64(n0) + {size - 1}) // {size}",
        "for c in range(count):",
        f"    first = np.uint64({number}) * np.uint64({size})",
        f"    last = min(first + np.uint64({size}), n0)",
        "    for j in range(first, last):",
    ]
    places = [_place(shape, k, "j") for k in range(len(shape.accesses))]
    found = expression_lines(kernel, kernel.outputs, [a.slot for a in shape.accesses], places)
    found += [f"{room}[j - first + np.uint64({size * column})] = v{o}" for column, o in enumerate(kernel.outputs)]
    lines += [f"        {line}" for line in found]
    return lines + [f"    {line}" for line in inside]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


_BODIES = {"value": _value, "forward": _forward, "reverse": _reverse}
