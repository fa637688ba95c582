"""Products with derivatives on a device: the same transformed Programs, evaluated there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.arrays import as_cupy
from sparsejac.device.constants import Constants
from sparsejac.device.driver import cupy, linalg, managed
from sparsejac.device.evaluator import Evaluator, evaluator
from sparsejac.device.point import copied_to_host, unknowns
from sparsejac.errors import InputTypeError
from sparsejac.location import user_location
from sparsejac.products.api import curvature_template, placed_arguments
from sparsejac.products.evaluation import gradient_once, linearized_once, pushed_once, value_engine, widened_once
from sparsejac.products.followed import Followed, followed
from sparsejac.products.vectors import count_of, parts_of, product_name
from sparsejac.residence import is_on_device
from sparsejac.signature import Signature
from sparsejac.structure import Structure, leaves_of, offsets_of, unflatten
from sparsejac.transforms import Template, then

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DevicePoint:
    """What f did at one x on a device.

    Parameters
    ----------
    point : Followed
        The same on the host.
    x : array of CuPy
        All unknowns side by side.
    device : int
    """

    point: Followed
    x: Any
    device: int

    def evaluate(self, template: Template, *further: Any) -> list[Any]:
        """The result of a transformed Program at x, and what is wanted beside it, if anything is."""
        constants = template.constants(self.point.constants)
        return evaluated(value_evaluator(template), [self.x, *further], Constants(constants), _aux_size(template))


def point_on_device(given: dict[str, Any], call: str, args: tuple[Any, ...]) -> DevicePoint:
    """Follow f at a copy of x on the host."""
    device, host, named = copied_to_host(given, call, args)
    with cupy().cuda.Device(device):
        point = followed(call, given["f"], host, named, given["argnums"], "auto")
        return DevicePoint(point, unknowns(call, Signature(call, given["f"], given["argnums"]), args), device)


def value_evaluator(template: Template) -> Evaluator:
    """What evaluates the value of a transformed Program."""
    return evaluator(value_engine(template.program, "auto"))


def _aux_size(template: Template) -> int | None:
    return None if template.program.aux is None else int(template.program.aux.size)


def evaluated(runs: Evaluator, inputs: Sequence[Any], constants: Constants, aux: int | None) -> list[Any]:
    """The result in a new array, with the numbers beside it in another one."""
    sizes = [runs.size, *([] if aux is None else [aux])]
    with managed(8 * sum(sizes), "the results"):
        outs = [cupy().empty(size) for size in sizes]
    runs.run("value" if aux is None else "value_aux", inputs, constants, outs)
    return outs


def seeds_on_device(call: str, name: str, structure: Structure, given: Any) -> tuple[Any, int | None]:
    """A tangent on a device, or several, as one flat array; see `sparsejac.products.vectors.as_seeds`."""
    arrays = []
    for leaf, path, value in parts_of(call, name, structure, given):
        if not is_on_device(value):
            raise InputTypeError(
                f"{call}: {path} is a {type(value).__name__} on the host, and x is on a device\n  {user_location()}\n"
                "  Cure: pass cupy.asarray(...) of it."
            )
        arrays.append((leaf, path, as_cupy(call, path, value)))
    count = count_of(call, name, [(leaf, path, array.shape) for leaf, path, array in arrays])
    flat = [array.reshape(-1) for _, _, array in arrays]
    return flat[0] if len(flat) == 1 else cupy().concatenate(flat or [cupy().empty(0)]), count


def shaped(structure: Structure, flat: Any, count: int | None = None) -> Any:
    """Numbers that are side by side, in a structure."""
    tail = () if count is None else (count,)
    offsets = [bound * (1 if count is None else count) for bound in offsets_of(structure)]
    places = zip(leaves_of(structure), offsets, offsets[1:], strict=False)
    return unflatten(structure, (flat[start:stop].reshape((*leaf.shape, *tail)) for leaf, start, stop in places))


class DeviceLinearization:
    """f at one point on a device: its value, and products with its Jacobian; see `sparsejac.Linearization`.

    Products allocate their results alone, and nobody waits for the device.
    """

    def __init__(self, on_device: DevicePoint) -> None:
        self._point = on_device.point
        self._device = on_device.device
        self._cut = linearized_once(self._point.program)
        found, self._value = on_device.evaluate(self._cut.values)
        self._stored = [found[a:b] for a, b in pairwise(self._cut.bounds)]
        self._runs: dict[tuple[int, int | None], tuple[Evaluator, Constants]] = {}

    @property
    def value(self) -> Any:
        """f(x)."""
        return shaped(self._point.result, self._value.copy())

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self._point.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the stored numbers."""
        return sum(int(stretch.nbytes) for stretch in self._stored)

    def __iter__(self) -> Iterator[Any]:
        """The value, and the function that pushes tangents forward."""
        return iter((self.value, self.jvp))

    def jvp(self, v: Any) -> Any:
        """J v; with one more axis, the last, several at once."""
        seeds, count = seeds_on_device(product_name(self._point.call, "jvp"), "v", self._point.inputs, v)
        return shaped(self._point.result, self.push(seeds, count), count)

    def vjp(self, w: Any) -> Any:
        """Jᵀ w; with one more axis, the last, several at once."""
        seeds, count = seeds_on_device(product_name(self._point.call, "vjp"), "w", self._point.result, w)
        return shaped(self._point.inputs, self.pull(seeds, count), count)

    def jtj(self, v: Any, loss_hessian: Any = None) -> Any:
        """Jᵀ J v, or Jᵀ H J v, where H multiplies: a diagonal or matrix on the device, or a function."""
        seeds, count = seeds_on_device("Linearization.jtj", "v", self._point.inputs, v)
        return shaped(self._point.inputs, self.normal(seeds, count, loss_hessian), count)

    def push(self, seeds: Any, count: int | None) -> Any:
        """J times flat tangents, `count` side by side for each number."""
        return self._product(self._cut.forward, seeds, count, 0)

    def pull(self, seeds: Any, count: int | None) -> Any:
        """The transpose of J times flat cotangents; see `push`."""
        return self._product(self._cut.reverse, seeds, count, 1)

    def normal(self, seeds: Any, count: int | None, loss: Any = None) -> Any:
        """The Gauss-Newton product of flat tangents; see `push`."""
        pushed = self.push(seeds, count)
        if loss is not None:
            rows = self.shape[0]
            wide = pushed.reshape((rows,) if count is None else (rows, count))
            if callable(loss) and not hasattr(loss, "shape"):
                made = loss(wide)
            elif loss.shape == (rows,):
                made = loss * wide if count is None else loss[:, None] * wide
            else:
                made = loss @ wide
            pushed = cupy().ascontiguousarray(made).reshape(-1)
        return self.pull(pushed, count)

    def _product(self, part: Template, seeds: Any, count: int | None, side: int) -> Any:
        with cupy().cuda.Device(self._device):
            if count == 0:
                return cupy().empty(0)
            runs, rest = self._prepared(part, count)
            if count is None:
                return evaluated(runs, [seeds, *self._stored], rest, None)[0]
            unread = cupy().empty(self.shape[1 - side])
            return evaluated(runs, [unread, *self._stored, seeds], rest, None)[0]

    def _prepared(self, part: Template, count: int | None) -> tuple[Evaluator, Constants]:
        known = self._runs.get((id(part), count))
        if known is None:
            wide = part if count is None else then(part, widened_once(part.program, count))
            known = self._runs[id(part), count] = (
                value_evaluator(wide),
                Constants(wide.constants(self._point.constants)),
            )
        return known


