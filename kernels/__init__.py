"""Loop nests as data, and what runs them: NumPy at once, or code generated and compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels.lazy import load

if TYPE_CHECKING:
    from kernels.address import Affine as Affine
    from kernels.address import Table as Table
    from kernels.executor import Executor as Executor
    from kernels.executor import active_buffers as active_buffers
    from kernels.executor import allocate as allocate
    from kernels.executor import allocate_partials as allocate_partials
    from kernels.executor import allocate_rows as allocate_rows
    from kernels.kernel import Instruction as Instruction
    from kernels.kernel import Kernel as Kernel
    from kernels.kernel import KernelBuilder as KernelBuilder
    from kernels.numba_executor import NumbaExecutor as NumbaExecutor
    from kernels.numba_executor import source_text as source_text
    from kernels.numpy_executor import NumpyExecutor as NumpyExecutor
    from kernels.operation import Operation as Operation
    from kernels.step import Access as Access
    from kernels.step import Guard as Guard
    from kernels.step import Launch as Launch
    from kernels.step import Schedule as Schedule
    from kernels.threads import num_threads as num_threads
    from kernels.threads import set_num_threads as set_num_threads

_PLACES = {
    "Affine": "kernels.address",
    "Table": "kernels.address",
    "Executor": "kernels.executor",
    "active_buffers": "kernels.executor",
    "allocate": "kernels.executor",
    "allocate_partials": "kernels.executor",
    "allocate_rows": "kernels.executor",
    "Instruction": "kernels.kernel",
    "Kernel": "kernels.kernel",
    "KernelBuilder": "kernels.kernel",
    "NumbaExecutor": "kernels.numba_executor",
    "source_text": "kernels.numba_executor",
    "NumpyExecutor": "kernels.numpy_executor",
    "Operation": "kernels.operation",
    "Access": "kernels.step",
    "Guard": "kernels.step",
    "Launch": "kernels.step",
    "Schedule": "kernels.step",
    "num_threads": "kernels.threads",
    "set_num_threads": "kernels.threads",
}
"""Where the names are: imported when they are first asked for, so that who needs a part pays for a part."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(load(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
