from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import csr_array

from matpower_grid import load_grid
from power_flow import Iterate, Result, main, mismatch_equations, newton, observed_order, textbook_jacobian

if TYPE_CHECKING:
    from pathlib import Path

    from matpower_grid import Floats


def solved_voltages(result: Result) -> tuple[Floats, Floats]:
    """Magnitudes and angles of all buses at the demo's solution."""
    grid, x = result.grid, result.iterates[-1].x
    Vm, Va = grid.Vm.copy(), grid.Va.copy()
    pvpq = [*grid.pv, *grid.pq]
    Va[pvpq], Vm[grid.pq] = x[: len(pvpq)], x[len(pvpq) :]
    return Vm, Va


@pytest.mark.parametrize("case", ["case9", "case14", "case30"])
def test_demo_converges_quadratically_with_the_exact_jacobian(case: str, tmp_path: Path) -> None:
    picture = tmp_path / "new" / "pattern.png"
    result = main(["--case", case, "--plot", str(picture)])
    assert result.converged
    assert result.iterates[-1].mismatch < 1e-8
    assert observed_order(result.iterates) == pytest.approx(2, abs=0.3)
    assert max(result.jacobian_errors) <= 1e-12
    assert result.iterate_deviation <= 1e-10
    assert result.exact
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_demo_compares_all_ways_and_solves() -> None:
    result = main(["--case", "case30", "--no-plot"])
    ways = {way.name: way for way in result.ways}
    assert list(ways) == ["forward", "reverse", "identity", "SciPy's differences", "derived by hand"]
    for strategy in ("forward", "reverse", "identity"):
        assert ways[strategy].error <= 1e-12
    assert 1e-12 < ways["SciPy's differences"].error < 1e-5  # not exact, and not wrong
    for strategy in ("forward", "reverse"):
        passes = ways[strategy].passes
        assert passes is not None
        assert 15 <= passes < 53  # its densest row and column hold 15 entries

    exact, differences, by_hand = result.solves
    np.testing.assert_allclose(exact.iterates[-1].x, differences.iterates[-1].x, atol=1e-7)
    np.testing.assert_allclose(exact.iterates[-1].x, by_hand.iterates[-1].x, atol=1e-12)


def test_known_solution_of_the_nine_bus_system() -> None:
    """Voltages of P. M. Anderson, A. A. Fouad, Power System Control and Stability, figure 2.19, in MATPOWER's order."""
    Vm, Va = solved_voltages(main(["--case", "case9", "--no-plot", "--no-compare"]))
    np.testing.assert_allclose(Vm, [1.04, 1.025, 1.025, 1.026, 1.013, 1.032, 1.016, 1.026, 0.996], atol=6e-4)
    np.testing.assert_allclose(np.degrees(Va), [0, 9.3, 4.7, -2.2, -3.7, 2.0, 0.7, 3.7, -4.0], atol=0.06)


def test_known_losses_of_the_fourteen_bus_system() -> None:
    """The IEEE 14-bus system loses 13.39 MW at its base case."""
    result = main(["--case", "case14", "--no-plot", "--no-compare"])
    Vm, Va = solved_voltages(result)
    V = Vm * np.exp(1j * Va)
    assert 100 * np.sum(V * np.conj(result.grid.Ybus @ V)).real == pytest.approx(13.393, abs=1e-3)


def test_textbook_formulas_against_central_differences() -> None:
    grid = load_grid("case14")
    f, x = mismatch_equations(grid)
    x = x + 0.05 * np.random.default_rng(3).standard_normal(x.size)
    numeric = approx_derivative(f, x, method="3-point")
    np.testing.assert_allclose(textbook_jacobian(grid, x).toarray(), numeric, atol=1e-7)


def test_console_shows_iterates_and_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--case", "case14", "--no-plot"])
    printed = capsys.readouterr().out
    assert "14 buses (1 slack, 4 PV, 9 PQ), 22 unknowns" in printed
    assert "converged; observed order of convergence" in printed
    assert "SciPy's differences" in printed
    assert "FAILED" not in printed


def test_no_compare_and_no_plot_leave_them_out() -> None:
    result = main(["--case", "case9", "--no-plot", "--no-compare"])
    assert result.ways == ()
    assert result.solves == ()
    assert result.plot is None


def test_wrong_case_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--case", "case31"])
    assert stop.value.code == 2
    assert "near it are" in capsys.readouterr().err


def test_newton_gives_up_where_there_is_no_solution() -> None:
    iterates = list(newton(lambda x: x**2 + 1, lambda x: csr_array(np.diag(2 * x)), np.array([0.7]), 1e-8, most=5))
    assert len(iterates) == 6
    assert iterates[-1].mismatch >= 1
    assert iterates[-1].jacobian_seconds == 0


def test_newton_stops_at_nan() -> None:
    iterates = list(newton(lambda x: x * np.nan, lambda x: csr_array(np.eye(2)), np.ones(2), 1e-8))
    assert len(iterates) == 1


def test_observed_order_tells_quadratic_from_linear() -> None:
    def at(mismatch: float) -> Iterate:
        return Iterate(np.zeros(1), mismatch, 0.0)

    assert observed_order([at(1e-1), at(1e-2), at(1e-4)]) == pytest.approx(2)
    assert observed_order([at(1e-1), at(1e-2), at(1e-3)]) == pytest.approx(1)
    assert math.isnan(observed_order([at(1.0), at(0.1)]))
