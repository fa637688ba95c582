"""Plans for inverse products at x on a device: the ways and lumps of a plan of the host, put there once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparsejac.device.driver import cupy
from sparsejac.device.inverse import (
    DeviceInverse,
    DevicePoint,
    DeviceWay,
    FlippedError,
    host_bound,
    take_step,
    way_on_device,
)
from sparsejac.device.point import operands_on_device, point_of
from sparsejac.device.recording import refuse_calls
from sparsejac.errors import InputError
from sparsejac.inverse.plan import InversePlan
from sparsejac.inverse.selection import LumpsName
from sparsejac.location import user_location
from sparsejac.options import check_option

if TYPE_CHECKING:
    from sparsejac.inverse.explanation import InverseExplanation


class DeviceInversePlan:
    """Products with the inverse of the Jacobian of f at many points on a device; see `sparsejac.InversePlan`.

    A point costs two words that are waited for: whether f's decisions hold there, if it has any, and whether all
    pivots are good.

    Parameters
    ----------
    plan : InversePlan
        The same on the host: it follows f, and knows the lumps.
    device : int
    """

    def __init__(self, plan: InversePlan, device: int) -> None:
        self._plan = plan
        self._device = device
        self._ways: dict[int, tuple[Any, DeviceWay]] = {}
        with cupy().cuda.Device(device):
            self._known = operands_on_device("prepare_inverse", plan._bound)
            refuse_calls(plan._ways[0].inverter.engine)

    def __call__(self, x: Any, *args: Any, kwargs: Mapping[str, Any] | None = None) -> DeviceInverse:
        """The inverse at x, factorized.

        Raises
        ------
        SingularError
            If the Jacobian has no inverse at x.
        """
        with cupy().cuda.Device(self._device):
            return DeviceInverse(self._at((x, *args), kwargs))

    def newton_step(self, x: Any, *args: Any, kwargs: Mapping[str, Any] | None = None, damping: Any = 0.0) -> Any:
        """The step s with J s = -f(x), or a regularised one, which is solved for on the host."""
        with cupy().cuda.Device(self._device):
            point = self._at((x, *args), kwargs)
            return take_step("newton_step", point, damping)

    def explain(self) -> InverseExplanation:
        """The lumps, the widths between them, and the choice by the cost model of the host. Print it."""
        return self._plan.explain()

    @property
    def device(self) -> int:
        """The number of the device."""
        return self._device

    def __repr__(self) -> str:
        return f"{repr(self._plan)[:-1]}, on device {self._device}>"

    def _at(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> DevicePoint:
        defaults = self._plan._bound
        point = point_of("InversePlan", defaults, args, kwargs, self._device, self._known)
        if point.inputs != defaults.inputs:
            raise InputError(
                f"InversePlan: x has shape {point.inputs}, the plan was made for {defaults.inputs}\n  "
                f"{user_location()}\n  Cure: pass x of that shape, or make another plan by prepare_inverse(f, x)."
            )
        for way in tuple(self._plan._ways):
            if way.fixed == point.fixed and point.sizes == way.traced.program.input_sizes:
                try:
                    return self._on_device(way).at(point.numbers)
                except FlippedError:
                    continue
        way = self._plan._follow_anew(point.bound())
        return self._on_device(way).at(point.numbers)

    def _on_device(self, way: Any) -> DeviceWay:
        held = self._ways.get(id(way))
        if held is None:
            made = way_on_device(way.teller, way.inverter, way.traced.constants)
            held = self._ways[id(way)] = (way, made)
            for key in set(self._ways) - set(map(id, self._plan._ways)) - {id(way)}:
                self._ways.pop(key, None)
        return held[1]


def prepare_inverse(given: dict[str, Any]) -> DeviceInversePlan:
    """As `sparsejac.prepare_inverse`."""
    check_option("prepare_inverse", "lumps", given["lumps"], LumpsName)
    host, device = host_bound(given, "prepare_inverse", frozen=False)
    return DeviceInversePlan(InversePlan(host, "auto", given["lumps"]), device)
