"""What a check of a Jacobian found: by row, column and line of f."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sparsejac.reports.dependence import Dependence

Kind = Literal["wrong", "missing", "not differentiable", "not finite", "unsettled"]
KINDS: tuple[Kind, ...] = ("wrong", "missing", "not differentiable", "not finite", "unsettled")

NAMED = 10
"""Findings that a report names; the others are counted by their rows."""


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


def _rows(rows: tuple[int, ...]) -> str:
    """Some of the rows in words."""
    return f"rows {', '.join(map(str, rows[:NAMED]))}{' ...' if len(rows) > NAMED else ''}"
