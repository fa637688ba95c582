"""NVIDIA's run-time compiler, by ctypes: it needs neither GPU nor driver, so that tests compile sources anywhere."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OPTIONS = ("--std=c++17", "--fmad=false")
"""For every printed source: nothing is contracted, as on the CPU."""
_FOLDERS = ("cuda_nvrtc/lib", "cuda_nvrtc/bin", "cu13/lib", "cu13/bin/x86_64")
"""Inside the package ``nvidia``, in the wheels for CUDA 12 and 13."""
_FILES = {"win32": "nvrtc64_*.dll"}


class NvrtcError(RuntimeError):
    """There is no compiler, or it refused a source."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """What a source was compiled to.

    Parameters
    ----------
    code : bytes
        PTX for ``compute_*``, machine code for ``sm_*``.
    log : str
        Warnings, and what the assembler says about each function.
    """

    code: bytes
    log: str

    @property
    def warnings(self) -> list[str]:
        """Lines of the log that warn."""
        return [line for line in self.log.splitlines() if "warning" in line.lower()]

    @property
    def local_bytes(self) -> dict[str, int]:
        """For each function the local memory of a thread in bytes: its stack, and what it spills."""
        found: dict[str, int] = {}
        name = ""
        for line in self.log.splitlines():
            if start := _PROPERTIES.search(line):
                name = start[1]
            for count in _LOCAL.findall(line):
                found[name] = max(found.get(name, 0), int(count))
        return found


_PROPERTIES = re.compile(r"(?:Function properties for|Compiling entry function) '?(\w+)")
_LOCAL = re.compile(r"(\d+) bytes (?:stack frame|spill stores|spill loads|lmem)")


def find_library() -> str | None:
    """The shared library of the wheels ``nvidia-cuda-nvrtc-cu12`` or ``nvidia-cuda-nvrtc``, or of a CUDA toolkit."""
    return next((str(path) for path in _candidates()), None)


def _candidates() -> Iterator[Path]:
    pattern = _FILES.get(sys.platform, "libnvrtc.so.*")
    spec = find_spec("nvidia")
    for root in [] if spec is None else list(spec.submodule_search_locations or []):
        for folder in _FOLDERS:
            yield from sorted(p for p in (Path(root) / folder).glob(pattern) if ".alt." not in p.name)
    for folder in ("/usr/local/cuda/lib64", "/opt/cuda/lib64"):
        yield from sorted(Path(folder).glob(pattern))


@cache
def _library() -> Any:
    path = find_library()
    if path is None:
        raise NvrtcError(
            "kernels.cuda.nvrtc: no NVRTC found; install nvidia-cuda-nvrtc-cu12 (or CuPy, or a CUDA toolkit)"
        )
    return ctypes.CDLL(path)


def version() -> tuple[int, int]:
    """Major and minor version of the compiler."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _ask("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_source(source: str, architecture: str = "sm_90", options: Sequence[str] = OPTIONS) -> Compiled:
    """Compile a printed source.

    Parameters
    ----------
    source : str
    architecture : str
        ``"sm_80"``, ``"sm_90"``, ... for machine code, and ``"compute_80"``, ... for PTX.
    options : sequence of str

    Raises
    ------
    NvrtcError
        If there is no compiler, or it refuses the source: the message is its log.
    """
    program = ctypes.c_void_p()
    _ask("nvrtcCreateProgram", ctypes.byref(program), source.encode(), b"sparsejac.cu", 0, None, None)
    try:
        given = [f"--gpu-architecture={architecture}", *options]
        given += ["--ptxas-options=-v"] if architecture.startswith("sm_") else []
        texts = (ctypes.c_char_p * len(given))(*[option.encode() for option in given])
        outcome = _library().nvrtcCompileProgram(program, len(given), texts)
        log = _text(program, "ProgramLog").decode(errors="replace").strip("\0\n")
        if outcome:
            raise NvrtcError(f"kernels.cuda.nvrtc: {architecture}: {log[:4000]}")
        return Compiled(_text(program, "CUBIN" if architecture.startswith("sm_") else "PTX"), log)
    finally:
        _library().nvrtcDestroyProgram(ctypes.byref(program))


def _text(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _ask(f"nvrtcGet{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _ask(f"nvrtcGet{what}", program, buffer)
    return buffer.raw


def _ask(name: str, *arguments: Any) -> None:
    outcome = getattr(_library(), name)(*arguments)
    if outcome:
        describe = _library().nvrtcGetErrorString
        describe.restype = ctypes.c_char_p
        raise NvrtcError(f"kernels.cuda.nvrtc: {name}: {describe(outcome).decode()}")
