"""Compares random programs with NumPy and with differences: `python tests/support/fuzz.py --count 20000 --seed 0`.

A program counts as right if value, shapes and types of all variables, Jacobian, and the Jacobian of a plan at another
point are; as refused if it raises UntraceableError; as unjudged if NumPy or differences say nothing reliable there.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import multiprocessing
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import sparsejac
from fuzz_programs import FuzzProgram, draw_program
from oracles import Array, differences, flat_value

STRATEGIES = ("auto", "forward", "reverse", "bidirectional", "elimination")
BLOCK = 1_000_000
SHARP = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What came out for one program: right, refused, unjudged or wrong, and why."""

    kind: str
    reason: str = ""


RIGHT = Verdict("right")


class NotJudgedError(Exception):
    """Neither NumPy nor differences say what is right."""


class DeviationError(Exception):
    """The package differs from NumPy or from differences."""


def judge(program: FuzzProgram) -> Verdict:
    """Run a program all ways and compare."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            compare(program)
        except NotJudgedError as error:
            return Verdict("unjudged", str(error))
        except sparsejac.UntraceableError as error:
            return Verdict("refused", operation(str(error)))
        except DeviationError as error:
            return Verdict("wrong", str(error))
        except Exception as error:
            return Verdict("wrong", f"raised {type(error).__name__}: {error}".split("\n")[0])
    return RIGHT


def operation(message: str) -> str:
    """The call that a refusal names."""
    found = re.search(r"cannot follow (.*?)(?:: |\n|$)", message)
    return found[1] if found else message.split("\n")[0]


def compare(program: FuzzProgram) -> None:
    """Raise if anything deviates."""
    expected: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    x = program.point()
    reference = plain(program.function(lambda held: expected.append(describe(held))), x)
    strategy: Any = STRATEGIES[program.number % len(STRATEGIES)]
    f = program.function(lambda held: found.append(describe(held)))
    value, jacobian = sparsejac.value_and_jacobian(f, x, strategy=strategy)
    for name, facts in expected[-1].items():
        if found[-1][name] != facts:
            raise DeviationError(f"{name} is {found[-1][name]}, in NumPy {facts}")
    compare_values(value, reference)
    compare_jacobian(program, jacobian, x)
    if program.number % 2:
        compare_plan(program, strategy)


def compare_plan(program: FuzzProgram, strategy: Any) -> None:
    """Evaluate a plan at another point and at the first one."""
    other = program.point(1)
    plain(program.function(), other)
    plan = sparsejac.prepare(program.function(), program.point(), strategy=strategy)
    for x in (other, program.point()):
        compare_jacobian(program, plan(x), x)


def plain(f: Callable[[Array], Any], x: Array) -> Any:
    """The value of NumPy, which must be finite; what NumPy announces to refuse, it is taken to refuse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            value = f(x.copy())
    except Exception as error:
        raise NotJudgedError(f"NumPy raises {type(error).__name__}") from error
    if not np.isfinite(np.asarray(value, dtype=np.float64)).all():
        raise NotJudgedError("not finite")
    return value


def describe(held: dict[str, Any]) -> dict[str, Any]:
    """Kind, shape and dtype of all variables."""
    return {name: facts(value) for name, value in held.items()}


def facts(value: Any) -> Any:
    """What code can see of an array or a number; Python's and NumPy's floats are not told apart."""
    if isinstance(value, np.ndarray):
        return ("array", tuple(value.shape), str(value.dtype))
    return "number" if isinstance(value, float) else type(value).__name__


def compare_values(value: Any, reference: Any) -> None:
    """Shape and content of f's result."""
    if np.shape(value) != np.shape(reference):
        raise DeviationError(f"the value has shape {np.shape(value)}, in NumPy {np.shape(reference)}")
    scale = 1.0 + np.abs(np.asarray(reference)).max(initial=0.0)
    gap = np.abs(np.asarray(value) - np.asarray(reference)).max(initial=0.0)
    if not gap <= 1e-9 * scale:
        raise DeviationError(f"the value differs by {gap:.3g}")


