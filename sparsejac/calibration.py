"""The rates of the cost model, measured on this machine: ``python -m sparsejac.calibration``.

Five things are timed: calls, arithmetic in the cache, reads here and there in the cache and outside of it, and copies.
What the model distinguishes beyond these goes with one of them: a rate is the shipped one, times what its reference
takes here over what it took where the shipped rates were found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from time import perf_counter

import numpy as np

from kernels.lazy import load
from kernels.products import copy_invocation, gather_invocation, pair_products_invocation
from sparsejac.strategies.rates import SHIPPED, Rates, keep, rates

SECONDS = 0.04
"""Longest time for each reference; the whole takes a few hundred milliseconds, compilation aside."""

_NEAR = 4096
_FAR = 1 << 23
_READ = 1 << 17


@dataclass(frozen=True)
class Reference:
    """Something that is timed.

    Parameters
    ----------
    name : str
    nanoseconds : float
        What one of it took where the shipped rates were found.
    make : callable
        Makes a function, and says how many of it one call of the function does.
    rates : tuple of str
        The rates that go with it.
    """

    name: str
    nanoseconds: float
    make: Callable[[], tuple[Callable[[], object], int]]
    rates: tuple[str, ...]


def calibrate(clock: Callable[[], float] = perf_counter) -> Rates:
    """Measure the rates, use them from now on, and keep them for processes to come.

    Compiled code that is not yet in the cache on disk is compiled first, which takes seconds, once.

    Examples
    --------
    >>> from sparsejac.calibration import calibrate
    >>> found = calibrate()  # doctest: +SKIP
    """
    found = measure(clock)
    keep(found)
    return found


def measure(clock: Callable[[], float] = perf_counter) -> Rates:
    """Measure the rates, and keep nothing."""
    changes: dict[str, float] = {}
    for reference in REFERENCES:
        factor = time_one(reference, clock) / reference.nanoseconds
        changes.update({name: getattr(SHIPPED, name) * factor for name in reference.rates})
    return replace(SHIPPED, **changes)


def time_one(reference: Reference, clock: Callable[[], float] = perf_counter) -> float:
    """Nanoseconds that one of a reference takes: the fastest of several calls."""
    function, count = reference.make()
    function()
    begin, best = clock(), np.inf
    while True:
        start = clock()
        function()
        end = clock()
        best = min(best, end - start)
        if end - begin > SECONDS:
            return float(best / count * 1e9)


def _call() -> tuple[Callable[[], object], int]:
    """A compiled function that hardly does anything, called by Python."""
    source, out = np.zeros(8), np.zeros(8)
    call = copy_invocation(source, out)
    function = load("kernels.module").compile_source(call.source)

    def calls() -> None:
        for _ in range(100):
            function(*call.arguments)

    return calls, 100


def _arithmetic() -> tuple[Callable[[], object], int]:
    """Products of numbers side by side in the cache."""
    left, right = np.full(_NEAR, 1.5), np.full(_NEAR, 0.5)
    out = np.empty(_NEAR)

    def multiply() -> None:
        for _ in range(100):
            np.multiply(left, right, out=out)

    return multiply, 100 * _NEAR


def _slots() -> tuple[Callable[[], object], int]:
    """Products of numbers here and there in the cache."""
    slots = (np.arange(_NEAR) * 1021 % _NEAR).astype(np.int32)
    source, out = np.ones(_NEAR), np.empty(_NEAR)
    call = pair_products_invocation(slots, slots[::-1].copy(), source, source, out)
    function = load("kernels.module").compile_source(call.source)

    def multiply() -> None:
        for _ in range(50):
            function(*call.arguments)

    return multiply, 50 * _NEAR


def _lines() -> tuple[Callable[[], object], int]:
    """Numbers here and there in memory: no two of them on one cache line."""
    slots = (np.arange(_READ, dtype=np.int64) * 2654435761 % _FAR).astype(np.int32)
    source, out = np.ones(_FAR), np.empty(_READ)
    call = gather_invocation(source, slots, out)
    function = load("kernels.module").compile_source(call.source)
    return lambda: function(*call.arguments), _READ


def _copies() -> tuple[Callable[[], object], int]:
    """Numbers copied from memory to memory."""
    source, out = np.ones(_FAR // 2), np.ones(_FAR // 2)
    return lambda: np.copyto(out, source), len(out)


REFERENCES = (
    Reference("a call", 62.0, _call, ("call", "kept", "launch", "apart")),
    Reference("arithmetic", 0.21, _arithmetic, ("weight", "swept", "seed")),
    Reference(
        "slots in the cache",
        0.63,
        _slots,
        ("partial", "product", "entry", "seeded", "adjoint", "tabled", "stored", "added"),
    ),
    Reference("lines of memory", 1.63, _lines, ("far_line", "far_product")),
    Reference("copies in memory", 0.4, _copies, ("copied", "far_copied", "far_entry", "far_tangent", "far_stored")),
)


def main() -> None:
    """Calibrate, and print what was found."""
    before = rates()
    start = perf_counter()
    found = measure()
    seconds = perf_counter() - start
    print(f"{'rate':12} {'shipped':>9} {'so far':>9} {'now':>9}  ns")
    for field in fields(Rates):
        values = [getattr(known, field.name) for known in (SHIPPED, before, found)]
        print(f"{field.name:12} " + " ".join(f"{value:9.3g}" for value in values))
    kept = "kept for processes to come" if keep(found) else "used in this process alone: there is no cache on disk"
    print(f"measured in {seconds:.2f} s, compilation included; {kept}")


if __name__ == "__main__":
    main()
