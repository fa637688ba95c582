"""CasADi: scalar expressions, its sparse Jacobian, by its virtual machine and by C that it writes; on our buffers."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way
from bench.rewritten.dialect import Ints, Vector, shifted
from bench.rewritten.registry import rewritten
from kernels.lazy import Lazy

casadi = Lazy("casadi")

COMPILER = ("cc", "-O2", "-march=native", "-shared", "-fPIC")


class Symbols:
    """Columns of scalar symbols."""

    def sin(self, v: Vector) -> Vector:
        return casadi.sin(v)

    def cos(self, v: Vector) -> Vector:
        return casadi.cos(v)

    def exp(self, v: Vector) -> Vector:
        return casadi.exp(v)

    def sqrt(self, v: Vector) -> Vector:
        return casadi.sqrt(v)

    def log(self, v: Vector) -> Vector:
        return casadi.log(v)

    def join(self, parts: Sequence[Vector]) -> Vector:
        return casadi.vertcat(*parts)

    def interleave(self, a: Vector, b: Vector) -> Vector:
        return casadi.vec(casadi.horzcat(a, b).T)

    def take(self, v: Vector, places: Ints) -> Vector:
        return v[places.tolist()]

    def scatter(self, v: Vector, places: Ints, size: int) -> Vector:
        count = len(places)
        pattern = casadi.Sparsity.triplet(size, count, [int(p) for p in places], list(range(count)))
        return casadi.mtimes(casadi.SX(pattern, casadi.SX.ones(count)), v)

    def shift(self, v: Vector, shape: tuple[int, ...], axis: int, step: int, periodic: bool) -> Vector:
        places, inside = shifted(shape, axis, step)
        if periodic:
            return self.take(v, places)
        return self.take(casadi.vertcat(v, 0), np.where(inside, places, places.size))

    def total(self, v: Vector) -> Vector:
        return casadi.sum1(v)

    def sums(self, v: Vector, width: int) -> Vector:
        return casadi.sum1(casadi.reshape(v, width, v.numel() // width)).T

    def spread(self, v: Vector, width: int) -> Vector:
        return casadi.vec(casadi.repmat(v.T, width, 1))

    def constant(self, v: npt.NDArray[np.float64]) -> Vector:
        return casadi.SX(casadi.DM(v))

    def chain(self, step: Callable[[Any, Any], Any], first: Any, rest: Vector) -> Vector:
        s = first
        for k in range(rest.numel()):
            s = step(s, rest[k])
        return s


class Compiled:
    """A function for its virtual machine, or one that the system's compiler made of the C that CasADi writes."""

    def __init__(self, problem: Problem, native: bool) -> None:
        x = casadi.SX.sym("x", problem.x.size)
        y = rewritten(problem, Symbols())(x)
        J = casadi.jacobian(y, x)
        self.function = casadi.Function("J", [x], [J])
        self.instructions = self.function.n_instructions()
        if native:
            self.function = _as_c(self.function)
        self.value_function = casadi.Function("f", [x], [casadi.densify(y)])
        self.out = np.empty(J.nnz())
        self.x = np.empty(problem.x.size)
        self.buffer, self.run = self.function.buffer()
        self.buffer.set_arg(0, self.x.data)
        self.buffer.set_res(0, self.out.data)

    def evaluate(self, x: Floats) -> object:
        """Write the entries, column by column."""
        self.x[:] = x
        self.run()
        return self.out

    def jacobian(self, x: Floats) -> object:
        """Return its own sparse matrix."""
        return self.function(x)

    def matrix(self, x: Floats) -> Any:
        """Return SciPy's matrix, by rows."""
        self.evaluate(x)
        found = self.function.sparsity_out(0)
        shape = (found.size1(), found.size2())
        return csr_array(csc_array((self.out.copy(), found.row(), found.colind()), shape=shape))

    def value(self, x: Floats) -> Floats:
        """Call its f."""
        return np.asarray(self.value_function(x)).ravel()

    def ready(self) -> bool:
        """Nothing changes after the first call."""
        return True

    def facts(self) -> Facts:
        """Say how large the program is."""
        return Facts(products=self.instructions)


def _as_c(function: Any) -> Any:
    """Write a function as C, compile it for this processor, and load it."""
    with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as folder:
        source, library = (str(Path(folder) / name) for name in ("J.c", "J.so"))
        writer = casadi.CodeGenerator("J.c")
        writer.add(function)
        Path(source).write_text(writer.dump(), encoding="utf-8")
        subprocess.run([*COMPILER, source, "-o", library, "-lm"], check=True)
        return casadi.external("J", library)


def start(native: bool, problem: Problem, pattern: Any) -> Way:
    """Write f in symbols, differentiate, and make a function."""
    del pattern
    return Compiled(problem, native)


PEER = Peer("casadi", ("casadi",), partial(start, False), sizes=20_000)
NATIVE = Peer("casadi_c", ("casadi",), partial(start, True), sizes=2_000, programs=COMPILER[:1])
