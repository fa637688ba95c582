"""Random programs as Python source: statements of the table with operands that NumPy accepts."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from fuzz_table import EXPRESSIONS, STATEMENTS
from oracles import Array

SHAPES = ((5,), (6,), (7,), (4,), (8,), (3,), (2, 3), (3, 2), (2, 4), (1,), (1, 4), (2, 2, 2))
MAX_SIZE = 48
MAX_VALUE = 50.0
TRIES = 40
SLICES = ("1:", ":-1", "::2", "::-1", "1:-1", "-2:", ":2", "1::2", "-1:0:-1", ":", "...", ":3")
PLACE = re.compile(r"\{([a-z])(\d?)\}")

HEADER = """
import collections
import functools
import itertools
import math

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.special

CONSTANT = np.round(np.cos(1.7 * np.arange(48.0)).reshape(4, 12), 1) * (np.arange(12) % 3 > 0)
SPARSE = scipy.sparse.csc_array(CONSTANT)
BAND = scipy.sparse.csc_array(scipy.sparse.diags_array([0.3, 2.0, -0.4], offsets=[-1, 0, 1], shape=(4, 4)))
FACTORS = scipy.sparse.linalg.splu(BAND)
SPLINE = scipy.interpolate.CubicSpline([-1.0, -0.3, 0.2, 1.0], [0.3, -0.5, 0.9, 0.1])
PCHIP = scipy.interpolate.PchipInterpolator([-1.0, -0.3, 0.2, 1.0], [0.3, -0.5, 0.9, 0.1])
"""


def header_of(body: str) -> str:
    """The lines of the header that a program needs: its imports, and the constants that it names."""
    kept: list[str] = []
    for line in reversed(HEADER.strip().splitlines()):
        name = line.split(" = ")[0].removeprefix("import ").removesuffix(" as np")
        if name == "numpy" or name in "\n".join((body, *kept)):
            kept.append(line)
    return "\n".join(reversed(kept))


@functools.cache
def environment() -> dict[str, Any]:
    """Run the header once; programs get copies of its names."""
    names: dict[str, Any] = {}
    exec(HEADER, names)
    return names


@dataclass(frozen=True)
class FuzzProgram:
    """A function of one array as source text; it prints itself as a program that runs."""

    number: int
    shape: tuple[int, ...]
    statements: tuple[str, ...]
    result: str

    @property
    def body(self) -> str:
        """The function alone."""
        lines = [line for statement in self.statements for line in statement.split("\n")]
        inner = "\n".join(f"    {line}" if line else "" for line in (*lines, f"return {self.result}"))
        return f"def f(x):\n{inner}\n"

    def __str__(self) -> str:
        point = np.array2string(self.point(), separator=", ", floatmode="unique").replace("\n", "")
        return f"{header_of(self.body)}\n\n\n{self.body}\n\nx = np.array({point})\n"

    def function(self, note: Callable[[dict[str, Any]], None] | None = None) -> Callable[[Array], Any]:
        """Compile the text; `note` is handed the variables at the end of each run."""
        names = dict(environment())
        text = self.body
        if note is not None:
            names["note"] = note
            held = ", ".join(f"{name!r}: {name}" for name in self.variables)
            text = text.replace("\n    return ", f"\n    note({{{held}}})\n    return ")
        exec(compile(text, f"<program {self.number}>", "exec"), names)
        f: Callable[[Array], Any] = names["f"]
        return f

    @property
    def variables(self) -> list[str]:
        """Names that the statements give values to, and x."""
        found = re.findall(r"^(v\d+)\b", "\n".join(self.statements), flags=re.MULTILINE)
        return ["x", *dict.fromkeys(found)]

    def point(self, k: int = 0) -> Array:
        """Give the k-th point."""
        return np.random.default_rng([self.number, k, 77]).uniform(-1.5, 1.5, self.shape)


class Builder:
    """Draws statements and runs each on plain NumPy at once: what NumPy refuses, or what is too large, is left out."""

    def __init__(self, number: int) -> None:
        self.rng: Generator = np.random.default_rng([number, 5])
        self.number = number
        self.shape = SHAPES[self.rng.integers(len(SHAPES))]
        self.statements: list[str] = []
        self.names = dict(environment())
        self.names["x"] = FuzzProgram(number, self.shape, (), "x").point()
        self.variables = ["x"]

    def choose(self, options: Any) -> Any:
        """Draw one of the options."""
        return options[self.rng.integers(len(options))]

    def arrays(self, fits: Callable[[Any], bool]) -> list[str]:
        """Variables that hold real arrays of a kind, later ones more often."""
        found = [n for n in self.variables if isinstance(self.names[n], np.ndarray) and fits(self.names[n])]
        return found + found[-2:]

    def build(self, length: int) -> FuzzProgram:
        """Draw so many statements and a result."""
        for _ in range(TRIES * length):
            if len(self.statements) == length:
                break
            self.extend()
        return FuzzProgram(self.number, self.shape, tuple(self.statements), self.draw_result())

    def extend(self) -> None:
        """Add one statement, if NumPy takes it."""
        new = f"v{len(self.variables)}"
        template = self.choose(STATEMENTS) if self.rng.random() < 0.4 else "{y} = " + self.choose(EXPRESSIONS)
        text = fill(template, self, new)
        trial = copied(self.names, self.variables)
        if not runs(text, trial):
            return
        changed = [n for n in (*self.variables, new) if n in trial]
        if not all(usable(trial[n]) for n in changed):
            return
        self.names = trial
        self.statements.append(text)
        if new in trial:
            self.variables.append(new)

    def draw_result(self) -> str:
        """One variable as it is, or several flattened."""
        last = self.variables[-1]
        if self.rng.random() < 0.25:
            return last
        chosen = sorted({last, *(self.choose(self.variables) for _ in range(2))})
        return f"np.concatenate([{', '.join(f'np.ravel({name})' for name in chosen)}])"


def copied(names: dict[str, Any], variables: list[str]) -> dict[str, Any]:
    """A copy of the names in which views of one array are views of one copy."""
    memo: dict[int, Any] = {}

    def root(a: Any) -> Any:
        while isinstance(a.base, np.ndarray):
            a = a.base
        return a

    def copy(a: Any) -> Any:
        if not isinstance(a, np.ndarray):
            return a
        base = root(a)
        if id(base) not in memo:
            memo[id(base)] = base.copy(order="K")
        twin = memo[id(base)]
        if a is base:
            return twin
        offset = a.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        return np.ndarray(a.shape, a.dtype, buffer=twin.ravel(order="K").data, offset=offset, strides=a.strides)

    result = dict(names)
    result.update({name: copy(names[name]) for name in variables})
    return result


def runs(text: str, names: dict[str, Any]) -> bool:
    """Whether plain Python and NumPy run the text without error or warning."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "numpy.fix is deprecated")
        try:
            exec(text, names)
        except Exception:
            return False
    return True