def jvp(given: dict[str, Any]) -> tuple[Any, Any]:
    """As `sparsejac.jvp`."""
    arguments = placed_arguments("jvp", given["x"], given["args"], given["argnums"])
    at = point_on_device(given, "jvp", arguments)
    with cupy().cuda.Device(at.device):
        seeds, count = seeds_on_device("jvp", "v", at.point.inputs, given["v"])
        if count == 0:
            return DeviceLinearization(at).value, shaped(at.point.result, cupy().empty(0), 0)
        tangent, value = at.evaluate(pushed_once(at.point.program, count), seeds)
        return shaped(at.point.result, value), shaped(at.point.result, tangent, count)


def vjp(given: dict[str, Any]) -> tuple[Any, Any]:
    """As `sparsejac.vjp`."""
    lin = linearize(given, "vjp")
    return lin.value, lin.vjp


def linearize(given: dict[str, Any], call: str = "linearize") -> DeviceLinearization:
    """As `sparsejac.linearize`."""
    at = point_on_device(given, call, (given["x"], *given["args"]))
    with cupy().cuda.Device(at.device):
        return DeviceLinearization(at)


def gradient(given: dict[str, Any]) -> Any:
    """As `sparsejac.gradient`."""
    return value_and_gradient(given, "gradient")[1]


