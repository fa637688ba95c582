"""All that follows from the structure of a Program for products with the inverse of its Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt

from kernels.step import Schedule
from sparsejac.errors import SparsejacError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.inverse.factored import Factored, factorized
from sparsejac.inverse.liveness import Liveness, find_liveness
from sparsejac.inverse.lumps import Chain, Lump, chain_of
from sparsejac.inverse.refinement import refined
from sparsejac.inverse.rolled import Rolled, rolled
from sparsejac.inverse.running_sums import running_sums, unplaced, with_derivatives_of_terms
from sparsejac.inverse.selection import LumpsName, Selection, cut_times, select
from sparsejac.inverse.staged import Staged, staged
from sparsejac.inverse.stages import Stages, stages_of
from sparsejac.kept import Kept
from sparsejac.options import BackendName
from sparsejac.patterns.zeros import digest, fact_of, relevant_inputs
from sparsejac.programs.program import Program
from sparsejac.schedules.fusion import unfused
from sparsejac.transforms.explicit import explicit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEMORY = 2**30
"""Bytes that all kept structures together may hold, roughly; the one that was not used for longest goes first."""

_PER_ENTRY = 64
"""Bytes of index arrays for an entry of a lump."""

FEW = 16
"""Unknowns up to which one full matrix may cost less than many running sums."""


class NarrowError(Exception):
    """At some time fewer numbers are alive than x has: the Jacobian is singular, whatever its numbers are.

    Parameters
    ----------
    liveness : Liveness
    time : int
    width : int
    """

    def __init__(self, liveness: Liveness, time: int, width: int) -> None:
        super().__init__(liveness, time, width)
        self.liveness = liveness
        self.time = time
        self.width = width


class NotFiniteError(Exception):
    """A partial derivative is infinite or not a number.

    Parameters
    ----------
    row : int
        Among the numbers that all lumps make.
    value : float
        That number.
    """

    def __init__(self, row: int, value: float) -> None:
        super().__init__(row, value)
        self.row = row
        self.value = value


@dataclass(frozen=True, eq=False)
class Lines:
    """The local Jacobians of all lumps at one point, not factorized.

    Parameters
    ----------
    data : array
        Their entries, in the order of the pattern.
    made : array
        The numbers that the lumps make: the last of them are the result.
    """

    data: Floats
    made: Floats


class Inverter:
    """The chain of a Program, with what computes the entries of its lumps.

    Parameters
    ----------
    program : Program
        With as many results as unknowns.
    constants : sequence of array
        Only where they are zero matters.
    backend : {"auto", "numpy", "numba"}
    lumps : {"auto", "finest", "one"}
    strict : bool
        Whether what cannot be inverted is an error; otherwise such a Program is one lump, for damped steps.

    Raises
    ------
    NarrowError, StructurallySingularError, BottleneckError
    """

    def __init__(
        self,
        program: Program,
        constants: Sequence[Floats],
        backend: BackendName,
        lumps: LumpsName = "auto",
        *,
        strict: bool = True,
    ) -> None:
        begin = perf_counter()
        self.size = program.output.size
        program = explicit(program)
        begun = _by_differences(program, constants) if strict and lumps == "auto" else None
        self.liveness = begun or _liveness(program, constants)
        self.selection = self._selected(lumps) if strict else None
        if begun is not None and self.size <= FEW:
            self._try(_liveness(program, constants), lumps, as_one=True)
        if self.selection is not None and lumps != "one" and self.liveness is not begun:
            self._refine(lumps, constants)
        self.chain = self._whole() if self.selection is None else chain_of(self.liveness, self.selection.times)
        self.staged: Staged = staged(self.liveness, self.chain)
        # Products of a few local partials are all that there is to do in a chain: nothing else is looked at.
        options = {"backend": backend, "strategy": "identity" if len(self.chain.lumps) > 1 else "auto"}
        self.engine: Engine = engine_for(self.staged.program, options, self._constants(constants))
        self.stages: Stages | None = (
            stages_of(self.liveness, self.chain, self.staged, self.engine.pattern) if strict else None
        )
        self.seconds = perf_counter() - begin
        self._rolled: Rolled | None = None
        self._untried = True

    def _selected(self, lumps: LumpsName) -> Selection:
        liveness = self.liveness
        widths = liveness.widths()[: liveness.births[liveness.schedule.output] + 2]
        # The ends are named first: what f does not use, and what depends on nothing, says more than a bottleneck.
        ends = [k for k in (0, len(widths) - 1) if widths[k] < self.size]
        narrowest = ends[0] if ends else int(np.argmin(widths))
        if widths[narrowest] < self.size:
            raise NarrowError(liveness, narrowest - 1, int(widths[narrowest]))
        return select(liveness, cut_times(liveness), lumps)

    def _refine(self, lumps: LumpsName, constants: Sequence[Floats]) -> None:
        """Take another order of f's operations, if its cuts are worth more."""
        assert self.selection is not None
        found = refined(self.liveness, self.selection.finest, everywhere=lumps == "finest")
        if found is not None:
            self._try(_liveness(found, constants), lumps)

    def _try(self, other: Liveness, lumps: LumpsName, *, as_one: bool = False) -> None:
        """Take another form of f, if it costs less or nobody asked for that; perhaps only as one lump."""
        assert self.selection is not None
        before = self.liveness, self.selection
        self.liveness = other
        self.selection = self._selected(lumps)
        is_dearer = lumps == "auto" and self.selection.seconds >= before[1].seconds
        if is_dearer or (as_one and len(self.selection.stretches) > 1):
            self.liveness, self.selection = before

    def _whole(self) -> Chain:
        """One lump, whether it can be inverted or not."""
        numbers, output = np.arange(self.size, dtype=np.int64), self.liveness.schedule.output
        lump = Lump(-1, self.liveness.births[output], numbers, ((output, numbers),))
        return Chain(self.size, (lump,), numbers)

    def _constants(self, constants: Sequence[Floats]) -> list[Floats]:
        return [constants[k] for k in self.staged.constants]

    def lines(self, inputs: Sequence[Floats], constants: Sequence[Floats], *, check: bool) -> Lines:
        """Evaluate the local Jacobians of all lumps.

        Raises
        ------
        DecisionError
            Where f takes another way at this x.
        NotFiniteError
        """
        found = None if self._rolled is None else self._rolled.run(inputs, constants)
        if found is not None:
            return Lines(*found)
        data, made = self._evaluated(inputs, constants, check=check)
        if not np.isfinite(data).all():
            row = int(np.searchsorted(self.engine.pattern.indptr, np.argmin(np.isfinite(data)), side="right")) - 1
            raise NotFiniteError(row, float(made[row]))
        return Lines(data, made)

    def _evaluated(
        self, inputs: Sequence[Floats], constants: Sequence[Floats], *, check: bool
    ) -> tuple[Floats, Floats]:
        """Entries, and what the lumps make, by the engine."""
        x = inputs[0]
        point = x
        if self.staged.size != len(x):
            point = np.zeros(self.staged.size)
            point[: len(x)] = x
        made, data = self.engine.value_and_data([point, *inputs[1:], *self._constants(constants)], check=check)
        if self._untried and self.engine.backend.chosen == "numba":
            self._rolled, self._untried = rolled(self.engine, self.staged.constants), False
        return data, made

    @property
    def bytes(self) -> int:
        """Memory held, roughly."""
        return self.engine.bytes + _PER_ENTRY * self.engine.pattern.nnz + 4096 * len(self.liveness.steps)

    @property
    def evaluated_by(self) -> str:
        """How the entries of the lumps are computed."""
        rolled = self._rolled
        return self.engine.strategy if rolled is None else f"{rolled.strategy}, in {rolled.calls} calls"

    def factored(self, lines: Lines) -> Factored:
        """Factorize all lumps.

        Raises
        ------
        LumpError
        """
        assert self.stages is not None
        if lines.data[self.stages.beyond].any():
            raise SparsejacError("inverse products: a partial derivative that has to be zero is not; please report f")
        return factorized(self.stages, lines.data, compiled=self.engine.backend.chosen == "numba")


