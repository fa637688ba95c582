"""A printed module on a device: compiled, with its tables there, its work buffers by stream, its launches bound.

Work buffers belong to a stream: what runs on one stream runs in order, so that its evaluations never disturb each
other, and streams disturb each other neither. A launch gets addresses; those of all launches of a run are worked out
once for each set of arrays that come with it, and after a few runs on the same arrays they are one CUDA graph.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from time import perf_counter
from typing import Any

import numpy as np

from kernels.cuda import Buffer, Dispatch, Module, Number, Pointer
from kernels.cuda.module import Argument
from sparsejac.device.driver import cupy, managed

BLOCK = 256
"""Threads of a block."""

MOST_BLOCKS = 1 << 20
"""Launches of more threads give several points to a thread."""

CAPTURED_AFTER = 2
"""Runs on the same arrays after which a run of several launches becomes a graph."""

_BINDINGS = 8
"""Sets of arrays whose addresses are kept."""

_STREAMS = 8
"""Streams whose work buffers are kept."""

_PER_THREAD = 2
"""The handle of the default stream that each thread has of its own."""

_OWN = ("work", "scratch")
"""Roles of buffers that belong to one stream."""

_OPTIONS = ("--fmad=false", "-std=c++17")
"""Contraction would change the last bits; CuPy names the architecture."""


class Loaded:
    """A module on one device, which is the current one at every call.

    Parameters
    ----------
    module : Module
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self._workspaces: OrderedDict[tuple[int, int, int], Workspace] = OrderedDict()
        self._lock = RLock()
        with managed(self.bytes):
            start = perf_counter()
            compiled = cupy().RawModule(code=module.source, options=_OPTIONS)
            self.functions = {name: compiled.get_function(name) for name in module.functions}
            self.compile_seconds = perf_counter() - start
            """What NVRTC took, or reading what it made earlier."""
            self.tables = {k: _made(b) for k, b in enumerate(module.buffers) if b.role == "table"}

    @property
    def bytes(self) -> int:
        """What tables, and work buffers for one point and one stream, need."""
        return self.module.bytes

    @property
    def work_bytes(self) -> int:
        """What the work buffers for one point need."""
        return sum(b.bytes for b in self.module.buffers if b.role in _OWN)

    def workspace(self, points: int = 1) -> Workspace:
        """The work buffers for the current stream, and for so many points at once."""
        stream = cupy().cuda.get_current_stream()
        key = (int(stream.ptr), threading.get_ident() if stream.ptr == _PER_THREAD else 0, points)
        with self._lock:
            found = self._workspaces.get(key)
            if found is None:
                with managed(self.work_bytes * points):
                    found = self._workspaces[key] = Workspace(self, stream, points)
                while len(self._workspaces) > _STREAMS:
                    self._workspaces.popitem(last=False)
            self._workspaces.move_to_end(key)
            return found


def _made(buffer: Buffer, points: int = 1) -> Any:
    """A buffer on the device, once for each of some points."""
    if buffer.role == "scratch":
        return cupy().empty(max(points * buffer.size, 1), dtype=buffer.dtype)
    if buffer.initial is None or not buffer.initial.any():
        return cupy().zeros(max(points * buffer.size, 1), dtype=buffer.dtype)
    return cupy().asarray(np.tile(np.asarray(buffer.initial, dtype=buffer.dtype), points))


@dataclass(frozen=True, eq=False)
class Call:
    """A launch with all that it gets."""

    function: Any
    grid: tuple[int, ...]
    block: tuple[int]
    arguments: tuple[Any, ...]

    def make(self) -> None:
        """Launch it on the current stream."""
        self.function(self.grid, self.block, self.arguments)


