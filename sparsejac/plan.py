"""Plans: f traced once, evaluated at many x."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.garbage import rare_collections
from kernels.lazy import Lazy, load
from kernels.records import dataclass
from sparsejac.errors import InputError
from sparsejac.evaluation.direct import Direct
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.variants import Variants
from sparsejac.foreign import computes_otherwise
from sparsejac.location import user_location
from sparsejac.options import Format, check_flags
from sparsejac.patterns.pattern import Pattern, entry_numbers
from sparsejac.process_bound import ProcessBound
from sparsejac.programs.grouping import following_twice
from sparsejac.signature import Bound, Signature
from sparsejac.structure import Structure, leaves_of, offsets_of, unflatten, values_in
from sparsejac.tracing import Traced
from sparsejac.tracing.trace import sharing_copies

if TYPE_CHECKING:
    from coloring import Coloring
    from sparsejac.reports.dependence import Dependence
    from sparsejac.reports.explanation import Explanation
else:  # for `typing.get_type_hints`, which must not need what is loaded late
    Coloring = Dependence = Explanation = Any

PURITY = Lazy("sparsejac.reports.purity")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a plan gives at one point.

    Parameters
    ----------
    result : Leaf or Branch
        How the value is to be read.
    value : array
        The result of f, flat.
    jacobian : object
        A matrix, or nested blocks.
    beside : object
        What f returned beside its result.
    """

    result: Structure
    value: Floats
    jacobian: Any
    beside: Any


