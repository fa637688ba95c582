"""A device on the CPU that watches all loads and stores: races between threads, and places outside of arrays.

The compiler is asked to call a function before each load and store, as for its own detector of races
(``-fsanitize=thread``), and `racecheck.cpp` is what it calls: so nothing in a source has to be printed otherwise, and
texts that were written by hand are watched as well. Nothing is optimised, so that no load or store is left out.
"""

from __future__ import annotations

import ctypes
import re
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from kernels.cache import read_bundle, write_bundle
from kernels.cuda.emulation import OPTIONS, boxed, digest, emulated_text, loaded, passed, required_compiler, run

_WATCHED = ("-O0", "-DCHECKED", "-fno-exceptions", "-fsanitize=thread", "-c")
_LIBRARIES = ("-nodefaultlibs", "-lm", "-lc", "-lgcc")
"""C's alone: to look into that of C++ takes as long as to compile most sources."""
_RUNTIME = Path(__file__).with_name("racecheck.cpp")
_MOST = 16
_MOST_KNOWN = 4096

FENCE = 4096
"""Bytes around an array."""
_KINDS = {1: "race", 2: "outside", 3: "unwritten"}
_SIGNATURE = r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?{}\s*\(([^)]*)\)"


class MemoryAccessError(Exception):
    """Threads of a launch disturb each other, or one of them leaves the arrays that it was given."""


class _Extent(ctypes.Structure):
    _fields_ = (("start", ctypes.c_uint64), ("size", ctypes.c_uint64))


class _Report(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("extent", "place")),
        *((name, ctypes.c_uint32) for name in ("kind", "size", "writes", "other_writes", "thread", "other")),
    )


@dataclass(frozen=True, eq=False)
class Watched:
    """A function of a source, and the parameters that are pointers: their places and names."""

    name: str
    door: Any
    check: Any
    pointers: tuple[tuple[int, str], ...]


