"""Calls that take turns: a part of the rows of each, then the next part of each, so that what they share stays cached.

The partial derivatives of a flux are stored by one sweep and loaded by the next; cells of a network add to the same
rows of a matrix. Run one after the other, each passes over memory again. In turns, all calls are run over a part of
their rows that fits into the cache: each place is still touched by the calls in their order, so that results are the
same to the last bit. What one call stores and the next one loads at once needs no memory but for one turn: its rows are
computed again where turns meet. Here it is found out which calls do so; `kernels.turns` has them do it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise, product
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.distinct import distinct_numbers
from kernels.evaluation import Evaluation, Invocation, Touch
from kernels.records import dataclass
from kernels.spans import BEYOND, Span, Whole, bounds_of, needed

FloatArray = npt.NDArray[np.float64]

SHARED_BYTES = 1 << 20
"""What several calls touch in one turn: about a core's cache of the second level."""

LOCAL_BYTES = 1 << 18
"""The same of what is stored for one turn only."""

MOST_TURNS = 1 << 12
MOST_PAIRS = 20_000
"""Touches that are compared with each other, at most: as many take a second. With more, calls take no turns."""
SHORT, SMALL = 1 << 12, 64
"""A call of few rows that costs a small part of the dearest one runs in the last turn."""

SPREAD = 0.75
"""Part of its rows that a call that takes turns runs in the first one, at most."""


@dataclass(frozen=True, eq=False)
class _Local:
    """An array that needs no more room than one turn takes.

    Parameters
    ----------
    writer : int
        The member that stores to it; all its places are at rows of that one.
    offset, stride : int
        Of its address.
    readers : tuple of int
        Those in step with the writer.
    far : array of int
        Places that others read, after the last turn.
    """

    writer: int
    offset: int
    stride: int
    readers: tuple[int, ...]
    far: Whole


@dataclass(frozen=True, eq=False)
class Plan:
    """Which calls take turns, and how.

    Parameters
    ----------
    first, last : int
        Numbers of the calls, from `first` up to `last`.
    starts, stops : array of int, shape (members, turns)
    undivided : tuple of bool
        Which members run all of their rows in the last turn, on whole arrays.
    room : list of (int, int, array)
        For each array that is kept for one turn: the member and the number of the argument by which it is known, and
        the place at which each turn begins.
    sizes : list of int
        The length of each of them.
    far : list of (array, array, array)
        For each of them the places that are read later, where they stand in their turn, and how many there are before
        each turn.
    """

    first: int
    last: int
    starts: Whole
    stops: Whole
    undivided: tuple[bool, ...]
    room: list[tuple[int, int, Whole]]
    sizes: list[int]
    far: list[tuple[Whole, Whole, Whole]]


def plans_of(evaluation: Evaluation[Invocation], kept: Iterable[FloatArray]) -> tuple[Plan, ...]:
    """The calls of an evaluation that had better take turns.

    Parameters
    ----------
    evaluation : Evaluation
    kept : iterable of array
        Read from outside, too.
    """
    calls = evaluation.invocations
    wanted = {id(array) for array in (*kept, *evaluation.inputs, evaluation.out)}
    wanted |= {id(array) for pair in evaluation.guards for array in pair}
    found = []
    for first, last in _runs(calls):
        outside = {id(a) for call in (*calls[:first], *calls[last:]) for a in call.arguments} | wanted
        arrays = list({id(a): a for call in calls[first:last] for a in _arrays(call)}.values())
        if sum(array.nbytes for array in arrays) > LOCAL_BYTES and not _overlap(arrays):
            plan = _Planner(calls[first:last], outside).plan(first)
            found += [] if plan is None else [plan]
    return tuple(found)


def _runs(calls: Sequence[Invocation]) -> Iterator[tuple[int, int]]:
    """Calls next to each other of which it is known what their rows touch."""
    first = 0
    for k in range(len(calls) + 1):
        if k == len(calls) or calls[k].rows.touches is None:
            if k - first > 1:
                yield first, k
            first = k + 1


