"""What a call for an inverse asks: which function is followed, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernels.lazy import load
from sparsejac.inverse.linearization import Evaluated, InverseLinearization, evaluated
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.plan import numbers_of
from sparsejac.inverse.selection import LumpsName
from sparsejac.inverse.setup import set_up
from sparsejac.options import BackendName, check_option
from sparsejac.signature import Bound, Signature
from sparsejac.tracing.trace import current_trace


@dataclass(frozen=True, eq=False)
class Request:
    """One call.

    Parameters
    ----------
    call : str
        Its name, for messages.
    f : callable
    args : tuple
        All arguments of f by position.
    kwargs : mapping, optional
    argnums : int or tuple of int
        Which of them are x.
    backend : {"auto", "numpy", "numba"}
    """

    call: str
    f: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] | None
    argnums: int | tuple[int, ...]
    backend: BackendName = "auto"


def nested(request: Request) -> Any:
    """The inverse as a part of the function that is being followed; None where there is none."""
    trace = current_trace()
    if trace is None:
        return None
    check_option(request.call, "backend", request.backend, BackendName)
    made = load("sparsejac.inverse.nested").InnerInverse
    return made(trace, request.call, request.f, request.args, request.kwargs, request.argnums)


def bound(request: Request, *, frozen: bool = False) -> Bound:
    """The call with its arguments in their places.

    Raises
    ------
    UntraceableError
        Inside of a function that is followed.
    """
    trace = current_trace()
    if trace is not None:
        raise trace.refusal(
            f"{request.call} inside a function that is followed",
            "it is found at plain numbers",
            "call it outside; inside, ivjp, ijvp, linearize_inverse and newton_step are followed, and so are "
            "np.linalg.slogdet and np.linalg.inv of jacfwd(f, x)",
        )
    check_option(request.call, "backend", request.backend, BackendName)
    signature = Signature(request.call, request.f, request.argnums).checked()
    kwargs = {} if request.kwargs is None else request.kwargs
    return signature.bind(request.call, request.args, kwargs, frozen=frozen)


def evaluated_lumps(request: Request, lumps: LumpsName = "auto", *, strict: bool = True) -> Evaluated:
    """Follow f at the point and evaluate its lumps; unless `strict`, they need have no inverse."""
    call, f = request.call, request.f
    check_option(call, "lumps", lumps, LumpsName)
    given = bound(request, frozen=True)
    traced = given.trace()
    teller = Teller(call, f, given.inputs, traced.result, traced.program.sites)
    inverter = set_up(teller, traced.program, traced.constants, len(given.x), request.backend, lumps, strict=strict)
    return evaluated(teller, inverter, numbers_of(given), traced.constants, check=False)


def linearized_inverse(request: Request, lumps: LumpsName = "auto") -> InverseLinearization:
    """Follow f at the point and factorize its lumps."""
    return InverseLinearization(evaluated_lumps(request, lumps))
