"""The functions of single threads, of which launches are made: their text, and what they are called with."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.cuda.module import Argument, Pointer
from kernels.cuda.staging import Row


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function, and what it is called there.

    Parameters
    ----------
    name : str
    type : str
    argument : Pointer or Number
    written : bool
        Whether the function writes where it points to.
    """

    name: str
    type: str
    argument: Argument
    written: bool = False


@dataclass(frozen=True, eq=False)
class Body:
    """The function of one thread.

    Parameters
    ----------
    name : str
    text : str
    parameters : tuple of Parameter
        All but the first one, the number of the thread.
    threads : int
    functions : frozenset of str
        What it calls.
    staged : tuple of Staged
        Who stores the results that it passes on.
    light : bool
        Whether it does so little that a thread should do it for several points at once.
    """

    name: str
    text: str
    parameters: tuple[Parameter, ...]
    threads: int
    functions: frozenset[str] = frozenset()
    staged: tuple[Staged, ...] = ()
    light: bool = False

    @property
    def thread(self) -> str:
        """The type of the number of the thread."""
        return "u64" if self.text.startswith(f"INLINE void {self.name}(const u64 t") else "u32"


@dataclass(frozen=True, eq=False)
class Staged:
    """The function that stores the results of a row; it takes the place of the first one, a number, and that result.

    With tables, it takes the number of the point in the place of the place.

    Parameters
    ----------
    put : Body
    row : Row
    """

    put: Body
    row: Row


@dataclass(frozen=True)
class Noted:
    """Where to note that some place of a buffer is not finite."""

    status: Pointer
    buffer: int
