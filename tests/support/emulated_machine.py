"""The machine behind `emulated_cupy`: devices, streams, graphs and events, and counts of what costs time there.

Launches run at once, or when the graph that is being captured is replayed. Copies to the host that were asked for
asynchronously arrive when someone waits for them, so that whoever forgets to wait reads nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from kernels.cuda.racecheck import KnownArrays

DEVICES = 2
KNOWN = KnownArrays()
"""Arrays whose addresses were asked for."""


@dataclass
class Counts:
    """What was done since the last `reset`."""

    allocations: int = 0
    synchronisations: int = 0
    to_host: int = 0
    bytes_to_host: int = 0
    to_device: int = 0
    launches: int = 0
    captures: int = 0
    replays: int = 0
    compilations: int = 0

    def reset(self) -> None:
        """Begin to count anew."""
        for each in fields(self):
            setattr(self, each.name, 0)


counts = Counts()
_state = threading.local()


@dataclass
class Settings:
    """The machine that is pretended: bytes that fit on a device, and what asking for devices raises."""

    memory: int = 2**32
    failure: Exception | None = None


settings = Settings()


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime."""


class OutOfMemoryError(MemoryError):
    """A device has no room."""


class CompileException(Exception):
    """A text could not be compiled."""


class Device:
    """A device; as a context, the current one."""

    def __init__(self, device: int | None = None) -> None:
        self.id = current_device() if device is None else device
        if self.id >= DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> Device:
        _state.__dict__.setdefault("before", []).append(current_device())
        _state.device = self.id
        return self

    def __exit__(self, *_: object) -> None:
        _state.device = _state.before.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return self.id

    def use(self) -> None:
        """Make it the current one."""
        _state.device = self.id

    def synchronize(self) -> None:
        """Wait for all streams."""
        counts.synchronisations += 1
        for stream in list(Stream.known):
            stream.finish()

    @property
    def compute_capability(self) -> str:
        """As of an A100."""
        return "80"

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        return settings.memory, settings.memory


def current_device() -> int:
    return int(getattr(_state, "device", 0))


class Stream:
    """A stream; as a context, the current one. Asynchronous copies to the host wait for `synchronize`."""

    known: list[Stream] = []  # noqa: RUF012
    null: Stream
    _next = 0x1000

    def __init__(self, null: bool = False, non_blocking: bool = False, ptr: int | None = None) -> None:
        Stream._next += 0x100
        self.ptr = 0 if null else Stream._next if ptr is None else ptr
        self.recorded: list[Callable[[], None]] | None = None
        self._waiting: list[Callable[[], None]] = []
        Stream.known.append(self)

    def __enter__(self) -> Stream:
        _state.__dict__.setdefault("streams", []).append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _state.streams.pop()

    def later(self, copy: Callable[[], None]) -> None:
        """Do something when someone waits."""
        self._waiting.append(copy)

    def finish(self) -> None:
        """Do what waits."""
        while self._waiting:
            self._waiting.pop(0)()

    def synchronize(self) -> None:
        """Wait."""
        counts.synchronisations += 1
        assert self.recorded is None, "a synchronisation while a graph is captured"
        self.finish()

    def begin_capture(self, mode: int | None = None) -> None:
        """Record what follows instead of running it."""
        assert self.ptr not in (0, 1), "the legacy stream cannot be captured"
        counts.captures += 1
        self.recorded = []

    def end_capture(self) -> Graph:
        """What was recorded."""
        recorded, self.recorded = self.recorded, None
        assert recorded is not None
        return Graph(recorded)

    def is_capturing(self) -> bool:
        """Whether it records."""
        return self.recorded is not None

    def record(self, event: Event | None = None) -> Event:
        """An event behind what was asked for so far."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Everything is in order anyway."""


Stream.null = Stream(null=True)


class Graph:
    """Launches that were recorded."""

    def __init__(self, recorded: list[Callable[[], None]]) -> None:
        self.recorded = recorded

    def launch(self, stream: Stream | None = None) -> None:
        """Run them."""
        counts.replays += 1
        for launch in self.recorded:
            launch()

    def upload(self, stream: Stream | None = None) -> None:
        """Make ready to run."""


class Event:
    """A place in a stream."""

    def __init__(self, *_: object, **__: object) -> None:
        self._stream: Stream | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Stand behind what was asked for so far."""
        self._stream = stream or current_stream()

    @property
    def done(self) -> bool:
        """Whether all of it is over: nothing is, before someone waits."""
        return self._stream is None or not self._stream._waiting

    def synchronize(self) -> None:
        """Wait."""
        if self._stream is not None:
            self._stream.synchronize()


def current_stream(device: int = -1) -> Stream:
    """The stream of this thread."""
    streams = getattr(_state, "streams", None)
    return streams[-1] if streams else Stream.null


def allocated(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Count an allocation, and refuse one that does not fit."""
    assert not current_stream().is_capturing(), "an allocation while a graph is captured"
    if array.nbytes > settings.memory:
        raise OutOfMemoryError(f"Out of memory allocating {array.nbytes} bytes")
    counts.allocations += 1
    return KNOWN.fenced(array)


class Pinned(np.ndarray[Any, Any]):
    """Host memory that copies arrive in."""

    @property
    def ptr(self) -> int:
        """Its address."""
        return self.ctypes.data


def launch(run: Callable[[], Any], stream: Stream | None = None) -> None:
    """Run at once, or when the graph that is being captured is replayed."""
    counts.launches += 1
    stream = stream or current_stream()
    if stream.recorded is not None:
        stream.recorded.append(run)
    else:
        run()
