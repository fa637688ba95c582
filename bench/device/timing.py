"""Times on a device by CUDA events, and the bandwidth of a copy, by which others are judged."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

REPEATS = 30
WARM = 5


def seconds(cupy: Any, work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median time of some work on the current stream, between two events; nothing is waited for in between."""
    for _ in range(WARM):
        work()
    pairs = [(cupy.cuda.Event(), cupy.cuda.Event()) for _ in range(repeats)]
    for begin, end in pairs:
        begin.record()
        work()
        end.record()
    pairs[-1][1].synchronize()
    return median(float(cupy.cuda.get_elapsed_time(begin, end)) * 1e-3 for begin, end in pairs)


def host_seconds(cupy: Any, work: Callable[[], Any], calls: int = 1000) -> float:
    """Time that the host takes to ask for some work, while the device is not waited for."""
    for _ in range(WARM):
        work()
    stream = cupy.cuda.get_current_stream()
    stream.synchronize()
    start = perf_counter()
    for _ in range(calls):
        work()
    found = (perf_counter() - start) / calls
    stream.synchronize()
    return found


def once(work: Callable[[], Any]) -> tuple[float, Any]:
    """Time of one call on the host, and what it gave."""
    start = perf_counter()
    found = work()
    return perf_counter() - start, found


def copy_bandwidth(cupy: Any, size: int) -> float:
    """Bytes read and written by a copy of `size` bytes, in a second."""
    source = cupy.zeros(size // 8)
    target = cupy.zeros(size // 8)

    def copy() -> None:
        target[...] = source

    return 2.0 * float(source.nbytes) / seconds(cupy, copy)
