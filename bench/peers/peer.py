"""What a way to a sparse Jacobian is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from shutil import which
from typing import Any, Protocol

from bench.families.family import Floats, Problem


@dataclass(frozen=True)
class Facts:
    """What can be counted beside the time.

    Parameters
    ----------
    chosen : str
        The strategy in use, where there is a choice.
    colors, passes, products : int, optional
        None where the notion has no meaning.
    stages : dict
        Seconds of set-up by stage.
    """

    chosen: str = ""
    colors: int | None = None
    passes: int | None = None
    products: int | None = None
    stages: dict[str, float] = field(default_factory=dict)


class Way(Protocol):
    """A way to a Jacobian, made ready for one problem."""

    def evaluate(self, x: Floats) -> object:
        """Do what is timed: the Jacobian at x, in the cheapest form that this way has."""

    def jacobian(self, x: Floats) -> object:
        """Do what is timed as well: the Jacobian in the form that a user gets."""

    def matrix(self, x: Floats) -> Any:
        """Return the Jacobian at x as a sparse matrix of SciPy's, for the check."""

    def value(self, x: Floats) -> Floats:
        """Return f(x) as this way computes it, for the check."""

    def ready(self) -> bool:
        """Whether what runs now is what will run in the long run."""

    def facts(self) -> Facts:
        """Count."""


@dataclass(frozen=True)
class Peer:
    """A way to a sparse Jacobian, for any problem.

    Parameters
    ----------
    name : str
    modules : tuple of str
        What has to be installed.
    start : callable
        Do what a user has to before the first Jacobian; it is timed together with that.
    needs_pattern : bool
        Whether `start` is given the pattern, a csr_array; finding it is then not part of its time.
    sizes : int
        No more unknowns than that: dense matrices, or set-up times of minutes.
    programs : tuple of str
        What has to be found on the system beside them.
    """

    name: str
    modules: tuple[str, ...]
    start: Callable[[Problem, Any], Way]
    needs_pattern: bool = False
    sizes: int = 2_000_000
    programs: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What would have to be installed for it to be measured here."""
        modules = tuple(module for module in self.modules if find_spec(module) is None)
        return (*modules, *(program for program in self.programs if which(program) is None))

    def hindrance(self, n: int) -> str | None:
        """Say why it cannot be measured here with so many unknowns; None if it can."""
        if self.missing:
            return f"not installed: {', '.join(self.missing)}"
        return f"more than {self.sizes:,} unknowns are too many for it" if n > self.sizes else None
