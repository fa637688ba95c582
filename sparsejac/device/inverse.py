"""Products with the inverse of the Jacobian at an x on a device: the lumps of the host, evaluated and solved there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from kernels.lazy import load
from sparsejac.device.arrays import mapped, on_host
from sparsejac.device.constants import Constants
from sparsejac.device.driver import cupy, here, managed
from sparsejac.device.evaluator import evaluator
from sparsejac.device.inverse_stages import DeviceFactored, DeviceStages
from sparsejac.device.point import copied_to_host, unknowns
from sparsejac.device.products import seeds_on_device, shaped
from sparsejac.errors import SingularError
from sparsejac.inverse.inverter import Inverter, Lines
from sparsejac.inverse.linearization import Evaluated, evaluated, is_undamped
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.request import Request, bound
from sparsejac.inverse.selection import LumpsName
from sparsejac.inverse.setup import set_up
from sparsejac.inverse.stages import Stages
from sparsejac.location import user_location
from sparsejac.options import check_option
from sparsejac.signature import Bound
from sparsejac.structure import Structure

if TYPE_CHECKING:
    from sparsejac.inverse.explanation import InverseExplanation

Floats = npt.NDArray[np.float64]

_STAGES: WeakKeyDictionary[Inverter, dict[tuple[int, int], DeviceStages]] = WeakKeyDictionary()


class FlippedError(Exception):
    """A decision of f came out otherwise than where it was followed."""


@dataclass(frozen=True, eq=False)
class DeviceWay:
    """One way through f with its lumps.

    Parameters
    ----------
    teller : Teller
    inverter : Inverter
    constants : list of array
        What f captured, on the host.
    on_device : Constants
        Those of them that the lumps read, on the device.
    """

    teller: Teller
    inverter: Inverter
    constants: list[Floats]
    on_device: Constants

    def at(self, numbers: list[Any]) -> DevicePoint:
        """Evaluate the lumps.

        Parameters
        ----------
        numbers : list of array of CuPy
            x and the operands, flat.

        Raises
        ------
        FlippedError
            Where f takes another way at this x.
        """
        inverter, engine, module = self.inverter, self.inverter.engine, cupy()
        x, *rest = numbers
        with managed(8 * (inverter.staged.size + sum(engine.pattern.shape) + engine.pattern.nnz), "the lumps"):
            point = x
            if inverter.staged.size != len(x):
                point = module.zeros(inverter.staged.size)
                point[: len(x)] = x
            data, made = module.empty(engine.pattern.nnz), module.empty(engine.pattern.shape[0])
        runs = evaluator(engine)
        flipped, infinite = runs.run("both", [point, *rest], self.on_device, [data, made]).read()
        if flipped:
            raise FlippedError
        if infinite:
            runs.repair([point, *rest], self.on_device, data)
        return DevicePoint(self, numbers, data, made, int(module.cuda.Device().id))


@dataclass(frozen=True, eq=False)
class DevicePoint:
    """The local Jacobians of all lumps at one point on a device.

    Parameters
    ----------
    way : DeviceWay
    numbers : list of array of CuPy
        x and the operands.
    data, made : array of CuPy
        See `Lines`.
    device : int
    """

    way: DeviceWay
    numbers: list[Any]
    data: Any
    made: Any
    device: int

    @property
    def flat_value(self) -> Any:
        """The value of f, all its arrays side by side."""
        return self.made[len(self.made) - self.way.inverter.size :].copy()

    def factored(self) -> DeviceFactored:
        """Factorize all lumps; waits for one word, which says whether the host has to look.

        Raises
        ------
        SingularError
            With what the host says at this x.
        """
        found = _stages(self.way.inverter).factorized(self.data)
        if not bool(found.good):
            self._judge(found)
        return found

    def _judge(self, found: DeviceFactored) -> None:
        """Look at doubtful pivots, and at entries that are not finite, as on the host."""
        inputs = [*map(cupy().asnumpy, self.numbers)]
        evaluated(self.way.teller, self.way.inverter, inputs, self.way.constants, check=False).factored()
        _, log = found.slogdet()
        if not np.isfinite(float(log)):
            raise SingularError(
                f"{self.way.teller.call}: a pivot on the device is zero or not finite at this x, where the host finds "
                f"none: the Jacobian of f is singular, nearly\n  {user_location()}\n  Cure: pass cupy.asnumpy(x), or "
                "take newton_step(..., damping=...)."
            )

    def damped(self, call: str, damping: Any) -> Any:
        """The regularised step, solved for on the host; see `newton_step`."""
        lines = Lines(cupy().asnumpy(self.data), cupy().asnumpy(self.made))
        found = Evaluated(self.way.teller, self.way.inverter, lines).damped(call, mapped(damping, on_host))
        return mapped_to_device(found)


def mapped_to_device(step: Any) -> Any:
    """Arrays of the host, in containers too, copied to the current device."""
    if isinstance(step, dict):
        return type(step)((key, mapped_to_device(value)) for key, value in step.items())
    if isinstance(step, list | tuple):
        items = [mapped_to_device(value) for value in step]
        return type(step)(*items) if hasattr(step, "_fields") else type(step)(items)
    return cupy().asarray(step)


def _stages(inverter: Inverter) -> DeviceStages:
    """The lumps on the current device: they are put there once."""
    assert inverter.stages is not None
    known = _STAGES.setdefault(inverter, {})
    if here() not in known:
        known[here()] = DeviceStages(inverter.stages)
    return known[here()]


class DeviceInverse:
    """The inverse of the Jacobian of f at one point on a device; see `sparsejac.InverseLinearization`.

    Products allocate what they need on the device, and nobody waits.
    """

    def __init__(self, point: DevicePoint) -> None:
        self._point = point
        self._teller = point.way.teller
        self._factored = point.factored()

    @property
    def value(self) -> Any:
        """f(x)."""
        return shaped(self._teller.result, self._point.flat_value)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return (self._point.way.inverter.size, self._point.way.inverter.size)

    @property
    def structures(self) -> tuple[Structure, Structure]:
        """How the arrays of x, and those of the result, belong together."""
        return self._teller.inputs, self._teller.result

    @property
    def stages(self) -> Stages:
        """The lumps and their forms."""
        return self._factored.stages.host

    @property
    def device(self) -> int:
        """The number of the device."""
        return self._point.device

    def __repr__(self) -> str:
        name = getattr(self._teller.f, "__name__", type(self._teller.f).__name__)
        lumps = len(self._factored.factors)
        return (
            f"<InverseLinearization of {name}: {self.shape[0]} unknowns, {lumps} lump{'s' if lumps != 1 else ''}, on "
            f"device {self.device}>"
        )

    def ivjp(self, v: Any) -> Any:
        """J⁻¹ v; with one more axis, the last, several at once."""
        seeds, count = seeds_on_device("ivjp", "v", self._teller.result, v)
        return shaped(self._teller.inputs, self.divide(seeds, count), count)

    def ijvp(self, w: Any) -> Any:
        """J⁻ᵀ w; with one more axis, the last, several at once."""
        seeds, count = seeds_on_device("ijvp", "w", self._teller.inputs, w)
        return shaped(self._teller.result, self.divide_transposed(seeds, count), count)

    def divide(self, seeds: Any, count: int | None) -> Any:
        """J⁻¹ times flat tangents, `count` side by side for each number."""
        return self._applied(self._factored.solve, seeds, count)

    def divide_transposed(self, seeds: Any, count: int | None) -> Any:
        """J⁻ᵀ times flat cotangents; see `divide`."""
        return self._applied(self._factored.solve_transposed, seeds, count)

    def _applied(self, product: Callable[[Any], Any], seeds: Any, count: int | None) -> Any:
        if not seeds.size:
            return seeds.copy()
        with cupy().cuda.Device(self.device), managed(8 * int(seeds.size), "the product"):
            return product(seeds if count is None else seeds.reshape(self.shape[0], count)).reshape(-1)

    def slogdet(self) -> tuple[Any, Any]:
        """Sign of the determinant of J, and the logarithm of its absolute value: arrays of shape () on the device."""
        with cupy().cuda.Device(self.device):
            return self._factored.slogdet()

    def newton_step(self) -> Any:
        """The step s with J s = -f(x)."""
        with cupy().cuda.Device(self.device):
            return shaped(self._teller.inputs, self.divide(-self._point.flat_value, None))

    def explain(self) -> InverseExplanation:
        """The lumps, the widths between them, and the choice by the cost model of the host. Print it."""
        found: InverseExplanation = load("sparsejac.inverse.explanation").explain(self._point.way.inverter)
        return found


def way_on_device(teller: Teller, inverter: Inverter, constants: list[Floats]) -> DeviceWay:
    """A way of the host, with what its lumps read of the constants put on the current device."""
    return DeviceWay(teller, inverter, constants, Constants(inverter._constants(constants)))


def take_step(call: str, point: DevicePoint, damping: Any) -> Any:
    """The step s with J s = -f(x), or a regularised one, which is solved for on the host."""
    if is_undamped(damping):
        return DeviceInverse(point).newton_step()
    return point.damped(call, damping)


def _point(given: dict[str, Any], call: str, lumps: LumpsName = "auto", *, strict: bool = True) -> DevicePoint:
    """Follow f at a copy of x on the host, and evaluate its lumps on the device."""
    check_option(call, "lumps", lumps, LumpsName)
    host, device = host_bound(given, call, frozen=True)
    with cupy().cuda.Device(device):
        x = unknowns(call, host.signature, (given["x"], *given["args"]))
        traced = host.trace()
        teller = Teller(call, given["f"], host.inputs, traced.result, traced.program.sites)
        inverter = set_up(teller, traced.program, traced.constants, len(host.x), "auto", lumps, strict=strict)
        return way_on_device(teller, inverter, traced.constants).at([x])


def host_bound(given: dict[str, Any], call: str, *, frozen: bool) -> tuple[Bound, int]:
    """The call with copies on the host, and the device."""
    device, host, named = copied_to_host(given, call, (given["x"], *given["args"]))
    with cupy().cuda.Device(device):
        return bound(Request(call, given["f"], host, named, given["argnums"]), frozen=frozen), device


def linearize_inverse(given: dict[str, Any], call: str = "linearize_inverse") -> DeviceInverse:
    """As `sparsejac.linearize_inverse`."""
    point = _point(given, call, given.get("lumps", "auto"))
    with cupy().cuda.Device(point.device):
        return DeviceInverse(point)


def ivjp(given: dict[str, Any]) -> Callable[[Any], Any]:
    """As `sparsejac.ivjp`."""
    return linearize_inverse(given, "ivjp").ivjp


def ijvp(given: dict[str, Any]) -> Callable[[Any], Any]:
    """As `sparsejac.ijvp`."""
    return linearize_inverse(given, "ijvp").ijvp


def slogdet(given: dict[str, Any]) -> tuple[Any, Any]:
    """As `sparsejac.slogdet`; arrays of shape () on the device."""
    return linearize_inverse(given, "slogdet").slogdet()


def newton_step(given: dict[str, Any]) -> Any:
    """As `sparsejac.newton_step`."""
    call, damping = "newton_step", given["damping"]
    point = _point(given, call, strict=is_undamped(damping))
    with cupy().cuda.Device(point.device):
        return take_step(call, point, damping)
