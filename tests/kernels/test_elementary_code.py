"""Machine code of the elementary functions: vectors, shared work, processors without fused operations, cache keys."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from elementary_oracle import BINARY, compiled, source_of
from kernels import module, numba_module
from kernels.elementary import digest
from kernels.elementary.compiled import has_fma
from kernels.elementary.functions import FUNCTIONS
from kernels.elementary.rare import PREFIX
from kernels.lazy import load
from kernels.llvm import machine, native
from kernels.numba_printer import HEADER
from kernels.source import Source, read_only

ROOT = Path(__file__).parents[2]
LATER = time.time_ns() + 10**12
RARE = {"sin", "cos", "tan", "tan_slope"}
WITHOUT_POLYNOMIAL = {"asin_slope", "atan_slope", "atan2_slope"}
VECTOR = re.compile(r"\sv\w+pd\s.*%[yz]mm")
MULTIPLY_ADD = re.compile(r"\svfn?m(?:add|sub)\w*pd\s.*%[yz]mm")
BRANCHES = re.compile(r"\s(?:v(?!broadcast)\w+sd|call\w*)\s")


needs_vectors = pytest.mark.skipif(
    not native.is_available() or not {"+avx2", "+fma"} <= set(machine.processor()[1].split(",")),
    reason="the processor has no AVX2 with fused multiply-add",
)


@cache
def assembly(*expressions: str) -> str:
    return native.assembly(source_of(*expressions))


def call(name: str) -> str:
    return f"elementary.{name}({'x, y' if name in BINARY else 'x'})"


def longest_block(text: str) -> str:
    """The longest stretch without a label: the body of the vectorised loop."""
    return max(re.split(r"\n[.\w$]+:\n", text), key=lambda block: len(MULTIPLY_ADD.findall(block)))


@needs_vectors
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_loop_around_a_function_is_vectorised(name: str) -> None:
    """Its body holds packed multiply-adds, no operation on single numbers, and no call but that of the rare way."""
    body = longest_block(assembly(call(name)))
    assert len(MULTIPLY_ADD.findall(body)) >= (1 if name in WITHOUT_POLYNOMIAL else 5)
    scalar = [line for line in BRANCHES.findall(body) if not (name in RARE and "call" in line)]
    assert scalar == []
    assert len(VECTOR.findall(body)) >= (10 if name in WITHOUT_POLYNOMIAL else 20)


def multiply_adds(*expressions: str) -> int:
    return len(MULTIPLY_ADD.findall(longest_block(assembly(*expressions))))


@needs_vectors
@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ("elementary.sin(x)", "elementary.cos(x)", 0.95),
        ("elementary.tanh(x)", "elementary.tanh_slope(x)", 0.7),
        ("elementary.tan(x)", "elementary.tan_slope(x)", 0.9),
        ("elementary.logistic(x)", "elementary.logistic_slope(x)", 0.6),
        ("elementary.cbrt(x)", "elementary.cbrt_slope(x)", 0.7),
        ("elementary.erf(x)", "elementary.erf_slope(x)", 0.6),
        ("elementary.erfc(x)", "elementary.erf_slope(x)", 0.8),
        ("elementary.pow(x, y)", "elementary.pow_slope(x, y)", 0.3),
        ("elementary.sinh(x)", "elementary.cosh(x)", 0.6),
        ("elementary.pow(x, y)", "elementary.pow(x, y - 1.0)", 0.3),
        ("elementary.expm1(x)", "elementary.exp(x)", 0.3),
    ],
)
def test_a_function_and_its_derivative_share_work(first: str, second: str, share: float) -> None:
    """Of the multiply-adds of the second one, at least this share is not done again."""
    alone = [multiply_adds(expression) for expression in (first, second)]
    assert alone[0] + alone[1] - multiply_adds(first, second) >= share * min(alone)


@needs_vectors
def test_functions_are_printed_once_however_often_they_are_called() -> None:
    """Two sines of different arguments: the way of rare arguments stands once in the machine code."""
    text = assembly("elementary.sin(x)", "elementary.sin(y)")
    assert len(re.findall(rf"^{PREFIX}sin:", text, re.MULTILINE)) == 1


PLAIN = """
import numpy as np
from elementary_oracle import BINARY, FUNCTIONS, compiled
from kernels.elementary.functions import FUNCTIONS
x, y = np.linspace(0.1, 0.9, 7), np.linspace(1.0, 3.0, 7)
calls = [f"elementary.{name}({'x, y' if name in BINARY else 'x'})" for name in FUNCTIONS]
out = np.empty((len(calls), 7))
compiled(*calls)(x, y, out)
print(out.tolist())
"""


@pytest.mark.parametrize(
    "settings",
    [{"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, {"NUMBA_DISABLE_JIT": "1"}],
    ids=["without fused multiply-add", "without compiler"],
)
def test_plain_twins_give_the_same_values(settings: dict[str, str]) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    environment = {**os.environ, "SPARSEJAC_CACHE_DIR": "off", "PYTHONPATH": path, **settings}
    run = subprocess.run([sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, check=True)
    x, y = np.linspace(0.1, 0.9, 7), np.linspace(1.0, 3.0, 7)
    ours = np.empty((len(FUNCTIONS), 7))
    compiled(*(call(name) for name in FUNCTIONS))(x, y, ours)
    np.testing.assert_allclose(np.array(eval(run.stdout)), ours, rtol=2e-15)


def test_whether_operations_are_fused_is_read_from_the_processor() -> None:
    class Codegen:
        def __init__(self, features: str) -> None:
            self.features = features

        def magic_tuple(self) -> tuple[str, str, str]:
            return ("x86_64-unknown-linux-gnu", "generic", self.features)

    assert has_fma(Codegen("+avx,+fma"))
    assert has_fma(Codegen("+avx,-fma,+fma4")) == (not load("llvmlite.binding").get_process_triple().startswith("x86"))


def test_other_functions_are_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    source, keys, numba_keys = source_of("elementary.exp(x)"), [], []
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
    monkeypatch.setattr(native, "read_bundle", keys.append)
    for digest_of in (digest.digest, digest.digest, lambda *_package: "another"):
        for keyed in (native, numba_module):
            monkeypatch.setattr(keyed, "digest", digest_of)
        monkeypatch.setattr(native, "_loaded", {})
        native._load(source)
        numba_keys.append(numba_module._key(source))
    assert keys[0] == keys[1] != keys[2]
    assert numba_keys[0] == numba_keys[1] != numba_keys[2]


def test_the_digest_is_that_of_all_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(digest.__file__).parent
    for file in folder.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(digest, "LOADED", LATER)
    whole = digest.digest.__wrapped__()
    monkeypatch.setattr(digest, "files", lambda _package: tmp_path)
    assert digest.digest.__wrapped__() == whole
    changed = tmp_path / "power.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert digest.digest.__wrapped__() != whole


def test_sources_that_changed_since_they_were_loaded_are_shared_with_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What runs is the text before: its machine code is not that of the text that lies there."""
    (tmp_path / "power.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(digest, "files", lambda _package: tmp_path)
    monkeypatch.setattr(digest, "LOADED", LATER)
    alone = digest.digest.__wrapped__()
    assert digest.digest.__wrapped__() == alone
    monkeypatch.setattr(digest, "LOADED", (tmp_path / "power.py").stat().st_mtime_ns - 1)
    assert len({alone, *(digest.digest.__wrapped__() for _ in range(3))}) == 4


@needs_vectors
def test_the_rare_way_comes_back_from_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its vector variants are part of the machine code that is kept."""
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    body = "def f(a, b):\n    for i in range(len(a)):\n        b[i] = elementary.sin(a[i]) + elementary.tan(a[i])\n"
    source = Source("f", f"{HEADER}\n\n{body}", f"void({read_only('float64')}, float64[::1])")
    x = np.where(np.arange(37) % 5 == 0, 1e300, np.linspace(-4.0, 4.0, 37))
    results = []
    for made in (1, 0):
        before, out = module.compilations, np.empty_like(x)
        monkeypatch.setattr(native, "_loaded", {})
        native.compile_native(source)(x, out)
        assert module.compilations == before + made
        results.append(out.tolist())
    assert results[0] == results[1]
    np.testing.assert_allclose(results[0], np.sin(x) + np.tan(x), rtol=1e-14)
