"""Printed sources compiled for GPUs, of which there need be none."""

from __future__ import annotations

from functools import cache

import pytest

from kernels.cuda.nvrtc import compile_source, find_library


@cache
def check_source(source: str, architecture: str) -> None:
    """Compile, once; warnings, stacks and spills are failures.

    The test is skipped, and says why, without a compiler.
    """
    if find_library() is None:
        pytest.skip("no NVRTC (nvidia-cuda-nvrtc-cu12) to compile for GPUs with")
    compiled = compile_source(source, architecture)
    assert compiled.code
    assert not compiled.warnings, compiled.warnings[:5]
    local = compiled.local_bytes
    assert architecture.startswith("compute") or local  # the assembler has reported
    assert not any(local.values()), {name: count for name, count in local.items() if count}
