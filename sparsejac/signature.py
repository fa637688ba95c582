"""How f is called: which arguments are x, where it writes its result, what comes beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass, replace
from sparsejac.arguments import (
    as_leaf,
    check_argnums,
    check_argnums_given,
    check_container,
    check_function,
    described,
    operands,
    with_operands,
)
from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import definition_of, user_location
from sparsejac.structure import (
    Leaf,
    Structure,
    each_leaf,
    flatten,
    is_container,
    leaves_of,
    split,
    tuple_of,
    unflatten,
)
from sparsejac.tracing import Traced, run
from sparsejac.tracing.array import plain_array
from sparsejac.tracing.routing import seen_by_f
from sparsejac.tracing.trace import current_trace

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Signature:
    """How f is called.

    Parameters
    ----------
    call : str
        The public call, for messages.
    f : callable
    argnums : int or tuple of int
        Positions of the arguments that are x, among those of the call.
    out_argument : int or str, optional
        Position or name of the argument of f into which it writes its result; it is none of the call.
    out_like : object
        Shape or contents of that argument.
    has_aux : bool
        Whether f returns something beside its result.
    derived : callable, optional
        Makes what is evaluated of what was traced and the structure of x: a gradient, say.
    """

    call: str
    f: Callable[..., Any]
    argnums: int | tuple[int, ...] = 0
    out_argument: int | str | None = None
    out_like: Any = None
    has_aux: bool = False
    derived: Callable[[Traced, Structure], Traced] | None = None

    def checked(self) -> Signature:
        """The same, unless it makes no sense."""
        check_function(self.call, self.f)
        check_argnums(self.call, self.argnums)
        _check_out(self.call, self.out_argument, self.out_like)
        return self

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions in `argnums`, also if it is only one."""
        return self.argnums if isinstance(self.argnums, tuple) else (self.argnums,)

    def by_position(self, x: Any) -> dict[int, Any]:
        """The arguments that are x, from one for each of several `argnums`, or from the only one."""
        return dict(zip(self.positions, x if isinstance(self.argnums, tuple) else (x,), strict=True))

    def bind(self, call: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, frozen: bool = False) -> Bound:
        """The arguments of one call, taken apart.

        Parameters
        ----------
        call : str
            For messages.
        args : tuple
        kwargs : mapping
        frozen : bool
            Whether further arguments are constants, floats too.
        """
        check_kwargs(call, kwargs, self.out_argument)
        check_argnums_given(call, self.positions, len(args))
        _check_place(call, self.out_argument, len(args))

        structures, parts = [], [np.empty(0)]
        for k in self.positions:
            name = "x" if self.argnums == 0 else f"argument {k}"
            structure, kept = flatten(args[k], partial(as_leaf, call), name, partial(check_container, call))
            structures.append(structure)
            parts += kept
        inputs = tuple_of(structures) if isinstance(self.argnums, tuple) else structures[0]
        return Bound(self, np.concatenate(parts), inputs, args, dict(kwargs), frozen)

    def bind_many(
        self, call: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, frozen: bool = False
    ) -> tuple[Bound, Floats]:
        """The arguments of a batch, and its points as rows; all arrays of x have one more axis, the first.

        See Also
        --------
        bind
        """
        batch = self.bind(call, args, kwargs, frozen=frozen)
        leaves = leaves_of(batch.inputs)
        counts = {leaf.shape[0] if leaf.shape else -1 for leaf in leaves}
        if len(counts) != 1 or -1 in counts:
            raise InputError(
                f"{call}: batch=True, but x of shape {batch.inputs} has no first axis of one length for its points\n  "
                f"{user_location()}\n  Cure: np.stack the points along a new first axis, in each array of x."
            )
        rows = [
            np.reshape(part, (leaf.shape[0], prod(leaf.shape[1:])))
            for leaf, part in zip(leaves, split(batch.inputs, batch.x), strict=True)
        ]
        inputs = each_leaf(batch.inputs, lambda leaf: Leaf(leaf.shape[1:], is_number=len(leaf.shape) == 1))
        return replace(batch, inputs=inputs), np.concatenate(rows, axis=1)


@dataclass(frozen=True, eq=False)
class Bound:
    """The arguments of one call of f.

    Parameters
    ----------
    signature : Signature
    x : array
        All unknowns side by side.
    inputs : Leaf or Branch
        How they belong together.
    args, kwargs : tuple and dict
    frozen : bool
        Whether further arguments are constants, floats too.
    """

    signature: Signature
    x: Floats
    inputs: Structure
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    frozen: bool

    @property
    def further(self) -> dict[str | int, Any]:
        """The arguments that are not x, by position and name."""
        by_position: dict[str | int, Any] = {k: a for k, a in enumerate(self.args) if k not in self.signature.positions}
        by_position.update(self.kwargs)
        return by_position

    @property
    def operands(self) -> list[Any]:
        """Floats and float64 arrays among the further arguments that are run-time operands."""
        return [] if self.frozen else list(operands(self.further))

    @property
    def fixed(self) -> Any:
        """What of the further arguments belongs to the way through f."""
        return () if self.frozen else described(self.further)

    def at(self, x: Floats) -> Bound:
        """The same call at another point."""
        return replace(self, x=x)

    def trace(self) -> Traced:
        """Follow this call of f."""
        leaves = split(self.inputs, self.x)
        given = self.operands
        unknown, known = range(len(leaves)), range(len(leaves), len(leaves) + len(given))
        signature = self.signature
        traced = run(
            signature.f,
            [*leaves, *given],
            list(unknown),
            list(known),
            call=self._call,
            has_aux=signature.has_aux,
            used=list(self.further.values()),
        )
        return traced if signature.derived is None else signature.derived(traced, self.inputs)

    def _call(self, *parts: Any) -> Any:
        """Call f with its unknowns and operands replaced."""
        count = len(leaves_of(self.inputs))
        chosen = self.signature.by_position(unflatten(self.inputs, parts[:count]))
        further = self.further if self.frozen else with_operands(self.further, iter(parts[count:]))
        args = [chosen[k] if k in chosen else seen_by_f(further[k]) for k in range(len(self.args))]
        kwargs = {name: seen_by_f(further[name]) for name in self.kwargs}
        signature = self.signature
        if signature.out_argument is not None:
            return _write_in_place(signature, args, kwargs)
        result = seen_by_f(signature.f)(*args, **kwargs)
        return pair_of(result, signature.f) if signature.has_aux else result