class Workspace:
    """The work buffers of a module for one stream.

    Parameters
    ----------
    loaded : Loaded
    stream : object
        Kept, so that no other stream gets its handle.
    points : int
        Of a batched module: how many points a run serves.
    """

    def __init__(self, loaded: Loaded, stream: Any, points: int) -> None:
        self._loaded = loaded
        self.stream = stream
        self.points = points
        self.lock = RLock()
        """Held while the launches of a run are made: threads may share a stream."""
        self.arrays = {k: _made(b, points) for k, b in enumerate(loaded.module.buffers) if b.role in _OWN}
        self._bound: OrderedDict[tuple[Any, ...], Bound] = OrderedDict()

    def run(self, name: str, inputs: Sequence[Any], out: Any, shared: Set[int] = frozenset()) -> Bound:
        """Make all launches of a run on the current stream; give them, to be made again on the same arrays.

        Parameters
        ----------
        name : str
        inputs : sequence of array of CuPy
            Float64, contiguous, of the right sizes.
        out : array of CuPy
        shared : set of int
            Of a batched module: the inputs, by position, that all points have in common.
        """
        key = (name, out.data.ptr, *(array.data.ptr for array in inputs))
        with self.lock:
            bound = self._bound.get(key)
            if bound is None:
                bound = self._bound[key] = Bound(self._calls(name, inputs, out, shared))
                if len(self._bound) > _BINDINGS:
                    self._bound.popitem(last=False)
            else:
                self._bound.move_to_end(key)
            bound.run(self.stream)
            return bound

    def repeat(self, bound: Bound) -> bool:
        """Make the launches again, if the current stream is still the one of these buffers."""
        stream = cupy().cuda.get_current_stream()
        if stream.ptr != self.stream.ptr or stream.ptr == _PER_THREAD:
            return False
        with self.lock:
            bound.run(stream)
        return True

    def status(self, name: str) -> Any:
        """What a run found out, on the device: two int32 for each point; None where nothing is asked."""
        status = self._loaded.module.runs[name].status
        return None if status < 0 else self.arrays[status]

    def _calls(self, name: str, inputs: Sequence[Any], out: Any, shared: Set[int]) -> list[Call]:
        run = self._loaded.module.runs[name]
        arrays = {**self._loaded.tables, **self.arrays, **dict(zip(run.inputs, inputs, strict=True)), run.output: out}
        addresses = {k: int(array.data.ptr) for k, array in arrays.items()}
        common = {run.inputs[k] for k in shared}
        return [self._call(dispatch, addresses, common) for dispatch in run.dispatches if dispatch.threads]

    def _call(self, dispatch: Dispatch, addresses: dict[int, int], common: Set[int]) -> Call:
        blocks = 1 if dispatch.block_only else min(-(-dispatch.threads // BLOCK), MOST_BLOCKS)
        arguments = tuple(self._argument(argument, addresses, common) for argument in dispatch.arguments)
        grid = (blocks, self.points) if self._loaded.module.batched else (blocks,)
        return Call(self._loaded.functions[dispatch.function], grid, (BLOCK,), arguments)

    def _argument(self, argument: Argument, addresses: dict[int, int], common: Set[int]) -> Any:
        if isinstance(argument, Number):
            return np.dtype(argument.type).type(argument.value)
        buffer = self._loaded.module.buffers[argument.buffer]
        if isinstance(argument, Pointer):
            return np.uint64(addresses[argument.buffer] + argument.offset * np.dtype(buffer.dtype).itemsize)
        return np.uint64(0 if argument.buffer in common else buffer.size)


class Bound:
    """The launches of a run on given arrays; a graph of them once it pays.

    Parameters
    ----------
    calls : list of Call
    """

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self._runs = 0

    def run(self, stream: Any) -> None:
        """Make them on a stream, which is the current one."""
        self._runs += 1
        if self._runs <= CAPTURED_AFTER or len(self._calls) < 2 or stream.is_capturing():
            for call in self._calls:
                call.make()
            return
        self._captured.launch(stream)

    @cached_property
    def _captured(self) -> Any:
        """The launches as a graph; captured on a stream of its own, for the legacy stream cannot be captured."""
        with cupy().cuda.Stream(non_blocking=True) as own:
            own.begin_capture()
            for call in self._calls:
                call.make()
            return own.end_capture()
