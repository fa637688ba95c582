"""One call of compiled code for many: launches, sums and gathers in the order in which they run.

At a hundred unknowns a call of a compiled function costs more than what it does. An entry is generated text that makes
all calls of one evaluation; it is compiled with them. Sizes and index tables are arguments, as they are of the
functions that it calls: other sizes compile nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from kernels.memory import describe, maker
from kernels.records import dataclass
from kernels.source import Source, read_only

FloatArray = npt.NDArray[np.float64]
Work = TypeVar("Work")

DONE = 0
FLIPPED = 1
"""A guard does not hold."""
INFINITE = 2
"""All is done, and some entry is not finite."""
OVERLAP = 3
"""Nothing was done: `out` shares memory with an input."""

_HEADER = """import numpy as np

from kernels.memory import float64_1, float64_2, overlap, uint32_1, uint64_1
"""


@dataclass(frozen=True, eq=False)
class Invocation:
    """One call of a compiled function.

    Parameters
    ----------
    source : Source
    arguments : tuple
        Whole numbers, and arrays. Those of one invocation do not overlap where it writes.
    work : int
        Cost in additions, by which threads are chosen elsewhere.
    """

    source: Source
    arguments: tuple[Any, ...]
    work: int = 0


class StandIn(np.ndarray[tuple[int], np.dtype[np.float64]]):
    """An array in the place of one that comes with each call; as anything else it is an error."""


def stand_in(size: int) -> FloatArray:
    """A new one; its memory is never touched."""
    return np.empty(size).view(StandIn)


@dataclass(frozen=True, eq=False)
class Evaluation(Generic[Work]):
    """All that is done at each x, on one set of work arrays.

    Parameters
    ----------
    invocations : sequence
        In their order: calls of compiled functions, or whatever another printer takes in their place.
    inputs : sequence of array
        Stand-ins for the arrays that come with each call; only their identity counts, and on devices their size.
    out : array
        Stand-in for the array to write.
    guards : sequence of (array, array)
        What a guard's buffer holds, and what it has to hold.
    checks_finite : bool
        Whether to look for entries that are not finite.
    flag : array, shape (1,), optional
        What invocations set to 1.0 where an entry is not finite, if they look for that themselves.
    """

    invocations: Sequence[Work]
    inputs: Sequence[FloatArray]
    out: FloatArray
    guards: Sequence[tuple[FloatArray, FloatArray]] = ()
    checks_finite: bool = False
    flag: FloatArray | None = None


class Entry:
    """The compiled function for evaluations of one sort: those whose invocations differ in nothing but their arrays.

    It `looks` at its arguments, and raises TypeError for arrays of another dtype, layout or number of dimensions,
    unless numba compiled it.

    Examples
    --------
    >>> from kernels.products import gather_invocation
    >>> x, out = np.empty(3), np.empty(2)
    >>> evaluation = Evaluation([gather_invocation(x, np.array([2, 0]), out)], [x], out)
    >>> entry, result = Entry(evaluation), np.empty(2)
    >>> entry.function(result, np.array([0.5, 1.5, 2.5]), entry.table(evaluation).numbers)
    0
    >>> result.tolist()
    [2.5, 0.5]
    """

    def __init__(self, evaluation: Evaluation[Invocation]) -> None:
        numbered = _Numbered(evaluation)
        self._kinds = numbered.kinds
        self.source = _print(evaluation, numbered)
        module = load("kernels.module")
        self.function: Callable[..., int] = module.compile_trusted(self.source)
        self.looks: bool = self.function is module.compile_source(self.source)

    def table(self, evaluation: Evaluation[Invocation]) -> Table:
        """What the function takes after `out` and the inputs."""
        numbered = _Numbered(evaluation)
        assert numbered.kinds == self._kinds
        return Table(np.array(numbered.table, dtype=np.int64), numbered.arrays)


@dataclass(frozen=True, eq=False)
class Table:
    """Whole numbers, and addresses and lengths of arrays, which live as long as this does."""

    numbers: npt.NDArray[np.int64]
    arrays: list[npt.NDArray[Any]]


class _Numbered:
    """The arguments of all invocations, each array once, with what the text calls them."""

    def __init__(self, evaluation: Evaluation[Invocation]) -> None:
        self.table: list[int] = []
        self.arrays: list[npt.NDArray[Any]] = []
        self.kinds: list[str] = []
        self._names: dict[int, str] = {id(array): f"x{k}" for k, array in enumerate(evaluation.inputs)}
        self._names[id(evaluation.out)] = "out"
        self.calls = [tuple(map(self._name, invocation.arguments)) for invocation in evaluation.invocations]
        self.guards = [(self._name(found), self._name(expected)) for found, expected in evaluation.guards]
        self.flag = None if evaluation.flag is None else self._name(evaluation.flag)

    def _name(self, argument: Any) -> str:
        if isinstance(argument, int):
            self.table.append(argument)
            return f"table[{len(self.table) - 1}]" if argument else "0"
        name = self._names.get(id(argument))
        if name is None:
            if isinstance(argument, StandIn):
                raise ValueError("kernels.Entry: a stand-in that is none of the evaluation's inputs")
            name = self._names[id(argument)] = f"a{len(self.arrays)}"
            self.kinds.append(f"{name} = {maker(argument)}(table, {len(self.table)})")
            self.arrays.append(argument)
            self.table += describe(argument)
        return name


def _print(evaluation: Evaluation[Invocation], numbered: _Numbered) -> Source:
    """The text of the function, with its parts in the order of first use."""
    parts = list({call.source.whole: call.source for call in evaluation.invocations}.values())
    places = {part.whole: f"part{k}" for k, part in enumerate(parts)}
    inputs = [f"x{k}" for k in range(len(evaluation.inputs))]
    lines = [f"if {' | '.join(f'overlap(out, {x})' for x in inputs)}:", f"    return {OVERLAP}"]
    lines += numbered.kinds
    lines += [] if numbered.flag is None else [f"{numbered.flag}[0] = 0.0"]
    for call, names in zip(evaluation.invocations, numbered.calls, strict=True):
        lines.append(f"{places[call.source.whole]}({', '.join(names)})")
    for found, expected in numbered.guards:
        lines += _guard(found, expected)
    if numbered.flag is not None:
        lines += [f"if {numbered.flag}[0] != 0.0:", f"    return {INFINITE}"]
    elif evaluation.checks_finite:
        lines += _FINITE
    lines.append(f"return {DONE}")
    body = "\n".join(f"    {line}" for line in lines)
    signature = f"int64({', '.join(['float64[::1]', *[read_only('float64')] * len(inputs), read_only('int64')])})"
    whole = "\0".join([signature, body, *(part.whole for part in parts)])
    digest = hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()
    arguments = ", ".join(["out", *inputs, "table"])
    text = f"{_HEADER}\n\ndef entry_{digest}({arguments}):\n{body}\n"
    return Source(f"entry_{digest}", text, signature, tuple(parts), may_overlap=True)


def _guard(found: str, expected: str) -> list[str]:
    """Compare; a NaN equals a NaN."""
    return [
        f"for k in range(len({expected})):",
        f"    a, b = {found}[k], {expected}[k]",
        "    if a != b and (a == a or b == b):",
        f"        return {FLIPPED}",
    ]


_FINITE = (
    "spoilt = False",
    "for k in range(len(out)):",
    "    spoilt |= out[k] - out[k] != 0.0",
    "if spoilt:",
    f"    return {INFINITE}",
)
