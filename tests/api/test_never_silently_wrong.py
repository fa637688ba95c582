"""Ways out of the arrays that lose derivatives in other tools: right or refused, never a silent zero.

A tracer may learn more of these; it may not start to get one wrong. What is in the catalogue must be right, these may
be refused. Text is left out: what f makes of digits is a constant to any tracer.
"""

from __future__ import annotations

import copy
import fractions
import functools
import itertools
import math
import operator
import pickle
import statistics
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp
import scipy.special

import sparsejac
from oracles import differences

X = np.array([0.75, 1.5, -0.5, 2.25])

REFUSALS = (sparsejac.SparsejacError, TypeError, ValueError, AttributeError)
Programs = dict[str, Callable[[Any], Any]]

LISTS: Programs = {
    "np.sum of a list": lambda x: np.sum([x[0], x[1] ** 2, 3.0]),
    "np.mean of a list": lambda x: np.mean([x[0], x[1] * x[2]]),
    "np.max of a list": lambda x: np.max([x[0], x[1], x[2]]),
    "np.prod of a list": lambda x: np.prod([x[0], 2.0, x[3]]),
    "np.dot of a list": lambda x: np.dot([x[0], x[1]], np.array([2.0, 3.0])),
    "np.linalg.norm of a list": lambda x: np.linalg.norm([x[0], x[1], 1.0]),
    "ufunc of a list": lambda x: np.exp([x[0], 1.0, x[2]]),
    "array times list": lambda x: np.ones(3) * [x[0], x[1], 2.0],
    "list on the left": lambda x: [x[0], x[1]] * np.array([2.0, 3.0]),
    "traced plus list of traced": lambda x: x[:2] + [x[2], x[3]],  # noqa: RUF005 (an array, not a list)
    "np.where of lists": lambda x: np.where([True, False], [x[0], x[1]], [x[2], 1.0]),
    "np.concatenate of lists": lambda x: np.concatenate([[x[0]], [1.0, x[1]]]),
    "np.stack of lists": lambda x: np.stack([[x[0], 1.0], [2.0, x[1]]]),
    "matrix times list": lambda x: np.ones((2, 3)) @ [x[0], x[1], x[2]],
    "sparse times list": lambda x: sp.csr_array(np.ones((2, 3))) @ [x[0], x[1], x[2]],
    "method of a dense constant": lambda x: np.ones((2, 4)).dot(x),
    "assigning a list": lambda x: _assigned(np.zeros(3), [x[0], 1.0, x[1]]),
    "np.cumsum of a list": lambda x: np.cumsum([x[0], x[1], x[2]]),
    "np.array with dtype": lambda x: np.array([x[0], x[1]], dtype=np.float64),
    "np.array of float32": lambda x: np.array([x[0], x[1]], dtype=np.float32) * 1.0,
    "np.array of objects": lambda x: np.array([x[0], x[1]], dtype=object) * 2.0,
    "np.array of int": lambda x: np.array([x[0], x[1]], dtype=int) * x[0],
    "object buffer": lambda x: _assigned(np.empty(2, dtype=object), [x[0], x[1]]),
    "float32 buffer": lambda x: _assigned(np.zeros(4, dtype=np.float32), x),
    "int buffer": lambda x: _assigned(np.zeros(4, dtype=int), x),
    "bool buffer": lambda x: _assigned(np.zeros(4, dtype=bool), x) * x,
    "np.append": lambda x: np.append(x[1:], x[0] ** 2),
    "np.r_": lambda x: np.r_[x[0], x[1:3], 5.0],
    "np.fromiter": lambda x: np.fromiter((v * v for v in x), dtype=float),
    "np.atleast_1d": lambda x: np.atleast_1d(x[0]) * x[1],
    "np.block": lambda x: np.block([[x[:2], x[2:]], [x[2:], x[:2]]]),
}

