"""Generated text compiled by numba: where `kernels.llvm` cannot, and beside it in tests.

With NUMBA_DISABLE_JIT=1, plain Python runs the text as it stands.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import generated
from kernels.cache import read_bundle, write_bundle
from kernels.elementary.digest import digest
from kernels.forks import COMPILING
from kernels.lazy import load
from kernels.source import Source

FORMAT = 2
"""Part of every key; to be raised when the meaning of cached bundles changes."""

compilations = 0
"""How many functions this process has compiled (not loaded from disk)."""

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "fastmath": False,
    "no_cfunc_wrapper": True,
    "_nrt": False,  # nothing is allocated: no reference counts, and shorter code
}
_functions: dict[str, Callable[..., None]] = {}
_parts: dict[str, Any] = {}


def compile_by_numba(source: Source) -> Callable[..., None]:
    """The compiled function: from this process, from the disk cache, or compiled now."""
    with COMPILING:
        function = _functions.get(source.whole)
        if function is None:
            function = _functions[source.whole] = _load_or_compile(source)
        return function


def machine_code(dispatcher: Callable[..., None]) -> Callable[..., Any]:
    """The machine code itself, which takes what it gets for arguments of the types in the signature.

    A call costs a fraction of what numba's dispatcher takes to look at the types. Whoever calls must have looked:
    arrays of another type are read as if they were of the right one.
    """
    overloads = getattr(dispatcher, "overloads", None)
    if not overloads:
        return dispatcher
    (compiled,) = overloads.values()
    return compiled.entry_point  # type: ignore[no-any-return]


def _load_or_compile(source: Source) -> Callable[..., None]:
    dispatcher, parts = _dispatcher(source), tuple(map(_part, source.parts))
    getattr(dispatcher, "py_func", dispatcher).__globals__.update({f"part{k}": part for k, part in enumerate(parts)})
    if not hasattr(dispatcher, "add_overload"):  # NUMBA_DISABLE_JIT=1: a plain Python function
        return dispatcher  # type: ignore[no-any-return]
    key = _key(source)
    if not _restore(dispatcher, source, read_bundle(key)):
        _compile(dispatcher, source, key)
    dispatcher.disable_compile()
    return dispatcher  # type: ignore[no-any-return]


def _dispatcher(source: Source, **options: Any) -> Any:
    """The function, ready to be compiled."""
    namespace: dict[str, Any] = {"__name__": generated.__name__}
    exec(compile(source.text, f"<{source.name}>", "exec"), namespace)
    if not source.may_overlap:
        options["pipeline_class"] = _pipeline()
    counted = {"_nrt": True} if "np.empty(" in source.text else {}  # an array of its own is counted
    return load("numba").njit(**{**_OPTIONS, **counted}, **options)(namespace[source.name])


def _part(source: Source) -> Any:
    """A function for compiled code to call; it is compiled with the first of its callers."""
    if source.whole not in _parts:
        _parts[source.whole] = _dispatcher(source, no_cpython_wrapper=True)
    return _parts[source.whole]


def _compile(dispatcher: Any, source: Source, key: str) -> None:
    global compilations
    compilations += 1
    for part in source.parts:
        _compile_part(_part(part), part.signature)
    dispatcher.compile(source.signature)
    try:
        (compiled,) = dispatcher.overloads.values()
        code = load("numba.core.serialize").dumps((_external_symbols(compiled.library), compiled._reduce()))
    except Exception:  # whatever numba cannot serialise is compiled anew in the next process
        return
    write_bundle(key, {"kernel.py": source.listing.encode(), "code.bin": code})


def _compile_part(dispatcher: Any, signature: str) -> None:
    """Compile once; its callers call it: what was optimised already is not copied into them to be optimised again."""
    if dispatcher.overloads:
        return
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    (compiled,) = dispatcher.overloads.values()
    if tuple(map(int, load("llvmlite").__version__.split(".")[:2])) >= (0, 48):  # before, it went to the value returned
        function = compiled.library._final_module.get_function(compiled.fndesc.llvm_func_name)
        function.add_function_attribute("noinline")


def _restore(dispatcher: Any, source: Source, bundle: dict[str, bytes] | None) -> bool:
    """Add the machine code of a bundle to the dispatcher; False if it does not fit."""
    if bundle is None or bundle.get("kernel.py") != source.listing.encode() or "code.bin" not in bundle:
        return False
    target = dispatcher.targetctx
    try:
        symbols, reduced = pickle.loads(bundle["code.bin"])
        if not _resolvable(symbols):
            target.refresh()  # takes 0.4 s: numba loads all that it knows
            if not _resolvable(symbols):
                return False
        compiled = load("numba.core.compiler").CompileResult._rebuild(target, *reduced)
        dispatcher.add_overload(compiled)
    except Exception:  # written by an incompatible numba in spite of the key: compile
        return False
    return True


def _external_symbols(library: Any) -> list[str]:
    """What machine code expects to find in the process; LLVM would abort the process if it did not."""
    values = [*library._final_module.functions, *library._final_module.global_variables]
    return sorted(v.name for v in values if v.is_declaration and not v.name.startswith("llvm."))


def _resolvable(symbols: list[str]) -> bool:
    address = load("llvmlite.binding").address_of_symbol
    return all(address(symbol) is not None for symbol in symbols)


def _key(source: Source) -> str:
    """Digest of all that the machine code depends on."""
    numba, target = load("numba"), load("numba.core.registry").cpu_target.target_context
    config = load("numba.core.config")
    parts = [FORMAT, source.whole, sorted(_OPTIONS.items()), sys.version, sys.byteorder]
    parts += [numba.__version__, load("llvmlite").__version__, np.__version__, target.codegen().magic_tuple()]
    parts += [config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.DEBUGINFO_DEFAULT, config.USING_SVML]
    parts += [digest(), digest("kernels")]  # what `memory` adds to the text is ours
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest()


def _pipeline() -> Any:
    """Numba's compiler, told that array arguments do not overlap (loops then vectorise without tests for that)."""
    if not _pipelines:
        base = load("numba.core.compiler").Compiler

        def define_pipelines(self: Any) -> Any:
            self.state.flags.noalias = True
            return base.define_pipelines(self)

        _pipelines.append(type("NoAliasCompiler", (base,), {"define_pipelines": define_pipelines}))
    return _pipelines[0]


_pipelines: list[type] = []
