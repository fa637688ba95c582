"""The ways through f on a device: which of them holds at a point, what each has there, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import Any, Literal
from weakref import ref

import numpy as np

from sparsejac.device.arrays import DOUBLE
from sparsejac.device.constants import Constants
from sparsejac.device.deferred import Deferred
from sparsejac.device.driver import cupy, managed
from sparsejac.device.evaluator import Evaluator, Outcome, evaluator, overlap
from sparsejac.device.matrices import DeviceBlocks
from sparsejac.device.point import Point
from sparsejac.device.recording import Kind
from sparsejac.errors import InputError
from sparsejac.evaluation.variants import Variant
from sparsejac.location import user_location
from sparsejac.options import Format
from sparsejac.plan import Plan

Guards = Literal["sync", "deferred"]
_UNKNOWN = frozenset(["<a decision on the device>"])


@dataclass(frozen=True, eq=False)
class Found:
    """What was evaluated at a point: the way that f took there, the results, and what the run found out."""

    variant: Variant
    outs: list[Any]
    outcome: Outcome


class Ways:
    """The ways through one f on one device, which is the current one at every call.

    Parameters
    ----------
    plan : Plan
        Which follows f where no known way holds.
    format : {"csr", "csc", "coo"}
    dtype : dtype
        Of all numbers on the device.
    """

    def __init__(self, plan: Plan, format: Format, dtype: np.dtype[Any] = DOUBLE) -> None:
        self._plan = plan
        self._format = format
        self._dtype = dtype
        self._lock = RLock()
        self._held: dict[int, _Held] = {}
        self._last: Variant | None = None
        self.deferred: Deferred | None = None

    @property
    def nbytes(self) -> int:
        """Bytes on the device: tables, and work arrays for one stream."""
        return sum(held.evaluator.bytes for held in tuple(self._held.values()))

    def evaluate_all(
        self, point: Point, kind: Kind, outs: list[Any], guards: Guards, *, regular: bool = False
    ) -> list[Found]:
        """As `evaluate`, for a point or each of a batch; `outs` then have a row for each."""
        if point.points is None:
            return [self.evaluate(point, kind, outs, guards, regular=regular)]
        variant = next(iter(self._fitting(point)), None)
        if variant is None:
            pairs = enumerate(point.each())
            return [self.evaluate(each, kind, _row(outs, k), guards, regular=regular) for k, each in pairs]
        placed, found = self._placed(variant, kind, outs, regular, point.points), []
        most = self.hold(variant).evaluator.most_points(kind)
        for start in range(0, point.points, most):
            part = point.part(start, min(start + most, point.points))
            rows = [out[start : start + most] for out in placed]
            outcome = self._run(variant, part, kind, rows)
            if guards == "deferred":
                self._defer(outcome, rows)
            flags = outcome.read_all() if guards == "sync" else [(False, False)] * len(part.each())
            for k, (each, flag) in enumerate(zip(part.each(), flags, strict=True)):
                if any(flag):  # another way through f, or entries to be computed again: by itself
                    mine = _row(outs, start + k)
                    found.append(self.evaluate(each, kind, mine, guards, regular=regular))
                else:
                    found.append(Found(variant, _row(rows, k), outcome))
        return found

    def evaluate(self, point: Point, kind: Kind, outs: list[Any], guards: Guards, *, regular: bool = False) -> Found:
        """Find the way that f takes at a point, and evaluate it.

        Parameters
        ----------
        point : Point
        kind : {"value", "data", "both"}
        outs : list of (array or None)
            Where to write the results; None for new arrays.
        guards : {"sync", "deferred"}
            Whether to wait for the decisions.
        regular : bool
            Whether the entries have to be those of the plan's pattern.
        """
        known = self._fitting(point)
        for variant in known:
            placed = self._placed(variant, kind, outs, regular)
            outcome = self._run(variant, point, kind, placed)
            if guards == "deferred":
                self._defer(outcome, placed)
                return Found(variant, placed, outcome)
            is_other, infinite = outcome.read()
            if not is_other:
                return self._settled(Found(variant, placed, outcome), point, infinite=infinite)
        variant = self._plan._variants._follow(point.bound(), set(_UNKNOWN if known else ()))
        placed = self._placed(variant, kind, outs, regular)
        outcome = self._run(variant, point, kind, placed)
        return self._settled(Found(variant, placed, outcome), point, infinite=outcome.read()[1])

    def hold(self, variant: Variant) -> _Held:
        """What a way through f has on the device; only ways that are still known are held."""
        with self._lock:
            found = self._held.get(id(variant))
            if found is None:
                known = set(map(id, self._plan._variants.known)) | {id(variant)}
                self._held = {key: held for key, held in self._held.items() if key in known}
                found = self._held[id(variant)] = _Held(variant, self._format, self._dtype)
            return found

    def _fitting(self, point: Point) -> list[Variant]:
        """The ways that may be taken with the arguments of a point, the last one that held first."""
        known = [
            variant
            for variant in self._plan._variants.known
            if variant.fixed == point.fixed and variant.traced.program.input_sizes == point.sizes
        ]
        known.sort(key=lambda variant: variant is not self._last)
        return known

    def _run(self, variant: Variant, point: Point, kind: Kind, outs: list[Any]) -> Outcome:
        held = self.hold(variant)
        return held.evaluator.run(kind, point.numbers, held.constants, outs, point.points)

    def _settled(self, found: Found, point: Point, *, infinite: bool) -> Found:
        """The results, where need be with the entries computed again."""
        self._last = found.variant
        if infinite:
            held = self.hold(found.variant)
            held.evaluator.repair(point.numbers, held.constants, found.outs[0])
        return found

    def _defer(self, outcome: Outcome, outs: list[Any]) -> None:
        """Leave to the device what is to be done with what an evaluation found out."""
        if outcome.status is not None:
            with self._lock:
                self.deferred = self.deferred or Deferred()
            self.deferred.follow(outcome, outs)

    def _placed(
        self, variant: Variant, kind: Kind, outs: list[Any], regular: bool, points: int | None = None
    ) -> list[Any]:
        """Arrays for all results: the given ones, or new ones; with a row for each of several points."""
        engine = variant.engine
        if regular and engine.pattern != self._plan.pattern:
            raise InputError(
                "plan.values: f took another way at this x, and its Jacobian has other entries than plan.pattern\n  "
                f"{user_location()}\n  Cure: use plan(x), which gives the whole matrix."
            )
        value = engine.schedule.sizes[engine.schedule.output]
        sizes = {"value": [value], "data": [engine.pattern.nnz], "both": [engine.pattern.nnz, value]}[kind]
        if not any(out is None for out in outs):
            return outs
        shapes = [(size,) if points is None else (points, size) for size in sizes]
        with managed(self._dtype.itemsize * sum(sizes) * (points or 1), "the results"):
            pairs = zip(outs, shapes, strict=True)
            return [cupy().empty(shape, dtype=self._dtype) if out is None else out for out, shape in pairs]


class _Held:
    """What a way through f has on the device."""

    def __init__(self, variant: Variant, format: Format, dtype: np.dtype[Any]) -> None:
        self.variant = variant
        self.evaluator: Evaluator = evaluator(variant.engine, dtype)
        self.constants = Constants(variant.traced.constants, dtype)
        self.blocks = DeviceBlocks(variant.blocks, format)


class Repeat:
    """One evaluation that asks nothing, to be made again at the same arrays: by their identity, and no further look.

    Parameters
    ----------
    x, out : array of CuPy
    found : Found
    """

    def __init__(self, x: Any, out: Any, found: Found) -> None:
        self._x, self._out, self._shape = ref(x), ref(out), x.shape
        self._bound, self._workspace = found.outcome.bound, found.outcome.workspace

    @staticmethod
    def of(x: Any, out: Any, point: Point, found: Found) -> Repeat | None:
        """None where something is asked, or where x is read elsewhere: converted, or out of the way of `out`."""
        is_read = isinstance(x, cupy().ndarray) and point.numbers[0].data.ptr == x.data.ptr
        if found.outcome.status is not None or not is_read or overlap(out, x) or not np.prod(x.shape):
            return None
        return Repeat(x, out, found)

    def is_for(self, x: Any, out: Any) -> bool:
        """Whether these are the same arrays."""
        return self._x() is x and self._out() is out and x is not None and x.shape == self._shape

    def run(self) -> bool:
        """Make the launches again; False on another stream."""
        return self._workspace.repeat(self._bound)


def _row(outs: list[Any], k: int) -> list[Any]:
    return [None if out is None else out[k] for out in outs]
