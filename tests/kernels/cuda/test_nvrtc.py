"""NVIDIA's compiler without a GPU: what it says, and what is made of it."""

from __future__ import annotations

import pytest

from gpu_sources import check_source
from kernels.cuda import nvrtc

GOOD = 'extern "C" __global__ void twice(double *x) { x[threadIdx.x] *= 2.0; }\n'
UNUSED = 'extern "C" __global__ void idle(double *x) { int unused = 3; x[0] = 1.0; }\n'
STACK = """
extern "C" __global__ void stack(double *x, const int *places, int n)
{
    double kept[40];
    for (int k = 0; k < 40; ++k)
        kept[k] = x[k];
    for (int k = 0; k < n; ++k)
        kept[places[k]] += 1.0;
    for (int k = 0; k < 40; ++k)
        x[k] = kept[k];
}
"""
FUSED = 'extern "C" __global__ void fused(double *x) { x[0] = x[1] * x[2] + x[3]; }\n'


@pytest.fixture(autouse=True)
def library() -> None:
    if nvrtc.find_library() is None:
        pytest.skip("no NVRTC (nvidia-cuda-nvrtc-cu12)")


def test_ptx_and_machine_code() -> None:
    assert nvrtc.version() >= (12, 0)
    assert b".visible .entry twice" in nvrtc.compile_source(GOOD, "compute_80").code
    compiled = nvrtc.compile_source(GOOD, "sm_90")
    assert compiled.code.startswith(b"\x7fELF")
    assert compiled.warnings == []
    assert compiled.local_bytes == {"twice": 0}


def test_products_and_sums_are_not_contracted() -> None:
    assert b"fma." not in nvrtc.compile_source(FUSED, "compute_80").code
    assert b"fma." in nvrtc.compile_source(FUSED, "compute_80", ["--fmad=true"]).code


def test_warnings_are_failures() -> None:
    with pytest.raises(AssertionError, match="unused"):
        check_source(UNUSED, "sm_80")


def test_stacks_are_failures() -> None:
    assert nvrtc.compile_source(STACK, "sm_80").local_bytes["stack"] >= 320
    with pytest.raises(AssertionError, match="stack"):
        check_source(STACK, "sm_80")


def test_a_source_that_is_refused_says_why() -> None:
    with pytest.raises(nvrtc.NvrtcError, match=r"sm_80: (.|\n)*nonsense"):
        nvrtc.compile_source("nonsense", "sm_80")


def test_without_a_compiler_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "find_library", lambda: None)
    nvrtc._library.cache_clear()
    with pytest.raises(nvrtc.NvrtcError, match="install nvidia-cuda-nvrtc-cu12"):
        nvrtc.version()
    nvrtc._library.cache_clear()
