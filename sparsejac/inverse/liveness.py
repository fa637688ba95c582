"""Which numbers of a Program are alive when: they depend on x, and the result depends on them.

Numbers are the elements of nodes. One pass forward finds what depends on x, one pass backward what the result needs;
met backward, the first reader of a number is the last one in the order of the Program. Both are index arithmetic on
whole launches. Facts about all elements of a node are kept as one number where they are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernels.step import Launch, Schedule
from sparsejac.patterns.sparsity import Live
from sparsejac.patterns.zeros import Known, live_partials
from sparsejac.programs.program import Node, Program

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NEVER = -1
"""The time of the last reader of a number that is not alive."""

Times = int | npt.NDArray[np.int32]
"""One time for all elements of a node, or one for each."""


@dataclass(frozen=True, eq=False)
class Step:
    """A launch of a Program that has a buffer for every node, with the place of its node in the Program."""

    launch: Launch
    time: int
    live: Mask | None

    def edges(self) -> Iterator[tuple[int, Ints, Ints]]:
        """For each active load the buffer, the places that are read, and the places of the results that read them."""
        rows = self.rows()
        for j, k in enumerate(self.launch.active):
            load = self.launch.loads[k]
            places = np.asarray(load.address.table(), dtype=np.int64)
            if self.live is None:
                yield load.buffer, places, rows
            else:
                kept = self.live[:, j]
                yield load.buffer, places[kept], rows[kept]

    def rows(self) -> Ints:
        """For each point the place of the result that it adds to."""
        launch = self.launch
        stored = np.asarray(launch.store.address.table(), dtype=np.int64)
        if not launch.is_sum:
            return stored
        return stored[launch.row_of_point]


@dataclass(frozen=True, eq=False)
class Liveness:
    """The active steps of a Program and, for each buffer, when its numbers are made and read last.

    Parameters
    ----------
    program : Program
    schedule : Schedule
        With a buffer for every node.
    steps : tuple of Step
        In the order of the Program.
    births : mapping
        For each buffer that depends on x, the place of its node in the Program; that of x is -1.
    last : mapping
        For each of them, when its numbers are read last; `NEVER` for those that are not alive, the number of nodes for
        those of the result.
    running : mapping, optional
        For buffers that are running sums with the derivatives of their terms, for each term the one before it; see
        `running_sums`.
    """

    program: Program
    schedule: Schedule
    steps: tuple[Step, ...]
    births: dict[int, int]
    last: dict[int, Times]
    running: Mapping[int, Ints] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """A time after all nodes."""
        return len(self.program.nodes)

    def alive_after(self, buffer: int, time: int) -> Ints:
        """The places of a buffer whose numbers are read after this time."""
        last = self.last[buffer]
        if isinstance(last, int):
            size = self.schedule.sizes[buffer]
            return np.arange(size if last > time else 0, dtype=np.int64)
        return np.flatnonzero(last > time)

    def widths(self) -> Ints:
        """How many numbers are alive after each node; the first entry is that of x itself, before all nodes."""
        changes = np.zeros(self.end + 2, dtype=np.int64)
        for buffer, birth in self.births.items():
            last = self.last[buffer]
            if isinstance(last, int):
                ends, counts = np.array([last]), np.array([self.schedule.sizes[buffer]])
            else:
                counts = np.bincount(last[last > NEVER], minlength=1)
                ends = np.flatnonzero(counts)
                counts = counts[ends]
            kept = ends > birth
            changes[birth + 1] += counts[kept].sum()
            np.subtract.at(changes, ends[kept] + 1, counts[kept])
        return np.cumsum(changes)[: self.end + 1]


def find_liveness(program: Program, schedule: Schedule, nodes: Sequence[Node], known: Known) -> Liveness:
    """When the numbers of a Program are made and read last.

    Parameters
    ----------
    program : Program
    schedule, nodes
        Its launches with a buffer for every node, and the node of each; see `fusion.unfused`.
    known : mapping
        Where constants are zero; see `zeros.fact_of`.
    """
    live = live_partials(schedule, known)
    times = {node.index: time for time, node in enumerate(program.nodes)}
    order = [times[node.index] for node in nodes]
    reached = _reached(schedule, live)
    steps, births = [], {schedule.x: -1}
    for launch, mask, time in zip(schedule.launches, live, order, strict=True):
        if launch.active and launch.store.buffer in reached:
            steps.append(Step(launch, time, mask))
            births[launch.store.buffer] = max(time, births.get(launch.store.buffer, -1))
    births.setdefault(schedule.output, times[program.output.index])
    last = _last_readers(schedule, steps, reached, births, len(program.nodes))
    return Liveness(program, schedule, tuple(s for s in steps if s.launch.store.buffer in last), births, last)


def _reached(schedule: Schedule, live: Live) -> dict[int, Mask | None]:
    """The elements that depend on x, by buffer; None where all do."""
    reached: dict[int, Mask | None] = {schedule.x: None}
    for launch, mask in zip(schedule.launches, live, strict=True):
        target = launch.store.buffer
        step = Step(launch, 0, mask)
        for buffer, places, rows in step.edges():
            if buffer not in reached or (target in reached and reached[target] is None):
                continue
            known = reached[buffer]
            found = reached.setdefault(target, np.zeros(schedule.sizes[target], dtype=np.bool_))
            assert found is not None
            found[rows if known is None else rows[known[places]]] = True
            if found.all():
                reached[target] = None
    return reached


def _last_readers(
    schedule: Schedule, steps: list[Step], reached: dict[int, Mask | None], births: dict[int, int], end: int
) -> dict[int, Times]:
    """When each number is read last by something that the result needs."""
    last: dict[int, Times] = {}
    open_: dict[int, npt.NDArray[np.int32]] = {}

    def close(buffer: int) -> None:
        """All readers of a buffer were met."""
        times = open_.pop(buffer, None)
        if times is not None:
            first = int(times[0]) if len(times) else NEVER
            last[buffer] = first if (times == first).all() else times

    output = schedule.output
    if output in reached:
        mask = reached[output]
        open_[output] = np.full(schedule.sizes[output], end, dtype=np.int32)
        if mask is not None:
            open_[output][~mask] = NEVER
    for step in reversed(steps):
        target = step.launch.store.buffer
        if target in open_:
            close(target)
        if target not in last:
            continue
        needed = last[target]
        if isinstance(needed, int) and needed == NEVER:
            continue
        for buffer, places, rows in step.edges():
            if buffer not in births:
                continue
            read = places if isinstance(needed, int) else places[needed[rows] > NEVER]
            known = reached[buffer]
            read = read if known is None else read[known[read]]
            times = open_.setdefault(buffer, np.full(schedule.sizes[buffer], NEVER, dtype=np.int32))
            np.maximum(times[read], step.time, out=(found := np.empty(len(read), np.int32)))
            times[read] = found
    for buffer in tuple(open_):
        close(buffer)
    for buffer in births:
        last.setdefault(buffer, NEVER)
    return last
