"""Products with inverses on a device: the lumps of the host, and what is said where there is no inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from inverse_functions import CASES
from oracles import complex_step
from sparsejac.device import inverse_stages
from sparsejac.device.inverse_stages import DeviceFactored

RNG = np.random.default_rng()
CHOSEN = (
    *("identity", "permuted_exponentials", "orthogonal", "running_sum", "tridiagonal_chain", "pairs", "couplings"),
    *("rising_and_falling", "recurrence", "block_triangular", "one_unknown", "no_unknown", "complex_exponential"),
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Each test draws the same numbers whichever ran before."""
    RNG.bit_generator.state = np.random.default_rng(3).bit_generator.state


def close(found: Any, expected: Any, condition: float = 1.0) -> None:
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found.get(), expected, rtol=1e-13 * condition, atol=1e-14 * condition)


def tridiagonal(x: Any) -> Any:
    y = 3.0 * x
    y[1:] += np.sin(x[:-1])
    y[:-1] -= 0.5 * x[1:]
    return y


def chain(x: Any) -> Any:
    for _ in range(4):
        x = tridiagonal(x)
    return x


@pytest.mark.parametrize("name", CHOSEN)
def test_products_steps_and_determinants(cupy: Any, name: str) -> None:
    """Against dense linear algebra, mostly with the Jacobian by complex steps; the same lumps as on the host."""
    (case,) = (case for case in CASES if case.name == name)
    J = complex_step(case.f, case.x) if case.analytic else sj.jacfwd(case.f, case.x)
    condition = np.linalg.cond(J) if case.size else 1.0
    inverse, v = sj.linearize_inverse(case.f, cupy.asarray(case.x)), RNG.standard_normal((case.size, 3))
    host = sj.linearize_inverse(case.f, case.x)
    there = cupy.asarray(v)
    close(inverse.ivjp(there), np.linalg.solve(J, v), condition)
    close(inverse.ivjp(cupy.asarray(v[:, 0].copy())), np.linalg.solve(J, v[:, 0]), condition)
    close(inverse.ijvp(there), np.linalg.solve(J.T, v), condition)
    close(inverse.value, case.f(case.x))
    close(inverse.newton_step(), np.linalg.solve(J, -case.f(case.x)), condition)
    sign, log = inverse.slogdet()
    expected = np.linalg.slogdet(J)
    assert float(sign) == expected[0]
    close(log, expected[1], condition)
    assert inverse.shape == host.shape == J.shape
    assert [lump.form for lump in inverse.explain().lumps] == [lump.form for lump in host.explain().lumps]
    assert repr(inverse) == f"{repr(host)[:-1]}, on device 0>"


def test_one_word_comes_back(pretended: Any) -> None:
    """Of a plan at another point: whether the pivots are good. Of its products nothing does, and nothing goes there."""
    x, v = pretended.asarray(np.linspace(0.1, 1.0, 40)), pretended.asarray(RNG.standard_normal(40))
    plan = sj.prepare_inverse(chain, x)
    plan(x).ivjp(v)
    counts.reset()
    inverse = plan(2.0 * x)
    assert (counts.to_host, counts.to_device, counts.compilations) == (1, 0, 0)
    counts.reset()
    found = inverse.ivjp(v)
    inverse.ijvp(v)
    inverse.newton_step()
    sign, log = inverse.slogdet()
    assert (counts.to_host, counts.to_device, counts.synchronisations, counts.compilations) == (0, 0, 0, 0)
    J = complex_step(chain, 2.0 * x.get())
    close(found, np.linalg.solve(J, v.get()), np.linalg.cond(J))
    assert float(sign) == 1.0
    close(log, np.linalg.slogdet(J)[1])


def test_a_newton_iteration_stays_there(pretended: Any) -> None:
    """One word an iteration: neither x nor structure nor values are copied."""
    plan, target = sj.prepare_inverse(chain, pretended.zeros(30)), pretended.asarray(np.linspace(1.0, 2.0, 30))
    x = pretended.zeros(30)
    x = x - plan(x).ivjp(plan(x).value - target)
    counts.reset()
    for _ in range(6):
        inverse = plan(x)
        x = x - inverse.ivjp(inverse.value - target)
    assert (counts.to_host, counts.to_device) == (6, 0)
    np.testing.assert_allclose(chain(x.get()), target.get(), rtol=1e-13)


