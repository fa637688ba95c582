"""A device on the CPU: printed sources compiled by the system's C++ compiler, threads run one after the other.

What runs here is what runs on a GPU, to the last bit. Launches take seconds where a GPU takes microseconds: this is for
tests. What threads do to each other's memory is looked for by `kernels.cuda.racecheck`.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.cache import read_bundle, write_bundle

OPTIONS = ("-O2", "-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared")
"""Contraction is off, as with ``--fmad=false``; without errno, roots and roundings are instructions."""

HEADER = Path(__file__).with_name("emulation.h")
_loaded: dict[str, Any] = {}


def find_compiler() -> str | None:
    """The C++ compiler, if there is one."""
    return shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")


class Emulator:
    """A `kernels.cuda.runtime.Runtime` on the CPU; arrays of the device are NumPy's.

    Parameters
    ----------
    options : sequence of str
        Further options of the compiler.
    order : int
        In which order blocks, and the threads of a block, are run: 0 rising, 1 falling, others jumping. No result may
        depend on it.

    Raises
    ------
    RuntimeError
        If there is no C++ compiler.
    """

    def __init__(self, options: Sequence[str] = (), order: int = 0) -> None:
        self._command = (required_compiler(), *OPTIONS, *options)
        self.order = order
        self.launches = 0

    def load(self, source: str, functions: Sequence[str]) -> Mapping[str, Any]:
        """Compile the text behind the header; warnings are errors.

        Raises
        ------
        RuntimeError
            If the compiler refuses the text.
        """
        library = loaded(self._command, emulated_text(source, functions), self._build)
        found = {}
        for name in functions:
            function = found[name] = getattr(library, f"emulate_{name}")
            function.argtypes = [ctypes.c_void_p, *[ctypes.c_uint] * 4]
            function.restype = None
        return found

    def _build(self, source: Path, library: Path) -> None:
        run([*self._command, "-o", library, source])

    def upload(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy."""
        return np.array(array)

    def zeros(self, size: int, dtype: str) -> npt.NDArray[Any]:
        """Zeros."""
        return np.zeros(size, dtype)

    def pointer(self, array: npt.NDArray[Any], offset: int) -> np.uint64:
        """The address of a place."""
        return np.uint64(array.ctypes.data + offset * array.itemsize)

    def launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[Any], points: int = 1) -> None:
        """Run all threads, one after the other; pointers may be arrays or addresses, too."""
        self.launches += 1
        boxes, addresses = boxed(arguments)
        function(addresses, blocks, points, threads, self.order)
        del boxes


def required_compiler() -> str:
    """The C++ compiler.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("Emulator(): no C++ compiler (g++, clang++ or c++) on the path; install one")
    return compiler


def emulated_text(source: str, functions: Sequence[str]) -> str:
    """A source behind the header, with a door to each of its functions."""
    return "\n".join([f'#include "{HEADER}"', source, *(f"EMULATE({name})" for name in functions), ""])


def boxed(arguments: Sequence[Any]) -> tuple[list[npt.NDArray[Any]], Any]:
    """Arguments in memory, and the addresses of each of them, as launches take them."""
    boxes = [np.array([passed(argument)]) for argument in arguments]
    return boxes, (ctypes.c_void_p * len(boxes))(*[box.ctypes.data for box in boxes])


def passed(argument: Any) -> Any:
    """A scalar of the right size."""
    if isinstance(argument, np.ndarray):
        return np.uint64(argument.ctypes.data)
    return np.uint64(argument) if type(argument) is int else argument


def loaded(parts: Sequence[str], text: str, build: Callable[[Path, Path], None]) -> Any:
    """A library that is built from a text, now or earlier; `parts` say how."""
    key = digest(*parts, HEADER.read_text(encoding="utf-8"), text)
    if key not in _loaded:
        with tempfile.TemporaryDirectory(prefix="emulated") as folder:
            library = Path(folder) / "source.so"
            known = read_bundle(f"emulated-{key}")
            if known is None:
                source = library.with_suffix(".cpp")
                source.write_text(text, encoding="utf-8")
                build(source, library)
                write_bundle(f"emulated-{key}", {library.name: library.read_bytes()})
            else:
                library.write_bytes(known[library.name])
            # It keeps Python's lock: numbers of threads and blocks are global in it.
            _loaded[key] = ctypes.PyDLL(str(library))
    return _loaded[key]


def digest(*parts: str) -> str:
    """A key for texts."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


def run(command: Sequence[str | Path]) -> None:
    """Run the compiler.

    Raises
    ------
    RuntimeError
        If it refuses the text.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the compiler refused a printed source:\n{done.stderr[:4000]}")
