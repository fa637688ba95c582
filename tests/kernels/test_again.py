"""A compiled function with all but x and `out` in place, and the arrays that it gives away."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.entry import Entry
from kernels.evaluation import Evaluation
from kernels.llvm import again as again_code
from kernels.llvm import call
from kernels.llvm.again import KEPT, KEPT_BYTES
from kernels.products import gather_invocation

Floats = npt.NDArray[np.float64]
SIZE, LENGTH = 5, 7
PLACES = np.array([4, 0, 3, 3, 1, 2, 0])
X = np.array([0.5, -1.5, 2.5, 3.25, -4.0])


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or hasattr(sys, "gettotalrefcount") or "t" in getattr(sys, "abiflags", ""),
    reason="objects of this Python have other fields",
)
def test_the_usual_python_has_its_fields_where_they_are_read() -> None:
    """Without that all is slower, and the tests below are skipped."""
    assert call.layout_is_known()
    assert again_code.layout_is_known()


def gathering(places: Any = PLACES, size: int = SIZE, *, unlocks: bool = False) -> Callable[[Any, Any], Any]:
    """What gives ``x[places]``."""
    x, out = np.empty(size), np.empty(len(places))
    evaluation = Evaluation([gather_invocation(x, places, out)], [x], out)
    entry = Entry(evaluation)
    if not entry.can_be_bound:
        pytest.skip("no machine code of LLVM's")
    table = entry.table(evaluation)
    return entry.again(size, len(places), (table.numbers,), unlocks=unlocks, keep=table)


@pytest.fixture(params=[False, True], ids=["holds the lock", "gives it back"])
def again(request: pytest.FixtureRequest) -> Callable[[Any, Any], Any]:
    return gathering(unlocks=request.param)


def test_writes_to_the_given_array_or_to_its_own(again: Any) -> None:
    out = np.empty(LENGTH)
    assert again(X, out) is out
    assert np.array_equal(out, X[PLACES])
    own = again(2.0 * X, None)
    assert type(own) is np.ndarray
    assert own.flags.owndata
    assert np.array_equal(own, 2.0 * X[PLACES])


@pytest.mark.parametrize("places", [[], [0], [0] * 9])
@pytest.mark.parametrize("size", [1, 3])
def test_small_sizes(places: list[int], size: int) -> None:
    again, x = gathering(np.array(places, dtype=np.int64), size), np.arange(1.0, size + 1.0)
    for _ in range(2 * KEPT):
        assert again(x, None).tolist() == [1.0] * len(places)


class Annotated(np.ndarray[Any, Any]):
    """A subclass of ndarray."""


def bad_forms(length: int) -> list[Any]:
    """What is no aligned contiguous vector of so many float64."""
    there = np.ones(length)
    return [
        there.tolist(),
        tuple(there),
        1.0,
        "text",
        object(),
        np.ndarray,
        there[1:],
        np.ones(length + 1),
        np.ones((length, 1)),
        np.ones((1, length)),
        np.float64(1.0),
        np.array(1.0),
        there.astype(np.float32),
        there.astype(np.int64),
        there.astype(complex),
        there.astype(">f8"),
        there.astype(object),
        np.repeat(there, 2)[::2],
        there[::-1],
        np.zeros(8 * length + 1, dtype=np.uint8)[1:].view(np.float64),
        there.view(Annotated),
        np.ma.masked_array(there),
    ]


def test_refuses_all_else(again: Any) -> None:
    out = np.full(LENGTH, 7.0)
    for x in (*bad_forms(SIZE), None):
        assert again(x, out) is None
        assert again(x, None) is None
    frozen = np.full(LENGTH, 7.0)
    frozen.flags.writeable = False
    for wrong in (*bad_forms(LENGTH), frozen):
        assert again(X, wrong) is None
    assert out.tolist() == frozen.tolist() == [7.0] * LENGTH
    for count in (0, 1, 3):
        with pytest.raises(TypeError, match="x, and an array or None"):
            again(*[X] * count)


def test_x_may_be_read_only(again: Any) -> None:
    x = X.copy()
    x.flags.writeable = False
    assert np.array_equal(again(x, None), X[PLACES])


def test_an_overlap_changes_nothing() -> None:
    """The code reads x while it writes: whoever called copies x."""
    again, memory = gathering(np.arange(SIZE)[::-1].copy()), X.copy()
    assert again(memory, memory) is None
    assert np.array_equal(memory, X)


def test_an_array_is_used_again_once_nobody_holds_it(again: Any) -> None:
    for _ in range(KEPT):
        again(X, None)
    first = id(again(X, None))
    assert {id(again(X, None)) for _ in range(20)} == {first}
    held = [again(X, None) for _ in range(10)]
    assert len(set(map(id, held))) == 10


Holder = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def in_a_cycle(array: Any) -> list[Any]:
    cycle = [array]
    cycle.append(cycle)
    return cycle


HOLDERS: dict[str, Holder] = {
    "itself": (lambda array: array, lambda held: held),
    "a part": (lambda array: array[:], lambda held: held),
    "a part of a part": (lambda array: array[::-1][::2], lambda held: held.base),
    "another shape": (lambda array: array.reshape(1, -1), lambda held: held[0]),
    "its memory": (memoryview, np.asarray),
    "a container": (lambda array: {"data": (array,)}, lambda held: held["data"][0]),
    "a cycle": (in_a_cycle, lambda held: held[1][0]),
    "its address": (lambda array: array.ctypes, lambda held: held._arr),
    "its buffer": (np.frombuffer, lambda held: held),
    "a function": (lambda array: lambda: array, lambda held: held()),
}
"""Ways to hold an array, and to read what is held."""


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_array_that_somebody_holds_stays(again: Any, holder: str) -> None:
    hold, read = HOLDERS[holder]
    for turn in range(2 * KEPT):
        x = X + turn
        held = hold(again(x, None))
        for k in range(2 * KEPT):
            again(X - k, None)
        assert np.array_equal(read(held), x[PLACES])


def test_an_array_with_a_weak_reference_is_let_go(again: Any) -> None:
    """Whoever asks the reference has to find the array as it was, or none."""
    references = [weakref.ref(again(X + k, None)) for k in range(3 * KEPT)]
    for k, reference in enumerate(references):
        array = reference()
        assert array is None or np.array_equal(array, (X + k)[PLACES])
    assert sum(reference() is not None for reference in references) <= KEPT


def freeze(array: Any) -> None:
    array.flags.writeable = False


def move(array: Any) -> None:
    with suppress(AttributeError):  # NumPy 2.4 and later
        array.data = np.zeros(LENGTH).data


CHANGES: dict[str, Callable[[Any], None]] = {
    "read-only": freeze,
    "other shape": lambda array: setattr(array, "shape", (1, LENGTH)),
    "smaller": lambda array: array.resize(LENGTH - 1, refcheck=False),
    "other memory": move,
    "larger": lambda array: array.resize(LENGTH + 1, refcheck=False),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_array_whose_fields_were_changed_is_let_go(again: Any, change: str) -> None:
    for k in range(4 * KEPT):
        array = again(X + k, None)
        assert array.shape == (LENGTH,)
        assert array.flags.carray
        assert np.array_equal(array, (X + k)[PLACES])
        CHANGES[change](array)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(HOLDERS))), max_size=40))
def test_whatever_is_held_stays(steps: list[tuple[int, str]]) -> None:
    """Results are held, some of them are dropped, and all that are still held are what they were."""
    again, held = gathering(), dict[int, tuple[Any, Any, Floats]]()
    for k, (place, holder) in enumerate(steps):
        x, (hold, read) = X * (k + 1.0), HOLDERS[holder]
        held[place] = hold(again(x, None)), read, x[PLACES]
        assert all(np.array_equal(read(kept), expected) for kept, read, expected in held.values())


def test_large_arrays_are_not_kept() -> None:
    length = KEPT_BYTES // 8 + 1
    again = gathering(np.zeros(length, dtype=np.int64))
    references = []
    for k in range(2 * KEPT):
        array = again(X + k, None)
        assert np.array_equal(array, np.full(length, X[0] + k))
        references.append(weakref.ref(array))
        del array
    assert not any(reference() is not None for reference in references)


def test_references_are_given_back(again: Any) -> None:
    out, wrong = np.empty(LENGTH), np.empty(LENGTH + 1)
    x, objects = X.copy(), [None, X, out, wrong]
    for _ in range(KEPT + 1):
        again(x, None)
    gc.collect()
    before = [sys.getrefcount(each) for each in (*objects, x)]
    for _ in range(1000):
        again(x, None)
        again(x, out)
        again(x, wrong)
        again(wrong, out)
    after = [sys.getrefcount(each) for each in (*objects, x)]
    assert all(abs(a - b) < 100 for a, b in zip(after, before, strict=True))


def test_what_it_needs_goes_with_it() -> None:
    class Kept:
        pass

    kept = Kept()
    reference = weakref.ref(kept)
    x, out = np.empty(SIZE), np.empty(LENGTH)
    evaluation = Evaluation([gather_invocation(x, PLACES, out)], [x], out)
    entry = Entry(evaluation)
    if not entry.can_be_bound:
        pytest.skip("no machine code of LLVM's")
    again = entry.again(SIZE, LENGTH, (entry.table(evaluation).numbers,), unlocks=False, keep=(kept, evaluation))
    del kept
    gc.collect()
    assert reference() is not None
    assert np.array_equal(again(X, None), X[PLACES])
    del again
    gc.collect()
    assert reference() is None


IN_CYCLES = """
import gc
from kernels.llvm.call import CALL, ENTRY_POINT
from kernels.llvm.machine import built_in
from kernels.llvm.native import link_text

