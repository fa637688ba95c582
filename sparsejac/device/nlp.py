"""Callbacks of a nonlinear program at x on a device: values there, structures put there once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparsejac.device.arrays import as_cupy
from sparsejac.device.driver import cupy, managed
from sparsejac.device.matrices import Frame
from sparsejac.device.plan import DevicePlan
from sparsejac.device.point import copied_to_host
from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import user_location
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.products.nlp import NLP
from sparsejac.products.nlp import prepare_nlp as prepare_on_host
from sparsejac.reports.explanation import Explanation
from sparsejac.residence import is_on_device
from sparsejac.transforms.symmetric import mirrored


def prepare_nlp(given: dict[str, Any]) -> DeviceNLP:
    """As `sparsejac.prepare_nlp`."""
    device, host, named = copied_to_host(given, "prepare_nlp", (given["x"], *given["args"]), first=2)
    strategies = {name: given[name] for name in ("strategy", "hessian_strategy")}
    with cupy().cuda.Device(device):
        return DeviceNLP(prepare_on_host(given["f"], given["g"], *host, kwargs=named, **strategies), device)


@dataclass(frozen=True, eq=False)
class _Evaluation:
    """What was computed at one x, of which `x` is a copy: the value, and the entries, or None."""

    x: Any
    stream: int
    value: Any
    data: Any


class DeviceNLP:
    """Callbacks of a nonlinear program on a device; made by `prepare_nlp` with an x there. See `sparsejac.NLP`.

    All that is returned lies on the device: the objective as an array of shape (), structures as the same arrays each
    time, which nobody may write to. Whether x is that of the last call, whose results are kept, is found out on the
    device, and one word is waited for.

    Parameters
    ----------
    nlp : NLP
        The same on the host: it follows f and g.
    device : int
    """

    def __init__(self, nlp: NLP, device: int) -> None:
        self._nlp = nlp
        self._device = device
        self._plan = DevicePlan(nlp._first_derivatives(), device, "csr")
        self._last: _Evaluation | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of constraints, number of unknowns."""
        return self._nlp.shape

    @property
    def device(self) -> int:
        """The number of the device."""
        return self._device

    def __repr__(self) -> str:
        return f"{repr(self._nlp)[:-1]}, on device {self._device}>"

    def objective(self, x: Any) -> Any:
        """f(x): an array of shape () on the device."""
        with self._here():
            return self._at(x, derivatives=False).value[:1].copy().reshape(())

    def gradient(self, x: Any) -> Any:
        """The gradient of f, dense."""
        with self._here():
            data = self._at(x, derivatives=True).data
            found = cupy().zeros(self.shape[1])
            found[self._gradient_columns] = data[: self._first]
            return found

    def constraints(self, x: Any) -> Any:
        """g(x), flat."""
        with self._here():
            return self._at(x, derivatives=False).value[1:].copy()

    def jacobianstructure(self) -> tuple[Any, Any]:
        """Rows and columns of the entries of the Jacobian of g."""
        return self._jacobian_places

    def jacobian(self, x: Any) -> Any:
        """The entries of the Jacobian of g, in the order of `jacobianstructure`."""
        with self._here():
            data = self._at(x, derivatives=True).data
            return data[self._first :].copy()

    def hessianstructure(self) -> tuple[Any, Any]:
        """Rows and columns of the entries of the Lagrangian's Hessian: its lower triangle."""
        return self._hessian_places

    def hessian(self, x: Any, lagrange: Any, obj_factor: Any = 1.0) -> Any:
        """The entries of the Hessian of ``obj_factor * f + lagrange . g``, in the order of `hessianstructure`."""
        with self._here():
            point, multipliers = self._point(x), _array("NLP.hessian", "lagrange", lagrange).reshape(-1)
            if len(multipliers) != self.shape[0]:
                raise InputError(
                    f"NLP.hessian: lagrange has {len(multipliers)} multipliers for {self.shape[0]} constraints\n  "
                    f"{user_location()}\n  Cure: pass one for each."
                )
            weights = cupy().empty(self.shape[0] + 1)
            weights[0] = obj_factor if is_on_device(obj_factor) else float(obj_factor)
            weights[1:] = multipliers
            return self._curvature.values(point, weights)

    def jacobian_matrix(self, x: Any) -> Any:
        """The Jacobian of g as a ``cupyx.scipy.sparse.csr_matrix``."""
        return self._jacobian_frame.matrix(self.jacobian(x), copy_structure=True)

    def hessian_matrix(self, x: Any, lagrange: Any, obj_factor: Any = 1.0) -> Any:
        """The whole Hessian of ``obj_factor * f + lagrange . g`` as a matrix, symmetric to the last bit."""
        frame, sources = self._hessian_frame
        return frame.matrix(self.hessian(x, lagrange, obj_factor)[sources], copy_structure=True)

    def explain_hessian(self) -> Explanation:
        """Strategies for the Hessian, as predicted for the CPU; see `Plan.explain`."""
        return self._nlp.explain_hessian()

    @property
    def _first(self) -> int:
        """Number of entries of the gradient."""
        return int(self._plan.pattern.indptr[1])

    @cached_property
    def _curvature(self) -> DevicePlan:
        return DevicePlan(self._nlp._curvature, self._device, "csr")

    @cached_property
    def _gradient_columns(self) -> Any:
        return self._uploaded(self._plan.pattern.indices[: self._first])[0]

    @cached_property
    def _jacobian_places(self) -> tuple[Any, ...]:
        return self._uploaded(*self._nlp.jacobianstructure())

    @cached_property
    def _hessian_places(self) -> tuple[Any, ...]:
        return self._uploaded(*self._nlp.hessianstructure())

    @cached_property
    def _jacobian_frame(self) -> Frame:
        first, whole = self._first, self._plan.pattern
        with self._here():
            return Frame(Pattern(self.shape, whole.indptr[1:] - first, whole.indices[first:]), "csr")

    @cached_property
    def _hessian_frame(self) -> tuple[Frame, Any]:
        form = mirrored(self._curvature.pattern, "full")
        with self._here():
            return Frame(form.pattern, "csr"), self._uploaded(form.sources)[0]

    def _uploaded(self, *arrays: IndexArray) -> tuple[Any, ...]:
        with self._here(), managed(sum(array.nbytes for array in arrays), "structures"):
            return tuple(cupy().asarray(np.ascontiguousarray(array)) for array in arrays)

    def _here(self) -> Any:
        return cupy().cuda.Device(self._device)

    def _at(self, x: Any, *, derivatives: bool) -> _Evaluation:
        """What is wanted at x, computed unless it is known."""
        point, last, stream = self._point(x), self._last, int(cupy().cuda.get_current_stream().ptr)
        if last is not None and last.stream == stream and (last.data is not None or not derivatives):
            bits = cupy().int64
            if bool((last.x.view(bits) == point.view(bits)).all()):
                return last
        asked = self._plan._point(point, (), None, False)
        if derivatives:
            found = self._plan._ways.evaluate(asked, "both", [None, None], "sync")
            data, value = found.outs
        else:
            found = self._plan._ways.evaluate(asked, "value", [None], "sync")
            (value,), data = found.outs, None
        self._nlp._check(found.variant, same_entries=derivatives)
        self._last = _Evaluation(point.copy(), stream, value, data)
        return self._last

    def _point(self, x: Any) -> Any:
        point, size = _array("NLP", "x", x), self.shape[1]
        if point.shape != (size,):
            raise InputError(
                f"NLP: x has shape {point.shape}\n  {user_location()}\n  Cure: pass one vector of shape ({size},); "
                "take it apart in f and g."
            )
        return point


def _array(call: str, name: str, value: Any) -> Any:
    """An array on the device; anything else is refused."""
    if not is_on_device(value):
        raise InputTypeError(
            f"{call}: {name} is a {type(value).__name__} on the host, and the program was prepared on a device\n  "
            f"{user_location()}\n  Cure: pass cupy.asarray(...) of it."
        )
    return as_cupy(call, name, value)