def test_plans_know_several_ways(cupy: Any) -> None:
    """Where a decision comes out otherwise, f is followed anew; both ways are kept, and further arguments are new."""

    def f(x: Any, a: Any, scale: float = 1.0) -> Any:
        y = tridiagonal(x) + a
        return np.exp(scale * y) if x[0] > 0.0 else y

    x, a = np.linspace(0.1, 1.0, 9), np.linspace(-0.5, 0.5, 9)
    plan = sj.prepare_inverse(f, cupy.asarray(x), cupy.asarray(a))
    v = RNG.standard_normal(9)
    for point, shift, scale in ((x, a, 1.0), (-x, a, 1.0), (x, 2.0 * a, 0.5), (-x, a, 0.5)):
        found = plan(cupy.asarray(point), cupy.asarray(shift), kwargs={"scale": scale}).ivjp(cupy.asarray(v))
        expected = sj.ivjp(f, point, shift, kwargs={"scale": scale})(v)
        np.testing.assert_allclose(found.get(), expected, rtol=1e-12)
    step = plan.newton_step(cupy.asarray(x))
    np.testing.assert_allclose(step.get(), sj.newton_step(f, x, a), rtol=1e-12)
    assert "9 unknowns" in repr(plan)
    assert plan.device == 0
    assert plan.explain().size == 9
    with pytest.raises(sj.InputError, match=r"x has shape \(4,\), the plan was made for \(9,\)"):
        plan(cupy.zeros(4))


def test_calls_of_one_product(cupy: Any) -> None:
    """ivjp, ijvp, slogdet and newton_step by themselves; of several arrays."""

    def flow(state: Any) -> Any:
        return {"mass": np.exp(state["u"]) + 0.1 * state["p"][0], "force": state["p"] * state["u"][:2]}

    state = {"u": np.array([1.0, 2.0, 4.0]), "p": np.array([3.0, 2.0])}
    there = {name: cupy.asarray(value) for name, value in state.items()}
    v, w = {"mass": np.ones(3), "force": np.arange(2.0)}, {"u": np.arange(3.0), "p": np.ones(2)}
    found = sj.ivjp(flow, there)({name: cupy.asarray(value) for name, value in v.items()})
    expected = sj.ivjp(flow, state)(v)
    for name in state:
        close(found[name], expected[name])
    found = sj.ijvp(flow, there)({name: cupy.asarray(value) for name, value in w.items()})
    expected = sj.ijvp(flow, state)(w)
    for name in v:
        close(found[name], expected[name])
    sign, log = sj.slogdet(flow, there)
    np.testing.assert_allclose((float(sign), float(log)), sj.slogdet(flow, state), rtol=1e-13)
    step, expected = sj.newton_step(flow, there), sj.newton_step(flow, state)
    damped, weighted = sj.newton_step(flow, there, damping=0.5), sj.newton_step(flow, there, damping=there)
    for name in state:
        close(step[name], expected[name])
        close(damped[name], sj.newton_step(flow, state, damping=0.5)[name])
        close(weighted[name], sj.newton_step(flow, state, damping=state)[name])


def test_damped_steps_of_what_has_no_inverse(cupy: Any) -> None:
    x = np.array([3.0, 4.0])
    found = sj.newton_step(lambda x: x[0] + x - np.ones(2) * x[0], cupy.asarray(x), damping=1.0)
    np.testing.assert_allclose(found.get(), [-1.5, -2.0], rtol=1e-14)
    plan = sj.prepare_inverse(tridiagonal, cupy.asarray(x))
    J, value = complex_step(tridiagonal, x), tridiagonal(x)
    expected = np.linalg.solve(J.T @ J + np.diag([0.1, 0.1]), -J.T @ value)
    np.testing.assert_allclose(plan.newton_step(cupy.asarray(x), damping=0.1).get(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "f", [lambda x: np.exp(x[::-1]), lambda x: np.cumsum(x * x), lambda x: x * np.sum(x), tridiagonal]
)
def test_the_inverse_itself(cupy: Any, f: Any) -> None:
    """Sparse where the host's is, else dense; by columns and by rows."""
    x = np.linspace(0.5, 1.5, 12)
    there, expected = cupy.asarray(x), np.linalg.inv(complex_step(f, x))
    found, host = sj.inverse_jacobian(f, there), sj.inverse_jacobian(f, x)
    if isinstance(host, np.ndarray):
        close(found, expected, 10.0)
    else:
        assert found.get().indices.tolist() == host.indices.tolist()
        np.testing.assert_allclose(found.get().toarray(), expected, rtol=1e-13)
    close(sj.inverse_jacfwd(f, there), expected, 10.0)
    close(sj.inverse_jacrev(f, there), expected, 10.0)


def test_inverse_matrices_of_several_arrays(cupy: Any) -> None:
    def f(x: Any) -> Any:
        return {"a": np.exp(x[0]), "b": x[1] * x[0][:2] + x[1][::-1]}

    x = (np.linspace(0.1, 0.5, 3), np.array([1.0, 2.0]))
    found = sj.inverse_jacfwd(f, tuple(cupy.asarray(part) for part in x))
    expected = sj.inverse_jacfwd(f, x)
    for k in (0, 1):
        for name in ("a", "b"):
            close(found[k][name], expected[k][name])


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.append(x[:2], x[0] + x[1]), np.ones(3)),  # a structure without an inverse
        (lambda x: (x - 1.0) ** 2, np.array([0.5, 1.0, 2.0])),  # a pivot that is zero
        (lambda x: np.stack([x[0] + x[1], x[0] + (1.0 + 1e-17) * x[1]]), np.ones(2)),  # pivots that cancel
        (lambda x: np.sqrt(x - 1.0), np.array([2.0, 1.0])),  # a derivative that is infinite
        (lambda x: tridiagonal(tridiagonal(x) * np.where(x > 0.5, 0.0, 1.0)), np.linspace(0.1, 1.0, 6)),
        (lambda x: x[:-1], np.ones(4)),  # not square
    ],
)
def test_the_same_errors_as_on_the_host(cupy: Any, f: Any, x: Any) -> None:
    with pytest.raises(sj.SparsejacError) as expected:
        sj.ivjp(f, x)
    with pytest.raises(type(expected.value)) as found:
        sj.ivjp(f, cupy.asarray(x))
    assert str(found.value) == str(expected.value)


