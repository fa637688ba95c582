"""The arguments of one call on a device, taken apart: x and operands as flat arrays there, all else as on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from sparsejac.arguments import check_argnums_given, check_container, described, operands
from sparsejac.device.arrays import DOUBLE, as_cupy, device_of, mapped, on_host, refuse_host
from sparsejac.device.driver import cupy, here, managed
from sparsejac.errors import InputError, InputTypeError
from sparsejac.kept import Kept
from sparsejac.location import user_location
from sparsejac.residence import each_array, is_on_device
from sparsejac.signature import Bound, Signature
from sparsejac.structure import Leaf, Structure, each_leaf, flatten, leaves_of, tuple_of

_NUMBERS: Kept[Any] = Kept(256)


@dataclass(frozen=True, eq=False)
class Point:
    """One call.

    Parameters
    ----------
    signature : Signature
    inputs : Leaf or Branch
        How the arrays of x belong together.
    numbers : list of array of CuPy
        x, all its arrays side by side, and the operands; flat.
    fixed : object
        The arguments that are no operands, described.
    args, kwargs : tuple and dict
        As they came.
    points : int, optional
        How many points x holds, one row each; None if it is one point.
    """

    signature: Signature
    inputs: Structure
    numbers: list[Any]
    fixed: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    points: int | None = None

    def each(self) -> list[Point]:
        """The points one by one."""
        if self.points is None:
            return [self]
        x, *rest = self.numbers
        rows = x.reshape(self.points, -1) if self.points else ()
        return [replace(self, numbers=[rows[k], *rest], points=None) for k in range(self.points)]

    def part(self, start: int, stop: int) -> Point:
        """Some of the points."""
        x, *rest = self.numbers
        width = len(x) // self.points if self.points else 0
        return replace(self, numbers=[x[start * width : stop * width], *rest], points=stop - start)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the arrays of numbers, for one point."""
        x, *rest = map(len, self.numbers)
        return (x if self.points is None else x // max(self.points, 1), *rest)

    def bound(self) -> Bound:
        """The same on the host, to follow f."""
        x = cupy().asnumpy(self.numbers[0]).astype(np.float64, copy=False)
        args, kwargs = mapped(self.args, on_host), mapped(self.kwargs, on_host)
        return Bound(self.signature, x, self.inputs, args, kwargs, frozen=False)


def point_of(
    call: str,
    defaults: Bound,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    device: int,
    known: Sequence[Any],
    dtype: np.dtype[Any] = DOUBLE,
    *,
    batch: bool = False,
) -> Point:
    """Take the arguments of a plan apart.

    Parameters
    ----------
    call : str
    defaults : Bound
        The call of `prepare`.
    args, kwargs
        As they came.
    device : int
        Where everything has to be; it is the current one.
    known : sequence of array
        The operands of `defaults` on the device.
    dtype : dtype
        In which numbers are kept there.
    batch : bool
    """
    signature = defaults.signature
    positions = signature.positions
    if len(args) > max(positions):
        args = args + defaults.args[len(args) :]
    check_argnums_given(call, positions, len(args))
    kwargs = defaults.kwargs if kwargs is None else dict(kwargs)
    inputs, leaves = _unknowns(call, signature, args, dtype)
    points = _count(call, inputs) if batch else None
    further: dict[str | int, Any] = {k: a for k, a in enumerate(args) if k not in positions}
    further.update(kwargs)
    given = {id(host): there for host, there in zip(defaults.operands, known, strict=True)}
    stand_ins: dict[int, Any] = {}

    def stand_in(array: Any) -> Any:
        there = as_cupy(call, "an argument", array, dtype)
        made = np.broadcast_to(np.float64(0.0), there.shape)
        stand_ins[id(made)] = (made, there)
        return made

    described_as = {key: mapped(value, stand_in) for key, value in further.items()}
    numbers = [_operand(call, value, given, stand_ins, dtype) for value in operands(described_as)]
    _check_places(call, [*leaves, *numbers], device)
    if points is not None:
        inputs = each_leaf(inputs, lambda leaf: Leaf(leaf.shape[1:], is_number=len(leaf.shape) == 1))
    x = _side_by_side(leaves, points, dtype)
    return Point(signature, inputs, [x, *numbers], described(described_as), args, kwargs, points)


def _unknowns(
    call: str, signature: Signature, args: tuple[Any, ...], dtype: np.dtype[Any] = DOUBLE
) -> tuple[Structure, list[Any]]:
    """The structure of x, and its arrays."""
    structures, leaves = [], []
    for k in signature.positions:
        name = "x" if signature.argnums == 0 else f"argument {k}"
        structure, found = flatten(args[k], partial(_leaf, call, dtype), name, partial(check_container, call))
        structures.append(structure)
        leaves += found
    return tuple_of(structures) if isinstance(signature.argnums, tuple) else structures[0], leaves


def _leaf(call: str, dtype: np.dtype[Any], path: str, value: Any) -> tuple[Leaf, Any]:
    if is_on_device(value):
        array = as_cupy(call, path, value, dtype)
        return Leaf(array.shape), array
    refuse_host(call, path, value)
    number = float(value)
    return Leaf((), is_number=not isinstance(value, np.ndarray)), on_device(number, dtype)


def on_device(number: float, dtype: np.dtype[Any] = DOUBLE) -> Any:
    """A number as an array of one, on the current device; nobody writes into it."""
    key = (here(), float(number).hex(), dtype.name)
    return _NUMBERS.get(key, lambda: cupy().full(1, float(number), dtype=dtype))


def operands_on_device(call: str, bound: Bound, dtype: np.dtype[Any] = DOUBLE) -> list[Any]:
    """The operands of a call of `prepare` on the current device."""
    with managed(dtype.itemsize * sum(np.size(value) for value in bound.operands), "the arguments of f"):
        return [
            cupy().asarray(value, dtype=dtype).reshape(-1) if isinstance(value, np.ndarray) else on_device(value, dtype)
            for value in bound.operands
        ]


def _operand(call: str, value: Any, given: dict[int, Any], stand_ins: dict[int, Any], dtype: np.dtype[Any]) -> Any:
    if id(value) in stand_ins:
        return stand_ins[id(value)][1].reshape(-1)
    if not isinstance(value, np.ndarray):
        return on_device(value, dtype)
    if id(value) in given:
        return given[id(value)]
    refuse_host(call, "an argument of f", value)
    return on_device(float(value), dtype)


def _check_places(call: str, arrays: list[Any], device: int) -> None:
    found = device_of(call, arrays) if arrays else device
    if found != device:
        raise InputError(
            f"{call}: x is on device {found}, and the plan was made for device {device}\n  {user_location()}\n  "
            f"Cure: copy it (with cupy.cuda.Device({device}): x = cupy.asarray(x)), or make another plan by "
            "prepare(f, x), one for each device."
        )


def _count(call: str, inputs: Structure) -> int:
    counts = {leaf.shape[0] if leaf.shape else -1 for leaf in leaves_of(inputs)}
    if len(counts) != 1 or -1 in counts:
        raise InputError(
            f"{call}: batch=True, but x of shape {inputs} has no first axis of one length for its points\n  "
            f"{user_location()}\n  Cure: cupy.stack the points along a new first axis, in each array of x."
        )
    return counts.pop()


def _side_by_side(leaves: list[Any], points: int | None, dtype: np.dtype[Any] = DOUBLE) -> Any:
    """All arrays of x as one: of a batch, row by row."""
    if len(leaves) == 1:
        return leaves[0].reshape(-1)
    if not leaves:
        return cupy().empty(0, dtype=dtype)
    if points is None:
        return cupy().concatenate([leaf.reshape(-1) for leaf in leaves])
    rows = [leaf.reshape(points, prod(leaf.shape[1:])) for leaf in leaves]
    return cupy().concatenate(rows, axis=1).reshape(-1)


def unknowns(call: str, signature: Signature, args: tuple[Any, ...]) -> Any:
    """x, all its arrays side by side, on the current device, where they all have to be."""
    _, leaves = _unknowns(call, signature, args)
    _check_places(call, leaves, int(cupy().cuda.Device().id))
    return _side_by_side(leaves, None)


def copied_to_host(
    given: Mapping[str, Any], call: str, args: tuple[Any, ...], *, first: int = 0
) -> tuple[int, tuple[Any, ...], dict[str, Any]]:
    """The device of a call, and its arguments with copies on the host in the places of what lies there.

    Parameters
    ----------
    given : mapping
        What the public call was given, by name.
    call : str
    args : tuple
        The arguments by position, in f's order.
    first : int
        The number of the first of them, for messages.

    Raises
    ------
    InputError
        For options that are not for devices.
    InputTypeError
        For arrays on the host beside those on the device.
    """
    kwargs = dict(given["kwargs"] or {})
    refused = [f"backend={given['backend']!r}"] if given["backend"] != "auto" else []
    refused += ["has_aux=True"] if given.get("has_aux") else []
    if refused:
        raise InputError(
            f"{call}: {' and '.join(refused)}, with x on a device\n  {user_location()}\n  Cure: leave out what is not "
            "for devices; or pass cupy.asnumpy(x)."
        )
    device = first_device(call, (args, kwargs))
    for k, value in enumerate(args, start=first):
        refuse_host(call, f"argument {k}", value)
    with cupy().cuda.Device(device):
        return device, mapped(args, on_host), mapped(kwargs, on_host)


def first_device(call: str, value: Any) -> int:
    """The device on which the arrays of some arguments are.

    Raises
    ------
    InputTypeError
        If they are all on the host.
    """
    if next(each_array(value), None) is None:
        raise InputTypeError(
            f"{call}: x is on the host, and another argument on a device\n  {user_location()}\n  Cure: pass "
            "cupy.asarray(x)."
        )
    return device_of(call, [as_cupy(call, "x", array) for array in each_array(value)])
