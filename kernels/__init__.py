"""Loop nests as data, and what runs them: NumPy at once, or code generated and compiled by numba."""

from __future__ import annotations

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