def _write_in_place(signature: Signature, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call f with a buffer made for it; the result is what it wrote there."""
    buffer, where = _buffers(signature.out_like), signature.out_argument
    if isinstance(where, str):
        kwargs[where] = buffer
    else:
        args.insert(int(where or 0), buffer)
    returned = seen_by_f(signature.f)(*args, **kwargs)
    if signature.has_aux:
        return buffer, returned
    if returned is not None and returned is not buffer and not isinstance(returned, int):
        raise InputTypeError(
            f"sparsejac: f returned a {returned.__class__.__name__} beside what it wrote into its argument "
            f"{where!r}\n  {definition_of(signature.f)}\n  Cure: leave out_argument= out if the result is what f "
            "returns; pass has_aux=True if both are wanted."
        )
    return buffer


def _buffers(out_like: Any) -> Any:
    """Arrays of the trace, for f to write into."""
    trace = current_trace()
    assert trace is not None
    if _is_shape(out_like):
        return plain_array(trace, np.zeros(out_like))
    structure, arrays = flatten(out_like, lambda _, value: (Leaf(()), np.array(value)), "out_like")
    return unflatten(structure, (plain_array(trace, array) for array in arrays))


def pair_of(result: Any, f: Callable[..., Any]) -> tuple[Any, Any]:
    """What f returned, and what it returned beside that."""
    if not isinstance(result, tuple) or len(result) != 2:
        what = f"tuple of {len(result)}" if isinstance(result, tuple) else result.__class__.__name__
        raise InputTypeError(
            f"sparsejac: f returned a {what} with has_aux=True\n  {definition_of(f)}\n  Cure: return a pair, "
            "(outputs, aux)."
        )
    return result


def _is_shape(out_like: Any) -> bool:
    sizes = out_like if isinstance(out_like, tuple) else (out_like,)
    return all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in sizes)


def _check_out(call: str, argument: Any, like: Any) -> None:
    if argument is None and like is None:
        return
    if (argument is None) != (like is None):
        raise InputError(
            f"{call}: {'out_like' if argument is None else 'out_argument'} came alone\n  {user_location()}\n  Cure: "
            "pass both: out_argument= for the position or the name of the argument that f writes into, out_like= for "
            "its shape, or an array."
        )
    is_position = isinstance(argument, int | np.integer) and not isinstance(argument, bool) and argument >= 0
    if not is_position and not isinstance(argument, str):
        raise InputTypeError(
            f"{call}: out_argument={argument!r} is neither the position of an argument nor a name\n  "
            f"{user_location()}\n  Cure: pass 0 for f(y, x), 'out' for f(x, out=y)."
        )
    if _is_shape(like):
        if any(n < 0 for n in np.atleast_1d(like)):
            raise InputError(
                f"{call}: out_like={like!r} is no shape\n  {user_location()}\n  Cure: pass sizes of 0 or more."
            )
        return
    found = [like] if not is_container(like) else flatten(like, lambda _, value: (Leaf(()), value), "")[1]
    for part in found:
        if np.asarray(part).dtype.kind not in "biufc":
            raise InputTypeError(
                f"{call}: out_like holds a {type(part).__name__}\n  {user_location()}\n  Cure: pass the shape of what "
                "f writes, or arrays like those that it writes into."
            )


def _check_place(call: str, argument: int | str | None, count: int) -> None:
    if argument is not None and not isinstance(argument, str) and argument > count:
        raise InputError(
            f"{call}: out_argument is {argument}, but f was called with {count} other positional arguments\n  "
            f"{user_location()}\n  Cure: pass the position of the argument that f writes into, or its name."
        )


def check_kwargs(call: str, kwargs: Any, out_argument: Any = None) -> None:
    """Refuse what holds no arguments by name, or that of the result."""
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise InputTypeError(
            f"{call}: kwargs is a {type(kwargs).__name__}\n  {user_location()}\n  Cure: pass a dict of the arguments "
            "that f takes by name: kwargs={'c': 2.0}."
        )
    if out_argument in kwargs:
        raise InputError(
            f"{call}: {out_argument!r} came in kwargs, but out_argument says that f writes its result there\n  "
            f"{user_location()}\n  Cure: leave it out of kwargs, and describe it by out_like=."
        )
