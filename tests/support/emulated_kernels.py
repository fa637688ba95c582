"""Kernels of `emulated_cupy`: CUDA text compiled by the system's C++ compiler, all loads and stores watched.

Whatever runs here is checked for races and for places outside of arrays (`kernels.cuda.racecheck`), where the system
allows, and threads run in an order of no meaning. It is also compiled for a device, if there is NVRTC: warnings, stacks
and spills fail.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from emulated_arrays import ndarray
from emulated_machine import KNOWN, counts, launch
from gpu_sources import check_source
from kernels.cuda import nvrtc
from kernels.cuda.emulation import Emulator
from kernels.cuda.racecheck import RaceChecker


class RawKernel:
    """A function of a text."""

    def __init__(self, function: Callable[[int, int, list[Any], int], None], name: str) -> None:
        self._function = function
        self.name = name

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], **_: object) -> None:
        """Run it."""
        blocks, items, threads = int(grid[0]), int(np.prod(grid[1:], dtype=int)), int(np.prod(block))
        assert blocks * items > 0, "a launch without blocks is an error of CUDA"
        assert threads % 32 == 0
        for a in args:
            assert isinstance(a, ndarray | np.generic), f"{self.name}: an argument of type {type(a)}"
        # What is alive now is alive when a graph is replayed: whoever captured it keeps it.
        given = [np.uint64(a.data.ptr) if isinstance(a, ndarray) else a for a in args]
        launch(lambda: self._function(blocks, threads, given, items))


class RawModule:
    """A text that is compiled when a function is first asked for."""

    def __init__(self, code: str = "", options: tuple[str, ...] = (), backend: str = "nvrtc", **_: object) -> None:
        assert "-fmad=false" in options or "--fmad=false" in options, "contraction changes the last bits"
        self._code = code
        self._functions: dict[str, Any] | None = None

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        if self._functions is None:
            counts.compilations += 1
            if nvrtc.find_library() is not None:
                check_source(self._code, "sm_90")
            names = re.findall(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(", self._code)
            self._functions = dict(_EMULATOR.load(_BITS + self._code, names))

    def get_function(self, name: str) -> RawKernel:
        """One of its functions."""
        self.compile()
        assert self._functions is not None
        function = self._functions[name]
        return RawKernel(lambda blocks, threads, *rest: _EMULATOR.launch(function, blocks, threads, *rest), name)


def _machine() -> RaceChecker | Emulator:
    if sys.platform != "linux":
        return Emulator(["-O1"], order=3)
    checker = RaceChecker(order=3)
    checker.known = KNOWN
    return checker


_EMULATOR: Any = _machine()
_BITS = """
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
"""
"""What the texts of `coloring.device` call beside what printed ones do."""
