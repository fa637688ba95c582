"""Decisions that nobody waits for: entries become NaN where one came out otherwise, and a later call says so."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.device.driver import cupy, here
from sparsejac.device.evaluator import Outcome
from sparsejac.device.loaded import BLOCK
from sparsejac.errors import InputError
from sparsejac.kept import Kept
from sparsejac.location import user_location

TEXT = """
template <class T>
static __device__ void spoiled(const int *status, int *seen, T *out, unsigned long long size,
                               unsigned long long points)
{
    const unsigned long long first = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x;
    for (unsigned long long k = first; k < size * points; k += gridDim.x * (unsigned long long)blockDim.x)
        if (status[2 * (k / size)]) {
            if (k % size == 0)
                atomicExch(seen, 1);
            out[k] = (T)__longlong_as_double(0x7ff8000000000000LL);
        }
}

extern "C" __global__ void spoil_float64(const int *status, int *seen, double *out, unsigned long long size,
                                         unsigned long long points)
{
    spoiled(status, seen, out, size, points);
}

extern "C" __global__ void spoil_float32(const int *status, int *seen, float *out, unsigned long long size,
                                         unsigned long long points)
{
    spoiled(status, seen, out, size, points);
}
"""
_MOST_BLOCKS = 2048

_MODULES: Kept[Any] = Kept(64)


class Deferred:
    """Which of the deferred evaluations of a plan held, on one device.

    Evaluations on several streams share one word there; it is only ever set.
    """

    def __init__(self) -> None:
        self._spoil = _MODULES.get(here(), _compiled)
        self._seen = cupy().zeros(1, dtype=np.int32)
        self._pinned = cupy().cuda.alloc_pinned_memory(4)
        self._told = np.frombuffer(self._pinned, dtype=np.int32, count=1)
        self._told[0] = 0
        self._event: Any = None

    def follow(self, outcome: Outcome, outs: list[Any]) -> None:
        """Spoil what an evaluation wrote if a decision came out otherwise; nobody waits."""
        stream = cupy().cuda.get_current_stream()
        for out in outs:
            if out.size:
                blocks, points = min(-(-int(out.size) // BLOCK), _MOST_BLOCKS), outcome.workspace.points
                sizes = (np.uint64(out.size // points), np.uint64(points))
                self._spoil[out.dtype.name]((blocks,), (BLOCK,), (outcome.status, self._seen, out, *sizes))
        if stream.is_capturing():  # the graph is the caller's, who asks by `settle`
            return
        self._seen.data.copy_to_host_async(self._pinned.ptr, 4, stream)
        self._event = stream.record()

    def ask(self) -> None:
        """Raise if it is known by now that a decision came out otherwise.

        Raises
        ------
        InputError
        """
        if self._event is not None and self._event.done:
            self._raise(int(self._told[0]))

    def settle(self) -> None:
        """Wait for the device, and raise if a decision came out otherwise.

        Raises
        ------
        InputError
        """
        self._raise(int(self._seen.get()[0]))

    def _raise(self, seen: int) -> None:
        if not seen:
            return
        self._seen.fill(0)
        self._told[0], self._event = 0, None
        raise InputError(
            'plan: in an earlier evaluation with guards="deferred", a decision of f came out otherwise than at any '
            "x that the plan was traced at; what that evaluation wrote is NaN\n"
            f'  {user_location()}\n  Cure: evaluate there with guards="sync", which follows f anew; or write the '
            "decision as np.where, which holds for all x."
        )


def _compiled() -> Any:
    module = cupy().RawModule(code=TEXT, options=("--fmad=false", "-std=c++17"))
    return {name: module.get_function(f"spoil_{name}") for name in ("float64", "float32")}
