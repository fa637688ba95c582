"""The machine: streams, several devices, other libraries' arrays, and what is said where something is missing."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import emulated_cupy as machine
from emulated_arrays import Foreign
from emulated_cupy import counts
from emulated_cupy import pretended as pretended
from gpu_sources import check_source
from kernels.cuda import nvrtc
from sparsejac import InputError, jacobian_operator, prepare, sparse_jacobian
from sparsejac.device import deferred
from sparsejac.device.driver import count_devices, told
from sparsejac.errors import DeviceError
from sparsejac.residence import holds_device_array, is_on_device

X = np.linspace(0.1, 1.0, 6)


def f(x: Any) -> Any:
    return np.exp(x[1:]) * x[:-1]


EXPECTED = sparse_jacobian(f, X).data


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvrtc_takes_the_text(architecture: str) -> None:
    """What is not printed but written: the kernel of deferred decisions."""
    if nvrtc.find_library() is None:
        pytest.skip("no NVRTC (nvidia-cuda-nvrtc-cu12)")
    check_source(deferred.TEXT, architecture)


def test_import_is_light() -> None:
    """`import sparsejac`, and all it does with arrays of the host, imports no CuPy."""
    text = (
        "import sys, numpy as np, sparsejac; sparsejac.prepare(lambda x: x[1:] * x[:-1], np.ones(3))(np.ones(3));"
        "assert not {'cupy', 'cupyx', 'sparsejac.device'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", text], check=True)


def test_streams_have_work_arrays_of_their_own(pretended: Any) -> None:
    """The caller's current stream is used; what runs on another one disturbs nothing."""

    def sums(x: Any) -> Any:
        y = np.exp(x).reshape(-1, 3).sum(axis=1)
        return y[1:] * y[:-1]

    x = np.linspace(0.1, 1.0, 30)
    plan = prepare(sums, pretended.asarray(x), strategy="identity")
    expected = sparse_jacobian(sums, x).data
    streams = [pretended.cuda.Stream() for _ in range(3)]
    plan.values(pretended.asarray(x))
    (held,) = plan._ways._held.values()
    for stream in streams:
        with stream:
            found = plan.values(pretended.asarray(x))
            stream.synchronize()
            np.testing.assert_allclose(found.get(), expected, rtol=1e-14)
    spaces = held.evaluator.loaded("data")._workspaces
    assert len(spaces) == 4
    addresses = [{int(array.data.ptr) for array in space.arrays.values()} for space in spaces.values()]
    assert sum(map(len, addresses)) == len(set().union(*addresses))


