"""A Jacobian compared with slopes of the plain function, and what is wrong with it by row, column and line of f."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_array, csr_array, issparse

from sparsejac.dependence import Dependence, Dependences
from sparsejac.differences import SAFETY, Floats, Slope, slope_along
from sparsejac.elements import label_of
from sparsejac.engines import engine_for
from sparsejac.errors import InputError, InputTypeError, SparsejacError, WrongJacobianError
from sparsejac.location import user_location
from sparsejac.matrices import assemble
from sparsejac.signature import Bound, Signature
from sparsejac.structure import Leaf, flatten, leaves_of, split, unflatten

Kind = Literal["wrong", "missing", "not differentiable", "not finite", "unsettled"]
_KINDS: tuple[Kind, ...] = ("wrong", "missing", "not differentiable", "not finite", "unsettled")
_WRONG, _MISSING, _KINKED, _INFINITE, _UNSETTLED, _OUTSIDE, _HIDDEN, _FINE = range(8)
"""Verdicts: places in `_KINDS`, and then: no finite values of f along a direction; below the rounding of f; fine."""

NAMED = 10
"""Findings that a report names; the others are counted by their rows."""

_VERIFIED = 0.1
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Finding:
    """What is wrong at one place of a Jacobian.

    Parameters
    ----------
    kind : {"wrong", "missing", "not differentiable", "not finite", "unsettled"}
        A wrong value; no entry where there should be one; one-sided slopes that differ; f without finite values on
        both sides of x, or an infinite entry; differences that do not settle.
    row : int
    column : int, optional
        None where the row alone is known.
    output, unknown : str
        The same as a reader would write them: ``output[1, 2]``, ``x['u'][0]``.
    got, expected : float
        The entry, and what differences of f give (products with one direction where `column` is None).
    error : float
        Estimate of the error of `expected`.
    slopes : tuple of float
        One-sided slopes, behind x and ahead of it.
    why : Dependence, optional
        The operations that lead from the unknown to the output, if f can be traced.
    """

    kind: Kind
    row: int
    column: int | None
    output: str
    unknown: str
    got: float
    expected: float
    error: float
    slopes: tuple[float, float]
    why: Dependence | None = None

    def __str__(self) -> str:
        """Write what is wrong, where, and the operations that lead there."""
        where = f"row {self.row}"
        if self.column is not None:
            where += f", column {self.column} ({self.output} by {self.unknown})"
        got, expected = f"{self.got:.10g}", f"{self.expected:.10g} +- {self.error:.1g}"
        behind, ahead = (f"{slope:.6g}" for slope in self.slopes)
        text = {
            "wrong": f"{where}: wrong, {got} where differences of f give {expected}",
            "missing": f"{where}: no entry where differences of f give {expected}",
            "not differentiable": f"{where}: f is not differentiable near x, its slope is {behind} on one side and "
            f"{ahead} on the other; the Jacobian has {got}",
            "not finite": f"{where}: f is not finite on both sides of x, or the Jacobian ({got}) is not",
            "unsettled": f"{where}: differences of f do not settle ({expected}), by noise or by a jump near x; the "
            f"Jacobian has {got}",
        }[self.kind]
        told = str(self.why).split("\n") if self.why is not None and self.column is not None else []
        return "\n".join([text, *(f"  {line}" for line in told)])


@dataclass(frozen=True)
class JacobianCheck:
    """The report of `check_jacobian`; print it. True if nothing was found.

    Parameters
    ----------
    shape : tuple of int
    directions : int
        Random directions in which slopes were compared.
    max_error : float
        The largest difference to a slope that was met, relative to the size of the row, findings aside.
    accuracy : float
        The largest estimated error of these slopes, relative to the size of the row.
    bad_rows : tuple of int
        All rows in which something was found.
    findings : tuple of Finding
        What was found in the first of them.
    hidden : tuple of int
        Rows whose slopes cannot be told from the rounding of f: nothing is wrong beyond that.
    """

    shape: tuple[int, int]
    directions: int
    max_error: float
    accuracy: float
    bad_rows: tuple[int, ...]
    findings: tuple[Finding, ...]
    hidden: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the Jacobian is what differences of f give, in all rows."""
        return not self.bad_rows

    def __bool__(self) -> bool:
        """Whether nothing was found."""
        return self.ok

    def __str__(self) -> str:
        """Write the verdict, and each finding with its lines of f."""
        rows, columns = self.shape
        compared = f"differences of f in {self.directions} random directions"
        numbers = f"largest relative difference {self.max_error:.1g}, differences good to {self.accuracy:.1g}"
        left = [f"slopes below the rounding of f, which tells nothing about them: {_rows(self.hidden)}"]
        if self.ok:
            head = f"Jacobian {rows} x {columns} agrees with {compared}: {numbers}"
            return "\n".join([head, *left[: len(self.hidden)]])
        head = f"Jacobian {rows} x {columns} does not agree with {compared}, in {len(self.bad_rows)} of {rows} rows"
        named = {finding.row for finding in self.findings}
        rest = tuple(row for row in self.bad_rows if row not in named)
        others = [f"and in {_rows(rest)}"] if rest else []
        return "\n".join([head, *map(str, self.findings), *others, *left[: len(self.hidden)]])