class RaceChecker:
    """A `kernels.cuda.runtime.Runtime` on the CPU that raises where a launch has a race or leaves its arrays.

    Parameters
    ----------
    order : int
        Of blocks and threads; see `kernels.cuda.emulation.Emulator`.

    Notes
    -----
    Two threads race if both touch a word of memory, one of them stores, not both by atomic or relaxed operations, and
    no barrier of their block stands between them: whether the outcome depends on it is not asked. An array is all
    memory that was allocated together. Around those that were allocated here or fenced (`KnownArrays.fenced`) nobody
    has a place; what lies further out may belong to another array of the same launch, and is then not seen to be
    outside. Shared memory has to be written in a block before it is read there.

    Raises
    ------
    RuntimeError
        If there is no C++ compiler, or the system is not Linux.
    """

    def __init__(self, order: int = 0) -> None:
        if sys.platform != "linux":
            raise RuntimeError(f"RaceChecker(): it knows Linux alone, and this is {sys.platform}; use Emulator()")
        self._compiler = required_compiler()
        self.order = order
        self.known = KnownArrays()

    def load(self, source: str, functions: Sequence[str]) -> Mapping[str, Watched]:
        """Compile the text behind the header; see `Emulator.load`."""
        parts = (self._compiler, *OPTIONS, *_WATCHED, _RUNTIME.read_text(encoding="utf-8"))
        library = loaded(parts, emulated_text(source, functions), self._build)
        check = library.emulated_check
        check.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_uint] * 4, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p
        ]  # fmt: skip
        check.restype = ctypes.c_uint
        return {
            name: Watched(name, getattr(library, f"emulate_{name}"), check, _pointers(source, name))
            for name in functions
        }

    def upload(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy."""
        return self.known.fenced(array)

    def zeros(self, size: int, dtype: str) -> npt.NDArray[Any]:
        """Zeros."""
        return self.known.fenced(np.zeros(size, dtype))

    def pointer(self, array: npt.NDArray[Any], offset: int) -> np.uint64:
        """The address of a place."""
        self.known.add(array)
        return np.uint64(array.ctypes.data + offset * array.itemsize)

    def launch(self, function: Watched, blocks: int, threads: int, arguments: Sequence[Any], points: int = 1) -> None:
        """Run all threads, and look.

        Raises
        ------
        MemoryAccessError
            What was seen: the function, its argument, the number there, and who touched it.
        """
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                self.known.add(argument)
        boxes, addresses = boxed(arguments)
        arrays = self._arrays(function, arguments)
        extents = (_Extent * (len(arrays) or 1))(*[_Extent(a.start, a.size) for a in arrays])
        reports = (_Report * _MOST)()
        grid = (blocks, points, threads, self.order)
        count = function.check(function.door, addresses, *grid, extents, len(arrays), reports)
        del boxes
        if count:
            lines = [_told(report, arrays, blocks, threads) for report in reports[:count]]
            raise MemoryAccessError("\n".join([f"{function.name}:", *dict.fromkeys(lines)]))

    def _arrays(self, function: Watched, arguments: Sequence[Any]) -> list[_Array]:
        found: dict[int, _Array] = {}
        for place, name in function.pointers:
            array = self.known.find(int(passed(arguments[place])), name)
            if array is not None:
                found.setdefault(array.start, array)
        return list(found.values())

    def _build(self, source: Path, library: Path) -> None:
        watched, runtime = source.with_suffix(".o"), source.with_name("racecheck.o")
        options = [o for o in OPTIONS if not o.startswith(("-O", "-shared"))]
        run([self._compiler, *options, *_WATCHED, "-o", watched, source])
        runtime.write_bytes(self._runtime(runtime))
        run([self._compiler, "-shared", "-Wl,-Bsymbolic", "-o", library, watched, runtime, *_LIBRARIES])

    def _runtime(self, target: Path) -> bytes:
        """`racecheck.cpp`, compiled once."""
        key = f"racecheck-{digest(self._compiler, _RUNTIME.read_text(encoding='utf-8'))}"
        known = read_bundle(key)
        if known is None:
            run([self._compiler, "-O2", "-std=c++17", "-fno-exceptions", "-fPIC", "-c", "-o", target, _RUNTIME])
            known = {target.name: target.read_bytes()}
            write_bundle(key, known)
        return known[target.name]


@dataclass(frozen=True)
class _Array:
    """Memory that was allocated together."""

    name: str
    start: int
    size: int
    itemsize: int


class KnownArrays:
    """Arrays that may be given to launches, by their addresses, as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, Any]] = {}
        self._sorted: list[int] | None = None
        self._fenced: dict[int, tuple[int, int, Any]] = {}

    def fenced(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy with memory around it that belongs to nobody."""
        memory = np.full(array.nbytes + 2 * FENCE, 0xA5, dtype=np.uint8)
        self._fenced[memory.ctypes.data] = (array.nbytes, array.itemsize, ref(memory))
        copied = memory[FENCE : FENCE + array.nbytes].view(array.dtype).reshape(array.shape)
        copied[...] = array
        return copied

    def add(self, array: npt.NDArray[Any]) -> None:
        """All memory that an array is a part of."""
        while isinstance(array.base, np.ndarray):
            array = array.base
        size, itemsize, memory = self._fenced.get(array.ctypes.data, (0, 0, None))
        is_fenced = memory is not None and memory() is array
        start = array.ctypes.data + FENCE * is_fenced
        if start not in self._known:
            self._sorted = None
            if len(self._known) > _MOST_KNOWN:
                self._known, self._fenced = _alive(self._known), _alive(self._fenced)
        self._known[start] = (size, itemsize, memory) if is_fenced else (array.nbytes, array.itemsize, ref(array))

    def find(self, address: int, name: str) -> _Array | None:
        """The memory in which an address lies; None if it is gone, or was never known."""
        if self._sorted is None:
            self._sorted = sorted(self._known)
        place = bisect_right(self._sorted, address) - 1
        while place >= 0:
            start = self._sorted[place]
            size, itemsize, alive = self._known[start]
            if alive() is not None:
                return _Array(name, start, size, itemsize) if address <= start + size else None
            del self._known[self._sorted.pop(place)]  # gone, and its memory may be that of another one
            place -= 1
        return None


def _alive(entries: dict[int, tuple[int, int, Any]]) -> dict[int, tuple[int, int, Any]]:
    return {start: entry for start, entry in entries.items() if entry[2]() is not None}


def _pointers(source: str, name: str) -> tuple[tuple[int, str], ...]:
    """The parameters of a function that are pointers."""
    found = re.search(_SIGNATURE.format(re.escape(name)), source)
    assert found is not None, name
    parameters = enumerate(found[1].split(","))
    return tuple((k, text.split("*")[-1].replace("__restrict__", "").strip()) for k, text in parameters if "*" in text)


def _told(report: Any, arrays: Sequence[_Array], blocks: int, threads: int) -> str:
    """One report in words."""
    who, kind = _thread(report.thread, blocks, threads), _KINDS[report.kind]
    does = f"{'writes' if report.writes else 'reads'} {report.size} bytes"
    if kind == "outside":
        near = min(arrays, key=lambda array: _distance(report.place, array), default=None)
        where = "" if near is None else f", {_beside(report.place, near)}"
        return f"{who} {does} outside of the arrays of the launch{where}"
    place = f"shared memory, byte {report.place}"
    if report.extent < len(arrays):
        array = arrays[report.extent]
        place = f"{array.name}, number {report.place // array.itemsize}"
    if kind == "unwritten":
        return f"{place}: {who} {does} that no thread of its block has written"
    other = f"{_thread(report.other, blocks, threads)} {'writes' if report.other_writes else 'reads'}"
    return f"{place}: {who} {does}, and {other} there, with no barrier in between"


def _distance(address: int, array: _Array) -> int:
    """Bytes from an address outside of an array to its next end."""
    return array.start - address if address < array.start else address - array.start - array.size


def _beside(address: int, array: _Array) -> str:
    end = "before the beginning" if address < array.start else "behind the end"
    return f"{_distance(address, array) // array.itemsize} numbers {end} of {array.name}"


def _thread(number: int, blocks: int, threads: int) -> str:
    block, thread = divmod(number - 1, threads + 1)
    point, block = divmod(block, blocks)
    return f"thread {thread} of block {block}" + (f", point {point}," if point else "")
