"""Runs the examples of the table of calls against NumPy and differences."""

from __future__ import annotations

import cmath
import copy
import math
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.special

import call_examples
import scipy_examples
import sparsejac
from call_probe import real_vector
from oracles import Array, differences

X = np.array([0.31, 0.74, 0.52, 0.93, 0.18, 0.66])

_BAND = scipy.sparse.csc_array(np.diag([2.0, 2.5, 3.0, 2.2, 2.4, 2.6]) + np.diag([0.3] * 5, 1) - np.diag([0.4] * 5, -1))
_KNOTS = np.array([0.0, 0.2, 0.45, 0.7, 1.0])

NAMES: dict[str, Any] = {
    "np": np, "math": math, "cmath": cmath, "copy": copy, "scipy": scipy,
    "A": np.array([[0.5, 0.0, 1.2, -0.3, 0.0, 0.7], [0.0, 0.4, 0.0, 0.9, -0.8, 0.0], [1.1, -0.2, 0.0, 0.0, 0.6, 0.3]]),
    "MASK": np.array([True, False, True, True, False, True]),
    "BAND": _BAND,
    "LOWER": scipy.sparse.csr_array(scipy.sparse.tril(_BAND)),
    "SYMMETRIC": scipy.sparse.csr_array(_BAND @ _BAND.T),
    "LU": scipy.sparse.linalg.splu(_BAND),
    "KNOTS": _KNOTS,
    "TABLE": np.array([0.3, -0.2, 0.9, 0.4, 0.7]),
    "SLOPES": np.array([0.5, 0.1, -0.3, 0.2, 0.6]),
    "PIECES": np.array([[0.2, -0.5, 0.3, 0.9], [0.4, 0.1, 0.7, -0.6], [1.0, 0.3, 0.2, 0.5]]),
    "SCATTERED": (np.tile(_KNOTS, 5), np.repeat(_KNOTS, 5), np.cos(3.0 * np.arange(25.0))),
    "SECTIONS": scipy.signal.butter(2, 0.3, output="sos"),
}  # fmt: skip

_PRELUDE = {
    "y": "0.9 - 0.7 * x[::-1]",
    "m": "x.reshape(2, 3)",
    "q": "np.outer(x[:3], x[3:]) + np.diag([1.5, 1.9, 2.3])",
    "h": "np.outer(x[:3], x[:3]) + np.diag(1.5 + x[3:])",
    "z": "x[:3] + 1j * x[3:]",
    "c": "x[0] + 1j * x[1]",
}

_SCIPY = ("special", "linalg", "sparse", "sparse.linalg", "interpolate", "ndimage", "signal", "fft")

PREFIXES = {
    "numpy": "np.", "numpy.ndarray": "", "numpy.ufunc": "", "numpy.linalg": "np.linalg.", "numpy.fft": "np.fft.",
    "math": "math.", "cmath": "cmath.", **{f"scipy.{name}": f"scipy.{name}." for name in _SCIPY},
}  # fmt: skip

TEXTS = {
    "numpy": call_examples.NUMPY, "numpy.ndarray": call_examples.NDARRAY, "numpy.ufunc": call_examples.UFUNC,
    "numpy.linalg": call_examples.LINALG, "numpy.fft": call_examples.FFT, "math": call_examples.MATH,
    "cmath": call_examples.CMATH,
    **{f"scipy.{name}": getattr(scipy_examples, name.replace(".", "_").upper()) for name in _SCIPY},
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One program: the call that it shows, and its text."""

    module: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.module}: {self.text}"

    @property
    def function(self) -> Callable[[Array], Any]:
        """The program as a function of x that gives one real vector."""
        *statements, result = self.text.split("; ")
        used = set(re.findall(r"\b[a-z]\b", self.text))
        made = [f"{name} = {text}" for name, text in _PRELUDE.items() if name in used]
        body = ["x = x * 1.0", *made, *statements, f"return real_vector({result})"]
        namespace: dict[str, Any] = {**NAMES, "real_vector": real_vector}
        exec(compile("def f(x):\n    " + "\n    ".join(body), f"example of {self.module}", "exec"), namespace)
        found: Callable[[Array], Any] = namespace["f"]
        return found


def _example(module: str, line: str) -> Example:
    named = re.match(r"([\w.]+): (.*)", line)
    if named:
        return Example(module, named[1], named[2])
    called = re.match(r"\w+", line)
    assert called is not None, line
    return Example(module, called[0], PREFIXES[module] + line)


def exists(example: Example) -> bool:
    """Whether the installed versions have the function; `np.pow` and others came later."""
    owner: Any = {"numpy.ndarray": np.ndarray, "numpy.ufunc": np.ufunc}.get(example.module) or sys.modules[
        example.module
    ]
    for part in example.name.split("."):
        if not hasattr(owner, part):
            return False
        owner = getattr(owner, part)
    return True


EXAMPLES: tuple[Example, ...] = tuple(
    example
    for module, text in TEXTS.items()
    for line in text.split("\n")
    if line.strip() and exists(example := _example(module, line.strip()))
)


def deviation(example: Example) -> str:
    """What is wrong with an example: its value, its Jacobian, or that it is refused; empty if nothing is."""
    f = example.function
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = f(X.copy())
        try:
            value, jacobian = sparsejac.value_and_jacobian(f, X)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        estimate = differences(f, X)
    if np.shape(value) != np.shape(expected):
        return f"the value has shape {np.shape(value)} instead of {np.shape(expected)}"
    if not np.allclose(value, expected, rtol=1e-9, atol=1e-11):
        return f"the value is {value}, in NumPy {expected}"
    gap = np.abs(jacobian.toarray() - estimate.jacobian)
    allowed = 1e-6 * (1.0 + np.abs(estimate.jacobian)) + 10.0 * np.minimum(estimate.error, 1e-3)
    if np.all(gap <= allowed):
        return ""
    i, j = np.unravel_index(np.argmax(np.where(np.isnan(gap), np.inf, gap - allowed)), gap.shape)
    numbers = f"{jacobian.toarray()[i, j]}, by differences {estimate.jacobian[i, j]} ± {estimate.error[i, j]:.1e}"
    return f"entry ({i}, {j}) is {numbers}"