class Plan(ProcessBound):
    """The Jacobian of one function at many x, without tracing f again.

    Made by `prepare`. f is taken to be pure: it does the same at every call, but for x, for arguments and for the
    branches that it takes. Arrays that f captured, and whatever it reads (random generators, clocks, files), are frozen
    with the values they had. Where a decision of f (an ``if`` on a value, a mask) comes out otherwise at a new x, f is
    traced again there, and both paths are remembered, up to 32. If f reads other numbers by then, a `PurityWarning`
    says so.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare
    >>> plan = prepare(lambda x, c: c * x[1:] * x[:-1], np.ones(4), 2.0)
    >>> plan(np.array([1.0, 2.0, 3.0, 4.0]), 10.0).toarray()
    array([[20., 10.,  0.,  0.],
           [ 0., 30., 20.,  0.],
           [ 0.,  0., 40., 30.]])

    Many points at once, one row of entries for each:

    >>> plan.values(np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 0.0]]), batch=True)
    array([[4., 2., 6., 4., 8., 6.],
           [0., 0., 2., 0., 0., 2.]])
    """

    made_by = "prepare"

    def __init__(self, bound: Bound, format: Format, options: Mapping[str, Any], traced: Traced | None = None) -> None:
        self._signature: Signature = bound.signature
        self._has_aux = bound.signature.has_aux
        self._inputs: Structure = bound.inputs
        self._defaults = replace(bound, args=kept_arguments(bound.args), kwargs=kept_arguments(bound.kwargs))
        self._format = format
        self._options = options
        with following_twice(), sharing_copies(), rare_collections():
            self._variants = Variants(self._defaults, options, traced)
            self._variants.begin(bound)
            self._direct = Direct(self._variants, self._defaults, format)
            if not bound.frozen and traced is None:
                PURITY.check_purity(bound, self._variants.first.traced)

    def __call__(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        copy_structure: bool = False,
    ) -> Any:
        """The Jacobian at x.

        Parameters
        ----------
        x : array_like
            Of the shape that the plan was made with. With `argnums` other than 0: the first argument of f.
        *args
            Further arguments of f; those left out at the end are those of `prepare`.
        kwargs : dict, optional
            Arguments that f takes by name; those of `prepare` if none are given.
        batch : bool
            Whether x is many points, along a first axis; further arguments are the same for all.
        copy_structure : bool
            Give the matrix index arrays of its own. By default it shares the plan's, which are read-only.

        Returns
        -------
        csr_array (or csc_array, coo_array), shape (size of f's result, size of x)
            Blocks of this sort where x or the result is several arrays (see `sparse_jacobian`). Of a batch, a list;
            of an f with `has_aux`, a pair, with what f returned beside its result.
        """
        shortest = self._variants.shortest
        if shortest is not None and not (args or batch or copy_structure or self._has_aux or kwargs is not None):
            again, matrix = shortest
            data = again(x, None)
            if data is not None:
                return matrix(data)
        return self._jacobians(x, args, kwargs, batch, copy_structure)

    def _jacobians(
        self, x: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, batch: bool, copy_structure: bool
    ) -> Any:
        """As `__call__`, which would keep what a comprehension reads in cells, and be slower."""
        has_aux = self._has_aux
        found = None if batch or has_aux or kwargs is not None else self._direct.evaluate(x, args)
        if found is not None:
            return found[0].blocks.matrices(found[1], self._format, copy_structure=copy_structure)
        wanted = Engine.value_data_and_aux if has_aux else Engine.data
        answers = [self._answer(bound, wanted, copy_structure) for bound in self._bind((x, *args), kwargs, batch)]
        matrices, beside = [a.jacobian for a in answers], [a.beside for a in answers]
        if not batch:
            return (matrices[0], beside[0]) if has_aux else matrices[0]
        return (matrices, beside) if has_aux else matrices

    def values(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        out: Floats | None = None,
    ) -> Floats:
        """The entries of the Jacobian alone, in the CSR order of `pattern`.

        Parameters
        ----------
        x : array_like
        *args
            Further arguments of f; those left out at the end are those of `prepare`.
        kwargs : dict, optional
        batch : bool
            Whether x is many points, along a first axis; the result then has a row for each.
        out : array, shape (nnz,) or (points, nnz), optional
            Where to write them.

        Raises
        ------
        InputError
            If f took a path at x whose Jacobian has entries outside `pattern`: `plan(x)` then gives the whole matrix.
        """
        shortest = self._variants.shortest
        if shortest is not None and not (args or batch or kwargs is not None):
            entries: Floats | None = shortest[0](x, out)
            if entries is not None:
                return entries
        found = None if batch or kwargs is not None else self._direct.evaluate(x, args, out, regular=True)
        if found is not None:
            return found[1]
        bounds = self._bind((x, *args), kwargs, batch)
        shape = (len(bounds), self.pattern.nnz) if batch else (self.pattern.nnz,)
        if out is not None:
            _check_out(out, shape)
        rows = np.empty(shape) if out is None else out
        if not batch:
            self._write(bounds[0], rows)
        for bound, row in zip(bounds, rows, strict=True) if batch else ():
            self._write(bound, row)
        return rows

    def value_and_jacobian(
        self,
        x: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        batch: bool = False,
        copy_structure: bool = False,
    ) -> tuple[Any, ...]:
        """f(x), in f's shape, and the Jacobian at x; see `__call__`.

        Of a batch: the values along a first axis, and a list of Jacobians. With `has_aux`, a third part follows: what
        f returned beside its result.
        """
        has_aux = self._signature.has_aux
        found = None if batch or has_aux or kwargs is not None else self._direct.evaluate(x, args, values=True)
        if found is not None:
            variant, data, (y, *_) = found
            matrices = variant.blocks.matrices(data, self._format, copy_structure=copy_structure)
            return values_in(variant.traced.result, y), matrices
        bounds = self._bind((x, *args), kwargs, batch)
        answers = [self._answer(bound, Engine.value_data_and_aux, copy_structure) for bound in bounds]
        if batch:
            values = _stacked(answers, self._variants.first.traced.result)
            matrices, beside = [a.jacobian for a in answers], [a.beside for a in answers]
            return (values, matrices, beside) if has_aux else (values, matrices)
        (answer,) = answers
        value = values_in(answer.result, answer.value)
        return (value, answer.jacobian, answer.beside) if has_aux else (value, answer.jacobian)

    def __repr__(self) -> str:
        (rows, columns), function = self.shape, self._signature.f
        name = getattr(function, "__name__", type(function).__name__)
        matrix = self._variants.first.engine.matrix
        return f"<Plan of {name}: {matrix} {rows} x {columns}, {self.pattern.nnz} nonzeros>"

    @property
    def pattern(self) -> Pattern:
        """The sparsity pattern of the Jacobian (of the path that f took at the x of `prepare`).

        Where x or the result is several arrays: of the whole, all of them side by side.
        """
        return self._variants.first.engine.pattern

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self.pattern.shape

    @property
    def coloring(self) -> Coloring | None:
        """The coloring in use; None where the strategy needs none."""
        return self._variants.first.engine.coloring

    @property
    def strategy(self) -> str:
        """The strategy in use."""
        return self._variants.first.engine.strategy

    @property
    def num_variants(self) -> int:
        """The number of paths through f met so far."""
        return len(self._variants)

    def source(self) -> str:
        """The generated text of the kernels that the strategy in use runs."""
        engine = self._variants.first.engine
        prepared = engine.prepared
        text: str = load("kernels.numba_executor").source_text(
            engine.schedule, *prepared.variants, sweeps=prepared.sweeps
        )
        return text

    def why(self, i: int | tuple[Any, ...], j: int | tuple[Any, ...]) -> Dependence:
        """The operations, with their lines in the user's file, through which output i depends on unknown j.

        Of all chains of operations this is a shortest one. Where there is no entry, it says why: nothing reads the
        unknown, a step has a derivative of zero, a constant is zero. It speaks of `pattern`, that is of the path that
        f took at the x of `prepare`.

        Parameters
        ----------
        i : int or tuple
            An element of f's result: its number in C order (the row), or its index; of several arrays, after the keys
            that lead to one of them.
        j : int or tuple
            An element of x: its number in C order (the column), or its index.

        Returns
        -------
        Dependence
            Print it; it is true where the output depends on the unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from sparsejac import prepare
        >>> plan = prepare(lambda x: np.sin(x[1:]) * np.floor(x[:-1]), np.ones(3))
        >>> [operation.name for operation in plan.why(0, 1).operations]
        ['np.sin', 'np.multiply']
        >>> plan.why(0, 0).reason
        'zero derivative'
        """
        variant = self._variants.first
        given = self._options.get("pattern") is not None
        dependences = load("sparsejac.reports.dependence").Dependences
        found: Dependence = dependences(variant.traced, self._inputs, variant.engine.pattern, given=given).find(i, j)
        return found

    def explain(self, *, color: bool = True) -> Explanation:
        """Strategies with colors, passes, flops and bytes; set-up times, decisions of f, fallbacks. Print it.

        Parameters
        ----------
        color : bool
            Color rows and columns for the comparison even if the strategy in use needs no coloring.
        """
        first = self._variants.first
        explain, others = load("sparsejac.reports.explanation").explain, self._variants.engines[1:]
        found: Explanation = explain(first.engine, color=color, program=first.traced.program, others=others)
        return found

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, batch: bool) -> list[Bound]:
        """The calls that were asked for: one, or one for each point of a batch."""
        check_flags("plan", batch=batch)
        defaults, needed = self._defaults, max(self._signature.positions) + 1
        args = args + defaults.args[len(args) :] if len(args) >= needed else args
        kwargs = defaults.kwargs if kwargs is None else kwargs
        if batch:
            bound, points = self._signature.bind_many("plan", args, kwargs, frozen=defaults.frozen)
        else:
            bound = self._signature.bind("plan", args, kwargs, frozen=defaults.frozen)
            points = bound.x[None]
        if bound.inputs != self._inputs:
            raise InputError(
                f"plan: x has shape {bound.inputs}, the plan was made for {self._inputs}\n  {user_location()}\n  "
                "Cure: pass x of that shape, or make another plan by prepare(f, x)."
            )
        bound = replace(bound, inputs=self._inputs)  # numbers stay numbers for f, and arrays arrays
        return [bound.at(point) for point in points]

    def _answer(self, bound: Bound, wanted: Callable[..., Any], copy_structure: bool) -> _Answer:
        """What an engine gives at one point, in the forms that users get."""
        variant, found = self._variants.evaluate(bound, wanted)
        value, data, aux = found if isinstance(found, tuple) else (np.empty(0), found, np.empty(0))
        matrices = variant.blocks.matrices(data, self._format, copy_structure=copy_structure)
        beside = variant.traced.rebuild(aux) if isinstance(found, tuple) else None
        return _Answer(variant.traced.result, value, matrices, beside)

    def _write(self, bound: Bound, out: Floats) -> None:
        pattern = self.pattern
        variant, data = self._variants.evaluate(bound, Engine.data, out)
        found = variant.engine.pattern
        if found is not pattern and found != pattern:
            embed(found, data, pattern, out)


