"""Times on a device by CUDA events, and the bandwidth of a copy, by which others are judged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

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


_CHAINS = 8
_BLOCK = 256
_ARITHMETIC = """
extern "C" __global__ void {name}(double *out, const double a, const double b, const int turns)
{{
    double v[{chains}], sum = 0.0;
    for (int k = 0; k < {chains}; ++k)
        v[k] = a + b * k;
    for (int turn = 0; turn < turns; ++turn)
        for (int k = 0; k < {chains}; ++k)
            v[k] = {step};
    for (int k = 0; k < {chains}; ++k)
        sum += v[k];
    out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}}
"""


def arithmetic_rates(cupy: Any, blocks: int, turns: int) -> tuple[float, float]:
    """Fused multiply-adds, and divisions, of float64 in a second: all threads busy, eight independent ones in each."""
    out = cupy.empty(blocks * _BLOCK)
    arguments = (out, np.float64(0.999), np.float64(0.001), np.int32(turns))
    rates = []
    for name, step in (("additions", "fma(v[k], a, b)"), ("divisions", "a / v[k]")):
        text = _ARITHMETIC.format(name=name, step=step, chains=_CHAINS)
        function = cupy.RawModule(code=text, options=("--fmad=false", "-std=c++17")).get_function(name)
        taken = seconds(cupy, partial(function, (blocks,), (_BLOCK,), arguments))
        rates.append(blocks * _BLOCK * _CHAINS * turns / taken)
    return rates[0], rates[1]


def copy_bandwidth(cupy: Any, size: int) -> float:
    """Bytes read and written by a copy of `size` bytes, in a second."""
    source = cupy.zeros(size // 8)
    target = cupy.zeros(size // 8)

    def copy() -> None:
        target[...] = source

    return 2.0 * float(source.nbytes) / seconds(cupy, copy)
