"""LLVM by llvmlite: text to object code, object code into memory, memory as a Python function."""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kernels.lazy import Lazy
from kernels.llvm.call import CHARACTERS, NDARRAY

binding, llvmlite = Lazy("llvmlite.binding"), Lazy("llvmlite")

_FASTCALL = 0x80
_NO_GATHERS, _KNOWS_GATHERS = "+prefer-no-gather", (17,)
"""A feature of LLVM's, and the version that brought it."""
_numbers = itertools.count()


@dataclass(frozen=True, eq=False)
class Loaded:
    """Machine code in memory.

    Parameters
    ----------
    addresses : mapping
        Of its symbols; valid as long as this object lives.
    keep : object
        Keeps the memory.
    """

    addresses: Mapping[str, int]
    keep: Any


@cache
def processor() -> tuple[str, str]:
    """Name and features of the processor to compile for; numba's variables choose another one."""
    _initialize()
    name, features = (os.environ.get(f"NUMBA_CPU_{part}") for part in ("NAME", "FEATURES"))
    return (
        binding.get_host_cpu_name() if name is None else name,
        _host_features() if features is None else features,
    )


def _host_features() -> str:
    """Those of this machine, but that numbers under tables are loaded one by one, not by gathering instructions.

    Gathers wait for each other in front of memory: loops that read by tables took half the time without them where
    their numbers lay outside of the caches, and the same where they lay inside (measured on an AMD EPYC of 2024).
    """
    features: str = binding.get_host_cpu_features().flatten()
    is_known = binding.get_process_triple().startswith("x86") and binding.llvm_version_info >= _KNOWS_GATHERS
    return f"{features},{_NO_GATHERS}" if is_known else features


def vector_width() -> int:
    """Doubles in a vector."""
    features = processor()[1].split(",")
    return 8 if "+avx512f" in features else 4 if "+avx2" in features else 2


def has_fma() -> bool:
    """Whether the processor rounds a multiply-add once in one instruction."""
    return "+fma" in processor()[1].split(",") or not binding.get_process_triple().startswith(("x86", "i"))


@cache
def version() -> tuple[Any, ...]:
    """What object code depends on beside its text."""
    return (llvmlite.__version__, *binding.llvm_version_info, *processor(), binding.get_process_triple())


def optimised(text: str, *, vectorised: bool = True) -> Any:
    """A module of LLVM, parsed, verified and optimised."""
    machine = _machine(3)
    triple, layout = binding.get_process_triple(), machine.target_data
    module = binding.parse_assembly(f'target triple = "{triple}"\ntarget datalayout = "{layout}"\n{text}')
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    # Loops that do not vectorise gain nothing by being unrolled (their sums wait for each other), and take long to be.
    options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = vectorised, False, False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def object_code(module: Any) -> bytes:
    """The machine code of a module."""
    return bytes(_machine(3).emit_object(module))


def assembly(module: Any) -> str:
    """The machine code of a module for readers."""
    return str(_machine(3).emit_assembly(module))


def link(code: bytes, exports: tuple[str, ...], imports: Mapping[str, int]) -> Loaded:
    """Load object code.

    Parameters
    ----------
    code : bytes
    exports : tuple of str
        Symbols whose addresses are wanted.
    imports : mapping
        Addresses of symbols; all others are those of the process.

    Raises
    ------
    RuntimeError
        If a symbol is not found, or the code cannot be read.
    """
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name, address in {NDARRAY: id(np.ndarray), **imports}.items():
        library.import_symbol(name, address)
    for name in exports:
        library.export_symbol(name)
    made = library.link(_linker(), f"sparsejac{next(_numbers)}")
    return Loaded({name: made[name] for name in exports}, made)


def built_in(address: int, name: bytes, keep: tuple[Any, ...]) -> Any:
    """A built-in function around an entry point, which gets `keep` as its first argument."""
    # CPython copies no part of its PyMethodDef: the function has to keep it, to the very last. A structure of `ctypes`
    # will not do: where the function is part of a cycle, the collector empties that one before it ends the function.
    definition = struct.pack("@PPiP", id(name) + CHARACTERS, address, _FASTCALL, 0)
    return _new_function()(id(definition) + CHARACTERS, (*keep, name, definition), None)


@cache
def _new_function() -> Any:
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new


@cache
def _initialize() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@cache
def _linker() -> Any:
    return binding.create_lljit_compiler(_new_machine(3), suppress_errors=True)


@cache
def _machine(level: int) -> Any:
    return _new_machine(level)


def _new_machine(level: int) -> Any:
    name, features = processor()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=level, reloc="pic", codemodel="default", jit=True
    )