def test_threads_share_a_plan(pretended: Any) -> None:
    """Threads on one stream, and first calls at the same time."""
    plan = prepare(f, pretended.asarray(X), strategy="identity")
    wrong: list[Any] = []

    def work(scale: float) -> None:
        for _ in range(20):
            found = plan.values(pretended.asarray(X * scale)).get()
            if not np.allclose(found, sparse_jacobian(f, X * scale).data, rtol=1e-13):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(1.0 + k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_several_devices(pretended: Any) -> None:
    """A plan for each device; x of another one is refused, and the current device is of no matter."""
    plans = []
    for device in (0, 1):
        with pretended.cuda.Device(device):
            plans.append((prepare(f, pretended.asarray(X)), pretended.asarray(X)))
    assert [plan.device for plan, _ in plans] == [0, 1]
    for plan, x in plans:
        found = plan.values(x)
        assert found.device.id == plan.device
        np.testing.assert_allclose(found.get(), EXPECTED, rtol=1e-14)
        assert plan(x).indices.device.id == plan.device
    with pytest.raises(InputError, match=r"x is on device 1, and the plan was made for device 0(.|\n)*one for each"):
        plans[0][0](plans[1][1])
    with pytest.raises(InputError, match="arrays on several devices"):
        sparse_jacobian(lambda x: x["a"] * x["b"], {"a": plans[0][1], "b": plans[1][1]})
    assert sparse_jacobian(f, plans[1][1]).data.device.id == 1


class Interface:
    """One that speaks the older protocol alone."""

    def __init__(self, array: Any) -> None:
        self.__dict__["_array"] = array

    @property
    def __cuda_array_interface__(self) -> Any:
        return self._array.__cuda_array_interface__


class OnHost:
    """An array of a library that knows devices, and is on none."""

    @property
    def __cuda_array_interface__(self) -> Any:
        raise AttributeError("not on a device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


@pytest.mark.parametrize("wrap", [Foreign, Interface])
def test_arrays_of_other_libraries(pretended: Any, wrap: Any) -> None:
    """They are read where they lie; results are CuPy's, and go out by DLPack."""
    x = wrap(pretended.asarray(X))
    assert is_on_device(x)
    counts.reset()
    plan = prepare(f, x)
    found = plan(x)
    np.testing.assert_allclose(found.get().data, EXPECTED, rtol=1e-14)
    np.testing.assert_allclose(np.from_dlpack(found.data.memory), EXPECTED, rtol=1e-14)
    assert found.data.__dlpack_device__()[0] == 2


def test_what_lies_on_a_device(pretended: Any) -> None:
    """Arrays of the host are told by their type alone; containers are searched."""
    there = pretended.asarray(X)
    assert not any(map(holds_device_array, (X, 1.0, [1.0] * 100, {"a": X}, "text", None, OnHost(), X[0], [[X], 2])))
    assert all(map(holds_device_array, (there, {"a": [X, there]}, (1.0, there))))
    assert not is_on_device(OnHost())
    ring: list[Any] = [X]
    ring.append(ring)
    assert not holds_device_array(ring)


def test_calls_of_libraries_are_named(pretended: Any) -> None:
    """A step that LAPACK does is refused, by the name of the function."""
    a = np.eye(3) + 0.1
    with pytest.raises(DeviceError, match=r"f calls .*linalg.* runs on the host only(.|\n)*asnumpy"):
        prepare(lambda x: np.linalg.solve(a * x[0], x), pretended.asarray(np.ones(3)))


def test_no_room(pretended: Any) -> None:
    """How much was needed, what for, and what to do."""
    x = pretended.asarray(np.linspace(0.1, 1.0, 30_000))
    plan = prepare(lambda x: np.exp(x.reshape(-1, 3).sum(axis=1)) * x[:10_000], x, strategy="identity")
    machine.settings.memory = 50_000
    with pytest.raises(
        DeviceError,
        match=r"no room for the (entries|results), which needs 320\.0 kB; 50\.0 kB of(.|\n)*free_all_blocks",
    ):
        plan.values(x)
    with pytest.raises(DeviceError, match=r"no room for the plan, which needs(.|\n)*plan.explain\(\) tells"):
        plan.values(x, out=pretended.ndarray(plan.pattern.nnz, memory=np.empty(plan.pattern.nnz)))
    machine.settings.memory = machine.Settings.memory
    np.testing.assert_allclose(plan.values(x).get().shape, plan.pattern.nnz)


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (
            "cudaErrorInsufficientDriver: CUDA driver version is insufficient",
            r"driver is missing, or older(.|\n)*update the driver",
        ),
        ("cudaErrorNoDevice: no CUDA-capable device is detected", r"no CUDA device(.|\n)*nvidia-smi"),
        ("CuPy failed to load libnvrtc.so.12: OSError", r"NVRTC, the compiler of CUDA(.|\n)*\[ctk\]"),
        ("libcuda.so.1: cannot open shared object file", r"no NVIDIA driver(.|\n)*--gpus all"),
        ("libcudart.so.12: cannot open shared object file", r"CUDA version that it was made for(.|\n)*cupy-cuda13x"),
        ('Failure finding "libcublasLt.so.13 or libcublasLt.so.12"', r"made for(.|\n)*`nvidia-smi` shows"),
        ("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image", r"for other devices"),
        ("something else", r"what failed \(RuntimeError: something else\)(.|\n)*show_config"),
    ],
)
def test_errors_of_the_machine(message: str, meaning: str) -> None:
    """Each is told with its cure."""
    with pytest.raises(DeviceError, match=meaning):
        raise told(RuntimeError(message), "what failed")


def test_errors_of_cuda_are_told(pretended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What CuPy raises while a plan is compiled, or runs, comes in a user's terms."""
    x = pretended.asarray(X)

    def fails(*_: Any, **__: Any) -> Any:
        raise machine.CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    monkeypatch.setattr(machine.RawModule, "compile", fails)
    with pytest.raises(DeviceError, match="or older than CuPy's CUDA"):
        prepare(lambda x: x[1:] ** 4 * x[:-1], x).values(x)
    monkeypatch.undo()

    def refuses(*_: Any, **__: Any) -> Any:
        raise machine.CompileException("error: expected a ;")

    monkeypatch.setattr(machine.RawModule, "compile", refuses)
    with pytest.raises(DeviceError, match=r"NVRTC refused(.|\n)*bug of sparsejac"):
        prepare(lambda x: x[1:] ** 3 * x[:-1], x).values(x)


def test_without_cupy(pretended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of another library, and no CuPy: what to install."""
    x = Foreign(pretended.asarray(X))
    monkeypatch.setitem(sys.modules, "cupy", None)
    machine.load.cache_clear()
    assert count_devices() == 0
    with pytest.raises(DeviceError, match=r"CuPy cannot be imported(.|\n)*pip install .cupy-cuda12x"):
        prepare(f, x)
    machine.load.cache_clear()


def test_parts_of_cupy_that_cannot_be_loaded(pretended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy is there, and not what its solvers need."""
    monkeypatch.setitem(sys.modules, "cupyx.scipy.sparse.linalg", None)
    machine.load.cache_clear()
    with pytest.raises(DeviceError, match=r"cupyx.scipy.sparse.linalg cannot be imported(.|\n)*show_config"):
        jacobian_operator(f, pretended.asarray(X))
    machine.load.cache_clear()


def test_devices_are_counted(pretended: Any) -> None:
    assert count_devices() == machine.DEVICES
    machine.settings.failure = machine.CUDARuntimeError("cudaErrorNoDevice")
    assert count_devices() == 0
