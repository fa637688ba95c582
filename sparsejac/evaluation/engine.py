"""The engine: values and Jacobians of a schedule, whatever its float values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kernels.address import Table
from kernels.lazy import Lazy
from kernels.numpy_executor import NumpyExecutor
from sparsejac.errors import InputError
from sparsejac.evaluation.parts import Parts
from sparsejac.evaluation.writer import Writer
from sparsejac.patterns.pattern import entry_numbers
from sparsejac.patterns.sparsity import Sparsity, count_partials, detect
from sparsejac.strategies.protocol import Prepared

FloatArray = npt.NDArray[np.float64]

# Small problems are not begun ahead.
AHEAD = Lazy("sparsejac.ahead")

AHEAD_FROM = 2_000_000
"""Local partials from which set-up is begun before it is asked for: a tenth of a second, or more."""


class Engine(Writer):
    """Value and Jacobian of one schedule, with pattern, coloring, strategy and executors found on first need.

    Threads may share an engine. It is made of layers, from the ground up: what follows from the schedule (`Analysis`),
    the choice of a strategy (`Candidates`), evaluation launch by launch (`Recomputation`), and in as few calls as
    possible (`Writer`).

    Parameters
    ----------
    schedule : Schedule
    options : EngineOptions

    Raises
    ------
    InputError
        For an unknown option, and for a pattern or colors that do not fit.
    """

    def value(self, inputs: Sequence[FloatArray], *, check: bool = True) -> FloatArray:
        """Run the schedule.

        Parameters
        ----------
        inputs : sequence of array
            Flat arrays in the order of ``schedule.inputs``. They are not changed.
        check : bool
            Whether to ask the guards.

        Returns
        -------
        array, shape (size of the output,)

        Raises
        ------
        DecisionError
            Where a guard does not hold.
        """
        return self._values(self._buffers.required(inputs), (self.schedule.output,), check=check)[0]

    def value_and_aux(self, inputs: Sequence[FloatArray], *, check: bool = True) -> tuple[FloatArray, FloatArray]:
        """As `value`, with the numbers wanted beside it; none where nothing is."""
        aux = self.schedule.aux
        if aux is None:
            return self.value(inputs, check=check), np.empty(0)
        wanted = (self.schedule.output, aux)
        value, beside = self._values(self._buffers.required(inputs), wanted, check=check)
        return value, beside

    def data(self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True) -> FloatArray:
        """Entries of the Jacobian in CSR order; see `value`, and `out` for where to write them."""
        out = self._place(out)
        self.write(self._buffers.required(inputs), out, check=check)
        return out

    def value_and_data(
        self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True
    ) -> tuple[FloatArray, FloatArray]:
        """Value and entries of the Jacobian in CSR order; see `value`.

        Parameters
        ----------
        inputs : sequence of array
        out : array, shape (nnz,), optional
            C-contiguous float64 array to write the entries to.
        check : bool
        """
        out = self._place(out)
        (value,) = self.write(self._buffers.required(inputs), out, (self.schedule.output,), check=check)
        return value, out

    def value_data_and_aux(
        self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, entries of the Jacobian, and the numbers wanted beside them; see `value_and_data`."""
        aux = self.schedule.aux
        if aux is None:
            return *self.value_and_data(inputs, out, check=check), np.empty(0)
        out = self._place(out)
        value, beside = self.write(self._buffers.required(inputs), out, (self.schedule.output, aux), check=check)
        return value, out, beside

    def local_entries(self, inputs: Sequence[FloatArray], data: FloatArray) -> npt.NDArray[np.bool_]:
        """Which entries of the pattern stand for a dependence at just these inputs.

        An entry is left out if each way from its unknown to its output passes a local partial derivative that is zero
        here, and if its number in `data` is zero as well. Nothing of this is kept.

        Parameters
        ----------
        inputs : sequence of array
        data : array, shape (nnz,)
            The entries at these inputs.

        Returns
        -------
        array of bool, shape (nnz,)
        """
        buffers = self._buffers.take(self._buffers.required(inputs))
        partials = NumpyExecutor(self.schedule).partials(buffers)
        live = tuple(
            partial != 0.0 if launch.active else None
            for launch, partial in zip(self.schedule.launches, partials, strict=True)
        )
        local = detect(self.schedule, live).pattern
        places = entry_numbers(self.pattern)
        return np.asarray(np.isin(places, entry_numbers(local), assume_unique=True) | (data != 0.0))

    def begin(self, inputs: Sequence[FloatArray]) -> None:
        """Do in other threads, if it is much work, what the first Jacobian needs.

        Parameters
        ----------
        inputs : sequence of array
            As of `value`; of these, only constants are read.
        """
        works_ahead = self.requested in ("auto", "elimination") and self.hessian is None and not self._is_given
        if works_ahead and count_partials(self.schedule) >= AHEAD_FROM:
            counted = (lambda: self.facts) if self.requested == "auto" else (lambda: self.sparsity)
            AHEAD.begin(counted, lambda: self._prepare_all(inputs))

    def _prepare_all(self, inputs: Sequence[FloatArray]) -> None:
        """Index arrays, code that is going to be bought by the first Jacobian, and what hangs on constants alone."""
        if self.linear:  # nothing but constants
            return
        prepared, parts = self.prepared, self.parts_for(self.strategy)
        wanted = self._wanted(prepared)
        if self.pattern_checked and self.running.buys_at_once(*wanted):
            compiled = self.running.compiled(*wanted)
            fused = None if compiled is None else self._fuse(prepared, compiled, parts)
            if fused is not None and parts is None:
                fused.further(inputs)

    @property
    def bytes(self) -> int:
        """Memory held, roughly: one set of buffers, index tables, the pattern, and what strategies prepared."""
        made, values = tuple(self._made.values()), self._made.get("values")
        patterns = sum(each.pattern.indices.nbytes for each in made if isinstance(each, Sparsity))
        kept = sum(each.bytes for each in made if isinstance(each, Prepared | Parts))
        kept += 0 if values is None else int(values.bytes)
        return kept + self._bytes_of_schedule + patterns

    @cached_property
    def _bytes_of_schedule(self) -> int:
        accesses = [access for launch in self.schedule.launches for access in (*launch.loads, launch.store)]
        return 8 * sum(self.schedule.sizes) + sum(
            access.address.content.nbytes for access in accesses if isinstance(access.address, Table)
        )

    def _place(self, out: FloatArray | None) -> FloatArray:
        """Where the entries go: a new array, or the given one, if it can be written by compiled code."""
        shape = (self.pattern.nnz,)
        if out is None:
            return np.empty(shape)
        if out.shape != shape or out.dtype != np.float64 or not out.flags.carray:
            raise InputError(
                f"out: got shape {out.shape}, dtype {out.dtype}; pass a contiguous float64 array of shape {shape} that "
                "can be written to"
            )
        return np.asarray(out)  # a memmap is no array to compiled code, but its memory is one