def usable(value: Any) -> bool:
    """A real number or array, not large, not empty, not NaN."""
    if not isinstance(value, (np.ndarray, float)):
        return False
    array = np.asarray(value)
    return (
        array.dtype == np.float64
        and 0 < array.size <= MAX_SIZE
        and array.ndim <= 3
        and bool(np.isfinite(array).all())
        and float(np.abs(array).max()) <= MAX_VALUE
    )


def fill(template: str, builder: Builder, new: str) -> str:
    """Put operands into the places; equal places get equal operands."""
    drawn: dict[str, str] = {"y": new}

    def put(match: re.Match[str]) -> str:
        place = match[0][1:-1]
        if place not in drawn:
            drawn[place] = KINDS[match[1]](builder, drawn)
        return drawn[place]

    return PLACE.sub(put, template).replace("{{", "{").replace("}}", "}")


def _array(b: Builder, drawn: dict[str, str]) -> str:
    return str(b.choose(b.arrays(lambda a: a.ndim > 0)))


def _partner(b: Builder, drawn: dict[str, str], first: str, ndim: int | None = None) -> str:
    """An array of the shape of the first one, preferably."""
    shape = np.shape(b.names.get(drawn.get(first, "x"), b.names["x"]))
    same = b.arrays(lambda a: a.shape == shape)
    other = b.arrays(lambda a: a.ndim == ndim if ndim else a.ndim > 0)
    return str(b.choose(same if same and (b.rng.random() < 0.8 or not other) else other))


