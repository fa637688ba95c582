"""Rules that are loaded when their library is there: the table of them is whole, and loading late changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sparsejac.tracing import families

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("numpy_rules", "scipy_rules", "linalg")
LATE = sorted({file for files in (*families.LIBRARIES.values(), *families.REFUSED.values()) for file in files})


def run(code: str) -> list[str]:
    """Words that a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_file_of_rules_is_loaded_in_the_end() -> None:
    """A new file stands in its package's list, or in the table, or one of these imports it."""
    loaded = run("import sys; from sparsejac.tracing import families; families.load_all(); print(*sys.modules)")
    files = {
        f"sparsejac.tracing.{folder}.{path.stem}"
        for folder in FOLDERS
        for path in (ROOT / "sparsejac" / "tracing" / folder).glob("*.py")
        if path.stem != "__init__"
    }
    assert files - set(loaded) == set()


def test_import_loads_none_of_them() -> None:
    loaded = run("import sys, sparsejac; print(*sys.modules)")
    assert {f"sparsejac.tracing.{file}" for file in LATE} & set(loaded) == set()


DECLARED = """
import sys, sparsejac
from kernels.lazy import load
from sparsejac.tracing import families, registry
names = [n for n, table in vars(registry).items() if n.isupper() and isinstance(table, dict | set)]
before = {n: set(getattr(registry, n)) for n in names}
loaded = set(sys.modules)
load("sparsejac.tracing." + file)
new = {n: set(getattr(registry, n)) - before[n] for n in names}
files = {m.removeprefix("sparsejac.tracing.") for m in set(sys.modules) - loaded}
tables = {**families.LIBRARIES, **families.REFUSED}
libraries = {library for library, listed in tables.items() if files & set(listed)}
for name, keys in new.items():
    for key in keys:
        if name == "HOOKS":
            assert families.HOOKS[key] in files, key
        else:
            assert isinstance(key, tuple), (name, key)
            module = key[0]
            inside = any(module == library or module.startswith(library + ".") for library in libraries)
            assert inside or (module == "builtins" and "scipy.sparse.linalg" in libraries), (name, key)
assert sum(map(len, new.values())), "declares nothing"
"""


@pytest.mark.parametrize("file", LATE)
def test_they_declare_nothing_but_functions_of_their_libraries(file: str) -> None:
    """Whoever calls one of these has the library, so that the rules are there before f runs."""
    run(f"file = {file!r}\n{DECLARED}")


IN_A_TRACE = """
import math, sys
import numpy as np, sparsejac
from sparsejac.tracing import families, registry, routing
def f(x):
    families.load_refusals()
    for name in families.HOOKS:
        registry.HOOKS[name]
    return np.array([math.gamma(x[0]), x[1] * 2.0])
J = sparsejac.sparse_jacobian(f, np.array([3.0, 1.0]))
assert np.allclose(J.toarray(), [[2.0 * (1.5 - 0.5772156649015329), 0.0], [0.0, 2.0]])
def routed(value, depth=0):
    if id(value) in routing._ORIGINALS:
        return True
    if depth > 4:
        return False
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(routed(item, depth + 1) for item in items)
for name, module in list(sys.modules.items()):
    if name.startswith("sparsejac.tracing.") and name != "sparsejac.tracing.routing":
        bound = [key for key, value in vars(module).items() if not key.startswith("__") and routed(value)]
        bound = [] if name == "sparsejac.tracing.registry" else bound
        assert not bound, (name, bound)
"""


def test_loaded_in_the_middle_of_a_trace_they_hold_no_routes() -> None:
    """While f runs, names of NumPy lead to the tracer; rules must not keep those."""
    run(IN_A_TRACE)


SPLIT = """
import numpy as np
import sparsejac
sparsejac.sparse_jacobian(lambda x: x * x, np.ones(2))
import {library}
print(np.allclose(sparsejac.sparse_jacobian(lambda x: {call}, np.array([0.3, 0.7])).toarray(), {expected}))
"""


@pytest.mark.parametrize(
    ("library", "call", "expected"),
    [
        ("scipy.linalg", "scipy.linalg.solve(np.diag([2.0, 4.0]), x)", "np.diag([0.5, 0.25])"),
        ("scipy.special", "scipy.special.exprel(x) * x", "np.diag(np.exp([0.3, 0.7]))"),
        ("scipy.ndimage", "scipy.ndimage.uniform_filter1d(x, 2, mode='constant')", "[[0.5, 0.0], [0.5, 0.5]]"),
        (
            "scipy.sparse.linalg",
            "scipy.sparse.linalg.spsolve(scipy.sparse.csc_array([[2.0, 0], [0, 4.0]]), x)",
            "np.diag([0.5, 0.25])",
        ),
    ],
)
def test_libraries_imported_after_the_first_jacobian(library: str, call: str, expected: str) -> None:
    assert run(SPLIT.format(library=library, call=call, expected=expected)) == ["True"]