CONSTRUCTORS: Programs = {
    "np.linspace to an unknown": lambda x: np.linspace(0.0, x[0], 3),
    "np.arange of an unknown": lambda x: np.arange(0.0, x[3], 0.5) * x[0],
    "np.full of an unknown": lambda x: np.full(3, x[1]) * x[0],
    "np.full_like of an unknown": lambda x: np.full_like(x, x[2]),
    "np.diag": lambda x: np.diag(x) @ x,
    "np.eye times": lambda x: np.eye(4) * x,
    "np.outer": lambda x: np.outer(x[:2], x),
    "np.kron": lambda x: np.kron(x[:2], x[2:]),
    "np.meshgrid": lambda x: np.multiply(*np.meshgrid(x[:2], x[2:])),
    "np.vander": lambda x: np.vander(x[:2], 3),
    "np.interp": lambda x: np.interp(x[0], [0.0, 1.0, 2.0], [1.0, 3.0, 2.0]) * x[1],
    "np.interp with unknown table": lambda x: np.interp([0.25, 1.5], [0.0, 1.0, 2.0, 3.0], x),
    "np.polyval": lambda x: np.polyval(x[:3], x[3]),
    "np.trapezoid": lambda x: np.trapezoid(x**2, dx=0.5),
    "np.convolve": lambda x: np.convolve(x, [1.0, 2.0, 1.0]),
    "np.cross": lambda x: np.cross(x[:3], x[1:]),
    "np.gradient": lambda x: np.gradient(x**2),
    "np.sort": lambda x: np.sort(x) * [1.0, 2.0, 3.0, 4.0],
    "x.sort": lambda x: (x.sort(), x * 2.0)[1],
    "np.median": lambda x: np.median(x),
    "np.unique": lambda x: np.unique(x) ** 2,
    "np.argmax as index": lambda x: x[np.argmax(x)] * x[0],
    "traced mask": lambda x: x[x > 0] ** 2,
    "traced mask assignment": lambda x: _masked(x),
    "np.nonzero of a traced mask": lambda x: x[np.nonzero(x > 0)] * 3.0,
    "int as index": lambda x: x[int(abs(x[0]))] * 2.0,
    "np.digitize": lambda x: x * np.digitize(x, [0.0, 1.0]),
    "np.histogram with weights": lambda x: np.histogram([0.1, 0.6, 0.7, 0.2], bins=2, weights=x)[0],
    "np.cov": lambda x: np.cov(x[:2], x[2:]),
    "np.var": lambda x: np.var(x) + np.std(x),
    "np.average": lambda x: np.average(x, weights=[1.0, 2.0, 3.0, 4.0]),
    "np.ptp": lambda x: np.ptp(x),
    "np.nan_to_num": lambda x: np.nan_to_num(x) * 2.0,
    "np.nansum": lambda x: np.nansum(x**2),
    "np.cumsum": lambda x: np.cumsum(x) * x,
    "np.add.accumulate": lambda x: np.add.accumulate(x),
    "np.add.reduceat": lambda x: np.add.reduceat(x, [0, 2]),
    "np.multiply.outer": lambda x: np.multiply.outer(x[:2], x),
    "np.copyto": lambda x: _copied(np.zeros(4), x),
    "np.put": lambda x: _put(np.zeros(4), x),
    "np.fill_diagonal": lambda x: _diagonal(np.zeros((4, 4)), x),
    "fill": lambda x: _filled(np.zeros(3), x),
    "flat": lambda x: _flat(np.zeros((2, 2)), x),
    "out=": lambda x: np.multiply(x, 3.0, out=np.zeros(4)),
    "out= of a view": lambda x: _out(np.zeros(5), x),
    "where=": lambda x: np.multiply(x, 3.0, out=np.ones(4), where=np.array([True, False, True, False])),
    "np.linalg.solve": lambda x: np.linalg.solve(np.eye(4) * 2.0, x),
    "np.linalg.inv": lambda x: np.linalg.inv(x.reshape(2, 2)),
    "np.linalg.det": lambda x: np.linalg.det(x.reshape(2, 2)),
    "np.fft": lambda x: np.abs(np.fft.fft(x)) ** 2,
    "scipy.linalg.solve": lambda x: scipy.linalg.solve(np.eye(4) * 2.0, x),
    "scipy.special.erf": lambda x: scipy.special.erf(x),
    "scipy.optimize.brentq": lambda x: scipy.optimize.brentq(lambda t: t**3 - x[1], 0.0, 3.0) * x[0],
    "np.vectorize": lambda x: np.vectorize(lambda v: v * v)(x),
    "np.apply_along_axis": lambda x: np.apply_along_axis(lambda v: v**2, 0, x),
    "np.piecewise": lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v**2]),
    "np.select": lambda x: np.select([x < 0, x > 1], [x**2, x**3], default=0.5),
    "np.nditer": lambda x: np.array([np.square(v) for v in np.nditer(x)]),
    "np.ndenumerate": lambda x: np.array([v * i[0] for i, v in np.ndenumerate(x)]),
    "new sparse matrix of unknowns": lambda x: (
        sp.csr_array((x, ([0, 1, 2, 3], [0, 1, 2, 3])), shape=(4, 4)) @ np.ones(4)
    ),
    "sp.diags of unknowns": lambda x: sp.diags_array(x) @ np.arange(4.0),
}