def compare_jacobian(program: FuzzProgram, jacobian: Any, x: Array) -> None:
    """Each entry that differences know well enough."""
    f = program.function()
    try:
        estimate = differences(f, x)
    except Exception as error:
        raise NotJudgedError(f"near x NumPy raises {type(error).__name__}, or the shape changes") from error
    dense = jacobian.toarray()
    if dense.shape != estimate.jacobian.shape:
        raise DeviationError(f"the Jacobian has shape {dense.shape} instead of {estimate.jacobian.shape}")
    size = 1.0 + np.abs(estimate.jacobian)
    sharp = estimate.error <= SHARP * size
    wrong = sharp & ~(np.abs(dense - estimate.jacobian) <= 50 * estimate.error + 1e-8 * size)
    places = [place for place in np.argwhere(wrong) if settles(f, x, place, estimate.jacobian, dense)]
    if places:
        i, j = places[0]
        raise DeviationError(
            f"{len(places)} wrong entries at x = {x.tolist()}, first ({i}, {j}): {dense[i, j]} instead of "
            f"{estimate.jacobian[i, j]}"
        )
    if wrong.any() or not sharp.all():
        raise NotJudgedError("differences do not settle")


def settles(f: Callable[[Array], Any], x: Array, place: Any, estimated: Array, claimed: Array) -> bool:
    """Whether small steps to both sides agree with the estimate much better than the claim does: no kink, no jump.

    Nor where f is flat by rounding alone: arcsin(tanh(30 x)) is, and its slope by the chain rule is infinite.
    """
    i, j = place
    here = flat_value(f, x)[i]
    slopes = [estimated[i, j]]
    for step in (1e-5, -1e-5, 1e-6, -1e-6):
        moved = x.copy()
        moved.flat[j] += step
        slopes.append((flat_value(f, moved)[i] - here) / step)
    if not np.isfinite(claimed[i, j]) and not np.any(slopes):
        return False
    allowed = max(0.2 * abs(claimed[i, j] - estimated[i, j]), 1e-3 * abs(estimated[i, j]))
    return bool(np.ptp(slopes) <= allowed)


def minimize(program: FuzzProgram, verdict: Verdict) -> FuzzProgram:
    """Leave out statements and parts of the result while the verdict stays the same."""

    def fails(candidate: FuzzProgram) -> bool:
        found = judge(candidate)
        return found.kind == verdict.kind and (found.kind == "wrong" or found.reason == verdict.reason)

    for name in program.variables:
        candidate = dataclasses.replace(program, result=name)
        if fails(candidate):
            program = candidate
            break
    for k in reversed(range(len(program.statements))):
        kept = (*program.statements[:k], *program.statements[k + 1 :])
        candidate = dataclasses.replace(program, statements=kept)
        if fails(candidate):
            program = candidate
    return program


def outcome(number: int) -> tuple[int, Verdict]:
    """Judge the program of a number."""
    return number, judge(draw_program(number))


def outcomes(numbers: range, jobs: int) -> Iterable[tuple[int, Verdict]]:
    """Judge many programs, in several processes if asked to."""
    if jobs == 1:
        yield from map(outcome, numbers)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(outcome, numbers, chunksize=25)


def report(number: int, verdict: Verdict) -> None:
    """Print a wrong or refused program, as small as it can be made."""
    smallest = minimize(draw_program(number), verdict)
    print(f"# program {number}: {judge(smallest).reason or verdict.reason}\n{smallest}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Judge a range of programs and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="number of programs")
    parser.add_argument("--seed", type=int, default=0, help="which series of programs")
    parser.add_argument("--start", type=int, default=0, help="the first one of the series")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--refused", action="store_true", help="also print one program for each refused call")
    options = parser.parse_args(arguments)
    first = options.seed * BLOCK + options.start
    reasons: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    begin = time.perf_counter()
    for number, verdict in outcomes(range(first, first + options.count), options.jobs):
        reasons[verdict.kind][verdict.reason] += 1
        first_of_kind = reasons[verdict.kind][verdict.reason] == 1
        if verdict.kind == "wrong" or (options.refused and verdict.kind == "refused" and first_of_kind):
            report(number, verdict)
    for kind in ("refused", "unjudged"):
        print(f"{kind}:", *(f"{n:7d}  {reason}" for reason, n in reasons[kind].most_common()), sep="\n")
    kinds = {kind: reasons[kind].total() for kind in ("right", "refused", "unjudged", "wrong")}
    counts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    print(f"{options.count} programs in {time.perf_counter() - begin:.0f} s: {counts}")
    return 1 if kinds["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
