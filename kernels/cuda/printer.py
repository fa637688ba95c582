"""Prints evaluations as one CUDA source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from kernels.cuda.arrays import Arrays
from kernels.cuda.body import Body, Noted, Parameter
from kernels.cuda.body_printer import print_body
from kernels.cuda.counting import Arithmetic, arithmetic
from kernels.cuda.function import Function, block_function, grid_function
from kernels.cuda.functions import require
from kernels.cuda.module import Dispatch, Module, Pointer, Run
from kernels.cuda.nest import Nest
from kernels.cuda.recorder import Task
from kernels.cuda.steps import nests
from kernels.cuda.waves import waves
from kernels.evaluation import Evaluation, Invocation
from kernels.executor import FloatArray

SMALL = 4096
"""Waves of no more points run in one block, with a barrier between them: a launch takes longer than they do."""
LARGEST = 600
"""Loads, stores and operations of the steps of a block: what is longer takes long to compile, and much memory for
arguments."""


def print_module(
    evaluations: Mapping[str, Evaluation[Task | Invocation]],
    *,
    dtype: Literal["float64", "float32"] = "float64",
    fuse: bool = True,
    batched: bool = False,
) -> Module:
    """One source for several evaluations, which may share arrays: values of f and its Jacobian, products with it, ...

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
    dtype : {"float64", "float32"}
        Of numbers in memory. Arithmetic is that of float64 in both cases.
    fuse : bool
        Whether steps that need nothing of each other are one launch, and small ones one block.
    batched : bool
        Whether a launch serves many points; see `kernels.cuda.module.Module`.

    Raises
    ------
    ValueError
        If a step reads or stores outside its arrays, or an invocation is none of `kernels.products`.
    """
    arrays = Arrays(dtype)
    names = [arrays.declare([*e.inputs], "input") for e in evaluations.values()]
    outputs = [_output(e, arrays) for e in evaluations.values()]
    text = _Text(arrays, fuse=fuse, batched=batched)
    runs = {}
    for (name, evaluation), inputs, output in zip(evaluations.items(), names, outputs, strict=True):
        runs[name] = text.run(name, evaluation, inputs, output)
    return Module(text.source(dtype), arrays.finish(), runs, batched)


def _output(evaluation: Evaluation[Task | Invocation], arrays: Arrays) -> int:
    if any(evaluation.out is given for given in evaluation.inputs):
        raise ValueError("print_module: `out` is an input; copy it by kernels.products.copy_invocation")
    (number,) = arrays.declare([evaluation.out], "output")
    return number


class _Text:
    """The functions of a source, each once."""

    def __init__(self, arrays: Arrays, *, fuse: bool, batched: bool) -> None:
        self.arrays = arrays
        self.fuse = fuse
        self.batched = batched
        self._bodies: dict[str, Body] = {}
        self._functions: dict[str, str] = {}

    def run(self, name: str, evaluation: Evaluation[Task | Invocation], inputs: tuple[int, ...], output: int) -> Run:
        """The launches of an evaluation."""
        status = self.arrays.status() if evaluation.guards or evaluation.checks_finite else -1
        noted = Noted(Pointer(status), output) if evaluation.checks_finite else None
        planned = [nest for task in evaluation.invocations for nest in nests(task, self.arrays)]
        grouped = waves(planned) if self.fuse else [[nest] for nest in planned]
        steps = [[_nest_item(nest, self.arrays, noted) for nest in wave] for wave in grouped]
        if status >= 0:
            _insert(_clear(Pointer(status)), steps, [_notes(wave, noted) for wave in grouped])
        guards = [_guard(found, expected, Pointer(status), self.arrays) for found, expected in evaluation.guards]
        steps += [guards] if guards else []
        dispatches = tuple(self._add(made) for made in self._functions_of(steps))
        _check(name, dispatches, inputs, output, self.arrays)
        used = {a.buffer for d in dispatches for a in d.arguments if isinstance(a, Pointer)}
        least = sum(
            b.bytes for k, b in enumerate(self.arrays.buffers) if k in used and b.role not in ("work", "scratch")
        )
        work = sum((arithmetic(nest) for nest in planned), Arithmetic())
        return Run(name, inputs, output, status, dispatches, least, work)

    def source(self, dtype: str) -> str:
        """All text."""
        needed: dict[str, str] = {}
        for body in self._bodies.values():
            for name in sorted(body.functions):
                require(name, needed)
        shared = "\n".join(needed.values())
        parts = [preamble(dtype), *([printed_file("wide.cuh")] if "Wide<" in shared else [])]
        texts = [*parts, shared, *(body.text for body in self._bodies.values()), *self._functions.values()]
        return "\n".join(text for text in texts if text)

    def _functions_of(self, steps: Sequence[Sequence[_Item]]) -> Iterable[Function]:
        """Small waves that follow each other in one block each; the others by themselves."""
        small: list[Sequence[_Item]] = []
        for wave in [*steps, []]:
            if wave and self.fuse and sum(item.points for item in wave) <= SMALL:
                small.append(wave)
                continue
            yield from self._small(small)
            small = []
            if wave:
                yield grid_function([self._print(item, alone=True) for item in wave], self._moved)

    def _small(self, steps: Sequence[Sequence[_Item]]) -> Iterable[Function]:
        """As few blocks as their arguments allow; a wave alone is no block."""
        runs: list[list[Sequence[_Item]]] = []
        size = 0
        for wave in steps:
            more = sum(item.size for item in wave)
            size += more
            if size > LARGEST or not runs:
                size = more
                runs.append([])
            runs[-1].append(wave)
        for run in runs:
            if len(run) == 1:
                yield grid_function([self._print(item, alone=True) for item in run[0]], self._moved)
            else:
                yield block_function([[self._print(item, alone=False) for item in wave] for wave in run], self._moved)

    @property
    def _moved(self) -> frozenset[int]:
        """Buffers that exist once for each point of a batch."""
        buffers = enumerate(self.arrays.buffers) if self.batched else ()
        return frozenset(k for k, buffer in buffers if buffer.role != "table")

    def _print(self, item: _Item, *, alone: bool) -> Body:
        body = item.print(alone)
        for part in [body, *(part.put for part in body.staged)]:
            self._bodies.setdefault(part.name, part)
        return body

    def _add(self, made: Function) -> Dispatch:
        self._functions.setdefault(made.dispatch.function, made.text)
        return made.dispatch


@dataclass(frozen=True, eq=False)
class _Item:
    """Something that threads do, to be printed for a launch of its own or not."""

    points: int
    size: int
    print: Callable[[bool], Body]


def _nest_item(nest: Nest, arrays: Arrays, noted: Noted | None) -> _Item:
    size = 2 * len(nest.loads) + 2 * len(nest.results) + len(nest.kernel.instructions)
    return _Item(nest.points, size, lambda alone: print_body(nest, arrays, alone=alone, noted=noted))


def _notes(wave: Sequence[Nest], noted: Noted | None) -> bool:
    return noted is not None and any(r.site.view.buffer == noted.buffer for nest in wave for r in nest.results)


def _insert(clear: _Item, steps: list[list[_Item]], notes: Sequence[bool]) -> None:
    """Among the steps that run just before the first one that may set the status."""
    first = notes.index(True) if True in notes else len(notes)
    if first:
        steps[first - 1].append(clear)
    else:
        steps.insert(0, [clear])


def _clear(status: Pointer) -> _Item:
    text = "INLINE void clear(const u32 t, int *status)\n{\n    status[t] = 0;\n}\n"
    body = Body("clear", text, (Parameter("status", "int *", status, written=True),), 2)
    return _Item(2, 2, lambda _: body)


def _guard(found: FloatArray, expected: FloatArray, status: Pointer, arrays: Arrays) -> _Item:
    """Compare; a NaN equals a NaN."""
    held, wanted = arrays.view(found), arrays.constants(np.asarray(expected, dtype=np.float64))
    if held.size != wanted.size:
        raise ValueError(f"print_module: a guard of {held.size} numbers that has to hold {wanted.size}")
    lines = [
        "INLINE void guard(const u32 t, const number *found, const number *expected, int *status)",
        "{",
        "    const number a = found[t], b = expected[t];",
        "    if (a != b && (a == a || b == b))",
        "        RELAXED_STORE(status, 1);",
        "}",
    ]
    parameters = (
        Parameter("found", "const number *", Pointer(held.buffer, held.offset)),
        Parameter("expected", "const number *", Pointer(wanted.buffer)),
        Parameter("status", "int *", status, written=True),
    )
    body = Body("guard", "\n".join([*lines, ""]), parameters, held.size)
    return _Item(held.size, 2, lambda _: body)


def _check(name: str, dispatches: Sequence[Dispatch], inputs: tuple[int, ...], output: int, arrays: Arrays) -> None:
    """What comes with other runs is not there in this one."""
    allowed = {*inputs, output}
    for dispatch in dispatches:
        for argument in dispatch.arguments:
            if isinstance(argument, Pointer) and argument.buffer not in allowed:
                role = arrays.buffers[argument.buffer].role
                if role in ("input", "output"):
                    raise ValueError(
                        f"print_module: {name!r} uses an array that is an {role} of another evaluation only"
                    )


def preamble(dtype: str) -> str:
    """What every source begins with."""
    number = {"float64": "double", "float32": "float"}[dtype]
    return f"{printed_file('preamble.cuh')}\ntypedef {number} number;\n"


@cache
def printed_file(name: str) -> str:
    """A file of this folder, as it stands in sources."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
