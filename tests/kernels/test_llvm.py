"""Code that LLVM compiles from the generated text, against what numba makes of the same text: equal to the last bit."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels.module
from elementary_oracle import BINARY
from kernels import product_loops, products, symbolic
from kernels.elementary.functions import FUNCTIONS
from kernels.entry import Entry
from kernels.evaluation import Evaluation
from kernels.llvm import module as printer
from kernels.llvm import native
from kernels.llvm.library import CONSTANTS, WRITTEN
from kernels.llvm.value import Unsupported
from kernels.numba_module import compile_by_numba
from kernels.numba_printer import HEADER, VARIANTS, Variant, print_launch
from kernels.shape import LoweredLaunch, active_slots, lower
from kernels.source import Source, read_only
from kernels.step import Launch, Schedule
from sparsejac.primitives import PRIMITIVES

ROOT = Path(__file__).parents[2]
SEEDS = 5
VECTOR = read_only("float64")

pytestmark = pytest.mark.skipif(not native.is_available(), reason="code is compiled by numba here")


def bits(*arrays: np.ndarray) -> list[list[int]]:
    """Numbers to the last bit; a NaN is a NaN."""
    return [np.where(np.isnan(a), np.nan, a).view(np.int64).ravel().tolist() for a in arrays]


def text_of(body: str, parameters: str, signature: str, **options: Any) -> Source:
    """A function named f."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return Source("f", f"{HEADER}\n\ndef f({parameters}):\n{lines}\n", signature, **options)


def pointwise(expression: str) -> Source:
    """An expression in x, y, z, and w, which is x, at each point."""
    body = f"for i in range(len(a)):\n    x = a[i]\n    w = x\n    y = b[i]\n    z = c[i]\n    out[i] = {expression}"
    return text_of(body, "a, b, c, out", f"void({VECTOR}, {VECTOR}, {VECTOR}, float64[::1])")


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e308, 65520.0, 6e-8, 7.25]


def operands() -> list[np.ndarray]:
    """All pairs of special numbers, and numbers of all magnitudes."""
    rng = np.random.default_rng(0)
    pairs = np.array(list(product(SPECIAL, SPECIAL))).T
    some = rng.normal(size=(2, 500)) * np.exp2(rng.integers(-40, 40, (2, 500)))
    near = rng.normal(size=(2, 501)) * 3.0
    x, y = np.concatenate([pairs, some, near], axis=1)
    return [x.copy(), y.copy(), np.roll(x, 7)]


CODES = {name: primitive.operation.code.format("x", "y", "z", "w") for name, primitive in PRIMITIVES.items()}


def test_operations_give_the_same_bits_as_by_numba() -> None:
    """All but the elementary functions, which are one text for both."""
    codes = [code for code in CODES.values() if "elementary." not in code]
    rows = "".join(f"\n    out[np.uint64({k}), i] = {code}" for k, code in enumerate(codes))
    body = f"for i in range(np.uint64(len(a))):\n    x = a[i]\n    y = b[i]\n    z = c[i]\n    w = d[i]{rows}"
    source = text_of(body, "a, b, c, d, out", f"void({', '.join([VECTOR] * 4)}, float64[:, ::1])")
    given, results = [*operands(), np.roll(operands()[1], 5)], []
    for function in (native.compile_native(source), compile_by_numba(source)):
        results.append(np.empty((len(codes), len(given[0]))))
        function(*given, results[-1])
    for code, ours, theirs in zip(codes, *results, strict=True):
        assert bits(ours) == bits(theirs), code


@pytest.mark.parametrize("name", list(WRITTEN))
def test_functions_in_the_language_are_those_that_python_runs(name: str) -> None:
    """The library's own text, run by Python at ordinary points."""
    rng = np.random.default_rng(1)
    arity = len(inspect.signature(WRITTEN[name]).parameters)
    numbers = [rng.uniform(-4.0, 4.0, 50), rng.choice([-1.5, 2.0, 0.75], 50), np.zeros(50)]
    code = name.join(["x ", " y"]) if arity == 2 and "." not in name else f"{name}({', '.join('xy'[:arity])})"
    out = np.empty(50)
    native.compile_native(pointwise(code))(*numbers, out)
    expected = [float(WRITTEN[name](*row)) for row in zip(*(n.tolist() for n in numbers[:arity]), strict=True)]
    # NumPy's exp2 is not the C library's.
    np.testing.assert_allclose(out, expected, rtol=1e-12 if name == "np.logaddexp2" else 0.0)