def check_jacobian(
    f: Callable[..., Any],
    x: npt.ArrayLike,
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    kwargs: Mapping[str, Any] | None = None,
    jac: Any = None,
    directions: int = 4,
    rtol: float = 1e-6,
    seed: int = 0,
    complex_step: bool = True,
    raises: bool = False,
) -> JacobianCheck:
    """Compare a Jacobian with differences of the plain function, and name what is wrong.

    f is called as it is, without tracing, at points beside x along random directions. Its slopes, extrapolated until
    they settle and with an estimate of their error, have to be the products of the Jacobian with these directions.
    Where they are not, single columns are compared until the wrong and missing entries are found.

    Parameters
    ----------
    f : callable
        ``f(x, *args)``.
    x : array_like
    *args
        Further arguments of f.
    argnums, kwargs
        See `sparse_jacobian`.
    jac : array_like, sparse matrix or callable, optional
        The Jacobian to check, or what computes it, called ``jac(x, *args)``. By default that of `sparse_jacobian`.
        Where x or the result is several arrays: blocks, or one matrix of all outputs by all unknowns.
    directions : int
        Each costs about 30 evaluations of f. Half of them move each unknown in proportion to its size, the others
        move small unknowns as well.
    rtol : float
        Difference that is let pass, relative to the size of a row: the sum of the magnitudes of its terms. An entry
        that is smaller than that beside the others in its row cannot be judged.
    seed : int
        Of the directions.
    complex_step : bool
        Whether f may also be called with complex x. Slopes from there are used where they agree with differences.
    raises : bool
        Raise an error in place of returning a report that is not ok.

    Returns
    -------
    JacobianCheck

    Raises
    ------
    WrongJacobianError
        With ``raises=True``, where something was found.
    InputError
        Where the Jacobian does not have the shape (size of f's result, size of x).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import check_jacobian
    >>> def f(x):
    ...     return x[1:] ** 2 * x[:-1]
    >>> check_jacobian(f, [1.0, 2.0, 3.0]).ok
    True
    >>> report = check_jacobian(f, [1.0, 2.0, 3.0], jac=[[4.0, 4.0, 0.0], [0.0, 9.0, 0.0]])
    >>> [(finding.kind, finding.row, finding.column) for finding in report.findings]
    [('missing', 1, 2)]
    """
    _check_number("directions", directions, 1)
    _check_number("rtol", rtol, 0.0)
    signature = Signature("check_jacobian", f, argnums).checked()
    bound = signature.bind("check_jacobian", (x, *args), kwargs or {}, frozen=True)
    problem = _Problem(bound, complex_step=complex_step)
    given = problem.traced_jacobian() if jac is None else jac(*args_of(bound)) if callable(jac) else jac
    report = _Check(problem, _as_matrix(given, problem), rtol).run(directions, np.random.default_rng(seed))
    if raises and not report.ok:
        raise WrongJacobianError(f"check_jacobian: {report}\n  {user_location()}")
    return report