def test_bad_scales_alone_are_no_singularity(pretended: Any) -> None:
    """Pivots that differ in size make the host look; what it finds good is solved on the device."""
    scales = 10.0 ** np.linspace(-9.0, 9.0, 12)
    f = lambda x: tridiagonal(scales * x)  # noqa: E731
    x, v = np.linspace(0.1, 1.0, 12) / scales, RNG.standard_normal(12)
    plan = sj.prepare_inverse(f, pretended.asarray(x))
    plan(pretended.asarray(x))
    there = pretended.asarray(x)
    counts.reset()
    inverse = plan(there)
    assert counts.to_host > 1
    expected = np.linalg.solve(complex_step(tridiagonal, scales * x), v) / scales
    np.testing.assert_allclose(inverse.ivjp(pretended.asarray(v)).get(), expected, rtol=1e-12)


def test_a_pivot_that_only_the_device_finds_zero(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host finds none, it is an error all the same: nothing is divided by zero."""
    x = cupy.asarray(np.linspace(0.1, 1.0, 6))

    def spoiled(factored: Any) -> Any:
        return factored.data.sum(), -np.inf

    monkeypatch.setattr(DeviceFactored, "slogdet", spoiled)
    monkeypatch.setattr(inverse_stages, "_are_good", lambda *given: cupy.zeros(()))
    with pytest.raises(sj.SingularError, match=r"ivjp: a pivot on the device is zero(.|\n)*damping"):
        sj.ivjp(tridiagonal, x)


def test_what_is_refused(cupy: Any) -> None:
    x = cupy.asarray(np.linspace(0.1, 1.0, 5))
    with pytest.raises(sj.InputTypeError, match=r"ivjp: v is a ndarray on the host(.|\n)*cupy.asarray"):
        sj.ivjp(tridiagonal, x)(np.ones(5))
    with pytest.raises(sj.InputError, match=r"ivjp: backend='numpy', with x on a device"):
        sj.ivjp(tridiagonal, x, backend="numpy")
    with pytest.raises(sj.InputError, match=r"lumps='few'"):
        sj.linearize_inverse(tridiagonal, x, lumps="few")  # type: ignore[arg-type]
    with pytest.raises(sj.InputTypeError, match=r"argument 1 is a NumPy array on the host"):
        sj.ivjp(lambda x, a: a * x, x, np.ones(5))
    with pytest.raises(sj.InputError, match=r"damping(.|\n)*no weight"):
        sj.newton_step(tridiagonal, x, damping=-1.0)
    with pytest.raises(sj.DeviceError, match=r"f calls numpy.fft.rfft, which runs on the host only"):
        sj.ivjp(lambda x: x + np.fft.rfft(x).real[0], x)


def test_the_other_device(pretended: Any) -> None:
    """A plan belongs to the device of its x; its products are made there, whatever the current device is."""
    with pretended.cuda.Device(1):
        x = pretended.asarray(np.linspace(0.1, 1.0, 6))
    plan = sj.prepare_inverse(chain, x)
    inverse = plan(x)
    assert (plan.device, inverse.device) == (1, 1)
    with pretended.cuda.Device(1):
        v = pretended.ones(6)
    assert inverse.ivjp(v).device.id == 1
    with pytest.raises(sj.InputError, match=r"x is on device 0, and the plan was made for device 1"):
        plan(pretended.ones(6))