def _arrays(call: Invocation) -> list[FloatArray]:
    return [a for a in call.arguments if isinstance(a, np.ndarray) and a.dtype == np.float64]


def _overlap(arrays: Iterable[FloatArray]) -> bool:
    """Whether arrays share memory: a place is then known by two names."""
    ends = sorted((array.ctypes.data, array.ctypes.data + array.nbytes) for array in arrays if array.nbytes)
    return any(later[0] < earlier[1] for earlier, later in pairwise(ends))


class _Member:
    """A call with what its rows touch.

    Parameters
    ----------
    call : Invocation
    touches : sequence of Touch
    """

    def __init__(self, call: Invocation, touches: Sequence[Touch]) -> None:
        self.call, self.touches = call, touches
        self.rows: int = call.arguments[1]
        self.edges: Whole = np.array([0, self.rows])
        self.is_undivided = False
        self.start = self.stop = self.edges
        self._spans: dict[int, list[Span]] = {}

    def of(self, array: int) -> list[Touch]:
        """What is touched of an array."""
        return [touch for touch in self.touches if id(touch.array) == array]

    def begin(self, turns: int) -> None:
        """Turns of equal length."""
        parts = np.arange(turns + 1) * self.rows // turns // self.call.rows.align * self.call.rows.align
        self.edges = np.where(np.arange(turns + 1) < turns, 0 if self.is_undivided else parts, self.rows)
        self.stop = self.edges[1:].copy()

    def spans(self, array: int) -> list[Span]:
        """The least and the greatest place of each part in an array; touches among each other's places are one."""
        if array not in self._spans:
            found: list[Span] = []
            for touch in self.of(array):
                low, high = bounds_of(touch, self.edges)
                one = Span(low, high, touch.kind != "loads")
                k = next((k for k, other in enumerate(found) if other.is_among(one)), len(found))
                found[k : k + 1] = [found[k].with_(one) if k < len(found) else one]
            self._spans[array] = found
        return self._spans[array]

    def parts(self) -> Whole:
        """For each turn, how many parts have begun when it ends."""
        return np.searchsorted(self.edges, self.stop, side="left")


