"""What is printed for a device: one source text, the buffers that it works on, and the launches of each evaluation.

Everything here is data. Whoever has a device (`kernels.cuda.runtime.Runtime`) compiles the text once, uploads the
tables once, and then makes the launches of a run in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kernels.cuda.counting import Arithmetic

Role = Literal["input", "output", "work", "scratch", "table"]
NumberType = Literal["int32", "uint32", "int64", "uint64"]


@dataclass(frozen=True, eq=False)
class Buffer:
    """A flat array on the device.

    Parameters
    ----------
    name : str
        Unique in its module.
    role : {"input", "output", "work", "scratch", "table"}
        Inputs and outputs come with each run. What is in work buffers must still be there in the next run. Scratch
        memory is written before it is read, in each run: modules that never run at the same time may share it. Tables
        are only read.
    size : int
    dtype : str
        ``"float64"``, ``"uint32"``, ``"uint64"``, ``"int32"``.
    initial : array, optional
        What work buffers and tables hold before the first run; zeros if None.
    """

    name: str
    role: Role
    size: int
    dtype: str = "float64"
    initial: npt.NDArray[Any] | None = field(default=None, repr=False)

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return self.size * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Pointer:
    """An argument: the address of a place in a buffer (an index into `Module.buffers`), counted in its numbers."""

    buffer: int
    offset: int = 0


@dataclass(frozen=True)
class Number:
    """An argument: a whole number, passed by value."""

    value: int
    type: NumberType = "uint32"


@dataclass(frozen=True)
class Stride:
    """An argument of a batched module (uint64): how many numbers a buffer of one point is from that of the next.

    The size of the buffer; 0 for inputs that all points share.
    """

    buffer: int


Argument = Pointer | Number | Stride


@dataclass(frozen=True, eq=False)
class Dispatch:
    """One launch of a function of the source.

    Parameters
    ----------
    function : str
        Its name (``extern "C"``).
    threads : int
        How many have something to do. Any number of blocks of any size (a multiple of 32 up to 1024) gives the same
        results, because all loops are grid-stride loops; fewer than one thread for each of these is slower.
    arguments : tuple of Pointer, Number or Stride
    block_only : bool
        Whether the function has barriers between steps and must run in one single block.
    """

    function: str
    threads: int
    arguments: tuple[Argument, ...]
    block_only: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """The launches of one evaluation, in order.

    Parameters
    ----------
    name : str
    inputs : tuple of int
        The buffers (indices into `Module.buffers`) that the caller fills before each run, in the order in which they
        were given to `print_module`.
    output : int
        The buffer that the run writes; every place of it.
    status : int
        A buffer of two int32, or -1 without guards and checks: the first is 1 where a guard does not hold, the second
        where some place of the output is not finite. The run itself sets both.
    dispatches : tuple of Dispatch
    bytes : int
        Of the inputs, of the output and of the tables that it reads, each once: no run can move less.
    arithmetic : Arithmetic
        Operations of float64.
    """

    name: str
    inputs: tuple[int, ...]
    output: int
    status: int
    dispatches: tuple[Dispatch, ...]
    bytes: int
    arithmetic: Arithmetic


@dataclass(frozen=True, eq=False)
class Module:
    """All functions of one plan.

    Parameters
    ----------
    source : str
        CUDA C, complete in itself: nothing is included. To be compiled with ``--fmad=false``, no ``--use_fast_math``.
    buffers : tuple of Buffer
    runs : mapping of str to Run
    batched : bool
        Whether launches have two-dimensional grids: ``blockIdx.y`` is the number of a point, and all buffers but
        tables and shared inputs exist once for each point, one behind the other.
    """

    source: str
    buffers: tuple[Buffer, ...]
    runs: Mapping[str, Run]
    batched: bool = False

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of the functions that runs launch."""
        return tuple(dict.fromkeys(d.function for run in self.runs.values() for d in run.dispatches))

    @property
    def bytes(self) -> int:
        """Memory on the device, without inputs and outputs."""
        return sum(buffer.bytes for buffer in self.buffers if buffer.role not in ("input", "output"))