entry = link_text(CALL, (ENTRY_POINT,)).addresses[ENTRY_POINT]
gc.collect()
gc.disable()
cycles = []
for _ in range(100):
    cycle = [built_in(entry, b"name", (b"description",))]
    cycle.append(cycle)
    cycles.append(cycle)
del cycle, cycles
gc.collect()
"""


def test_a_function_in_a_cycle_ends_with_it() -> None:
    """The collector takes the function apart after what it keeps: memory that is free by then is filled here."""
    gathering()  # or there is none
    fills = {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "2"}  # of glibc's
    subprocess.run([sys.executable, "-c", IN_CYCLES], env={**os.environ, **fills}, check=True)


@pytest.mark.parametrize("length", [LENGTH, 20_000])
@pytest.mark.parametrize("own", [False, True])
def test_threads(again: Any, length: int, own: bool) -> None:
    """Each gets its own entries, or None while another one is at work."""
    places = np.arange(length) % SIZE
    shared = gathering(places, unlocks=True) if length > LENGTH else again
    places = places if length > LENGTH else PLACES

    def work(k: int) -> int:
        x, out, done = X * (k + 1.0), np.empty(length), 0
        for _ in range(200):
            found = shared(x, None if own else out)
            if found is not None:
                assert np.array_equal(found, x[places])
                done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) > 0


def test_threads_do_not_meet_in_work_arrays() -> None:
    """x is gathered into an array that belongs to the function, and from there to the result."""
    length = 200_000
    x, middle, out, back = np.empty(length), np.empty(length), np.empty(length), np.arange(length)[::-1].copy()
    evaluation = Evaluation([gather_invocation(x, back, middle), gather_invocation(middle, back, out)], [x], out)
    entry = Entry(evaluation)
    if not entry.can_be_bound:
        pytest.skip("no machine code of LLVM's")
    table = entry.table(evaluation)
    shared = entry.again(length, length, (table.numbers,), unlocks=True, keep=(table, evaluation))

    def work(k: int) -> int:
        x, done = np.full(length, k + 0.5), 0
        for _ in range(100):
            found = shared(x, None)
            if found is not None:
                assert (found == k + 0.5).all()
                done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that begin as copies")
@pytest.mark.filterwarnings("ignore:.*fork")  # several threads, on purpose
def test_in_a_forked_child_nobody_is_at_work() -> None:
    """The thread that ran the code is not there, and does not come back to say that it is done."""
    length = 500_000
    shared, x, stop = gathering(np.arange(length) % SIZE, unlocks=True), X.copy(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            shared(x, None)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os._exit(3 if shared(x, None) is None else 0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()