class _Planner:
    """Finds how calls take turns.

    Parameters
    ----------
    calls : sequence of Invocation
    outside : collection of int
        Identities of arrays that others read or write.
    """

    def __init__(self, calls: Sequence[Invocation], outside: Collection[int]) -> None:
        self.members = [_Member(call, call.rows.touches()) for call in calls if call.rows.touches is not None]
        most = max(call.rows.work for call in calls)
        for member in self.members:
            member.is_undivided = member.rows < SHORT and SMALL * member.call.rows.work < most
        self.outside = outside
        touches = (touch for member in self.members for touch in member.touches)
        self.written = {id(touch.array) for touch in touches if touch.kind != "loads"}
        self.locals: dict[int, _Local] = {}

    def plan(self, first: int) -> Plan | None:
        """What is found; None where nothing is gained, or too much would have to be compared."""
        if self._pairs() > MOST_PAIRS:
            return None
        shared = self._shared()
        self.locals = self._found_locals()
        room = sum(array.nbytes for key, array in shared.items() if key in self.locals)
        whole = sum(array.nbytes for array in shared.values())
        turns = min(max(_part(whole, SHARED_BYTES), _part(room, LOCAL_BYTES)), MOST_TURNS)
        if turns < 2:
            return None
        self._arrange(turns)
        if self.locals and not self._far_is_computed():
            self.locals = {}
            self._arrange(turns)
        return self._built(first, turns) if self._is_gain(shared) else None

    def _pairs(self) -> int:
        """How often two calls touch one array that is written."""
        touches = Counter(id(touch.array) for member in self.members for touch in member.touches)
        return sum(touches[key] ** 2 for key in self.written) // 2

    def _shared(self) -> dict[int, FloatArray]:
        """Arrays that one of the longer calls writes, and others touch."""
        touched: dict[int, set[int]] = {}
        arrays: dict[int, FloatArray] = {}
        for k, member in enumerate(self.members):
            for touch in () if member.is_undivided else member.touches:
                touched.setdefault(id(touch.array), set()).add(k)
                if touch.kind != "loads":
                    arrays[id(touch.array)] = touch.array
        return {key: array for key, array in arrays.items() if len(touched[key]) > 1}

    def _found_locals(self) -> dict[int, _Local]:
        """Arrays that need room for one turn only, as all of some member's results do."""
        found: dict[int, _Local] = {}
        for k, member in enumerate(self.members):
            stored = {id(touch.array): touch for touch in member.touches if touch.kind != "loads"}
            loaded = {id(touch.array) for touch in member.touches if touch.kind == "loads"}
            later = {id(t.array) for other in self.members[k + 1 :] for t in other.touches if t.kind != "loads"}
            if member.is_undivided or not loaded.isdisjoint(later | set(stored)):
                continue
            made = {key: self._local(k, touch) for key, touch in stored.items()}
            if all(local is not None for local in made.values()):
                found |= {key: local for key, local in made.items() if local is not None}
        return found

    def _local(self, k: int, store: Touch) -> _Local | None:
        key, address = id(store.array), store.address
        others = [(j, touch) for j, m in enumerate(self.members) for touch in m.of(key) if touch is not store]
        near = [(j, touch) for j, touch in others if not self.members[j].is_undivided]
        if key in self.outside or store.kind != "stores" or not isinstance(address, Affine) or not near:
            return None
        if prod(address.box) < store.array.size:  # what nobody stores may be read, too
            return None
        stride, reach = address.strides[0], sum(s * (n - 1) for s, n in _inner(address))
        if min((s for s, _ in _inner(address)), default=0) < 0 or not 0 <= reach < stride:
            return None
        if any(j <= k or touch.kind != "loads" for j, touch in others):
            return None
        if not all(_is_in_step(touch, stride) for _, touch in [(k, store), *near]):
            return None
        places = [touch.address.table() for j, touch in others if self.members[j].is_undivided]
        far = distinct_numbers(np.concatenate(places)).astype(np.int64) if places else np.empty(0, np.int64)
        return _Local(k, address.offset, stride, tuple(sorted({j for j, _ in near})), far)

    def _arrange(self, turns: int) -> None:
        """Rows of each turn, from the last call to the first: earlier ones go as far as later ones need them."""
        writers = {local.writer for local in self.locals.values()}
        for member in self.members:
            member.begin(turns)
        for j in range(len(self.members) - 1, -1, -1):
            member = self.members[j]
            if j in writers:
                self._arrange_local(j, turns)
            else:
                member.stop = np.maximum.accumulate(member.stop)
                member.start = np.append(0, member.stop[:-1])
            parts = member.parts()
            for i in range(j):
                if i not in writers:
                    self._lead(self.members[i], member, parts)

    def _lead(self, earlier: _Member, later: _Member, parts: Whole) -> None:
        """Have an earlier call done with all that a later one touches in its turn."""
        wanted = np.full(len(later.edges) - 1, -1)
        for array in self.written.intersection(id(touch.array) for touch in earlier.touches):
            for one, other in product(earlier.spans(array), later.spans(array)):
                if one.writes or other.writes:
                    wanted = np.maximum(wanted, needed((one.low, one.high), (other.low, other.high)))
        last = np.append(-1, np.maximum.accumulate(wanted))[parts]
        np.maximum(earlier.stop, earlier.edges[last + 1], out=earlier.stop)

    def _arrange_local(self, k: int, turns: int) -> None:
        """The rows of a call that stores for one turn: those that later ones read in it, by whole vectors."""
        member = self.members[k]
        low, high = np.full(turns, BEYOND), np.full(turns, -1)
        for key, local in self.locals.items():
            for j in local.readers if local.writer == k else ():
                reader = self.members[j]
                for touch in reader.of(key):
                    first, last = _rows_read(touch, reader, local)
                    low, high = np.minimum(low, first), np.maximum(high, last)
        align = max(member.call.rows.align, 1)
        some = low <= high
        member.start = np.where(some, np.maximum(low, 0) // align * align, 0)
        member.stop = np.where(some, np.minimum((high // align + 1) * align, member.rows), 0)

    def _far_is_computed(self) -> bool:
        """Whether what is read later is computed in some turn, and read in the last one."""
        for key, local in self.locals.items():
            writer = self.members[local.writer]
            if len(local.far) > SHORT or _turn_of(writer, (local.far - local.offset) // local.stride) is None:
                return False
            if any(m.of(key) and m.is_undivided and len(m.stop) > 1 and m.stop[-2] > 0 for m in self.members):
                return False
        return True

    def _is_gain(self, shared: dict[int, FloatArray]) -> bool:
        """Whether several calls that load something, and touch one array, are spread over the turns."""
        spread = [m for m in self.members if not m.is_undivided and m.stop[0] - m.start[0] <= SPREAD * m.rows]
        spread = [m for m in spread if any(touch.kind == "loads" for touch in m.touches)]
        return any(sum(bool(m.of(key)) for m in spread) > 1 for key in shared)

    def _built(self, first: int, turns: int) -> Plan:
        starts, stops = (np.stack([getattr(m, name) for m in self.members]) for name in ("start", "stop"))
        room, sizes, far = [], [], []
        for key, local in self.locals.items():
            writer = self.members[local.writer]
            begins = local.offset + local.stride * writer.start
            sizes.append(local.stride * int((writer.stop - writer.start).max()))
            number = next(k for k, a in enumerate(writer.call.arguments) if id(a) == key)
            room.append((local.writer, number, begins))
            turn = _turn_of(writer, (local.far - local.offset) // local.stride)
            assert turn is not None
            order = np.argsort(turn, kind="stable")
            places, turn = local.far[order], turn[order]
            counts = np.append(0, np.cumsum(np.bincount(turn, minlength=turns)))
            far.append((places, places - begins[turn], counts))
        undivided = tuple(m.is_undivided for m in self.members)
        return Plan(first, first + len(self.members), starts, stops, undivided, room, sizes, far)


def _part(size: int, most: int) -> int:
    return -(-size // most)


def _inner(address: Affine) -> list[tuple[int, int]]:
    return list(zip(address.strides[1:], address.box[1:], strict=True))


def _is_in_step(touch: Touch, stride: int) -> bool:
    """Whether a place moves as the rows do, by a number that the call is told at run time."""
    address = touch.address
    is_plain = isinstance(address, Affine) and touch.indptr is None and touch.offset != "fixed"
    return is_plain and address.strides[0] == stride  # type: ignore[union-attr]


def _rows_read(touch: Touch, reader: _Member, local: _Local) -> tuple[Whole, Whole]:
    """For each turn the first and the last row of the writer whose results a reader loads."""
    address = touch.address
    assert isinstance(address, Affine)
    reach = sum(max(stride * (length - 1), 0) for stride, length in _inner(address))
    fall = sum(min(stride * (length - 1), 0) for stride, length in _inner(address))
    low = (address.offset - local.offset + address.strides[0] * reader.start + fall) // local.stride
    high = (address.offset - local.offset + address.strides[0] * (reader.stop - 1) + reach) // local.stride
    some = reader.start < reader.stop
    return np.where(some, low, BEYOND), np.where(some, high, -1)


def _turn_of(writer: _Member, rows: Whole) -> Whole | None:
    """The first turn in which each row is computed; None where one is not."""
    turn = np.searchsorted(np.maximum.accumulate(writer.stop), rows, side="right")
    if (turn >= len(writer.stop)).any() or (rows < writer.start[np.minimum(turn, len(writer.stop) - 1)]).any():
        return None
    return turn
