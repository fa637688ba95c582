"""What every strategy provides: a prediction from pattern and graph, and a prepared plan that writes CSR data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from kernels.evaluation import Invocation
from kernels.executor import Executor
from kernels.records import dataclass
from kernels.step import Schedule
from kernels.sweep import Sweep
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.patterns.sparsity import Live
from sparsejac.schedules.fusion import Lowered
from sparsejac.strategies.cost import Facts, Prediction, Seeds

if TYPE_CHECKING:
    from coloring import Coloring, ProblemName
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant
    from sparsejac.transforms.symmetric import HessianOf, Triangle

FloatArray = npt.NDArray[np.float64]


class Prepared(ABC):
    """A strategy with everything that depends on structure alone worked out.

    Attributes
    ----------
    passes : int
        Runs through the schedule for one Jacobian.
    bytes : int
        Memory of index arrays and of one workspace.
    variants : tuple of str
        Kernels that a run needs.
    entrywise : bool
        Whether each entry is summed on its own, so that 0 times infinity never spoils a neighbour.
    computes_values : bool
        Whether a run leaves the values of all launches in the buffers.
    interpreted : float
        Seconds that the interpreter is taken to need for what is neither a launch nor a product.
    sweeps : tuple of Sweep
        What is run beside launches and products.
    stand_ins : tuple of array
        Inputs of `invocations` after those of the schedule: `further` gives what comes in their places.
    """

    passes: int
    bytes: int
    variants: tuple[Variant, ...]
    entrywise: bool
    computes_values: bool = True
    stand_ins: tuple[FloatArray, ...] = ()
    interpreted: float = 0.0
    sweeps: tuple[Sweep, ...] = ()

    @abstractmethod
    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """Write the entries of the Jacobian in CSR order; `buffers` then hold the values of all launches.

        Threads may call this at the same time, with buffers and `out` of their own.
        """

    @abstractmethod
    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """What `data` does as calls of compiled functions, on a new workspace; None where it is not one straight run.

        `buffers` and `out` are those of the calls, or stand in for them.
        """

    def checked_invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray, flag: FloatArray
    ) -> list[Invocation] | None:
        """`invocations` that set `flag` to 1.0 where an entry is not finite; None where they cannot tell."""
        return None

    def further(self, inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """What stands in the place of `stand_ins` in a run: numbers that hang on the constants among the inputs alone.

        Parameters
        ----------
        inputs : sequence of array
            Of the schedule; nobody changes its constants.
        """
        return ()

    def with_values(self) -> Prepared:
        """The same, but that a run leaves the values of all launches in the buffers."""
        return self


class Compressed(Prepared):
    """A strategy that reads entries from compressed products: it writes them wherever they stand."""

    @abstractmethod
    def move(self, places: IndexArray) -> None:
        """Write entry k of the pattern to ``out[places[k]]`` from now on, and nothing between these places."""


class Prepare(Protocol):
    """Works out all index arrays of a strategy."""

    def __call__(
        self, schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None
    ) -> Prepared:
        """Plan from a schedule, a pattern, a coloring and the partials that are not known to be zero."""


class Outline(ABC):
    """What a strategy without seeds finds on the Program itself, before anything is prepared."""

    def begin(self) -> None:  # noqa: B027
        """Find what can be found without a pattern."""

    @property
    def effort(self) -> float:
        """Seconds that a prediction takes, about, if they are many; `begin` comes before."""
        return 0.0

    @abstractmethod
    def predict(self, facts: Facts) -> Prediction:
        """Predict the cost."""

    @abstractmethod
    def prepare(self, pattern: Pattern, *, known_zeros: bool, origin: Sequence[Any] | None = None) -> Prepared:
        """Plan for a pattern.

        Parameters
        ----------
        pattern : Pattern
        known_zeros : bool
            Whether what leads to no entry of the pattern is known to be zero; otherwise nothing may.
        origin : sequence, optional
            All that the pattern was found from, for keys: see `stored`. It need not be read then.
        """


@dataclass(frozen=True)
class Strategy:
    """A way from local partial derivatives to the Jacobian.

    Parameters
    ----------
    name : str
    summary : str
        One line for people.
    problem : str or None
        The coloring that it needs.
    predict : callable
        Cost from the facts of a schedule and the seeds to carry (none where nothing is colored).
    fewest : callable
        From the facts of a schedule, the seeds that are expected at best, before anything is colored.
    prepare : callable
        Plan from a schedule, a pattern, a coloring (None where nothing is colored) and the partials that are not known
        to be zero. Compressed products need not know these: a partial that is zero adds nothing.
    """

    name: str
    summary: str
    problem: ProblemName | None
    predict: Callable[[Facts, Seeds], Prediction]
    fewest: Callable[[Facts], Seeds]
    prepare: Prepare


@dataclass(frozen=True)
class ProgramStrategy:
    """A strategy that looks at the Program itself, and not only at its schedule.

    Parameters
    ----------
    name, summary : str
    outline : callable
    problem : None
        Nothing is colored.
    """

    name: str
    summary: str
    outline: Callable[[Lowered], Outline]
    problem: None = None


@dataclass(frozen=True)
class SymmetricStrategy:
    """A way to a symmetric Jacobian by a coloring; parameters as of `Strategy`.

    `prepare` is given the whole symmetric pattern, and the triangle of it that is to be written.
    """

    name: str
    summary: str
    problem: ProblemName
    predict: Callable[[Facts, Seeds], Prediction]
    fewest: Callable[[Facts], Seeds]
    prepare: Callable[[Schedule, Pattern, Triangle, Coloring], Prepared]


class CurvatureOutline(Outline):
    """What a strategy without seeds finds for a Hessian.

    Attributes
    ----------
    is_cut : bool
        Whether matrices are multiplied.
    """

    is_cut: bool


@dataclass(frozen=True)
class CurvatureStrategy:
    """A way to a Hessian that looks at Programs, and colors nothing.

    Parameters
    ----------
    name, summary : str
    outline : callable
        From the gradient's Program and what it is the gradient of; None where the strategy cannot be used.
    optional : bool
        Whether that may be.
    problem : None
    """

    name: str
    summary: str
    outline: Callable[[Lowered, HessianOf], CurvatureOutline | None]
    optional: bool = False
    problem: None = None
