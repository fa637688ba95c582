"""Calls of libraries between launches: all executors run them in their places, and say what went wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, NumpyExecutor, Operation, Schedule, allocate
from kernels.calls import CallError
from kernels.checks import check_schedule
from kernels.step import Call
from kernels.tape_executor import TapeExecutor

SQUARE = Operation("square", 1, np.square, "{0} * {0}")
TWICE = Operation("twice", 1, lambda a: 2.0 * a, "2.0 * {0}")
EXECUTORS = pytest.mark.parametrize("make", [NumpyExecutor, NumbaExecutor, TapeExecutor])


def line(size, offset=0, stride=1):
    return Affine((size,), offset, (stride,))


def squares(source, target, size):
    k = KernelBuilder(1)
    value, slope = k.apply(SQUARE, 0), k.apply(TWICE, 0)
    loads = (Access(source, line(size)),)
    return Launch(k.build(value), k.build(value, slope), (size,), loads, Access(target, line(size)), active=(0,))


def reversed_sums(a, b):
    return np.cumsum(a)[::-1] + b.sum()


def schedule(size=5):
    """Buffer 1 = x**2; buffer 2 = reversed running sums of 1 and the even places of x; 3 = (buffer 2)**2."""
    loads = (Access(1, line(size)), Access(0, line((size + 1) // 2, stride=2)))
    calls = (Call(reversed_sums, loads, 2, 1), Call(np.negative, (Access(3, line(size)),), 4, 2))
    return Schedule((size,) * 5, (0,), (squares(0, 1, size), squares(2, 3, size)), output=4, calls=calls)


@EXECUTORS
@pytest.mark.parametrize("size", [0, 1, 5])
def test_calls_run_in_their_places_in_every_mode(make, size):
    made = schedule(size)
    x = np.linspace(1.0, 2.0, size)
    expected = -((np.cumsum(x**2)[::-1] + x[::2].sum()) ** 2)
    for run in ("values", "partials"):
        buffers = allocate(made)
        buffers[0][:] = x
        getattr(make(made), run)(buffers)
        np.testing.assert_allclose(buffers[4], expected, rtol=1e-14)
    buffers = allocate(made)
    buffers[0][:] = x
    tangents = [np.ones((size, 2)), np.zeros((size, 2)), None, np.zeros((size, 2)), None]
    tangents[2] = np.zeros((size, 2))
    make(made).forward(buffers, tangents, 2)
    np.testing.assert_allclose(buffers[4], expected, rtol=1e-14)
    np.testing.assert_array_equal(tangents[3], 0.0)


@EXECUTORS
def test_an_error_of_the_function_is_the_cause_of_a_call_error(make):
    def singular(a, b):
        raise np.linalg.LinAlgError("singular")

    made = schedule()
    made = replace(made, calls=(replace(made.calls[0], function=singular), made.calls[1]))
    with pytest.raises(CallError, match="singular") as raised:
        make(made).values(allocate(made))
    assert isinstance(raised.value.__cause__, np.linalg.LinAlgError)


@EXECUTORS
def test_a_function_that_returns_too_few_numbers_is_named(make):
    made = schedule()
    made = replace(made, calls=(replace(made.calls[0], function=lambda a, b: a[:2]), made.calls[1]))
    with pytest.raises(ValueError, match="returned 2 numbers, expected 5"):
        make(made).values(allocate(made))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"buffer": 1}, "written to by others"),
        ({"buffer": 0}, "written to by others"),
        ({"position": 3}, "position 3 among 2 launches"),
        ({"loads": (Access(1, line(6)),)}, "places 0 ... 5 of buffer 1"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(changes, message):
    made = schedule()
    with pytest.raises(ValueError, match=message):
        check_schedule(replace(made, calls=(replace(made.calls[0], **changes), made.calls[1])))
