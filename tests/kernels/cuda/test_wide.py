"""Whole numbers of several words, emulated, beside Python's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulated import emulator
from gpu_sources import check_source
from kernels.cuda.printer import preamble, printed_file

WORDS = 3
MODULUS = 1 << 64 * WORDS
SHIFTS = (0, 2, 48, 64, 96, 144, 190)

OPERATIONS: dict[str, tuple[str, Callable[[int, int], int]]] = {
    "mul": ("wide_mul(a, b)", lambda a, b: a * b),
    "add": ("wide_add(a, b)", lambda a, b: a + b),
    "or": ("wide_or(a, b)", lambda a, b: a | b),
    "some": ("wide_shl_some(a, b.word[0] & 63)", lambda a, b: a << (b & 63)),
    "back": ("wide_to<3>(wide_lshr<64>(wide_shl<64>(wide_to<4>(Wide<5>{{a.word[0], a.word[1], a.word[2]}}))))",
             lambda a, b: a),
    **{f"shl{s}": (f"wide_shl<{s}>(a)", lambda a, b, s=s: a << s) for s in SHIFTS},
    **{f"lshr{s}": (f"wide_lshr<{s}>(a)", lambda a, b, s=s: a >> s) for s in SHIFTS},
    **{f"ashr{s}": (f"wide_ashr<{s}>(a)", lambda a, b, s=s: (a - MODULUS * (a >> 191)) >> s) for s in SHIFTS},
}  # fmt: skip


def source() -> str:
    head = "(const Wide<3> *x, const Wide<3> *y, Wide<3> *z)"
    kernels = [
        f'extern "C" __global__ void at_{name}{head} {{ const Wide<3> a = x[0], b = y[0]; (void)b; z[0] = {text}; }}\n'
        for name, (text, _) in OPERATIONS.items()
    ]
    return "\n".join([preamble("float64"), printed_file("wide.cuh"), *kernels])


@cache
def device() -> Any:
    found = emulator()
    return found, found.load(source(), [f"at_{name}" for name in OPERATIONS])


def words(number: int) -> np.ndarray:
    return np.array([number >> 64 * k & (1 << 64) - 1 for k in range(WORDS)], dtype=np.uint64)


numbers = st.one_of(
    st.integers(0, MODULUS - 1),
    st.builds(lambda high, low: MODULUS - 1 - (high << 64) - low, st.integers(0, 9), st.integers(0, 9)),
    st.builds(lambda word, k: word << 64 * k, st.integers(0, (1 << 64) - 1), st.integers(0, 2)),
)


@pytest.mark.parametrize("name", list(OPERATIONS))
@given(a=numbers, b=numbers)
def test_operations_are_those_of_python(name: str, a: int, b: int) -> None:
    runtime, functions = device()
    out = np.zeros(WORDS, dtype=np.uint64)
    runtime.launch(functions[f"at_{name}"], 1, 1, [words(a), words(b), out])
    assert out.tolist() == words(OPERATIONS[name][1](a, b) % MODULUS).tolist()


def test_they_stay_in_registers() -> None:
    check_source(source(), "sm_80")
