"""One call of compiled code for many: launches, sums and gathers in the order in which they run.

At a hundred unknowns a call of a compiled function costs more than what it does. An entry is generated text that makes
all calls of one evaluation; it is compiled with them. Sizes and index tables are arguments, as they are of the
functions that it calls: other sizes compile nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.evaluation import DONE, FLIPPED, INFINITE, OVERLAP, Evaluation, Invocation, StandIn, Turns
from kernels.lazy import load
from kernels.memory import describe, maker
from kernels.records import dataclass
from kernels.source import Source, read_only

_HEADER = """import numpy as np

from kernels.memory import float64_1, float64_2, overlap, uint32_1, uint64_1
"""


class Entry:
    """The compiled function for evaluations of one sort: those whose invocations differ in nothing but their arrays.

    Its `function` may raise TypeError for arrays of another dtype, layout or number of dimensions, or take them as they
    are.

    Parameters
    ----------
    evaluation : Evaluation
    is_shared : bool
        Whether evaluations of this sort may differ in which of their numbers are 0.

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

    def __init__(self, evaluation: Evaluation[Invocation], *, is_shared: bool = False) -> None:
        self._is_shared = is_shared
        numbered = _Numbered(evaluation, is_shared)
        self._kinds = numbered.kinds
        self.source = _print(evaluation, numbered)
        module = load("kernels.module")
        self.function: Callable[..., int] = module.compile_trusted(self.source)
        self._address: int | None = module.address_of(self.source)

    def table(self, evaluation: Evaluation[Invocation]) -> Table:
        """What the function takes after `out` and the inputs."""
        numbered = _Numbered(evaluation, self._is_shared)
        assert numbered.kinds == self._kinds
        return Table(np.array(numbered.table, dtype=np.int64), numbered.arrays)

    @property
    def can_be_bound(self) -> bool:
        """Whether there is machine code for `again`: not where numba compiled it."""
        return self._address is not None and bool(load("kernels.llvm.again").layout_is_known())

    def again(
        self, size: int, length: int, rest: Sequence[npt.NDArray[Any]], *, unlocks: bool, keep: Any
    ) -> Callable[[Any, Any], Any]:
        """The function with all but x and `out` in place, see `kernels.llvm.again`, if it `can_be_bound`.

        Parameters
        ----------
        size, length : int
            Of x and `out`.
        rest : sequence of array
            Further inputs, as the function takes them, and the numbers of a table, of which nobody else makes use.
        unlocks : bool
            Whether other threads may run meanwhile.
        keep : object
            Kept as long as the function: what the numbers stand for.
        """
        assert self._address is not None
        wanted = [np.dtype(np.float64)] * (len(rest) - 1) + [np.dtype(np.int64)]
        assert [array.dtype for array in rest] == wanted
        assert all(array.ndim == 1 and array.flags.c_contiguous and array.flags.aligned for array in rest)
        kept = (self.function, keep)
        found: Callable[[Any, Any], Any] = load("kernels.llvm.again").again(
            self._address, size, length, rest, unlocks=unlocks, keep=kept
        )
        return found


@dataclass(frozen=True, eq=False)
class Table:
    """Whole numbers, and addresses and lengths of arrays, which live as long as this does."""

    numbers: npt.NDArray[np.int64]
    arrays: list[npt.NDArray[Any]]


class _Numbered:
    """The arguments of all invocations, each array once, with what the text calls them."""

    def __init__(self, evaluation: Evaluation[Invocation], is_shared: bool) -> None:
        self._is_shared = is_shared
        self.table: list[int] = []
        self.arrays: list[npt.NDArray[Any]] = []
        self.kinds: list[str] = []
        self._names: dict[int, str] = {id(array): f"x{k}" for k, array in enumerate(evaluation.inputs)}
        self._names[id(evaluation.out)] = "out"
        self.calls = [tuple(map(self._name, invocation.arguments)) for invocation in evaluation.invocations]
        self.guards = [(self._name(found), self._name(expected)) for found, expected in evaluation.guards]
        self.flag = None if evaluation.flag is None else self._name(evaluation.flag)
        self.turns = [self._turns(turns) for turns in evaluation.turns]

    def _turns(self, turns: Turns) -> list[str]:
        """How many turns, the numbers, and the arrays that are changed."""
        names = [self._name(len(turns.numbers)), self._name(turns.numbers.reshape(-1))]
        return [*names, *(self._name(array) for array, _ in turns.changed)]

    def _name(self, argument: Any) -> str:
        if isinstance(argument, int):
            self.table.append(argument)
            return f"table[{len(self.table) - 1}]" if argument or self._is_shared else "0"
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
    lines = []
    if len(evaluation.out):  # an empty one is nowhere
        lines += [f"if {' | '.join(f'overlap(out, {x})' for x in inputs)}:", f"    return {OVERLAP}"]
    lines += numbered.kinds
    lines += [] if numbered.flag is None else [f"{numbered.flag}[0] = 0.0"]
    calls = [
        (places[call.source.whole], names) for call, names in zip(evaluation.invocations, numbered.calls, strict=True)
    ]
    done = 0
    for k, turns in enumerate(evaluation.turns):
        last = turns.first + turns.calls
        lines += _called(calls[done : turns.first])
        lines += _turning(f"c{k}", turns, numbered.turns[k], calls[turns.first : last])
        done = last
    lines += _called(calls[done:])
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


def _called(calls: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """All rows of each call."""
    return [f"{part}({', '.join(names)})" for part, names in calls]


def _turning(turn: str, turns: Turns, names: Sequence[str], calls: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Some rows of each call, again and again."""
    count, numbers, *changed = names
    width = turns.numbers.shape[1]

    def number(k: int) -> str:
        return f"{numbers}[{turn} * {width} + {k}]"

    found = [f"for {turn} in range({count}):"]
    for k, (name, (_, place)) in enumerate(zip(changed, turns.changed, strict=True)):
        found.append(f"    {name}[{place}] = {number(2 * len(calls) + k)}")
    for k, (part, arguments) in enumerate(calls):
        first, last = number(2 * k), number(2 * k + 1)
        given = ", ".join([f"np.int64({first})", f"np.int64({last})", *arguments[2:]])
        found += [f"    if {first} < {last}:", f"        {part}({given})"]
    return found


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