PYTHON: Programs = {
    "float": lambda x: float(x[0]) * x[1],
    "int": lambda x: int(x[1]) * x[0],
    "round": lambda x: round(x[0], 1) * x[1],
    "complex": lambda x: (complex(x[0], x[1]) * 1j).real,
    "bool as number": lambda x: (x[0] > 0) * x[1],
    "item": lambda x: x[0].item() ** 2 + x[1],
    "tolist": lambda x: sum(x.tolist()),
    "list": lambda x: sum(v * v for v in list(x)),
    "math.fsum": lambda x: math.fsum([x[0], x[1] ** 2]),
    "math.prod": lambda x: math.prod([x[0], x[1]]),
    "math.dist": lambda x: math.dist([x[0], x[1]], [0.0, 0.0]),
    "math.floor": lambda x: math.floor(x[1]) * x[0],
    "math.erf": lambda x: math.erf(x[0]),
    "math.gamma": lambda x: math.gamma(x[1]),
    "math.modf": lambda x: math.modf(x[1])[0] * x[0],
    "math.ldexp": lambda x: math.ldexp(x[0], 2),
    "statistics.mean": lambda x: statistics.mean([x[0], x[1]]),
    "statistics.fmean": lambda x: statistics.fmean([x[0], x[1]]),
    "fractions": lambda x: float(fractions.Fraction(x[0])) * 1.0,
    "map of math.sin": lambda x: np.array(list(map(math.sin, x))),
    "functools.reduce": lambda x: functools.reduce(operator.mul, x),
    "itertools.accumulate": lambda x: np.array(list(itertools.accumulate(x))),
    "sorted": lambda x: np.array(sorted(x)) * 2.0,
    "max with key": lambda x: max(x, key=lambda v: -v) * 2.0,
    "deque": lambda x: np.array(deque(x)) * 2.0,
    "sum with start": lambda x: sum(x, 1.0),
    "pow of three": lambda x: pow(x[0], 2) + x[1] ** x[0],
    "divmod": lambda x: divmod(x[1], 0.4)[1],
    "copy.copy": lambda x: copy.copy(x) ** 2,
    "copy.deepcopy": lambda x: copy.deepcopy(x) ** 2,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)) ** 2,
    "dictionary key": lambda x: {x[0]: x[1]}[x[0]] * 2.0,
    "np.float64": lambda x: np.float64(x[0]) * x[1],
    "float method": lambda x: x[0].__float__() * 1.0,
    "hex and back": lambda x: float.fromhex(x[0].hex()),
    "astype int": lambda x: x.astype(int) * x[0],
    "astype float32": lambda x: x.astype(np.float32) * 1.0,
    "x.data": lambda x: np.frombuffer(x.data) * 1.0,
    "x.__array__": lambda x: x.__array__() * 1.0,
    "np.ndarray.copy": lambda x: np.ndarray.copy(x) * 1.0,
    "np.ndarray.sum": lambda x: np.ndarray.sum(x),
    "ndarray subclass": lambda x: x.view(np.ndarray) * 2.0,
    "np.matrix": lambda x: np.asarray(x.reshape(2, 2) @ np.ones((2, 3))) * 1.0,
    "masked array": lambda x: np.ma.masked_array(x, mask=[False, True, False, False]).sum(),
    "record": lambda x: np.rec.fromarrays([x, x]).f0 * 1.0,
    "exception value": lambda x: _raised(x),
}


def _assigned(buffer: Any, values: Any) -> Any:
    buffer[:] = values
    return buffer * 1.0


def _masked(x: Any) -> Any:
    y = x * 2.0
    y[y < 0] = 0.25
    return y


def _copied(buffer: Any, x: Any) -> Any:
    np.copyto(buffer, x)
    return buffer * 2.0


def _put(buffer: Any, x: Any) -> Any:
    np.put(buffer, [0, 2], x[:2])
    return buffer


def _diagonal(buffer: Any, x: Any) -> Any:
    np.fill_diagonal(buffer, x)
    return buffer


def _filled(buffer: Any, x: Any) -> Any:
    buffer.fill(x[0])
    return buffer


def _flat(buffer: Any, x: Any) -> Any:
    buffer.flat[1] = x[0]
    buffer.flat = x * 2.0
    return buffer


def _out(buffer: Any, x: Any) -> Any:
    np.add(x[1:], x[:-1], out=buffer[1:4])
    np.multiply(buffer, 2.0, buffer)
    return buffer


def _raised(x: Any) -> Any:
    try:
        raise ValueError(x[0] * 2.0)
    except ValueError as error:
        return error.args[0]


ALL = LISTS | CONSTRUCTORS | PYTHON


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ALL)
def test_right_or_refused(name: str) -> None:
    """The differences' Jacobian, or an error: ours, or that of compiled code that wants a plain array."""
    f = ALL[name]
    expected = differences(f, X)
    try:
        found = sparsejac.sparse_jacobian(f, X)
    except REFUSALS:
        return
    wrong = np.abs(found.toarray() - expected.jacobian) > 1e-6 + 10 * expected.error
    assert not wrong.any(), f"{found.toarray()} instead of {expected.jacobian.round(6)}"


def test_most_are_right() -> None:
    """Refusing everything is no way to be right."""
    refused = []
    for name, f in ALL.items():
        try:
            sparsejac.sparse_jacobian(f, X)
        except REFUSALS:
            refused.append(name)
    assert len(refused) < 0.9 * len(ALL)