def test_constants_are_those_of_their_modules() -> None:
    modules = {"math": math, "np": np}
    for name, number in CONSTANTS.items():
        if "." in name:
            module, attribute = name.split(".")
            np.testing.assert_equal(getattr(modules[module], attribute), number)


def run_launch(
    function: Callable[..., Any], lowered: LoweredLaunch, launch: Launch, schedule: Schedule, variant: Variant
) -> list[np.ndarray]:
    """All that a launch writes, from random buffers, in pieces."""
    rng = np.random.default_rng(2)
    buffers = [rng.normal(size=size) for size in schedule.sizes]
    rows = [rng.normal(size=(size, SEEDS)) for size in schedule.sizes]
    local = np.full(launch.points * len(launch.active), 7.0)
    arguments: list[Any] = [lowered.geometry, *(buffers[b] for b in lowered.slots)]
    if variant in ("forward", "reverse"):
        arguments += [rows[lowered.slots[slot]] for slot in active_slots(lowered.shape)]
    arguments += [local] if variant == "partials" else []
    first = [SEEDS] if variant == "forward" else []
    length = SEEDS if variant == "reverse" else lowered.length
    for start, stop in ((0, length // 2), (length // 2, length)):
        function(start, stop, *first, *arguments, *lowered.tables)
    return [*buffers, *rows, local]


def by_python(source: Source) -> Callable[..., Any]:
    """The text as it stands."""
    namespace: dict[str, Any] = {}
    exec(source.text, namespace)
    return np.errstate(over="ignore")(namespace[source.name])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_launch_gives_the_bits_of_its_text_in_python(case: Any, variant: Variant) -> None:
    for launch in case.schedule.launches:
        if launch.active or variant == "value":
            lowered = lower(launch)
            source = print_launch(lowered.shape, variant)
            functions = (native.compile_native(source), by_python(source))
            found = [run_launch(function, lowered, launch, case.schedule, variant) for function in functions]
            assert bits(*found[0]) == bits(*found[1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_launch_gives_the_bits_that_numba_gives(cases: Any, variant: Variant) -> None:
    schedule = cases("reduced-2").schedule
    (launch,) = schedule.launches
    lowered = lower(launch)
    source = print_launch(lowered.shape, variant)
    functions = (native.compile_native(source), compile_by_numba(source))
    found = [run_launch(function, lowered, launch, schedule, variant) for function in functions]
    assert bits(*found[0]) == bits(*found[1])


LOOPS = [
    loop
    for _, loop in inspect.getmembers(product_loops, inspect.isfunction)
    if loop.__module__ == product_loops.__name__
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_loops_over_slots_are_those_that_python_runs(loop: Callable[..., None]) -> None:
    """Every loop of the library, on tables of both widths."""
    rng = np.random.default_rng(3)
    names = list(inspect.signature(loop).parameters)[2:]
    kinds = [name for name in names if name.endswith(("slots", "indptr", "positions", "targets", "pieces"))]
    sources = len(names) - len(kinds) - 1
    for dtype in (np.uint32, np.uint64):
        tables = [rng.permutation(12).astype(dtype) for _ in kinds]
        if "indptr" in kinds:
            tables[kinds.index("indptr")] = np.array([0, 3, 3, 8, 12], dtype=dtype)
        if "pieces" in kinds:
            tables[0] = np.array([0, 4, 3, 5, 0, 4, 2, 7, 5, 9, 4, 0], dtype=dtype)
        length = 4 if {"indptr", "pieces"} & set(kinds) else 12
        given = [rng.normal(size=24) for _ in range(sources)]
        signature = products._signature(tuple(np.dtype(dtype).itemsize for _ in kinds), sources)
        results = []
        for function in (native.compile_native(products._source(loop, signature)), loop):
            results.append(np.full(12, 7.0))
            function(0, length, *tables, *given, results[-1])
        assert bits(results[0]) == bits(results[1])


def test_an_entry_calls_its_parts_and_tells_the_outcome() -> None:
    x, out, work = np.empty(0), np.empty(3), np.zeros(3)
    calls = [
        products.gather_invocation(x, np.array([2, 0, 1]), work),
        products.gather_invocation(work, np.array([1, 1, 2]), out),
    ]
    evaluation = Evaluation(calls, [x], out, [(work, np.array([3.0, np.nan, 2.0]))], checks_finite=True)
    entry, result = Entry(evaluation), np.empty(3)
    assert inspect.isbuiltin(entry.function)
    table = entry.table(evaluation).numbers
    assert entry.function(result, np.array([np.nan, 2.0, 3.0]), table) == 2
    assert entry.function(result, np.array([1.0, 2.0, 3.0]), table) == 1
    assert entry.function(result, result, table) == 3


ADD = text_of("for i in range(len(a)):\n    out[i] = a[i] + 1.0", "n, a, out", f"void(int64, {VECTOR}, float64[::1])")
READ = np.ones(3)
READ.flags.writeable = False


@pytest.mark.parametrize(
    "given",
    [
        (),
        (0, np.ones(3)),
        (0, np.ones(3), np.ones(3), 1),
        ("0", np.ones(3), np.ones(3)),
        (0.0, np.ones(3), np.ones(3)),
        (0, [1.0], np.ones(1)),
        (0, None, np.ones(1)),
        (0, np.ones(3, dtype=np.float32), np.ones(3)),
        (0, np.ones(3, dtype=np.int64), np.ones(3)),
        (0, np.ones(3, dtype=">f8"), np.ones(3)),
        (0, np.ones((3, 1)), np.ones(3)),
        (0, np.array(1.0), np.ones(3)),
        (0, np.ones(6)[::2], np.ones(3)),
        (0, np.frombuffer(b"\0" * 25, dtype=np.float64, offset=1, count=3), np.ones(3)),
        (0, np.ones(3), READ),
        (0, np.ones(3).view(np.matrix)[0], np.ones(3)),
    ],
)
def test_arguments_of_other_types_are_refused(given: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        native.compile_native(ADD)(*given)


def test_the_message_names_the_function_the_argument_and_the_types() -> None:
    with pytest.raises(TypeError, match=r"^f: argument 2 does not fit into void\(int64, .*\)\.$"):
        native.compile_native(ADD)(0, np.ones(1), 5)
    with pytest.raises(TypeError, match=r"^f: 1 arguments instead of 3, as in void"):
        native.compile_native(ADD)(0)
    with pytest.raises(OverflowError):
        native.compile_native(ADD)(2**70, np.ones(1), np.ones(1))


def test_minus_one_is_a_number_and_read_only_arrays_are_read() -> None:
    out = np.empty(3)
    assert native.compile_native(ADD)(-1, READ, out) is None
    assert out.tolist() == [2.0, 2.0, 2.0]


def test_functions_outlive_what_made_them() -> None:
    """What a built-in function needs is kept by it, whatever else is forgotten."""
    source = text_of("for i in range(len(a)):\n    out[i] = a[i] * 3.0", "n, a, out", ADD.signature)
    function, out = native.compile_native(source), np.empty(2)
    native._loaded.clear()
    for _ in range(3):
        native.compile_native(ADD)
    function(0, np.array([1.0, 2.0]), out)
    assert out.tolist() == [3.0, 6.0]
    assert function.__name__ == "f"


@pytest.mark.parametrize(
    "load",
    [
        lambda: native._load(text_of("out[0] = a[0] * 5.0", "n, a, out", ADD.signature)),
        lambda: native.link_text("define i64 @five() { ret i64 5 }", ("five",)),
    ],
)
def test_threads_that_load_the_same_code_share_one(load: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses do not keep code: what one thread loaded would go with what the next one puts in its place."""
    link, together = native.machine.link, threading.Barrier(3)

    def link_at_once(*args: Any) -> Any:
        together.wait(60.0)
        return link(*args)

    monkeypatch.setattr(native.machine, "link", link_at_once)
    with ThreadPoolExecutor(3) as pool:
        first, *others = [future.result() for future in [pool.submit(load) for _ in range(3)]]
    assert all(other is first for other in others)
    assert load() is first


@pytest.mark.parametrize(
    "body",
    [
        "out[0] = np.uint64(n) * n",  # numba turns both into doubles
        "out[0] = np.uint64(n)",
        "out[0] = a[0] ** 2",
        "out[0] = math.gamma(a[0])",
        "out[0] = a[0] if n else 0.0",
        "out[0] = 1.0 if 0.0 < a[0] < 1.0 else 0.0",
        "out[0] = a[1] if n > 1 else n",
        "out[0] = undefined",
        "b = a",
        "for i in range(n):\n    total = a[i]\nout[0] = total",
        "for x in a:\n    out[0] = x",
        "room = np.empty(n)\nout[0] = n",
        "room = np.empty(100_000)",
        "room = np.empty(0)",
        "room = np.empty(3, np.int64)",
        "room = np.empty(3)\nroom = np.empty(4)",
        "while n:\n    break",
        "try:\n    out[0] = 1.0\nfinally:\n    out[0] = 2.0",
        "out[0] = elementary.gamma(a[0])",
        "out[0] = elementary.exp(a[0], a[0])",
        "part0(n)",
        "math.exp(a[0])",
        "n",
        "out[0] = np.nextafter(a[0], a[1])",
        "out[0] = math.fmod(a[0])",
        "out[0] = 1.0 * ~1",
        "a[0] = 1.0",
        "return 1",
    ],
)
def test_what_is_not_in_the_language_is_left_to_numba(body: str) -> None:
    with pytest.raises(Unsupported):
        printer.print_module(text_of(body, "n, a, out", ADD.signature), 4)


def test_several_names_are_bound_at_once() -> None:
    """By machine code of ours, not by numba: what stands on the right is read before any name is bound."""
    found = np.zeros(1)
    body = "b, c = a[0], a[1]\nb, c = c, b\nout[0] = b - 2.0 * c"
    native.compile_native(text_of(body, "a, out", f"void({VECTOR}, float64[::1])"))(np.array([3.0, 7.0]), found)
    assert found.tolist() == [1.0]


def test_a_short_array_of_ones_own() -> None:
    body = "room = np.empty(7)\nfor i in range(n):\n    room[i] = a[i] + 1.0\n"
    body += "for j in range(n):\n    out[j] = room[n - 1 - j]"
    found = np.zeros(7)
    native.compile_native(text_of(body, "n, a, out", ADD.signature))(7, np.arange(7.0), found)
    assert found.tolist() == [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "signature", ["void()", "void(float64, float64[::1])", "float64(int64)", "void(complex128[::1])"]
)
def test_other_signatures_are_left_to_numba(signature: str) -> None:
    names = ", ".join(f"x{k}" for k in range(signature.count(",") + 1 if "()" not in signature else 0))
    with pytest.raises(Unsupported):
        native.compile_native(text_of("return", names, signature))


WALK = """total = np.uint64(0)
at = np.uint64(len(t))
while at > np.uint64(0) and t[at - ONE] > np.uint64(2):
    at -= ONE
    if t[at] == np.uint64(9):
        break
    total += np.uint64(t[at])
k[0] = np.int64(total)
k[1] = at
half = (n - 7) // 2
k[n - 5] += n >> 1
k[-1] += n if n > 2 and t[n - 3] < t[-1] else -7
k[2] = half
k[3] += half * 3 - 1
t[0] = min(total, np.uint64(n))
t[1] = max(at, np.uint64(1)) if total != 3 and at < len(t) else t[0]
if n > 3:
    return
elif n < 0:
    k[4] = -1
else:
    for j in range(n):
        k[4] += j"""


@given(numbers=st.lists(st.integers(0, 9), min_size=2, max_size=9), n=st.integers(0, 6), narrow=st.booleans())
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_pythons(numbers: Sequence[int], n: int, narrow: bool) -> None:
    """A walk from the end that must not look before the beginning, signed division, and places from the end."""
    kind = "uint32" if narrow else "uint64"
    source = text_of(WALK, "n, t, k", f"void(int64, {kind}[::1], int64[::1])", may_overlap=True)
    results: list[list[list[int]]] = []
    namespace: dict[str, Any] = {}
    exec(source.text, namespace)
    for function in (native.compile_native(source), namespace["f"]):
        t, k = np.array(numbers, dtype=kind), np.array([50, 60, 70, 80, 90])
        function(n, t, k)
        results.append([t.tolist(), k.tolist()])
    assert results[0] == results[1]


def test_what_arrays_share_is_seen_where_they_may_overlap() -> None:
    body = "for i in range(len(out)):\n    out[i] = a[i] + 1.0"
    kinds = f"void({VECTOR}, float64[::1])"
    memory = np.zeros(6)
    native.compile_native(text_of(body, "a, out", kinds, may_overlap=True))(memory[:-1], memory[1:])
    assert memory.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("calls", [0, 2])
def test_long_functions_are_not_vectorised_and_give_the_same(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Beyond the limit, elementary functions are called, and each point is computed alone."""
    terms = " + ".join(f"(x * {k}.5)" for k in range(40))
    source = pointwise(f"{terms}{' + elementary.sin(x)' * calls}")
    given, results, packed = operands(), [], []
    for limit in (printer.LARGE, 50):
        monkeypatch.setattr(printer, "LARGE", limit)
        monkeypatch.setattr(native, "_loaded", {})
        monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
        assert printer.print_module(source, 4).is_large == (limit == 50)
        results.append(np.empty_like(given[0]))
        native.compile_native(source)(*given, results[-1])
        packed.append(native.assembly(source).count("vmulpd"))
    assert bits(results[0]) == bits(results[1])
    assert packed[1] < packed[0] or not packed[0]


def test_vectors_on_the_stack_lie_in_one_cache_line_each() -> None:
    if native.machine.vector_width() < 4:
        pytest.skip("whole vectors are as long as what stacks are aligned to")
    count = 40  # more numbers than there are registers, all of them wanted at the end
    lines = [*(f"v{k} = a[i] * a[i] - a[i] / {k}.5" for k in range(count)), "s = v0"]
    lines += [f"s = v{k} - s / v{k}" for k in (*range(count), *reversed(range(count)))]
    body = "\n".join(f"    {line}" for line in [*lines, "out[i] = s"])
    source = text_of(f"for i in range(len(out)):\n{body}", "a, out", f"void({VECTOR}, float64[::1])")
    vector = f"%{'z' if native.machine.vector_width() == 8 else 'y'}mm"
    on_stack = re.findall(rf"vmov([au])p[sd]\s[^\n]*\(%rsp\), {vector}", native.assembly(source))
    assert set(on_stack) == {"a"}


VECTOR_CALL = re.compile(r"call\w*\s.*sparsejac_elementary_(\w+)_(?:2|4|8)\b")


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_functions_called_for_whole_vectors_give_the_same_bits(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As where there are many calls in one loop; the rest of the loop is done one by one."""
    source = pointwise(f"elementary.{name}({'x, y' if name in BINARY else 'x'})")
    given, results, calls = operands(), [], []
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
    for limit in (printer.MOST_COPIED, 0):
        monkeypatch.setattr(printer, "MOST_COPIED", limit)
        monkeypatch.setattr(native, "_loaded", {})
        results.append(np.empty_like(given[0]))
        native.compile_native(source)(*given, results[-1])
        calls.append(VECTOR_CALL.findall(native.assembly(source)))
    assert bits(results[0]) == bits(results[1])
    assert calls[0] == []
    assert set(calls[1]) == {name}


def test_sums_of_thousands_of_terms_are_printed() -> None:
    """A launch with many active loads pushes all its tangents in one line."""
    x, y, z = operands()
    out, expected = np.empty_like(x), y * 0.5
    native.compile_native(pointwise(" + ".join(["y * 0.5", *["x"] * 2000])))(x, y, z, out)
    with np.errstate(all="ignore"):
        for _ in range(2000):
            expected = expected + x
    assert bits(out) == bits(expected)


@pytest.mark.parametrize("name", list(CODES))
def test_no_text_of_the_registry_is_left_to_numba(name: str) -> None:
    printed = printer.print_module(pointwise(CODES[name]), 4)
    assert "define " in printed.text


PATTERNS = ("unite_rows", "pair_rows", "count_entries", "locate")


@pytest.mark.parametrize("name", PATTERNS)
def test_loops_over_patterns_wait_for_no_numba(name: str) -> None:
    before = kernels.module.fallbacks
    assert all(inspect.isbuiltin(symbolic._function(name, narrow)) for narrow in ("uint32", "uint64"))
    assert kernels.module.fallbacks == before


PLAIN = """
import sys
import numpy as np
import sparsejac
def f(x):
    y = np.sin(x[1:]) * x[:-1]
    y[0] = np.where(x[0] > 0.0, x[1] ** 2, np.exp(x[2]))
    return y
for strategy in ("identity", "forward", "reverse"):
    plan = sparsejac.prepare(f, np.linspace(0.5, 1.5, 6), strategy=strategy, backend="numba")
    plan(np.linspace(0.25, 1.0, 6))
from kernels import module
print(sorted({"numba", "numba.core"} & set(sys.modules)), module.fallbacks)
"""


def test_numba_is_imported_neither_to_compile_nor_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", PLAIN], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (run.stdout, run.returncode) == ("[] 0\n", 0), run.stderr