def value_and_gradient(given: dict[str, Any], call: str = "value_and_gradient") -> tuple[Any, Any]:
    """As `sparsejac.value_and_gradient`."""
    at = point_on_device(given, call, (given["x"], *given["args"]))
    point = at.point.scalar()
    with cupy().cuda.Device(at.device):
        found, value = at.evaluate(gradient_once(point.program, with_value=True))
        return shaped(point.result, value), shaped(point.inputs, found)


def hvp(given: dict[str, Any]) -> Any:
    """As `sparsejac.hvp`."""
    arguments = placed_arguments("hvp", given["x"], given["args"], given["argnums"])
    at = point_on_device(given, "hvp", arguments)
    point = at.point.scalar().smooth()
    with cupy().cuda.Device(at.device):
        seeds, count = seeds_on_device("hvp", "v", point.inputs, given["v"])
        found = cupy().empty(0) if count == 0 else at.evaluate(curvature_template(point, count), seeds)[0]
        return shaped(point.inputs, found, count)


def jacobian_operator(given: dict[str, Any]) -> Any:
    """As `sparsejac.jacobian_operator`: an operator of ``cupyx.scipy.sparse.linalg``."""
    lin = linearize(given, "jacobian_operator")
    return _operator(lin.shape, lin.push, lin.pull)


def gauss_newton_operator(given: dict[str, Any]) -> Any:
    """As `sparsejac.gauss_newton_operator`."""
    lin, loss = linearize(given, "gauss_newton_operator"), given["loss_hessian"]

    def product(seeds: Any, count: int | None) -> Any:
        return lin.normal(seeds, count, loss)

    return _operator((lin.shape[1], lin.shape[1]), product, product)


def hessian_operator(given: dict[str, Any]) -> Any:
    """As `sparsejac.hessian_operator`."""
    at = point_on_device(given, "hessian_operator", (given["x"], *given["args"]))
    point = at.point.scalar().smooth()
    with cupy().cuda.Device(at.device):
        lin = DeviceLinearization(DevicePoint(point.made(gradient_once(point.program)), at.x, at.device))
    return _operator(lin.shape, lin.push, lin.push)


def _operator(shape: tuple[int, int], push: Callable[..., Any], pull: Callable[..., Any]) -> Any:
    """An operator from products with flat vectors, `count` of them side by side for each number."""
    return linalg().LinearOperator(
        shape,
        matvec=lambda v: push(_flat(v), None),
        rmatvec=lambda v: pull(_flat(v), None),
        matmat=lambda v: push(_flat(v), v.shape[1]).reshape(shape[0], v.shape[1]),
        rmatmat=lambda v: pull(_flat(v), v.shape[1]).reshape(shape[1], v.shape[1]),
        dtype=np.float64,
    )


def _flat(v: Any) -> Any:
    return as_cupy("LinearOperator of sparsejac", "what it is multiplied by", v).reshape(-1)
