"""The GPU example: on a pretended device, where it converges, and where there is none, where it says so."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import gpu_newton
from emulated_cupy import counts
from emulated_cupy import pretended as pretended


def test_bratu_converges(pretended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Quadratically, to the solution of the discrete equation, whose residual is computed by NumPy here."""
    found = list(gpu_newton.newton_krylov(pretended, gpu_newton.bratu, pretended.zeros(81), 1e-11))
    residuals = [largest for _, largest in found]
    assert residuals[-1] < 1e-11
    assert len(residuals) <= 7
    assert np.abs(gpu_newton.bratu(found[-1][0].get())).max() < 1e-10
    assert gpu_newton.main(["--side", "5", "--no-power-flow"]) == 0
    printed = capsys.readouterr().out
    assert "Bratu, 25 unknowns" in printed
    assert "power flow" not in printed


def test_products_stay_on_the_device(pretended: Any) -> None:
    """Newton-Krylov: of an iteration the residual's size comes back; x, structure and values are never copied."""
    iterates = gpu_newton.newton_krylov(pretended, gpu_newton.bratu, pretended.zeros(49), 1e-11)
    next(iterates)
    next(iterates)
    counts.reset()
    found = list(iterates)
    assert len(found) >= 2
    assert (counts.to_host, counts.to_device) == (len(found), 0)


def test_the_power_flow_stays_on_the_device(pretended: Any) -> None:
    """The same with the sparse matrix and a direct solver: beside it one word, whether all entries are finite."""
    f, x = gpu_newton.power_flow("case9")
    plan = gpu_newton.prepare(f, pretended.asarray(x))
    solve = pretended.modules["cupyx.scipy.sparse.linalg"].spsolve
    iterates = gpu_newton.newton(pretended, plan, solve, pretended.asarray(x), 1e-10)
    next(iterates)
    next(iterates)
    counts.reset()
    found = list(iterates)
    assert len(found) >= 2
    assert counts.to_device == 0
    assert counts.bytes_to_host <= 16 * len(found)


def test_one_number_an_iteration_comes_back(pretended: Any) -> None:
    """Newton's method with plans: the residual's size, and nothing else."""

    def f(x: Any) -> Any:
        return x**3 - 2.0 + 0.1 * np.roll(x, 1)

    x = pretended.asarray(np.ones(6))
    plan = gpu_newton.prepare(f, x)
    solve = pretended.modules["cupyx.scipy.sparse.linalg"].spsolve
    list(gpu_newton.newton(pretended, plan, solve, x, 1e-12))
    counts.reset()
    found = list(gpu_newton.newton(pretended, plan, solve, x, 1e-12))
    assert (counts.to_host, counts.to_device) == (len(found), 0)
    assert np.abs(f(found[-1][0].get())).max() < 1e-12


def test_the_power_flow_converges(pretended: Any) -> None:
    """The equations of the other example, on the device."""
    f, x = gpu_newton.power_flow("case9")
    plan = gpu_newton.prepare(f, pretended.asarray(x))
    solve = pretended.modules["cupyx.scipy.sparse.linalg"].spsolve
    found = list(gpu_newton.newton(pretended, plan, solve, pretended.asarray(x), 1e-10))
    assert found[-1][1] < 1e-10
    assert np.abs(f(found[-1][0].get())).max() < 1e-9


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and no failure."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert gpu_newton.main([]) == 0
    assert capsys.readouterr().out.startswith("gpu_newton: no GPU to run on (")