class _Problem:
    """f as a function of a flat vector."""

    def __init__(self, bound: Bound, *, complex_step: bool) -> None:
        self.bound, self.complex_step = bound, complex_step
        self.flat = bound.x
        self.inputs = bound.inputs
        self.outputs, parts = flatten(self._call(self.flat), _as_result, "f's result")
        self.value = np.concatenate([np.empty(0), *parts])
        self.shape = (self.value.size, self.flat.size)

    def _call(self, flat: npt.NDArray[Any]) -> Any:
        bound = self.bound
        return bound.signature.f(*args_of(bound, flat), **bound.kwargs)

    def evaluate(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The results of f as a vector."""
        parts = flatten(self._call(flat), lambda _, value: (Leaf(()), np.asarray(value).reshape(-1)), "f's result")[1]
        return np.concatenate([np.empty(0), *parts])

    @cached_property
    def repeats(self) -> bool:
        """Whether f gives the same again."""
        return bool(np.array_equal(self.evaluate(self.flat), self.value, equal_nan=True))

    def slope(self, direction: Floats) -> Slope:
        """The slope of f along a direction."""
        return slope_along(self.evaluate, self.flat, self.value, direction, complex_step=self.complex_step)

    def traced_jacobian(self) -> csr_array[Any]:
        """The Jacobian of the whole, all outputs by all unknowns, as `sparse_jacobian` computes it."""
        traced = self.bound.trace()
        engine = engine_for(traced.program, {}, traced.constants)
        data = engine.data([self.flat, *traced.constants], check=False)
        return csr_array(assemble(engine.pattern, data, "csr", copy_structure=True))

    def dependences(self) -> Dependences | None:
        """What a trace of f knows of its dependences; None where f cannot be traced."""
        try:
            traced = self.bound.trace()
            pattern = engine_for(traced.program, {}, traced.constants).pattern
        except SparsejacError:
            return None
        return Dependences(traced, self.inputs, pattern)


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Slopes along one direction beside the products of the Jacobian with it."""

    slope: Slope
    product: Floats
    difference: Floats
    error: Floats
    verdicts: npt.NDArray[Any]

    @property
    def bad(self) -> npt.NDArray[Any]:
        """The rows in which something was found."""
        return np.flatnonzero(self.verdicts < len(_KINDS))


class _Check:
    """Compares along directions, then along parts of them."""

    def __init__(self, problem: _Problem, matrix: csr_array[Any], rtol: float) -> None:
        self.problem = problem
        self.matrix = matrix
        self.magnitudes = abs(matrix)
        self.rtol = rtol

    def run(self, directions: int, random: np.random.Generator) -> JacobianCheck:
        """Compare, and find out what is wrong."""
        bad: set[int] = set()
        findings: list[Finding] = []
        hidden, outside = np.ones((2, self.matrix.shape[0]), dtype=np.bool_)
        largest = accuracy = 0.0
        for number in range(directions):
            direction = self._direction(number, random)
            compared = self.compare(direction)
            fine = compared.verdicts == _FINE
            outside &= compared.verdicts == _OUTSIDE
            hidden &= ~fine
            largest = max(largest, float(compared.difference[fine].max(initial=0.0)))
            accuracy = max(accuracy, float(compared.error[fine].max(initial=0.0)))
            new = np.array([row for row in compared.bad.tolist() if row not in bad], dtype=np.int64)
            bad.update(new.tolist())
            if len(new) and len(findings) < NAMED:
                findings += self._locate(direction, compared, new[:NAMED], NAMED - len(findings))
        never = np.flatnonzero(outside).tolist()
        bad.update(never)
        findings += [self._finding(row, None, compared, 1.0) for row in never[: NAMED - len(findings)]]
        hidden[list(bad)] = False
        left = tuple(np.flatnonzero(hidden).tolist())
        found = tuple(self._explained(findings))
        return JacobianCheck(self.problem.shape, directions, largest, accuracy, tuple(sorted(bad)), found, left)

    def _direction(self, number: int, random: np.random.Generator) -> Floats:
        x = self.problem.flat
        sizes = np.abs(x) if number % 2 else 1.0 + np.abs(x)
        sizes = np.where(np.isfinite(sizes) & (sizes > 0.0), sizes, 1.0)
        return np.asarray(sizes * random.uniform(0.5, 1.0, x.shape) * random.choice([-1.0, 1.0], x.shape))

    def compare(self, direction: Floats) -> _Comparison:
        """Compare the slope along a direction with the product of the Jacobian."""
        slope = self.problem.slope(direction)
        with np.errstate(all="ignore"):
            product = self._product(direction)
            size = self.magnitudes @ np.abs(direction) + np.abs(slope.value)
            distance = np.abs(slope.value - product)
            error = SAFETY * slope.error
            unsure = (error > _VERIFIED * size) & (error > _NEGLIGIBLE * slope.size)
            apart = distance > self.rtol * size + error
            hidden = (error > _VERIFIED * size) & (np.abs(product) > 0.0)
            verdicts = np.select(
                [~np.isfinite(product), ~np.isfinite(error), slope.kinked, unsure, apart, hidden],
                [_INFINITE, _OUTSIDE, _KINKED, _UNSETTLED, _WRONG, _HIDDEN],
                _FINE,
            )
            scale = np.fmax(np.fmax(size, _NEGLIGIBLE * slope.size), np.finfo(np.float64).tiny)
            return _Comparison(slope, product, distance / scale, slope.error / scale, verdicts)

    def _product(self, direction: Floats) -> Floats:
        """The Jacobian times a direction; an infinite entry counts only in columns that the direction moves."""
        moved = direction[self.matrix.indices]
        terms = np.where(moved == 0.0, 0.0, self.matrix.data * moved)
        rows = np.repeat(np.arange(self.matrix.shape[0]), np.diff(self.matrix.indptr))
        return np.asarray(np.bincount(rows, weights=terms, minlength=self.matrix.shape[0]), dtype=np.float64)

    def _locate(self, direction: Floats, whole: _Comparison, rows: npt.NDArray[Any], room: int) -> list[Finding]:
        """Halve the direction until single columns are left in which something is wrong."""
        findings: list[Finding] = []
        # Noise is everywhere; a jump has its column.
        found = rows if self.problem.repeats else rows[whole.verdicts[rows] != _UNSETTLED]
        open_parts = [(np.arange(len(direction)), found)]
        while open_parts and len(findings) < room:
            columns, wanted = open_parts.pop()
            if len(columns) == 1:
                findings += self._in_column(int(columns[0]), float(direction[columns[0]]), wanted)
                continue
            middle = len(columns) // 2
            for part in (columns[middle:], columns[:middle]):
                masked = np.zeros(len(direction))
                masked[part] = direction[part]
                bad = np.intersect1d(self.compare(masked).bad, wanted)
                if len(bad):
                    open_parts.append((part, bad))
        located = {finding.row for finding in findings}
        unlocated = [int(row) for row in rows if row not in located][: max(room - len(findings), 0)]
        return findings[:room] + [self._finding(row, None, whole, 1.0) for row in unlocated]

    def _in_column(self, column: int, step: float, rows: npt.NDArray[Any]) -> Iterator[Finding]:
        direction = np.zeros(self.problem.shape[1])
        direction[column] = abs(step)
        compared = self.compare(direction)
        for row in np.intersect1d(compared.bad, rows).tolist():
            yield self._finding(row, column, compared, abs(step))

    def _finding(self, row: int, column: int | None, compared: _Comparison, step: float) -> Finding:
        slope = compared.slope
        verdict = int(compared.verdicts[row])
        if verdict == _WRONG and column is not None and column not in self._columns(row):
            verdict = _MISSING
        return Finding(
            "not finite" if verdict == _OUTSIDE else _KINDS[verdict],
            row,
            column,
            label_of("output", self.problem.outputs, row),
            "" if column is None else label_of("x", self.problem.inputs, column),
            float(compared.product[row]) / step,
            float(slope.value[row]) / step,
            float(slope.error[row]) / step,
            (float(slope.behind[row]) / step, float(slope.ahead[row]) / step),
        )

    def _columns(self, row: int) -> npt.NDArray[Any]:
        start, stop = self.matrix.indptr[row : row + 2]
        columns: npt.NDArray[Any] = self.matrix.indices[start:stop]
        return columns

    def _explained(self, findings: list[Finding]) -> Iterator[Finding]:
        """The findings with the lines of f that they come from."""
        known = self.problem.dependences() if findings else None
        for finding in findings:
            found = known is not None and finding.column is not None
            yield replace(finding, why=known.find(finding.row, finding.column)) if found and known else finding


def args_of(bound: Bound, flat: npt.NDArray[Any] | None = None) -> list[Any]:
    """The arguments of f at a point, as f takes them, in memory of their own."""
    parts = split(bound.inputs, np.array(bound.x if flat is None else flat))
    args = list(bound.args)
    for position, argument in bound.signature.by_position(unflatten(bound.inputs, parts)).items():
        args[position] = argument
    return args


def _as_result(path: str, value: Any) -> tuple[Leaf, Floats]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            f"check_jacobian: {path} holds {array.dtype} values, not real numbers\n  {user_location()}\n  Cure: return "
            "arrays of floats."
        )
    return Leaf(array.shape), np.array(array, dtype=np.float64).reshape(-1)


