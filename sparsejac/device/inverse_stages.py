"""The lumps of a chain on a device: factorized there, and products with the inverse of their product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.driver import cupy, managed
from sparsejac.device.solvers import plain
from sparsejac.device.solvers.bands import WIDEST, Bands, Layout
from sparsejac.device.solvers.blocks import LARGEST, Blocks, structure_of_blocks, structure_of_dense
from sparsejac.device.solvers.coupling import Subtraction
from sparsejac.device.solvers.form import DeviceFactor, DeviceForm, odd
from sparsejac.inverse.solvers.banded import Banded
from sparsejac.inverse.solvers.blocks import SmallBlocks
from sparsejac.inverse.solvers.dense import Dense, DenseTriangular
from sparsejac.inverse.solvers.diagonal import Diagonal
from sparsejac.inverse.solvers.differences import Differences
from sparsejac.inverse.solvers.form import SUSPICIOUS, Form, parity
from sparsejac.inverse.solvers.sparse import Sparse
from sparsejac.inverse.stages import Stage, Stages

Ints = npt.NDArray[np.int64]


def _band(form: Banded, entries: Ints) -> DeviceForm:
    if Layout(form.pattern.size, form.lower, form.upper).width > WIDEST:
        return plain.wide_band(form)
    return Bands(form, len(entries))


def _dense(form: Dense, entries: Ints) -> DeviceForm:
    if form.pattern.size > LARGEST:
        return plain.dense(form)
    return Blocks(structure_of_dense(form), entries)


_FORMS: dict[type, Callable[[Any, Ints], DeviceForm]] = {
    Banded: _band,
    Dense: _dense,
    Diagonal: lambda form, entries: plain.division(form),
    Differences: lambda form, entries: plain.differences(form),
    DenseTriangular: lambda form, entries: plain.dense_triangular(form),
    SmallBlocks: lambda form, entries: Blocks(structure_of_blocks(form), entries),
    Sparse: lambda form, entries: (plain.sparse_triangular if form.triangular else plain.sparse_lu)(form),
}
"""Form of the host -> takes it and the numbers of the entries of each matrix; gives the form on a device."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Lumps of one form: their numbers, and those of their entries."""

    numbers: tuple[int, ...]
    form: DeviceForm
    entries: Any


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a lump stands in the state, None where it is all of it; what else it reads, and the transpose of that."""

    slots: Any
    coupling: Subtraction | None
    transposed: Subtraction | None


class DeviceStages:
    """All lumps on the current device; see `sparsejac.inverse.stages.Stages`.

    Parameters
    ----------
    stages : Stages
    """

    def __init__(self, stages: Stages) -> None:
        self.host = stages
        with managed(16 * sum(s.form.pattern.nnz for s in stages.stages), "the places of the lumps"):
            self.groups = [_group(stages, numbers) for numbers in _alike(stages)]
            self.places = [_placed(stage) for stage in stages.stages]
            outputs = np.ascontiguousarray(stages.chain.outputs, dtype=np.int64)
            self.outputs, self.sources = cupy().asarray(outputs), cupy().asarray(np.argsort(outputs))
            self._beyond = cupy().asarray(np.ascontiguousarray(stages.beyond, dtype=np.int64))
        self.flips = odd(parity(outputs))

    def factorized(self, data: Any) -> DeviceFactored:
        """Factorize all lumps; nobody waits but for those forms that ask."""
        found: list[DeviceFactor | None] = [None] * len(self.places)
        extremes = []
        for group in self.groups:
            made = group.form.factor(data, group.entries)
            extremes.append(made.extremes)
            for k, factor in zip(group.numbers, made.factors, strict=True):
                found[k] = factor
        good = _are_good(cupy().concatenate([cupy().empty((0, 2)), *extremes]), data, data[self._beyond])
        return DeviceFactored(self, data, [factor for factor in found if factor is not None], good)


def _are_good(extremes: Any, data: Any, beyond: Any) -> Any:
    """Whether all pivots are as they should be, all entries finite, and those zero that have to be; on the device."""
    good = (extremes[:, 0] > SUSPICIOUS * extremes[:, 1]).all() & cupy().isfinite(data).all()
    return good & ~(beyond != 0.0).any()


def _alike(stages: Stages) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for k, stage in enumerate(stages.stages):
        groups.setdefault(id(stage.form), []).append(k)
    return list(groups.values())


def _group(stages: Stages, numbers: Sequence[int]) -> _Group:
    form: Form = stages.stages[numbers[0]].form
    entries = np.stack([_numbers(stages.stages[k].entries) for k in numbers])
    return _Group(tuple(numbers), _FORMS[type(form)](form, entries), cupy().asarray(entries))


def _numbers(entries: Any) -> Ints:
    if isinstance(entries, slice):
        return np.arange(entries.start, entries.stop, dtype=np.int64)
    return np.asarray(entries, dtype=np.int64)


def _placed(stage: Stage) -> _Place:
    if isinstance(stage.slots, slice):
        return _Place(None, None, None)
    slots, own = cupy().asarray(np.ascontiguousarray(stage.slots, dtype=np.int64)), stage.coupling
    if own is None:
        return _Place(slots, None, None)
    return _Place(
        slots, Subtraction(own.rows, own.columns, own.entries), Subtraction(own.columns, own.rows, own.entries)
    )


@dataclass(frozen=True, eq=False)
class DeviceFactored:
    """The factors of all lumps at one point on a device; see `sparsejac.inverse.stages.Factored`.

    Parameters
    ----------
    stages : DeviceStages
    data : array
        The entries of all lumps.
    factors : list of DeviceFactor
    good : array of bool, shape ()
        On the device: whether the factors are to be used without a further look.
    """

    stages: DeviceStages
    data: Any
    factors: list[DeviceFactor]
    good: Any

    def solve(self, v: Any) -> Any:
        """J⁻¹ v for one vector, shape (n,), or several, shape (n, count): backwards through the lumps."""
        state = v[self.stages.sources]
        for place, factor in zip(reversed(self.stages.places), reversed(self.factors), strict=True):
            if place.slots is None:
                state = factor.solve(state)
                continue
            given = state[place.slots]
            if place.coupling is not None:
                place.coupling.run(self.data, state, given)
            state[place.slots] = factor.solve(given)
        return state

    def solve_transposed(self, w: Any) -> Any:
        """J⁻ᵀ w: forwards through the lumps."""
        state = w.copy()
        for place, factor in zip(self.stages.places, self.factors, strict=True):
            if place.slots is None:
                state = factor.solve_transposed(state)
                continue
            found = factor.solve_transposed(state[place.slots])
            state[place.slots] = found
            if place.transposed is not None:
                place.transposed.run(self.data, found, state)
        return state[self.stages.outputs]

    def slogdet(self) -> tuple[Any, Any]:
        """Sign and logarithm of the absolute value of the determinant of J; on the device."""
        flips: Any = cupy().zeros((), dtype=np.int64) + self.stages.flips
        log: Any = cupy().zeros(())
        for factor in self.factors:
            more, further = factor.flips_and_log()
            flips, log = flips + more, log + further
        return 1.0 - 2.0 * (flips % 2), log
