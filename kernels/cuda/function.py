"""Functions that a host launches, put together from those of single threads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass

from kernels.cuda.body import Body, Parameter
from kernels.cuda.module import Argument, Dispatch, Number, Pointer, Stride
from kernels.cuda.staging import TILE, stride_of

LIMIT = 32764
"""Bytes of the arguments of one launch, from CUDA 12.1 and compute capability 7.0 on; 4096 before."""


@dataclass(frozen=True, eq=False)
class Function:
    """Text of a function, and one launch of it."""

    text: str
    dispatch: Dispatch


class _Signature:
    """Parameters of several bodies side by side; each pointer once."""

    def __init__(self, batched: Set[int]) -> None:
        self.batched = batched
        self._names: dict[object, int] = {}
        self._parameters: list[Parameter] = []

    def number(self, name: str, argument: Number) -> str:
        self._parameters.append(Parameter(name, f"const {_TYPES[argument.type]} ", argument))
        return name

    def call(self, body: Body, part: int | str | None) -> str:
        """What to write behind the number of the thread."""
        names = []
        for p in body.parameters:
            if isinstance(p.argument, Number):
                names.append(self.number(p.name if part is None else f"{p.name}_{part}", p.argument))
                continue
            found = self._names.get(p.argument)
            if found is None:
                found = self._names[p.argument] = len(self._parameters)
                name = p.name if part is None else f"{p.name}_{part}"
                self._parameters.append(Parameter(name, p.type, p.argument, p.written))
            elif p.written and not self._parameters[found].written:
                before = self._parameters[found]
                self._parameters[found] = Parameter(before.name, p.type, p.argument, written=True)
            names.append(self._parameters[found].name)
        return "".join(f", {name}" for name in names)

    def finish(self) -> tuple[str, list[str], tuple[Argument, ...]]:
        """The text between the parentheses, what moves pointers to the point of a batch, and the arguments."""
        lines = []
        for p in list(self._parameters):
            if isinstance(p.argument, Pointer) and p.argument.buffer in self.batched:
                stride = f"stride_{p.name}"
                self._parameters.append(Parameter(stride, "const u64 ", Stride(p.argument.buffer)))
                lines.append(f"{p.name} += blockIdx.y * {stride};")
        text = ", ".join(f"{p.type}{p.name}" for p in self._parameters)
        return text, lines, tuple(p.argument for p in self._parameters)


_TYPES = {"int32": "int", "uint32": "u32", "int64": "i64", "uint64": "u64"}


UNROLLED = 4
"""Points of a thread where each is little work."""
MANY = 1 << 20
"""Threads, from which there are enough to give each several points."""


def grid_function(bodies: Sequence[Body], batched: Set[int] = frozenset()) -> Function:
    """All threads of all bodies, in any order and at the same time.

    Parameters
    ----------
    bodies : sequence of Body
    batched : set of int
        The buffers that exist once for each point of a batch.
    """
    tiled = any(body.staged for body in bodies)
    thread = "u64" if any(body.thread == "u64" for body in bodies) else "u32"
    counts = [-(-body.threads // TILE) * TILE if tiled else body.threads for body in bodies]
    thread = "u64" if sum(counts) > 2**31 else thread
    return (_tiled if tiled else _plain)(bodies, counts, thread, _Signature(batched))


def _plain(bodies: Sequence[Body], counts: Sequence[int], thread: str, signature: _Signature) -> Function:
    total = sum(counts)
    count = signature.number("threads", _count(total, thread))
    start, step = (f"{'(u64)' if thread == 'u64' else ''}{x} * blockDim.x" for x in ("blockIdx.x", "gridDim.x"))
    light = all(body.light for body in bodies)
    lines = [f"#pragma unroll {UNROLLED}"] if light else []
    lines.append(f"for ({thread} t = {start} + threadIdx.x; t < {count}; t += {step})")
    threads = -(-total // UNROLLED) if light and total >= MANY else total
    if len(bodies) == 1:
        lines.append(f"    {bodies[0].name}({_narrow('t', bodies[0], thread)}{signature.call(bodies[0], None)});")
        return _function(f"run_{bodies[0].name}", "", signature, lines, threads, block_only=False)
    calls = [
        [f"{body.name}({_narrow('t - first', body, thread)}{signature.call(body, part)});"]
        for part, body in enumerate(bodies)
    ]
    lines[-1] += " {"
    lines += [f"    {line}" for line in _chosen("t", calls, counts, thread, signature)]
    lines.append("}")
    return _function("group", _digest(bodies), signature, lines, threads, block_only=False)


def _tiled(bodies: Sequence[Body], counts: Sequence[int], thread: str, signature: _Signature) -> Function:
    """Blocks work on tiles of points, so that the threads of a block can pass results on to each other."""
    total = sum(counts)
    count = signature.number("threads", _count(total, thread))
    room = TILE * max(stride_of([part.row for part in body.staged]) for body in bodies if body.staged)
    told = TILE * max(len(body.staged) * any(part.row.distances for part in body.staged) for body in bodies)
    start, step = (f"{'(u64)' if thread == 'u64' else ''}{x} * {TILE}" for x in ("blockIdx.x", "gridDim.x"))
    parts = [_tile(body, part, thread, signature) for part, body in enumerate(bodies)]
    lines = [
        f"__shared__ number stage[{room}];",
        *([f"__shared__ int where[{told}];"] if told else []),
        f"for ({thread} tile = {start}; tile < {count}; tile += {step}) {{",
        *(f"    {line}" for line in _chosen("tile", parts, counts, thread, signature)),
        "}",
    ]
    return _function("tiles", _digest(bodies), signature, lines, total, block_only=False)


def _tile(body: Body, part: int, thread: str, signature: _Signature) -> list[str]:
    """What a block does with the tile that begins at point ``tile - first``."""
    end = signature.number(f"points_{part}", _count(body.threads, thread))
    lines = [
        f"const {thread} begin = tile - first;",
        f"const u32 count = {end} - begin < {TILE} ? (u32)({end} - begin) : {TILE};",
        "THREADS {",
        "    for (u32 k = threadIdx.x; k < count; k += blockDim.x)",
    ]
    call = f"{body.name}({_narrow('begin + k', body, thread)}{signature.call(body, part)}"
    if not body.staged:
        return [*lines, f"        {call});", "}"]
    stride = stride_of([part.row for part in body.staged])
    where = ", where + k" if any(part.row.distances for part in body.staged) else ""
    lines += [f"        {call}, stage + k * {stride}{where});", "}", "BARRIER;", "THREADS {"]
    stage = 0
    for number, part_ in enumerate(body.staged):
        count, distances = part_.row.count, part_.row.distances
        at = f"where[{number * TILE} + p]" if distances else "begin + p" if thread == "u32" else "(u32)(begin + p)"
        put = signature.call(part_.put, f"{part}_{number}")
        lines += [
            f"    for (u32 e = threadIdx.x; e < count * {count}; e += blockDim.x) {{",
            f"        const u32 p = e / {count};",
            f"        const int k = (int)(e % {count});",
            f"        {part_.put.name}({at}, k, stage[p * {stride} + {stage} + k]{put});",
            "    }",
        ]
        stage += count
    return [*lines, "}", "BARRIER;"]


def _chosen(
    number: str, parts: Sequence[Sequence[str]], counts: Sequence[int], thread: str, signature: _Signature
) -> list[str]:
    """The part to which a number belongs; it begins at `first`."""
    if len(parts) == 1:
        return [f"const {thread} first = 0;", *parts[0]]
    lines, end = [], 0
    for part, inside in enumerate(parts):
        first = signature.number(f"end_{part - 1}", _count(end, thread)) if part else "0"
        end += counts[part]
        last = part == len(parts) - 1
        test = "{" if last else f"if ({number} < end_{part}) {{"
        lines.append(f"}} else {test}" if part else test)
        lines.append(f"    const {thread} first = {first};")
        lines += [f"    {line}" for line in inside]
    return [*lines, "}"]


def _count(number: int, thread: str) -> Number:
    return Number(number, "uint64" if thread == "u64" else "uint32")


def block_function(waves: Sequence[Sequence[Body]], batched: Set[int] = frozenset()) -> Function:
    """Waves of bodies in one block, a barrier after each wave; see `grid_function`."""
    signature, lines, part = _Signature(batched), [], 0
    for number, bodies in enumerate(waves):
        if number:
            lines.append("BARRIER;")
        lines.append("THREADS {")
        for body in bodies:
            count = signature.number(f"threads_{part}", Number(body.threads, "uint32"))
            lines.append(f"    for (u32 t = threadIdx.x; t < {count}; t += blockDim.x)")
            lines.append(f"        {body.name}(t{signature.call(body, part)});")
            part += 1
        lines.append("}")
    most = max(sum(body.threads for body in bodies) for bodies in waves)
    return _function("block", "", signature, lines, most, block_only=True)


def _narrow(number: str, body: Body, thread: str) -> str:
    return number if body.thread == thread else f"({body.thread})({number})"


def _digest(bodies: Sequence[Body]) -> str:
    return " ".join(body.name for body in bodies)


def _function(
    name: str, key: str, signature: _Signature, lines: Sequence[str], threads: int, *, block_only: bool
) -> Function:
    parameters, moves, arguments = signature.finish()
    inside = "\n".join(line if line.startswith("#") else f"    {line}" for line in (*moves, *lines))
    if not name.startswith("run_"):
        name = f"{name}_{hashlib.blake2b(f'{key}{parameters}{inside}'.encode(), digest_size=6).hexdigest()}"
    text = f'extern "C" __global__ void {name}({parameters})\n{{\n{inside}\n}}\n'
    size = sum(8 if not isinstance(a, Number) or a.type.endswith("64") else 4 for a in arguments)
    if size > LIMIT:
        raise ValueError(f"print_module: a step with {len(arguments)} arguments, {size} bytes; a device takes {LIMIT}")
    return Function(text, Dispatch(name, threads, arguments, block_only))
