"""What runs a printed module: the interface of devices, and a module loaded on one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kernels.cuda.module import Argument, Buffer, Dispatch, Module, Number, Pointer

BLOCK = 256
"""Threads of a block."""


class Runtime(Protocol):
    """A device. CuPy is one; `kernels.cuda.emulation` is one on the CPU."""

    def load(self, source: str, functions: Sequence[str]) -> Mapping[str, Any]:
        """Compile the text; give its functions by name."""

    def upload(self, array: npt.NDArray[Any]) -> Any:
        """Copy an array to the device."""

    def zeros(self, size: int, dtype: str) -> Any:
        """Allocate zeros on the device."""

    def pointer(self, array: Any, offset: int) -> Any:
        """The address of place `offset` of an array of the device, as `launch` takes it."""

    def launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[Any], points: int = 1) -> None:
        """Run ``blocks * threads`` threads for each point of a batch, whose number is ``blockIdx.y``.

        Arguments are pointers and NumPy's scalars. Later launches run later.
        """


class Device:
    """A module on a device: compiled, its tables uploaded, its work buffers allocated.

    Parameters
    ----------
    module : Module
    runtime : Runtime
    block : int
        Threads of a block.
    most_blocks : int
        Launches of more threads than ``block * most_blocks`` give several points to a thread.
    points : int
        Of a batch.
    shared : set of int
        Inputs that all points of a batch share.
    """

    def __init__(
        self,
        module: Module,
        runtime: Runtime,
        block: int = BLOCK,
        most_blocks: int = 1 << 20,
        points: int = 1,
        shared: Set[int] = frozenset(),
    ) -> None:
        self.module = module
        self.points = points
        self.shared = shared
        self.runtime = runtime
        self.block = block
        self.most_blocks = most_blocks
        self._functions = runtime.load(module.source, module.functions)
        self._kept = {k: self._own(b) for k, b in enumerate(module.buffers) if b.role not in ("input", "output")}

    def _own(self, buffer: Buffer) -> Any:
        times = 1 if buffer.role == "table" else self.points
        if buffer.initial is None:
            return self.runtime.zeros(times * buffer.size, buffer.dtype)
        return self.runtime.upload(np.tile(np.asarray(buffer.initial, dtype=buffer.dtype), times))

    def array(self, buffer: int) -> Any:
        """A work buffer or table (an index into ``module.buffers``) on the device, such as the status of a run."""
        return self._kept[buffer]

    def run(self, name: str, inputs: Sequence[Any], out: Any) -> None:
        """Make all launches of a run.

        Parameters
        ----------
        name : str
        inputs : sequence of arrays on the device
            Float64, flat, contiguous, of the sizes in ``module.buffers``: nobody looks.
        out : array on the device
        """
        run = self.module.runs[name]
        arrays = {**self._kept, **dict(zip(run.inputs, inputs, strict=True)), run.output: out}
        for dispatch in run.dispatches:
            blocks = 1 if dispatch.block_only else min(-(-dispatch.threads // self.block), self.most_blocks)
            if dispatch.threads:
                function = self._functions[dispatch.function]
                self.runtime.launch(function, blocks, self.block, self.arguments(dispatch, arrays), self.points)

    def arguments(self, dispatch: Dispatch, arrays: Mapping[int, Any]) -> list[Any]:
        """What a launch gets: pointers and scalars."""
        return [self._argument(argument, arrays) for argument in dispatch.arguments]

    def _argument(self, argument: Argument, arrays: Mapping[int, Any]) -> Any:
        if isinstance(argument, Pointer):
            return self.runtime.pointer(arrays[argument.buffer], argument.offset)
        if isinstance(argument, Number):
            return np.dtype(argument.type).type(argument.value)
        return np.uint64(0 if argument.buffer in self.shared else self.module.buffers[argument.buffer].size)
