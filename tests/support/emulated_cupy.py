"""A small CuPy on the CPU: device arrays that refuse to become NumPy arrays by themselves, streams, graphs, kernels.

It knows what `sparsejac.device` and `coloring.device` call, and no more. CUDA text is compiled by the system's C++
compiler (`kernels.cuda.emulation`). What costs time on a device is counted: allocations, synchronisations, copies
from and to the host, launches.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from emulated_arrays import computed, memory_of, ndarray
from emulated_dense import lu_factor, lu_solve, solve_triangular
from emulated_kernels import RawKernel as RawKernel
from emulated_kernels import RawModule as RawModule
from emulated_machine import (
    DEVICES as DEVICES,
)
from emulated_machine import (
    CompileException,
    CUDARuntimeError,
    Device,
    Event,
    Graph,
    OutOfMemoryError,
    Pinned,
    Stream,
    allocated,
    counts,
    current_stream,
    launch,
    settings,
)
from emulated_machine import Settings as Settings
from emulated_sparse import (
    LinearOperator,
    SuperLU,
    cg,
    coo_matrix,
    csc_matrix,
    csr_matrix,
    gmres,
    spsolve,
    spsolve_triangular,
)
from kernels.lazy import load


def _has_gpu() -> bool:
    if find_spec("cupy") is None:
        return False
    real = import_module("cupy")
    try:
        return int(real.cuda.runtime.getDeviceCount()) > 0
    except real.cuda.runtime.CUDARuntimeError:
        return False


MACHINES = ("emulated", "gpu") if _has_gpu() else ("emulated",)
"""Where tests run: everywhere on this, and once more on a GPU where there is one."""


def _from_host(value: Any, dtype: Any = None, **_: object) -> ndarray:
    if isinstance(value, ndarray):
        return value if dtype in (None, value.dtype) else value.astype(dtype)
    if hasattr(value, "__cuda_array_interface__"):
        return ndarray(memory=np.asarray(_Shared(value.__cuda_array_interface__)))
    counts.to_device += 1
    return ndarray(memory=allocated(np.array(value, dtype=dtype)))


class _Shared:
    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = {k: v for k, v in interface.items() if k != "stream"}


def _from_dlpack(value: Any) -> ndarray:
    return ndarray(memory=value.memory if hasattr(value, "memory") else np.from_dlpack(value))


def _made(name: str) -> Callable[..., ndarray]:
    def make(shape: Any, *args: Any, **keywords: Any) -> ndarray:
        launch(lambda: None)
        return ndarray(memory=allocated(getattr(np, name)(shape, *args, **keywords)))

    return make


def _function(function: Any) -> Callable[..., Any]:
    def apply(*operands: Any, out: Any = None, **keywords: Any) -> Any:
        result = computed(function, *operands, **keywords)
        if out is None:
            return result
        out[...] = result
        return out

    apply.__name__ = apply.__qualname__ = function.__name__
    return apply


def _concatenate(parts: Any, axis: int = 0) -> ndarray:
    return ndarray(memory=allocated(np.concatenate([memory_of(part) for part in parts], axis)))


def _stack(parts: Any, axis: int = 0) -> ndarray:
    return ndarray(memory=allocated(np.stack([memory_of(part) for part in parts], axis)))


def _scattering(name: str) -> Callable[..., Any]:
    def scatter(a: Any, slices: Any, value: Any) -> None:
        raise AttributeError(f"{type(a).__name__!r} object has no attribute {name!r}")

    return scatter


def _device_count() -> int:
    if settings.failure is not None:
        raise settings.failure
    return DEVICES


_FUNCTIONS = (
    *("exp", "log", "sin", "cos", "tanh", "sqrt", "abs", "sum", "diff", "where", "maximum", "minimum", "dot", "cumsum"),
    *("bincount", "argsort", "roll", "max", "isfinite", "arctan2", "linspace", "square", "multiply", "add", "subtract"),
    "diagonal",
)


def modules() -> dict[str, ModuleType]:
    """The modules, by name."""
    names = ("cupy", "cupy.cuda", "cupyx", "cupyx.scipy", "cupyx.scipy.linalg", "cupyx.scipy.sparse")
    names = (*names, "cupyx.scipy.sparse.linalg")
    made = {name: ModuleType(name) for name in names}
    for name, module in made.items():
        module.__file__ = __file__
        outer, _, inner = name.rpartition(".")
        if outer:
            setattr(made[outer], inner, module)
    cupy, cuda = made["cupy"], made["cupy.cuda"]
    contents: dict[str, Any] = {name: _function(getattr(np, name)) for name in _FUNCTIONS}
    contents |= {name: _made(name) for name in ("zeros", "ones", "empty", "full", "arange", "eye")}
    contents |= {name: getattr(np, name) for name in ("float64", "float32", "int32", "int64", "pi", "newaxis", "inf")}
    contents |= {
        "ndarray": ndarray,
        "asarray": _from_host,
        "array": _from_host,
        "ascontiguousarray": lambda a: a if a.flags.c_contiguous else a.copy(),
        "asnumpy": lambda a: a.get() if isinstance(a, ndarray) else np.asarray(a),
        "concatenate": _concatenate,
        "stack": _stack,
        "from_dlpack": _from_dlpack,
        "RawModule": RawModule,
        "is_available": lambda: True,
        "get_array_module": lambda *args: cupy,
        "shares_memory": lambda a, b: np.shares_memory(a.memory, b.memory),
        "__version__": "14.2.0",
    }
    vars(cupy).update(contents)
    vars(cuda).update(
        Device=Device,
        Stream=Stream,
        Event=Event,
        Graph=Graph,
        get_current_stream=current_stream,
        alloc_pinned_memory=lambda size: np.zeros(size, np.uint8).view(Pinned),
    )
    vars(cuda)["get_elapsed_time"] = lambda a, b: 1.0
    cuda.runtime = ModuleType("cupy.cuda.runtime")  # type: ignore[attr-defined]
    vars(cuda.runtime).update(
        getDeviceCount=_device_count,
        CUDARuntimeError=CUDARuntimeError,
        memGetInfo=lambda: (settings.memory, settings.memory),
        driverGetVersion=lambda: 12040,
        runtimeGetVersion=lambda: 12040,
        getDeviceProperties=lambda k: {"name": b"a pretended device", "l2CacheSize": 4 << 20},
    )
    cuda.memory = ModuleType("cupy.cuda.memory")  # type: ignore[attr-defined]
    cuda.compiler = ModuleType("cupy.cuda.compiler")  # type: ignore[attr-defined]
    cuda.memory.OutOfMemoryError = OutOfMemoryError
    cuda.compiler.CompileException = CompileException
    made |= {"cupy.cuda.runtime": cuda.runtime, "cupy.cuda.memory": cuda.memory, "cupy.cuda.compiler": cuda.compiler}
    vars(made["cupyx"]).update({name: _scattering(name) for name in ("scatter_add", "scatter_max", "scatter_min")})
    sparse, linalg = made["cupyx.scipy.sparse"], made["cupyx.scipy.sparse.linalg"]
    vars(sparse).update(csr_matrix=csr_matrix, csc_matrix=csc_matrix, coo_matrix=coo_matrix, linalg=linalg)
    vars(linalg).update(LinearOperator=LinearOperator, SuperLU=SuperLU, spsolve=spsolve, gmres=gmres, cg=cg)
    vars(linalg).update(spsolve_triangular=spsolve_triangular)
    dense = vars(made["cupyx.scipy.linalg"])
    dense.update(lu_factor=lu_factor, lu_solve=lu_solve, solve_triangular=solve_triangular)
    cupy.modules = made  # type: ignore[attr-defined]
    return made


ndarray.__module__ = "cupy"


@contextmanager
def emulated() -> Iterator[Any]:
    """`cupy` and `cupyx` are this, as long as the block lasts."""
    made = modules()
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    load.cache_clear()
    counts.reset()
    try:
        yield made["cupy"]
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        load.cache_clear()
        settings.memory, settings.failure = Settings.memory, Settings.failure


@pytest.fixture(params=MACHINES)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An emulated CuPy, and the one of the machine where it has a GPU."""
    if request.param == "gpu":
        load.cache_clear()
        yield import_module("cupy")
        return
    with emulated() as module:
        yield module


@pytest.fixture
def pretended() -> Iterator[Any]:
    """An emulated CuPy, for tests that count or that break the machine."""
    with emulated() as module:
        yield module
