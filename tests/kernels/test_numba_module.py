"""What is left to numba: its functions, their serialised machine code on disk."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from kernels import cache, module, numba_module
from kernels.llvm.value import Unsupported
from kernels.numba_printer import print_launch
from kernels.shape import lower
from kernels.source import Source, read_only


@pytest.fixture
def source(cases):
    return print_launch(lower(cases("elementwise-7").schedule.launches[0]).shape, "value")


def test_what_llvm_does_not_know_is_compiled_by_numba(monkeypatch):
    """A power of a whole number is no part of the language; whoever calls sees no difference."""
    text = "def f(a, out):\n    for i in range(len(out)):\n        out[i] = a[i] ** 3\n"
    source = Source("f", text, f"void({read_only('float64')}, float64[::1])")
    before, out = module.fallbacks, np.empty(2)
    function = module.compile_source(source)
    function(np.array([2.0, -0.5]), out)
    assert out.tolist() == [8.0, -0.125]
    assert module.fallbacks == before + 1
    assert module.compile_trusted(source)(np.array([3.0, 1.0]), out) is None
    assert out.tolist() == [27.0, 1.0]
    with pytest.raises(TypeError):
        function(np.ones(2, dtype=np.float32), out)


def test_a_machine_that_llvm_alone_does_not_serve_is_served_by_numba(monkeypatch, source):
    def refuse(_source):
        raise Unsupported("this machine")

    monkeypatch.setattr("kernels.llvm.native.compile_native", refuse)
    monkeypatch.setattr(module, "_functions", {})
    assert hasattr(module.compile_source(source), "py_func")


def test_a_bundle_that_numba_cannot_load_is_compiled_anew(tmp_path, monkeypatch, source):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    numba_module._load_or_compile(source)
    (bundle,) = (tmp_path / "kernels").iterdir()
    key = bundle.name
    for code in (b"not a pickle", b"N.", cache.read_bundle(key)["code.bin"].replace(b"numba_adapt_", b"nowhere_adap_")):
        shutil.rmtree(tmp_path / "kernels")
        cache.write_bundle(key, {"kernel.py": source.text.encode(), "code.bin": code})
        before = numba_module.compilations
        numba_module._load_or_compile(source)
        assert numba_module.compilations == before + 1


def test_machine_code_from_disk_computes_the_same(tmp_path, monkeypatch, cases, source):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    case = cases("elementwise-7")
    lowered = lower(case.schedule.launches[0])
    results = []
    for compiled in (1, 0):
        before, buffers = numba_module.compilations, case.buffers()
        function = numba_module._load_or_compile(source)
        assert numba_module.compilations == before + compiled
        function(0, lowered.length, lowered.geometry, *(buffers[b] for b in lowered.slots))
        results.append(buffers[2].tolist())
    assert results[0] == results[1]
    np.testing.assert_allclose(results[0], case.values[2], rtol=1e-14)


def test_code_that_cannot_be_serialised_runs_uncached(tmp_path, monkeypatch, source):
    def fail(_library):
        raise NotImplementedError

    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba_module, "_external_symbols", fail)
    assert callable(numba_module._load_or_compile(source))
    assert list(tmp_path.iterdir()) == []


def test_symbols_that_only_a_complete_numba_knows_are_asked_for(tmp_path, monkeypatch, source):
    """The first question finds none, so numba's registries are refreshed; the second one finds all."""
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    numba_module._load_or_compile(source)
    answers = [True, False]
    monkeypatch.setattr(numba_module, "_resolvable", lambda _symbols: answers.pop())
    before = numba_module.compilations
    numba_module._load_or_compile(source)
    assert (numba_module.compilations, answers) == (before, [])
