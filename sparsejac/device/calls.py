"""Public calls with arrays on a device: f is followed at a copy on the host, everything else stays on the device."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from kernels.lazy import load
from sparsejac.blocks import Blocks
from sparsejac.device.arrays import DOUBLE, mapped, on_host, refuse_host
from sparsejac.device.constants import Constants
from sparsejac.device.driver import cupy, managed
from sparsejac.device.evaluator import evaluator
from sparsejac.device.matrices import DeviceBlocks
from sparsejac.device.plan import DevicePlan, arranged
from sparsejac.device.point import first_device, unknowns
from sparsejac.errors import InputError, InputTypeError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import user_location
from sparsejac.options import Format
from sparsejac.plan import Plan
from sparsejac.residence import is_on_device
from sparsejac.signature import Signature
from sparsejac.tracing import Traced

Options = Mapping[str, Any]


def plan_on_device(
    signature: Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    format: Format,
    options: Options,
    dtype: np.dtype[Any] = DOUBLE,
) -> DevicePlan:
    """What `prepare` gives for an x on a device."""
    call, options = signature.call, _with_colors(options)
    _check_options(signature, options)
    device = first_device(call, (args, kwargs))
    _check_mixed(signature, args, kwargs)
    with cupy().cuda.Device(device):
        host, named = host_arguments(args, kwargs)
        return DevicePlan(Plan(signature.bind(call, host, named), format, options), device, format, dtype)


class FreshCall(Protocol):
    """A call that traces f anew."""

    signature: Signature
    format: Format
    options: dict[str, Any]
    local: bool


def batch_on_device(fresh: FreshCall, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Values and Jacobians at the points of a batch, which lie along the first axis of x."""
    signature = fresh.signature
    if fresh.local or signature.argnums != 0 or not is_on_device(args[0]) or not len(args[0]):
        raise InputError(
            f"{signature.call}: batch=True with x on a device, and local=True, other argnums, x of several arrays, or "
            f"no point\n  {user_location()}\n  Cure: plan = prepare(f, x0), and plan(x, batch=True)."
        )
    x, *rest = args
    plan = plan_on_device(signature, (x[0], *rest), kwargs, fresh.format, fresh.options)
    return plan.value_and_jacobian(x, batch=True, copy_structure=True)


def answer_on_device(
    fresh: FreshCall, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, *, with_value: bool
) -> tuple[Any, Any]:
    """The value (None if it is not wanted) and the Jacobian at an x on a device; f is followed anew."""
    signature, format, options = fresh.signature, fresh.format, _with_colors(fresh.options)
    _check_options(signature, options)
    if fresh.local:
        raise InputError(
            f"{signature.call}: local=True with x on a device\n  {user_location()}\n  Cure: pass cupy.asnumpy(x): "
            "local patterns are found on the host."
        )
    call = signature.call
    device = first_device(call, (args, kwargs))
    _check_mixed(signature, args, kwargs)
    with cupy().cuda.Device(device):
        host, named = host_arguments(args, kwargs)
        bound = signature.bind(call, host, named, frozen=True)
        traced = bound.trace()
        engine = engine_for(traced.program, options, traced.constants)
        if not engine.pattern_checked:
            engine.data([bound.x, *traced.constants], check=False)
        x = unknowns(call, signature, args)
        outs = _evaluated(engine, traced, x, with_value=with_value)
        blocks = DeviceBlocks(Blocks(engine.pattern, traced.result, bound.inputs), format, engine)
        matrices = blocks.matrices(outs[0], copy_structure=True)
        return (arranged(traced.result, outs[1]) if with_value else None), matrices


def _evaluated(engine: Engine, traced: Traced, x: Any, *, with_value: bool) -> list[Any]:
    """The entries, and the value if it is wanted."""
    sizes = [engine.pattern.nnz, engine.schedule.sizes[engine.schedule.output]][: 1 + with_value]
    with managed(8 * sum(sizes), "the results"):
        outs = [cupy().empty(size) for size in sizes]
    constants, runs = Constants(traced.constants), evaluator(engine)
    _, infinite = runs.run("both" if with_value else "data", [x], constants, outs).read()
    if infinite:
        runs.repair([x], constants, outs[0])
    return outs


def host_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments with copies on the host in the places of arrays on devices."""
    return mapped(args, on_host), mapped(dict(kwargs or {}), on_host)


def _with_colors(options: Options) -> Options:
    """Options with colors on the host, where they were found on a device."""
    given = options.get("coloring")
    colors = getattr(given, "colors", given)
    return {**options, "coloring": on_host(colors)} if is_on_device(colors) else options


def _check_options(signature: Signature, options: Options) -> None:
    """Refuse what is not for devices."""
    call = signature.call
    refused = {
        "has_aux=True": signature.has_aux and "return what stands beside the result as a part of it",
        f"backend={options.get('backend')!r}": options.get("backend", "auto") != "auto" and "leave backend= out",
        "strategy='measure'": options.get("strategy") == "measure"
        and "leave strategy= out, or name one of them: what is measured is the CPU",
    }
    for option, cure in refused.items():
        if cure:
            raise InputError(
                f"{call}: {option} with x on a device\n  {user_location()}\n  Cure: {cure}; or pass cupy.asnumpy(x)."
            )


def _check_mixed(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> None:
    """Refuse arrays of floats of the host beside those on a device."""
    for k, value in enumerate(args):
        refuse_host(signature.call, f"argument {k}", value)
    for name, value in (kwargs or {}).items():
        refuse_host(signature.call, name, value)
    for k in signature.positions:
        if k < len(args) and isinstance(args[k], np.ndarray) and args[k].ndim:
            refuse_host(signature.call, f"argument {k}", args[k].astype(np.float64))


_CALLS: dict[str, tuple[str, str]] = {
    **{
        name: ("sparsejac.device.products", name)
        for name in (
            *("jvp", "vjp", "linearize", "gradient", "value_and_gradient", "hvp"),
            *("jacobian_operator", "gauss_newton_operator", "hessian_operator"),
        )
    },
    "sparse_hessian": ("sparsejac.device.hessians", "sparse_hessian"),
    "prepare_nlp": ("sparsejac.device.nlp", "prepare_nlp"),
    **{
        name: ("sparsejac.device.inverse", name)
        for name in ("ivjp", "ijvp", "linearize_inverse", "newton_step", "slogdet")
    },
    "prepare_inverse": ("sparsejac.device.inverse_plan", "prepare_inverse"),
    **{
        name: ("sparsejac.device.inverse_units", name)
        for name in ("inverse_jacobian", "inverse_jacfwd", "inverse_jacrev")
    },
}
"""Public call -> where it is made with arrays on a device."""


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Make a public call on a device.

    Raises
    ------
    InputTypeError
        If it is made on the host only.
    """
    name = function.__name__
    if name not in _CALLS:
        raise InputTypeError(
            f"{name}: an argument is on a device, and this call is made on the host only\n  {user_location()}\n  "
            "Cure: pass cupy.asnumpy(x)."
        )
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    module, twin = _CALLS[name]
    return getattr(load(module), twin)(bound.arguments)