def _vector(b: Builder, drawn: dict[str, str]) -> str:
    found = b.arrays(lambda a: a.ndim == 1)
    return str(b.choose(found)) if found else "np.ravel(x)"


def _same_vector(b: Builder, drawn: dict[str, str]) -> str:
    return _partner(b, drawn, "v", 1) if b.arrays(lambda a: a.ndim == 1) else "np.ravel(x)"


def _matrix(b: Builder, drawn: dict[str, str]) -> str:
    found = b.arrays(lambda a: a.ndim == 2)
    if found and b.rng.random() < 0.8:
        return str(b.choose(found))
    vector = _vector(b, drawn)
    return str(b.choose([f"np.outer({vector}[:4], [1.0, -0.5, 0.3])", f"np.resize({vector}, 6).reshape(2, 3)"]))


def _same_matrix(b: Builder, drawn: dict[str, str]) -> str:
    return _partner(b, drawn, "m", 2) if drawn.get("m") in b.variables else drawn.get("m", _matrix(b, drawn))


def _box(b: Builder, drawn: dict[str, str]) -> str:
    found = b.arrays(lambda a: a.ndim == 3)
    return str(b.choose(found)) if found else f"np.multiply.outer({_vector(b, drawn)}[:3], [[1.0, 0.2], [-0.3, 0.7]])"


def _number(b: Builder, drawn: dict[str, str]) -> str:
    numbers = [n for n in b.variables if isinstance(b.names[n], float)]
    if numbers and b.rng.random() < 0.4:
        return str(b.choose(numbers))
    vector = _vector(b, drawn)
    taken = str(b.choose(("[0]", "[-1]", ".sum()", ".mean()", f"[{vector}.size // 2]")))
    return vector + taken


def _literal(b: Builder, drawn: dict[str, str]) -> str:
    return str(b.choose((0.25, -0.35, 0.8, 1.5, -1.1, 0.05, 2.0)))


KINDS: dict[str, Callable[[Builder, dict[str, str]], str]] = {
    # Arrays: any, one of the same shape, vectors, matrices, three axes.
    "a": _array,
    "b": lambda b, drawn: _partner(b, drawn, "a"),
    "v": _vector,
    "w": _same_vector,
    "m": _matrix,
    "l": _same_matrix,
    "t": _box,
    # Arrays within limits: positive, between -1 and 1, complex, positive definite.
    "p": lambda b, drawn: f"(0.4 + {_partner(b, drawn, 'a')} ** 2)",
    "u": lambda b, drawn: f"(0.9 * np.tanh({_partner(b, drawn, 'a')}))",
    "z": lambda b, drawn: f"({_partner(b, drawn, 'a')} + 0.7j * np.cos({_partner(b, drawn, 'a')}))",
    "q": lambda b, drawn: "(np.diag([2.0, 3.5, 5.0]) + 0.5 * np.outer(np.sin({0}), np.sin({0})))".format(
        f"np.resize({_vector(b, drawn)}, 3)"
    ),
    # Numbers: one that depends on x, a literal, small integers, an axis, a slice.
    "r": _number,
    "k": _literal,
    "i": lambda b, drawn: str(b.rng.integers(0, 4)),
    "n": lambda b, drawn: str(b.rng.integers(1, 4)),
    "e": lambda b, drawn: str(b.choose((0, 1, -1))),
    "o": lambda b, drawn: str(b.choose(SLICES)),
}


def draw_program(number: int) -> FuzzProgram:
    """Give the program of that number, the same one at every call."""
    builder = Builder(number)
    return builder.build(int(builder.rng.integers(2, 10)))