def _by_differences(program: Program, constants: Sequence[Floats]) -> Liveness | None:
    """The Program in which those running sums that are lumps of their own are undone by differences; None without."""
    sums = running_sums(program)
    while sums:
        changed, marked = with_derivatives_of_terms(program, sums)
        found = _liveness(changed, constants)
        numbers = {buffer: changed.nodes[birth].index for buffer, birth in found.births.items() if birth >= 0}
        running = {buffer: marked[number] for buffer, number in numbers.items() if number in marked}
        found = replace(found, running=running)
        bad = {id(running[buffer]) for buffer in unplaced(found, cut_times(found))}
        if not bad and len(running) == len(sums):
            return found
        placed = {id(before) for before in running.values()} - bad
        sums = [one for one in sums if id(one.before) in placed]
    return None


def _liveness(program: Program, constants: Sequence[Floats]) -> Liveness:
    schedule, nodes = unfused(program)
    first = len(program.input_sizes)
    known = {first + k: fact_of(constants[k]) for k in _shaping(schedule, len(constants))}
    return find_liveness(program, schedule, nodes, known)


_KNOWN: Kept[Inverter] = Kept(MEMORY, lambda inverter: inverter.bytes)
_SHAPING: Kept[tuple[int, ...]] = Kept(128)


def inverter_for(
    program: Program,
    constants: Sequence[Floats],
    backend: BackendName,
    lumps: LumpsName = "auto",
    *,
    strict: bool = True,
) -> Inverter:
    """The inverter of a Program: a known one of the same digest and zeros, or a new one; see `Inverter`."""
    shaping = _SHAPING.get(program.digest, lambda: _shaping(unfused(explicit(program))[0], len(constants)))
    facts = digest({k: fact_of(constants[k]) for k in shaping})
    key = (program.digest, facts, backend, lumps, strict)
    return _KNOWN.get(key, lambda: Inverter(program, constants, backend, lumps, strict=strict))


def _shaping(schedule: Schedule, constants: int) -> tuple[int, ...]:
    """The constants whose zeros bear on what depends on what."""
    first = len(schedule.inputs) - constants
    return tuple(buffer - first for buffer in relevant_inputs(schedule) if buffer >= first)


def clear() -> None:
    """Forget all inverters."""
    _KNOWN.clear()
    _SHAPING.clear()