def _check_out(out: Any, shape: tuple[int, ...]) -> None:
    """Refuse what compiled code cannot write into as it is."""
    cure = f"out=np.empty({'plan.pattern.nnz' if len(shape) == 1 else shape})"
    if not isinstance(out, np.ndarray) or out.shape != shape:
        why = f"a {type(out).__name__} of shape {np.shape(out)}, the entries have shape {shape}"
    elif out.dtype != np.float64:
        why = f"of dtype {out.dtype}, the entries are float64"
    elif computes_otherwise(type(out)):
        why = f"a {type(out).__name__}, and the entries are an ordinary array"
    elif not out.flags.carray:
        why = "read-only" if not out.flags.writeable else "not contiguous, or not aligned"
    else:
        return
    raise InputError(f"plan.values: out is {why}\n  {user_location()}\n  Cure: {cure}.")


def _stacked(answers: list[_Answer], result: Structure) -> Any:
    """The values of f at the points of a batch, each array with one more axis, the first."""
    result = answers[0].result if answers else result
    if any(answer.result != result for answer in answers):
        raise InputError(
            f"plan: f gives results of several shapes at the points of the batch\n  {user_location()}\n  Cure: call "
            "value_and_jacobian point by point."
        )
    offsets = offsets_of(result)
    rows = np.array([answer.value for answer in answers]).reshape(len(answers), offsets[-1])
    parts = zip(leaves_of(result), offsets[:-1], offsets[1:], strict=True)
    return unflatten(result, (rows[:, a:b].reshape(len(rows), *leaf.shape) for leaf, a, b in parts))


class OutsidePatternError(InputError):
    """At this x there are entries that the pattern of the plan lacks."""


def embed(small: Pattern, data: Floats, large: Pattern, out: Floats) -> None:
    """Write the entries of a path into the larger pattern of the plan."""
    places, wanted = entry_numbers(large), entry_numbers(small)
    if small.shape != large.shape or not np.isin(wanted, places, assume_unique=True).all():
        raise OutsidePatternError(
            "plan.values: f took another way at this x, and its Jacobian has entries outside plan.pattern\n  "
            f"{user_location()}\n  Cure: use plan(x), which gives the whole matrix."
        )
    out[...] = 0.0
    out[np.searchsorted(places, wanted)] = data


def kept_arguments(argument: Any) -> Any:
    """Default arguments with arrays of the plan's own: what their owner writes later into his is no matter of ours."""
    if type(argument) in (tuple, list):
        return type(argument)(map(kept_arguments, argument))
    if type(argument) is dict:
        return {key: kept_arguments(value) for key, value in argument.items()}
    return argument.copy(order="K") if type(argument) is np.ndarray else argument
