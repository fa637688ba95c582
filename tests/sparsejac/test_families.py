"""Rules that are loaded when they are needed: the tables of them are whole, and loading late changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparsejac.tracing import families

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("numpy_rules", "scipy_rules", "linalg")
TABLES = (*families.LIBRARIES.values(), *families.REFUSED.values())
LATE = sorted({file for files in TABLES for file in files} - set(families.AWAITED))


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
    assert {f"sparsejac.tracing.{file}" for file in (*LATE, *families.AWAITED)} & set(loaded) == set()


def test_a_first_jacobian_loads_nothing_of_systems_and_derived_programs() -> None:
    """Though the libraries are there for whose solvers these are needed."""
    code = """
import sys
import numpy as np, scipy.sparse.linalg, sparsejac
sparsejac.sparse_jacobian(lambda x: np.sin(x[1:]) * x[:-1], np.ones(5))
print(*sys.modules)
"""
    heavy = [name for name in run(code) if name.startswith(("sparsejac.systems.", "sparsejac.transforms."))]
    assert heavy == []


# One process imports what all need, and a fork of it looks at each file.
DECLARED = """
import os, sys, traceback, sparsejac
from kernels.lazy import load
from sparsejac.tracing import families, registry
while families.load_awaited(""):
    pass
def in_a_fork(look, file):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        look(file)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
def look(file):
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
failed = [file for file in FILES if not in_a_fork(look, file)]
assert FILES and not failed, failed
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_they_declare_nothing_but_functions_of_their_libraries() -> None:
    """Whoever calls one of these has the library, so that the rules are there before f runs."""
    run(f"FILES = {LATE!r}\n{DECLARED}")


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
    if id(value) in registry.ORIGINALS:
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


NAMED = """
import sys
import numpy as np, scipy.sparse, sparsejac
from sparsejac.tracing import families, registry
def load():
    while families.load_awaited(""):
        pass
def f(x):
    load()
    return x * 2.0
sparsejac.sparse_jacobian(f, np.ones(3)) if WHILE_F_RUNS else load()
def name(key):
    if isinstance(key, tuple):
        return "/".join(map(name, key))
    return key if isinstance(key, str) else f"{getattr(key, '__module__', '')}.{key.__name__}:{type(key).__name__}"
TABLES = ("UFUNCS", "UFUNC_METHODS", "FUNCTIONS", "METHODS", "REFUSALS", "CONVENTIONS", "DOUBLE")
for table in TABLES:
    entries = getattr(registry, table)
    of = entries if isinstance(entries, dict) else {}
    owner = {key: getattr(of.get(key), "__qualname__", "") for key in entries}
    print(*sorted(f"{table}:{name(key)}:{owner[key]}" for key in entries if "polynomial" not in name(key)))
"""


def test_rules_for_numpy_declare_the_same_whenever_they_are_loaded() -> None:
    before, inside = (run(f"WHILE_F_RUNS = {inside}{NAMED}") for inside in (False, True))
    assert len(before) > 500
    assert inside == before


ASKED = """
import sys
import numpy as np, sparsejac
def f(x):
    y = np.zeros(4)
    y[:] = x
    m = np.reshape(x, (2, 2)) + 3.0 * np.eye(2)
    return {call}
x = np.array([0.3, 0.7, 0.2, 0.9])
J = sparsejac.sparse_jacobian(f, x).toarray()
step = 1e-6
columns = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(4)]
assert np.allclose(J, np.stack(columns, axis=-1), atol=1e-8), J
files = [name for name in {awaited!r} if "sparsejac.tracing." + name in sys.modules]
print(*files)
"""


@pytest.mark.parametrize(
    ("call", "file", "most"),
    [
        ("np.cumsum(x)", "numpy_rules.scans", 1),
        ("np.cumsum([x[0], x[1] * x[2]])", "numpy_rules.scans", 1),
        ("np.ravel(np.linalg.solve(m, m.T))", "linalg.solving", 2),
        ("np.atleast_1d(np.linalg.norm(m))", "numpy_rules.norms", len(families.AWAITED)),
        ("np.fft.rfft(x).real", "scipy_rules.fourier", 2),
        ("np.modf(3.0 * x)[0]", "numpy_rules.numerics", len(families.AWAITED)),
        ("(y.sort(), y)[1]", "numpy_rules.sorting", len(families.AWAITED)),
        ("(np.maximum.at(y, [0, 0, 1], x[1:] * 2.0), y)[1]", "numpy_rules.putting", 4),
        ("np.i0(x)", "scipy_rules.complex_calls", len(families.AWAITED)),
        ("np.concatenate([m @ x[:2], np.where(x > 0.5, x, 0.0)])", "", 0),
    ],
)
def test_f_finds_what_it_calls(call: str, file: str, most: int) -> None:
    """In files that are loaded when it does, and in no more of them than are looked through."""
    loaded = run(ASKED.format(call=call, awaited=families.AWAITED))
    assert len(loaded) <= most
    assert file in loaded or not most


THREADS = """
import threading
import numpy as np, sparsejac
start, found = threading.Barrier(8), []
CALLS = [np.cumsum, np.sort, np.cumprod, np.gradient]
def work(k):
    call = CALLS[k % 4]
    start.wait()
    found.append(sparsejac.sparse_jacobian(lambda x: call(x * x) + np.sum([x[0], x[1]]), np.array([1.0, 2.0, 4.0])))
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found))
"""


def test_several_threads_ask_at_the_same_time() -> None:
    assert run(THREADS) == ["8"]


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


IMPORTED_BY_F = """
import numpy as np
from sparsejac import gradient

met = []

def spline(x):
    met.append("spline")
    from scipy.interpolate import CubicSpline
    return CubicSpline(np.arange(4.0), x)(1.5)

def integral(x):
    met.append("integral")
    from scipy.integrate import trapezoid
    return trapezoid(x)

for f in (spline, integral):
    print(*gradient(f, np.arange(4.0)).round(12) + 0.0)
    before = len(met)
    gradient(f, np.arange(4.0))
    assert len(met) == before + 1, met  # a second run was needed once only
"""


def test_f_may_import_a_library_itself() -> None:
    """Its names have rules at the first call already: slopes of a cubic, and weights of the trapezoidal rule."""
    assert [float(word) for word in run(IMPORTED_BY_F)] == [-0.0625, 0.5625, 0.5625, -0.0625, 0.5, 1.0, 1.0, 0.5]
