"""Products of a Jacobian beside slopes of the plain function, along directions, then along parts of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.checks.check_report import KINDS, NAMED, Finding, JacobianCheck
from sparsejac.checks.differences import SAFETY, Floats, Slope
from sparsejac.checks.plain_function import PlainFunction
from sparsejac.reports.elements import label_of

_WRONG, _MISSING, _KINKED, _INFINITE, _UNSETTLED, _OUTSIDE, _HIDDEN, _FINE = range(8)
"""Verdicts: places in `KINDS`, and then: no finite values of f along a direction; below the rounding of f; fine."""

_VERIFIED = 0.1
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True, eq=False)
class Comparison:
    """Slopes along one direction beside the products of the Jacobian with it."""

    slope: Slope
    product: Floats
    difference: Floats
    error: Floats
    verdicts: npt.NDArray[Any]

    @property
    def bad(self) -> npt.NDArray[Any]:
        """The rows in which something was found."""
        return np.flatnonzero(self.verdicts < len(KINDS))


class Check:
    """One Jacobian of one function.

    Parameters
    ----------
    function : PlainFunction
    matrix : csr_array
    rtol : float
        See `check_jacobian`.
    """

    def __init__(self, function: PlainFunction, matrix: csr_array[Any], rtol: float) -> None:
        self.function = function
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
        return JacobianCheck(self.function.shape, directions, largest, accuracy, tuple(sorted(bad)), found, left)

    def _direction(self, number: int, random: np.random.Generator) -> Floats:
        x = self.function.flat
        sizes = np.abs(x) if number % 2 else 1.0 + np.abs(x)
        sizes = np.where(np.isfinite(sizes) & (sizes > 0.0), sizes, 1.0)
        return np.asarray(sizes * random.uniform(0.5, 1.0, x.shape) * random.choice([-1.0, 1.0], x.shape))

    def compare(self, direction: Floats) -> Comparison:
        """Compare the slope along a direction with the product of the Jacobian."""
        slope = self.function.slope(direction)
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
            return Comparison(slope, product, distance / scale, slope.error / scale, verdicts)

    def _product(self, direction: Floats) -> Floats:
        """The Jacobian times a direction; an infinite entry counts only in columns that the direction moves."""
        moved = direction[self.matrix.indices]
        terms = np.where(moved == 0.0, 0.0, self.matrix.data * moved)
        rows = np.repeat(np.arange(self.matrix.shape[0]), np.diff(self.matrix.indptr))
        return np.asarray(np.bincount(rows, weights=terms, minlength=self.matrix.shape[0]), dtype=np.float64)

    def _locate(self, direction: Floats, whole: Comparison, rows: npt.NDArray[Any], room: int) -> list[Finding]:
        """Halve the direction until single columns are left in which something is wrong."""
        findings: list[Finding] = []
        # Noise is everywhere; a jump has its column.
        found = rows if self.function.repeats else rows[whole.verdicts[rows] != _UNSETTLED]
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
        direction = np.zeros(self.function.shape[1])
        direction[column] = abs(step)
        compared = self.compare(direction)
        for row in np.intersect1d(compared.bad, rows).tolist():
            yield self._finding(row, column, compared, abs(step))

    def _finding(self, row: int, column: int | None, compared: Comparison, step: float) -> Finding:
        slope = compared.slope
        verdict = int(compared.verdicts[row])
        if verdict == _WRONG and column is not None and column not in self._columns(row):
            verdict = _MISSING
        return Finding(
            "not finite" if verdict == _OUTSIDE else KINDS[verdict],
            row,
            column,
            label_of("output", self.function.outputs, row),
            "" if column is None else label_of("x", self.function.inputs, column),
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
        known = self.function.dependences() if findings else None
        for finding in findings:
            found = known is not None and finding.column is not None
            yield replace(finding, why=known.find(finding.row, finding.column)) if found and known else finding
