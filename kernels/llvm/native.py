"""Machine code of generated functions without numba: from the disk cache, or compiled now."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kernels.cache import read_bundle, write_bundle
from kernels.elementary.digest import digest
from kernels.lazy import load
from kernels.llvm import machine
from kernels.llvm.call import CALL, ENTRY_POINT, describe, layout_is_known
from kernels.llvm.symbol import symbol_of, unpacking_of
from kernels.llvm.value import Parameter, Unsupported, parse_signature
from kernels.source import Source

FORMAT = 3
"""Part of every key; to be raised when the meaning of cached bundles changes."""

OLDEST = 18
"""The first version of LLVM whose text this is."""

compilations = 0
"""How many functions this process has compiled (not loaded from disk)."""

_loaded: dict[str, machine.Loaded] = {}
_texts: dict[tuple[str, tuple[str, ...]], machine.Loaded] = {}
"""Code in this process, kept for good: addresses do not keep it. Where two threads load the same, the first's stays."""


@dataclass(frozen=True, eq=False)
class _Names:
    """What a description points to."""

    name: bytes
    signature: bytes


def compile_native(source: Source) -> Any:
    """A built-in function of the types in the signature; others raise TypeError.

    Raises
    ------
    Unsupported
        If the text goes beyond the language, or the machine is none that is known.
    """
    if not is_available():
        raise Unsupported("this processor, system or version of LLVM")
    result, parameters = parse_signature(source.signature)
    if not parameters or any(p.dimensions == 0 and p.item != "int64" for p in parameters):
        raise Unsupported(f"signature {source.signature}")
    code = _load(source)
    address = code.addresses[unpacking_of(symbol_of(source))]
    return built_in(address, source.name, source.signature, result, parameters, code)


def address_of(source: Source) -> int:
    """Where the code of a compiled source begins that takes its arguments from an array."""
    return _load(source).addresses[unpacking_of(symbol_of(source))]


def built_in(
    address: int, name: str, signature: str, result: str, parameters: tuple[Parameter, ...], code: machine.Loaded
) -> Any:
    """A built-in function around code that takes its arguments from an array."""
    names = _Names(name.encode(), signature.encode())
    description = describe(address, names.name, names.signature, result, parameters)
    entry = link_text(CALL, (ENTRY_POINT,)).addresses[ENTRY_POINT]
    return machine.built_in(entry, names.name, (description, names, code))


@cache
def is_available() -> bool:
    """Whether code is compiled without numba: on Linux, by CPython, with a recent LLVM, and with multiply-adds."""
    return (
        sys.platform == "linux"
        and platform.machine() in ("x86_64", "aarch64")
        and sys.implementation.name == "cpython"
        and layout_is_known()
        and machine.version()[1] >= OLDEST
        and machine.has_fma()
    )


def assembly(source: Source) -> str:
    """The machine code of a source for readers."""
    return machine.assembly(_compiled(source))


def _compiled(source: Source) -> Any:
    printed = load("kernels.llvm.module").print_module(source, machine.vector_width())
    return machine.optimised(printed.text, vectorised=not printed.is_large)


def _load(source: Source) -> machine.Loaded:
    """The code in this process, with that of its parts."""
    found = _loaded.get(source.whole)
    if found is None:
        parts = tuple(map(_load, source.parts))
        addresses = {name: address for part in parts for name, address in part.addresses.items()}
        symbol = symbol_of(source)
        found = _link(source, (symbol, unpacking_of(symbol)), addresses)
        found = machine.Loaded(found.addresses, (found.keep, parts))
        found = _loaded.setdefault(source.whole, found)
    return found


def _link(source: Source, exports: tuple[str, ...], imports: dict[str, int]) -> machine.Loaded:
    key = _key(source.whole, digest("kernels.elementary"))
    bundle = read_bundle(key)
    if bundle is not None and bundle.get("kernel.py") == source.listing.encode() and "code.o" in bundle:
        try:
            return machine.link(bundle["code.o"], exports, imports)
        except RuntimeError:  # symbols that this process does not have: compile
            pass
    global compilations
    compilations += 1
    try:
        code = machine.object_code(_compiled(source))
        loaded = machine.link(code, exports, imports)
    except RuntimeError as error:
        raise Unsupported(str(error)) from error
    write_bundle(key, {"kernel.py": source.listing.encode(), "code.o": code})
    return loaded


def link_text(text: str, exports: tuple[str, ...]) -> machine.Loaded:
    """The code of a text of LLVM's that does not hang on any problem; compiled once per machine."""
    found = _texts.get((text, exports))
    return _texts.setdefault((text, exports), _link_text(text, exports)) if found is None else found


def _link_text(text: str, exports: tuple[str, ...]) -> machine.Loaded:
    key = _key(text, np.__version__)
    bundle = read_bundle(key)
    if bundle is not None and "code.o" in bundle:
        try:
            return machine.link(bundle["code.o"], exports, {})
        except RuntimeError:
            pass
    code = machine.object_code(machine.optimised(text))
    loaded = machine.link(code, exports, {})
    write_bundle(key, {"code.o": code})
    return loaded


def _key(*texts: str) -> str:
    """Digest of all that the machine code depends on."""
    parts = [FORMAT, "llvm", *texts, sys.version, machine.version(), digest("kernels.llvm")]
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest()
