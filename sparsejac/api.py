"""The public calls: sparse Jacobians of plain NumPy functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.garbage import rare_collections
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.arguments import as_pattern
from sparsejac.blocks import Blocks
from sparsejac.errors import InputError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import user_location
from sparsejac.options import (
    BackendName,
    Format,
    StrategyName,
    check_flags,
    check_option,
    checked_dtype,
    order_names,
)
from sparsejac.patterns.pattern import Pattern, part_of
from sparsejac.residence import holds_device_array
from sparsejac.signature import Bound, Signature
from sparsejac.structure import values_in
from sparsejac.tracing import Traced

if TYPE_CHECKING:
    from coloring import Coloring, OrderName
    from sparsejac.plan import Plan
else:  # for `typing.get_type_hints`, which must not need what is loaded late
    Coloring = OrderName = Plan = Any

DEVICE = Lazy("sparsejac.device.calls")
PLAN = Lazy("sparsejac.plan")
Floats = npt.NDArray[np.float64]
_NONE: dict[str, Any] = {}


def sparse_jacobian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    out_argument: int | str | None = None,
    out_like: Any = None,
    has_aux: bool = False,
    batch: bool = False,
    local: bool = False,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName | None = None,
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> Any:
    """The Jacobian of f at x, exact to rounding, as a sparse matrix.

    f is traced at every call, which costs about one run of its Python, so that whatever f captures may have changed
    since the last one. Everything that follows from f's structure (pattern, coloring, compiled kernels) is found once
    and reused.

    Parameters
    ----------
    f : callable
        ``f(x, *args, **kwargs)``, written with NumPy, SciPy's sparse matrices and the math module. Its result is an
        array of any shape, a list or a number, or a structure of several (see Notes).
    x : array_like of real numbers
        The point, of any shape, or a structure of several arrays (see Notes). Integers and float32 become float64, in
        which everything is computed.
        Arrays on a CUDA device are taken, too; everything then stays there (docs/gpu.md).
    *args
        Passed on to f.
    kwargs : dict, optional
        Passed on to f by name.
    argnums : int or tuple of int
        Which arguments are x, counted from 0: 1 for ``f(t, y)``. A tuple gives a tuple of Jacobians.
    out_argument : int or str, optional
        For an f that writes its result into an argument: the position of this argument, or its name; 0 for ``f(y, x)``,
        "out" for ``f(x, out=y)``. It is left out of `args` and `kwargs`, and does not count in `argnums`.
    out_like : int, tuple of int, array or structure of arrays
        With `out_argument`: the shape of what f writes into, which it finds filled with zeros; or an array, of whose
        contents f finds a copy.
    has_aux : bool
        Whether f returns a pair ``(result, aux)``. Then `aux` comes back beside the Jacobian, all in it that depends
        on x as ordinary numbers. With `out_argument`, `aux` is all that f returns.
    batch : bool
        Whether x is many points, along a first axis of (all its) arrays; further arguments are the same for all. f is
        traced at the first point, and again only where it takes another way; the result is a list.
    local : bool
        Leave out the entries that are zero at this very x for a reason that can be seen: branches of ``np.where`` that
        are not taken, factors and slopes that are zero. By default the pattern holds for all x.
    format : {"csr", "csc", "coo"}
    strategy : {"auto", "forward", "reverse", "bidirectional", "identity", "elimination", "measure"}
        How entries are computed: from products compressed by column colors, by row colors, or by both; by sparse
        products from an identity seed; or by local derivatives that go straight to the entries. "auto" takes the one
        that a cost model finds cheapest; "measure" prepares and times all at x, and takes the fastest, once for all
        functions of the same structure.
    order : {"natural", "random", "largest_first", "smallest_last", "incidence_degree", "dynamic_largest_first"}
        Order in which the greedy algorithm colors. By default the best coloring that is found with about twice the work
        of one greedy pass: see `coloring.color`.
    backend : {"auto", "numpy", "numba"}
        What evaluates: NumPy at once, compiled code, or the one that pays.
    pattern : Pattern, optional
        Used instead of the detected pattern, after a test with random vectors.
    coloring : Coloring or array of int, optional
        Colors of the columns (of the rows with ``strategy="reverse"``; of rows, then columns, with "bidirectional"),
        checked and used.

    Returns
    -------
    csr_array, csc_array or coo_array, shape (size of f's result, size of x)
        float64, sorted indices, entries that happen to be zero kept. The matrix is the caller's own.

    Raises
    ------
    UntraceableError
        f uses an operation that cannot be followed; the message names it, the line, and the cure.
    InputError, InputTypeError
        Bad arguments; also ValueError and TypeError.

    Notes
    -----
    An array, a number, or a list of numbers is one array. Dicts, named tuples, dataclasses, and lists and tuples that
    hold an array or one of these are structures, of x and of results alike. The Jacobian then has the structure of the
    result, and in the place of each of its arrays the structure of x, and in this a matrix for each pair:
    ``J["mass"]["u"]``. Where the result is one array, this is just the structure of x. Inside, all arrays of x are one
    vector, in their order, and all of the result another; `pattern` and `coloring` speak of these.

    What f reads beside its arguments (a random generator, a clock, a file) is a constant of the call.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import sparse_jacobian
    >>> def f(x):
    ...     y = np.zeros(3)
    ...     y[:] = x[1:] ** 2
    ...     y[0] += np.sin(x[0])
    ...     return y
    >>> sparse_jacobian(f, [0.0, 1.0, 2.0, 3.0]).toarray()
    array([[1., 2., 0., 0.],
           [0., 0., 4., 0.],
           [0., 0., 0., 6.]])

    Several arrays by name:

    >>> def flow(state):
    ...     return {"mass": np.diff(state["u"]), "force": state["p"] * state["u"][:2]}
    >>> J = sparse_jacobian(flow, {"u": np.array([1.0, 2.0, 4.0]), "p": 3.0})
    >>> J["force"]["u"].toarray(), J["force"]["p"].toarray()
    (array([[3., 0., 0.],
           [0., 3., 0.]]), array([[1.],
           [2.]]))

    Several arguments, and a result written in place:

    >>> def residual(y, u, v):
    ...     y[0] = u[0] * v[1]
    ...     y[1] = v[0]
    >>> by_u, by_v = sparse_jacobian(residual, [2.0], [3.0, 5.0], argnums=(0, 1), out_argument=0, out_like=2)
    >>> by_u.toarray(), by_v.toarray()
    (array([[5.],
           [0.]]), array([[0., 2.],
           [1., 0.]]))
    """
    check_flags("sparse_jacobian", has_aux=has_aux, batch=batch, local=local)
    call = _FreshCall(
        Signature("sparse_jacobian", f, argnums, out_argument, out_like, has_aux).checked(),
        format,
        _options("sparse_jacobian", format, strategy, order, backend, pattern, coloring),
        local,
    )
    if batch and holds_device_array(x):
        return DEVICE.batch_on_device(call, (x, *args), kwargs)[1]
    if batch:
        bound, points = call.bind_many((x, *args), kwargs)
        if not len(points):
            return ([], []) if has_aux else []
        return PLAN.Plan(bound.at(points[0]), format, call.options)(
            x, *args, kwargs=kwargs, batch=True, copy_structure=True
        )
    answer = call.answer((x, *args), kwargs, with_value=has_aux)
    return (answer.jacobian, answer.beside) if has_aux else answer.jacobian


def value_and_jacobian(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    out_argument: int | str | None = None,
    out_like: Any = None,
    has_aux: bool = False,
    batch: bool = False,
    local: bool = False,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName | None = None,
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> tuple[Any, ...]:
    """f(x) and the Jacobian of f at x, from one evaluation; see `sparse_jacobian`.

    Parameters
    ----------
    f, x, args, and all others
        See `sparse_jacobian`.

    Returns
    -------
    value : float, array or structure of arrays
        As f returns it. Of a batch, with one more axis, the first.
    jacobian : csr_array, csc_array or coo_array
        Or blocks of them, or a list of Jacobians.
    aux : object
        With `has_aux` only.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import value_and_jacobian
    >>> y, J = value_and_jacobian(lambda x: x[:2] * x[2], np.array([1.0, 2.0, 3.0]))
    >>> y, J.toarray()
    (array([3., 6.]), array([[3., 0., 1.],
           [0., 3., 2.]]))

    >>> y, J, norm = value_and_jacobian(lambda x: (x**2, np.sum(x)), np.array([1.0, 2.0]), has_aux=True)
    >>> float(norm)
    3.0
    """
    check_flags("value_and_jacobian", has_aux=has_aux, batch=batch, local=local)
    call = _FreshCall(
        Signature("value_and_jacobian", f, argnums, out_argument, out_like, has_aux).checked(),
        format,
        _options("value_and_jacobian", format, strategy, order, backend, pattern, coloring),
        local,
    )
    if batch and holds_device_array(x):
        return tuple(DEVICE.batch_on_device(call, (x, *args), kwargs))
    if batch:
        bound, points = call.bind_many((x, *args), kwargs)
        if not len(points):
            raise InputError(
                f"value_and_jacobian: a batch of no points says nothing of f's result\n  {user_location()}\n  Cure: "
                "pass one point at least, or use a plan, which knows the shape."
            )
        plan: Plan = PLAN.Plan(bound.at(points[0]), format, call.options)
        return plan.value_and_jacobian(x, *args, kwargs=kwargs, batch=True, copy_structure=True)
    answer = call.answer((x, *args), kwargs, with_value=True)
    return (answer.value, answer.jacobian, answer.beside) if has_aux else (answer.value, answer.jacobian)


def jacobian(
    f: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    out_argument: int | str | None = None,
    out_like: Any = None,
    has_aux: bool = False,
    local: bool = False,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName | None = None,
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of f: what `least_squares` and `solve_ivp` take as ``jac=``.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
        Positions of the arguments to differentiate by: 1 for the ``f(t, y)`` of `solve_ivp`. A tuple gives a tuple.
    out_argument, out_like, has_aux, local, format, strategy, order, backend, pattern, coloring
        See `sparse_jacobian`.

    Returns
    -------
    callable
        Takes the arguments of f, by position and by name; f is traced at each call. Other processes can be sent it
        wherever they can be sent f.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import least_squares
    >>> from sparsejac import jacobian
    >>> def rosenbrock(x):
    ...     return np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])
    >>> fit = least_squares(rosenbrock, np.zeros(5), jac=jacobian(rosenbrock))
    >>> fit.x.round(6)
    array([1., 1., 1., 1., 1.])
    """
    check_flags("jacobian", has_aux=has_aux, local=local)
    call = _FreshCall(
        Signature("jacobian", f, argnums, out_argument, out_like, has_aux).checked(),
        format,
        _options("jacobian", format, strategy, order, backend, pattern, coloring),
        local,
    )
    return partial(_jacobian_with_aux if has_aux else _jacobian_alone, call)  # which can be pickled where f can


def _jacobian_alone(call: _FreshCall, *args: Any, **kwargs: Any) -> Any:
    return call.answer(args, kwargs, with_value=False).jacobian


def _jacobian_with_aux(call: _FreshCall, *args: Any, **kwargs: Any) -> Any:
    answer = call.answer(args, kwargs, with_value=True)
    return answer.jacobian, answer.beside


def jacobian_sparsity(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    out_argument: int | str | None = None,
    out_like: Any = None,
    has_aux: bool = False,
    local: bool = False,
) -> Any:
    """The sparsity pattern of the Jacobian of f.

    It holds for every x at which f takes the same way (its branches on values, masks), unless `local` asks for the
    pattern at this x alone. Of several arrays there are several, nested like the blocks of `sparse_jacobian`.

    Parameters
    ----------
    f, x, args, kwargs, argnums, out_argument, out_like, has_aux, local
        See `sparse_jacobian`. What f returns beside its result is left aside.

    Returns
    -------
    Pattern
        Of shape (size of f's result, size of x).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import jacobian_sparsity
    >>> jacobian_sparsity(lambda x: np.diff(x), np.ones(4)).to_scipy().toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])

    >>> upwind = lambda x: np.where(x[1:] > 0.0, x[1:] - x[:-1], x[1:])
    >>> x = np.array([1.0, 2.0, -3.0])
    >>> jacobian_sparsity(upwind, x).nnz, jacobian_sparsity(upwind, x, local=True).nnz
    (4, 3)
    """
    check_flags("jacobian_sparsity", has_aux=has_aux, local=local)
    call = _FreshCall(
        Signature("jacobian_sparsity", f, argnums, out_argument, out_like, has_aux).checked(), "csr", {}, local
    )
    traced, bound, engine = call.traced((x, *args), kwargs)
    found = engine.pattern
    if local:
        inputs = [bound.x, *traced.constants]
        found = part_of(found, engine.local_entries(inputs, engine.data(inputs, check=False)))
    return Blocks(found, traced.result, bound.inputs).patterns()


def prepare(
    f: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    argnums: int | tuple[int, ...] = 0,
    out_argument: int | str | None = None,
    out_like: Any = None,
    has_aux: bool = False,
    format: Format = "csr",
    strategy: StrategyName = "auto",
    order: OrderName | None = None,
    backend: BackendName = "auto",
    pattern: Pattern | None = None,
    coloring: Coloring | npt.ArrayLike | None = None,
    dtype: npt.DTypeLike = "float64",
) -> Plan:
    """Trace f and return a `Plan` that evaluates its Jacobian at many x.

    f is declared to be pure. Float arguments in `args` and `kwargs`, also in dicts, may change from call to call
    (``plan(x, *args)``) without any set-up; what f captures or reads otherwise is frozen with the values it has now.
    f is run twice, and a `PurityWarning` says so where the two runs did not do the same.

    Parameters
    ----------
    f, x, args, kwargs, argnums, out_argument, out_like, has_aux, format, strategy, order, backend, pattern, coloring
        See `sparse_jacobian`.
    dtype : {"float64", "float32"}
        Of the entries, and of all numbers in the memory of a device; on the host, float64.

    Returns
    -------
    Plan
        For an x on a device, one whose arrays lie there.

    Warns
    -----
    PurityWarning
        f did something else at its second run: it reads a random generator, a clock, a file, a counter. From calls of
        the plan: another way through f was met, which reads other numbers than f did when the plan was made.
    VariantWarning
        From calls of the plan: f took ever new ways, each of which is traced and set up anew.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare
    >>> plan = prepare(lambda x: np.exp(x[1:]) - x[:-1], np.zeros(3))
    >>> plan.values(np.zeros(3))
    array([-1.,  1., -1.,  1.])
    """
    check_flags("prepare", has_aux=has_aux)
    signature = Signature("prepare", f, argnums, out_argument, out_like, has_aux).checked()
    options = _options("prepare", format, strategy, order, backend, pattern, coloring)
    is_there = holds_device_array((x, args, kwargs))
    kept = checked_dtype("prepare", dtype, on_device=is_there)
    if is_there:
        on_device: Any = DEVICE.plan_on_device(signature, (x, *args), kwargs, format, options, kept)
        return on_device  # type: ignore[no-any-return]
    plan: Plan = PLAN.Plan(signature.bind("prepare", (x, *args), _NONE if kwargs is None else kwargs), format, options)
    return plan


@dataclass(frozen=True, eq=False)
class _Answer:
    """What was computed at one point, in the forms that users get."""

    value: Any
    jacobian: Any
    beside: Any


@dataclass(frozen=True, eq=False)
class _FreshCall:
    """A call that traces f anew: further arguments are constants of it."""

    signature: Signature
    format: Format
    options: dict[str, Any]
    local: bool

    def bind_many(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Bound, Floats]:
        """The arguments of a batch."""
        if self.local:
            raise InputError(
                f"{self.signature.call}: local=True with batch=True\n  {user_location()}\n  Cure: local patterns "
                "belong to one point each; call it point by point."
            )
        return self.signature.bind_many(self.signature.call, args, _NONE if kwargs is None else kwargs, frozen=True)

    def traced(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Traced, Bound, Engine]:
        """Trace f and find its engine."""
        if holds_device_array((args, kwargs)):
            args, kwargs = DEVICE.host_arguments(args, kwargs)
        bound = self.signature.bind(self.signature.call, args, _NONE if kwargs is None else kwargs, frozen=True)
        traced = bound.trace()
        return traced, bound, engine_for(traced.program, self.options, traced.constants, roll=True)

    def answer(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, *, with_value: bool) -> _Answer:
        """Trace f and evaluate it."""
        if holds_device_array((args, kwargs)):
            value, matrices = DEVICE.answer_on_device(self, args, kwargs, with_value=with_value)
            return _Answer(value, matrices, None)
        with rare_collections():
            traced, bound, engine = self.traced(args, kwargs)
            inputs = [bound.x, *traced.constants]
            if with_value:
                value, data, aux = engine.value_data_and_aux(inputs, check=False)
            else:
                value, data, aux = None, engine.data(inputs, check=False), None
            pattern = engine.pattern
        if self.local:
            kept = engine.local_entries(inputs, data)
            pattern, data = part_of(pattern, kept), data[kept]
        matrices = Blocks(pattern, traced.result, bound.inputs).matrices(data, self.format, copy_structure=True)
        return _Answer(
            None if value is None else values_in(traced.result, value),
            matrices,
            None if aux is None else traced.rebuild(aux),
        )


def _options(
    call: str,
    format: Format,
    strategy: StrategyName,
    order: OrderName | None,
    backend: BackendName,
    pattern: Any,
    coloring: Coloring | npt.ArrayLike | None,
) -> dict[str, Any]:
    """The options of an engine, checked."""
    for option, given, literal in (
        ("format", format, Format),
        ("strategy", strategy, StrategyName),
        *([] if order is None else [("order", order, order_names())]),
        ("backend", backend, BackendName),
    ):
        check_option(call, option, given, literal)
    if pattern is not None and not isinstance(pattern, Pattern):
        pattern = as_pattern(call, pattern)
    return {"strategy": strategy, "order": order, "backend": backend, "pattern": pattern, "coloring": coloring}
