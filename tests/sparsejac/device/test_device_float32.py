"""Plans that keep numbers of 32 bits on the device: arithmetic is that of float64, what lies in memory is rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from api_options import EXPLICIT_STRATEGIES
from emulated_arrays import Foreign
from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from gpu_sources import check_source
from sparsejac.device.recording import record
from sparsejac.errors import DeviceError

EPS = float(np.finfo(np.float32).eps)


def single(n: int, low: float = 0.1, high: float = 1.0) -> Any:
    """Numbers that float32 holds."""
    return np.linspace(low, high, n).astype(np.float32)


def bratu(u: Any) -> Any:
    """One stage: its entries are partials, rounded once."""
    grid = np.zeros((9, 8))
    grid[1:-1, 1:-1] = u.reshape(7, 6)
    inside = grid[1:-1, 1:-1]
    around = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:]
    return (4.0 * inside - around - 0.1 * np.exp(inside)).reshape(-1)


def several_stages(x: Any) -> Any:
    """Sums of three terms, their products, a sum of all: positive throughout, so that nothing cancels."""
    y = np.exp(x).reshape(-1, 3).sum(axis=1)
    return np.append(y[1:] * np.sqrt(y[:-1]), np.sum(y * y))


def test_what_x_has_is_not_asked(cupy: Any) -> None:
    """As on the host, float32 becomes float64 by itself; float32 entries are asked for."""
    x = single(42)
    assert sj.sparse_jacobian(bratu, cupy.asarray(x)).dtype == np.float64
    plan = sj.prepare(bratu, cupy.asarray(x))
    assert plan.dtype == plan.values(cupy.asarray(x)).dtype == np.float64
    host = sj.prepare(bratu, x, backend="numba")
    np.testing.assert_array_equal(plan.values(cupy.asarray(x)).get(), host.values(x))
    for name in ("float32", np.float32, np.dtype(np.float32)):
        assert sj.prepare(bratu, cupy.asarray(x), dtype=name).dtype == np.float32


def test_one_stage_is_rounded_once(cupy: Any) -> None:
    """Entries are those of float64 to the last bit of float32; so they are for an x of float64, rounded first."""
    x = single(42)
    expected = sj.prepare(bratu, x, backend="numba").values(x).astype(np.float32)
    plan = sj.prepare(bratu, cupy.asarray(x), dtype="float32")
    assert "tiles_" in plan.source()
    for there in (cupy.asarray(x), cupy.asarray(x.astype(np.float64) * (1.0 + 1e-9))):
        J = plan(there)
        assert J.dtype == np.float32
        np.testing.assert_array_equal(J.get().data, expected)
    y, _ = plan.value_and_jacobian(cupy.asarray(x))
    assert y.dtype == plan.value(cupy.asarray(x)).dtype == np.float32
    np.testing.assert_array_equal(y.get(), plan.value(cupy.asarray(x)).get())
    np.testing.assert_allclose(y.get(), bratu(x.astype(np.float64)), rtol=2 * EPS, atol=2 * EPS)


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
def test_strategies(cupy: Any, strategy: Any) -> None:
    """Within n eps of float64, for n roundings on the way to an entry; not equal, for they happen."""
    x = single(30)
    exact = sj.sparse_jacobian(several_stages, x.astype(np.float64)).toarray()
    plan = sj.prepare(several_stages, cupy.asarray(x), dtype="float32", strategy=strategy)
    found = plan(cupy.asarray(x)).get().toarray()
    assert found.dtype == np.float32
    assert np.all(np.abs(found - exact) <= 10 * EPS * np.abs(exact))
    points = np.stack([x, x * np.float32(0.5)])
    rows = plan.values(cupy.asarray(points), batch=True)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[0].get(), plan.values(cupy.asarray(x)).get())
    np.testing.assert_array_equal(rows[1].get(), plan.values(cupy.asarray(points[1])).get())


def test_half_the_memory(cupy: Any) -> None:
    """All buffers of numbers have 32 bits; tables of places are as long."""
    engine = sj.prepare(several_stages, single(30), strategy="identity")._variants.first.engine
    wide, narrow = (record(engine, "data", np.dtype(name)).module for name in ("float64", "float32"))
    assert [b.size for b in wide.buffers] == [b.size for b in narrow.buffers]
    assert {b.dtype for b in wide.buffers} - {b.dtype for b in narrow.buffers} == {"float64"}
    run = narrow.runs["run"]
    assert all(narrow.buffers[k].dtype == "float32" for k in (*run.inputs, run.output))
    assert run.bytes < wide.runs["run"].bytes


def test_nothing_is_converted_or_allocated(pretended: Any) -> None:
    """x and `out` of float32 are used where they lie."""
    x = pretended.asarray(single(42))
    plan = sj.prepare(bratu, x, dtype="float32")
    out = plan.values(x)
    for _ in range(3):
        counts.reset()
        assert plan.values(x, out=out) is out
        assert counts.launches >= 1
        assert (counts.allocations, counts.synchronisations, counts.to_host, counts.to_device) == (0, 0, 0, 0)


def test_single_precision_of_other_libraries(pretended: Any) -> None:
    """PyTorch's arrays are of float32 mostly: they are read where they lie, and results go back by DLPack."""
    x = single(42)
    tensor = Foreign(pretended.asarray(x))
    plan = sj.prepare(bratu, tensor, dtype="float32")
    plan(tensor)
    counts.reset()
    J = plan(tensor)
    assert (counts.allocations, counts.to_host, counts.to_device) == (1, 0, 0)
    back = np.from_dlpack(J.data.memory)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, sj.prepare(bratu, x, backend="numba").values(x).astype(np.float32))