def _as_matrix(given: Any, problem: _Problem) -> csr_array[Any]:
    """A Jacobian of any sort as one sparse matrix of the right shape; explicit zeros stay."""
    rows, columns = len(leaves_of(problem.outputs)), len(leaves_of(problem.inputs))
    parts = [given] if rows * columns == 1 or hasattr(given, "shape") else flatten(given, _as_block, "jac")[1]
    if len(parts) == rows * columns > 1:
        given = block_array([parts[k * columns : (k + 1) * columns] for k in range(rows)])
    if not issparse(given):
        given = np.asarray(given, dtype=np.float64)
        given = given.reshape(problem.shape) if given.size == problem.value.size * problem.flat.size else given
    if given.shape != problem.shape:
        raise InputError(
            f"check_jacobian: the Jacobian has shape {given.shape}, f and x make it {problem.shape}\n  "
            f"{user_location()}\n  Cure: one row for each element of f's result, one column for each element of x."
        )
    matrix: csr_array[Any] = csr_array(given, dtype=np.float64)
    matrix.sum_duplicates()
    return matrix


def _as_block(path: str, value: Any) -> tuple[Leaf, Any]:
    return Leaf(()), value if issparse(value) else csr_array(np.atleast_2d(value))


def _check_number(option: str, given: Any, least: float) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float | np.number) or not given >= least:
        raise InputError(
            f"check_jacobian: {option}={given!r} is no number of {least} or more\n  {user_location()}\n  Cure: leave "
            "it out, or pass a number."
        )


def _rows(rows: tuple[int, ...]) -> str:
    """Some of the rows in words."""
    return f"rows {', '.join(map(str, rows[:NAMED]))}{' ...' if len(rows) > NAMED else ''}"
