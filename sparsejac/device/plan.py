"""Plans on a device: f followed on the host once, evaluated at x that lie on the device, results staying there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsejac.device.arrays import DOUBLE
from sparsejac.device.driver import cupy, managed
from sparsejac.device.evaluator import evaluator
from sparsejac.device.point import Point, operands_on_device, point_of
from sparsejac.device.recording import refuse_calls, refuse_decisions
from sparsejac.device.ways import Found, Guards, Repeat, Ways
from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.options import Format, check_flags, check_option
from sparsejac.patterns.pattern import Pattern
from sparsejac.plan import Plan
from sparsejac.structure import Structure, leaves_of, offsets_of, unflatten

if TYPE_CHECKING:
    from coloring import Coloring
    from sparsejac.reports.explanation import Explanation
else:  # for `typing.get_type_hints`, which must not need what is loaded late
    Coloring = Explanation = Any


class DevicePlan:
    """The Jacobian of one function at many x on a device, without tracing f again; see `sparsejac.Plan`.

    Made by `prepare` with an x on a device, to which it belongs: arrays of CuPy, or others that say where they lie by
    DLPack or ``__cuda_array_interface__`` (PyTorch, JAX, numba). All work is enqueued on the caller's current stream.

    Parameters
    ----------
    plan : Plan
        The same on the host: it follows f, and knows pattern and strategy.
    device : int
    format : {"csr", "csc", "coo"}
    dtype : dtype
        In which x, the entries, and what lies between them, are kept on the device: float64 or float32.

    Notes
    -----
    A call waits for the device only where f has decisions on values, or where entries that are not finite may have to
    be computed again (branches, colored strategies); with ``guards="deferred"`` it never does. Then entries are NaN
    where a decision came out otherwise, and a later call, or `settle`, raises.
    """

    def __init__(self, plan: Plan, device: int, format: Format, dtype: np.dtype[Any] = DOUBLE) -> None:
        self._plan = plan
        self._device = device
        self._format = format
        self._dtype = dtype
        self._repeat: Repeat | None = None
        self._ways = Ways(plan, format, dtype)
        with self._here():
            self._known = operands_on_device("prepare", plan._defaults, dtype)
            refuse_calls(plan._variants.first.engine)
            refuse_decisions(plan._variants.first.engine, dtype)
            _check_given(plan)

    def __call__(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        copy_structure: bool = False,
        guards: Guards = "sync",
    ) -> Any:
        """The Jacobian at x.

        Parameters
        ----------
        x : array on the device, or structure of arrays
            Of the shape that the plan was made with.
        *args
            Further arguments of f; those left out at the end are those of `prepare`.
        kwargs : dict, optional
        batch : bool
            Whether x is many points, along a first axis; the result is a list.
        copy_structure : bool
            Give the matrix index arrays of its own. By default it shares the plan's: do not write into them.
        guards : {"sync", "deferred"}

        Returns
        -------
        cupyx.scipy.sparse.csr_matrix (or csc_matrix, coo_matrix), shape (size of f's result, size of x)
            Blocks of this sort where x or the result is several arrays.
        """
        check_option("plan", "guards", guards, Guards)
        with self._here():
            point = self._point(x, args, kwargs, batch)
            found = self._ways.evaluate_all(point, "data", [None], guards)
            made = [self._matrices(each, copy_structure) for each in found]
        return made if batch else made[0]

    def values(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        out: Any = None,
        guards: Guards = "sync",
    ) -> Any:
        """The entries of the Jacobian alone, in the CSR order of `pattern`, on the device.

        Parameters
        ----------
        x, *args, kwargs, batch, guards
            See `__call__`; of a batch, the result has a row for each point.
        out : array of CuPy, shape (nnz,) or (points, nnz), optional
            Where to write them. Then nothing is allocated once the plan has run on the current stream.

        Raises
        ------
        InputError
            If f took a path at x whose Jacobian has another pattern: `plan(x)` then gives the whole matrix.
        """
        last = self._repeat
        if last is not None and not args and kwargs is None and not batch and last.is_for(x, out):
            with self._here():
                if last.run():
                    return out
        check_option("plan.values", "guards", guards, Guards)
        with self._here():
            point = self._point(x, args, kwargs, batch)
            out = self._checked(out, (self.pattern.nnz,) if point.points is None else (point.points, self.pattern.nnz))
            found = self._ways.evaluate_all(point, "data", [out], guards, regular=True)
            if not args and kwargs is None and not batch:
                self._repeat = Repeat.of(x, out, point, found[0])
        return out

    def value_and_jacobian(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        copy_structure: bool = False,
        guards: Guards = "sync",
    ) -> tuple[Any, Any]:
        """f(x), in f's shape, and the Jacobian at x; see `__call__`.

        Of a batch: lists of both.
        """
        check_option("plan.value_and_jacobian", "guards", guards, Guards)
        with self._here():
            point = self._point(x, args, kwargs, batch)
            found = self._ways.evaluate_all(point, "both", [None, None], guards)
            values = [arranged(each.variant.traced.result, each.outs[1]) for each in found]
            made = [self._matrices(each, copy_structure) for each in found]
        return (values, made) if batch else (values[0], made[0])

    def value(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        out: Any = None,
        guards: Guards = "sync",
    ) -> Any:
        """f(x), in f's shape, on the device.

        Parameters
        ----------
        x, *args, kwargs, guards
            See `__call__`.
        out : array of CuPy, shape (size of f's result,), optional
            Where to write it, flat.
        """
        check_option("plan.value", "guards", guards, Guards)
        with self._here():
            point = self._point(x, args, kwargs, False)
            out = None if out is None else self._checked(out, (self.shape[0],))
            found = self._ways.evaluate(point, "value", [out], guards)
            return arranged(found.variant.traced.result, found.outs[0])

    def settle(self) -> None:
        """Wait for the device, and raise if a decision came out otherwise under ``guards="deferred"``.

        Raises
        ------
        InputError
        """
        with self._here():
            if self._ways.deferred is not None:
                self._ways.deferred.settle()

    def __repr__(self) -> str:
        return f"{repr(self._plan)[:-1]}, on device {self._device}>"

    @property
    def pattern(self) -> Pattern:
        """The sparsity pattern; see `Plan.pattern`."""
        return self._plan.pattern

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self._plan.shape

    @property
    def coloring(self) -> Coloring | None:
        """The coloring in use; None where the strategy needs none."""
        return self._plan.coloring

    @property
    def strategy(self) -> str:
        """The strategy in use."""
        return self._plan.strategy

    @property
    def num_variants(self) -> int:
        """The number of paths through f met so far."""
        return self._plan.num_variants

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the entries."""
        return self._dtype

    @property
    def device(self) -> int:
        """The number of the device."""
        return self._device

    @property
    def nbytes(self) -> int:
        """Bytes on the device: tables, and work arrays for one stream."""
        return self._ways.nbytes

    def source(self) -> str:
        """The CUDA text that the strategy in use runs."""
        return evaluator(self._plan._variants.first.engine, self._dtype).recording("data").module.source

    def why(self, i: int | tuple[Any, ...], j: int | tuple[Any, ...]) -> Any:
        """The operations through which output i depends on unknown j; see `Plan.why`."""
        return self._plan.why(i, j)

    def explain(self, *, color: bool = True) -> Explanation:
        """Strategies with colors, passes, flops and bytes, as predicted for the CPU; see `Plan.explain`."""
        return self._plan.explain(color=color)

    def _here(self) -> Any:
        return cupy().cuda.Device(self._device)

    def _point(self, x: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, batch: bool) -> Point:
        """The point that was asked for, or several, on the device."""
        check_flags("plan", batch=batch)
        if self._ways.deferred is not None:
            self._ways.deferred.ask()
        defaults = self._plan._defaults
        given = (x, *args)
        point = point_of("plan", defaults, given, kwargs, self._device, self._known, self._dtype, batch=batch)
        if point.inputs != self._plan._inputs:
            raise InputError(
                f"plan: x has shape {point.inputs}, the plan was made for {self._plan._inputs}\n  {user_location()}\n"
                "  Cure: pass x of that shape, or make another plan by prepare(f, x)."
            )
        return point

    def _matrices(self, found: Found, copy_structure: bool) -> Any:
        return self._ways.hold(found.variant).blocks.matrices(found.outs[0], copy_structure=copy_structure)

    def _checked(self, out: Any, shape: tuple[int, ...]) -> Any:
        if out is None:
            with managed(self._dtype.itemsize * int(np.prod(shape)), "the entries"):
                return cupy().empty(shape, dtype=self._dtype)
        if not isinstance(out, cupy().ndarray) or out.shape != shape or out.dtype != self._dtype:
            what = f"a {type(out).__name__} of shape {getattr(out, 'shape', None)}"
            raise InputError(
                f"plan.values: out is {what}, dtype {getattr(out, 'dtype', None)}; the entries have shape {shape} "
                f"and dtype {self._dtype}\n  {user_location()}\n  Cure: out=cupy.empty({shape}, {self._dtype.name!r})."
            )
        if not out.flags.c_contiguous or int(out.device.id) != self._device:
            raise InputError(
                f"plan.values: out is not contiguous, or on device {out.device.id} and not {self._device}\n  "
                f"{user_location()}\n  Cure: with cupy.cuda.Device({self._device}): out=cupy.empty({shape}, "
                f"{self._dtype.name!r})."
            )
        return out


def _check_given(plan: Plan) -> None:
    """Test a pattern that the user gave, on the host."""
    first = plan._variants.first
    if not first.engine.pattern_checked:
        bound = plan._defaults
        numbers = [bound.x, *(np.array(value, dtype=np.float64).reshape(-1) for value in bound.operands)]
        first.engine.data([*numbers, *first.traced.constants], check=False)


def arranged(structure: Structure, flat: Any) -> Any:
    """What lies side by side on the device, in a structure."""
    offsets = offsets_of(structure)
    parts = zip(leaves_of(structure), offsets, strict=False)
    return unflatten(structure, (flat[start : start + leaf.size].reshape(leaf.shape) for leaf, start in parts))