def test_operands_and_captured_arrays(cupy: Any) -> None:
    """They are rounded when they are brought to the device."""
    weights = np.linspace(0.3, 0.7, 6)

    def f(x: Any, c: Any, scale: float) -> Any:
        return weights * np.sin(x) * c + scale * x

    x, c = single(6), np.linspace(1.0, 2.0, 6)
    plan = sj.prepare(f, cupy.asarray(x), cupy.asarray(c), 0.1, dtype="float32")
    rounded = [a.astype(np.float32).astype(np.float64) for a in (weights, c)]
    for scale in (0.1, 0.7):
        found = plan(cupy.asarray(x), cupy.asarray(c), scale).get().diagonal()
        expected = rounded[0] * np.cos(x.astype(np.float64)) * rounded[1] + float(np.float32(scale))
        np.testing.assert_allclose(found, expected, rtol=2 * EPS)
    state = {"u": cupy.asarray(x), "p": 2.0}
    J = sj.prepare(lambda s: {"r": s["u"] * s["p"]}, state, dtype="float32")(state)
    np.testing.assert_array_equal(J["r"]["u"].get().diagonal(), np.full(6, 2.0, np.float32))


def branching(x: Any) -> Any:
    return x * x if x[0] > 0.5 else np.sin(x)


def test_decisions(cupy: Any) -> None:
    """They are asked on the device, and a flip follows f anew; deferred ones leave NaN."""
    low, high = single(5, 0.1, 0.4), single(5, 0.6, 0.9)
    plan = sj.prepare(branching, cupy.asarray(low), dtype="float32")
    np.testing.assert_array_equal(plan(cupy.asarray(high)).get().diagonal(), 2 * high)
    np.testing.assert_allclose(plan(cupy.asarray(low)).get().diagonal(), np.cos(low.astype(float)), rtol=EPS)
    assert plan.num_variants == 2
    late = sj.prepare(branching, cupy.asarray(low), dtype="float32")
    assert np.isnan(late.values(cupy.asarray(high), guards="deferred").get()).all()
    with pytest.raises(sj.InputError, match="came out otherwise"):
        late.settle()


def test_entries_that_are_not_finite_are_computed_again(cupy: Any) -> None:
    """On the host, in float64, at what float32 holds of x."""

    def f(x: Any) -> Any:
        return np.where(x > 0.0, np.sqrt(np.abs(x)), x) * x[::-1]

    x = np.array([0.0, 0.25, 4.0], np.float32)
    plan = sj.prepare(f, cupy.asarray(x), dtype="float32")
    np.testing.assert_allclose(
        plan(cupy.asarray(x)).get().toarray(), sj.sparse_jacobian(f, x.astype(float)).toarray(), rtol=EPS
    )


def test_decisions_that_float32_does_not_tell_apart(cupy: Any) -> None:
    """A place beyond 2**24 would be rounded to its neighbour: such plans are refused, and those of float64 are not."""
    table = np.arange(2.0)

    def f(x: Any) -> Any:
        return x * table[int(x[0] * 1.0) % 2] + x

    x = cupy.asarray(np.array([2.0**24 + 2.0, 1.0]))
    assert sj.prepare(f, x).shape == (2, 2)
    with pytest.raises(DeviceError, match=r"prepare: dtype=float32, and f decides on numbers(.|\n)*leave dtype= out"):
        sj.prepare(f, x, dtype="float32")
    small = cupy.asarray(np.array([3.0, 1.0]))
    np.testing.assert_array_equal(sj.prepare(f, small, dtype="float32").values(small).get(), [2.0, 2.0])


def test_wrong_types(cupy: Any) -> None:
    """The call, what came, the cure."""
    x = single(42)
    with pytest.raises(sj.InputError, match=r"dtype='float32' with x on the host(.|\n)*astype\(np.float32\)"):
        sj.prepare(bratu, x, dtype="float32")
    assert sj.prepare(bratu, x, dtype=np.float64).values(x).dtype == np.float64
    for wrong in ("float16", "int32", "no type", complex, object()):
        for place in (x, cupy.asarray(x)):
            with pytest.raises(sj.InputError, match=r"prepare: dtype=.*(.|\n)*pass float64 or float32"):
                sj.prepare(bratu, place, dtype=wrong)
    plan = sj.prepare(bratu, cupy.asarray(x), dtype="float32")
    with pytest.raises(sj.InputError, match=r"dtype float64; the entries(.|\n)*cupy.empty\(\(\d+,\), 'float32'\)"):
        plan.values(cupy.asarray(x), out=cupy.empty(plan.pattern.nnz))


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("strategy", ["forward", "elimination"])
def test_nvrtc_takes_the_text(strategy: Any, architecture: str) -> None:
    for f, n in ((bratu, 42), (several_stages, 30)):
        engine = sj.prepare(f, single(n), strategy=strategy)._variants.first.engine
        module = record(engine, "both", np.dtype(np.float32)).module
        assert "typedef float number;" in module.source
        check_source(module.source, architecture)
