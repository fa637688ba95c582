"""Dependences: the operations and lines between an unknown and an output, and the reasons where there are none."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from cases import Case
from catalogue import CASES
from sparsejac import Dependence, InputError, UntraceableError, prepare
from sparsejac.evaluation import engines as engines_module
from sparsejac.tracing import run

X = np.array([0.3, 1.2, 2.1, 0.7])


def number_of_line(f: Callable[..., Any], text: str) -> int:
    """The number of the only line of f's source that holds a text."""
    lines, first = inspect.getsourcelines(f)
    (found,) = [first + k for k, line in enumerate(lines) if text in line]
    return found


def names(dependence: Dependence) -> list[str]:
    return [operation.name for operation in dependence.operations]


def staged(x: Any) -> Any:
    y = np.zeros((2, 3))
    s = np.sin(x)
    y[0, 1:] = s[:2]  # written
    for k in range(2):
        y[k, 0] = x[k] * x[k + 1] + np.floor(x[3])  # in a loop
    y[1, 1:] = np.sum(x**2)  # reduced
    return y


def test_chain_names_operations_elements_and_lines() -> None:
    found = prepare(staged, X).why((0, 2), 1)
    assert found
    assert (found.row, found.column, found.output, found.unknown) == (2, 1, "output[0, 2]", "x[1]")
    assert names(found) == ["np.sin", "put in place"]
    assert [o.index for o in found.operations] == [(1,), (2,)]
    assert [o.shape for o in found.operations] == [(4,), (6,)]
    assert [o.line.number for o in found.operations if o.line] == [
        number_of_line(staged, "np.sin"),
        number_of_line(staged, "# written"),
    ]
    assert [line.text for line in found.lines] == ["s = np.sin(x)", "y[0, 1:] = s[:2]  # written"]
    assert all(line.file == __file__ and line.function == "staged" for line in found.lines)


def test_text_shows_file_line_and_source() -> None:
    text = str(prepare(staged, X).why(2, 1))
    assert text.startswith("output[0, 2] depends on x[1]\n")
    assert f'File "{__file__}", line {number_of_line(staged, "np.sin")}, in staged' in text
    assert "s = np.sin(x)" in text
    assert "np.sin [1] of shape (4,)" in text


def test_scalar_statements_of_a_loop_have_their_line() -> None:
    found = prepare(staged, X).why((1, 0), 2)
    assert names(found) == ["np.multiply", "np.add"]
    assert {line.number for line in found.lines} == {number_of_line(staged, "# in a loop")}


def test_reductions_are_one_step() -> None:
    found = prepare(staged, X).why((1, 2), 3)
    assert names(found)[:2] == ["np.square", "np.sum"]
    assert {line.number for line in found.lines} == {number_of_line(staged, "# reduced")}


def test_helpers_are_named_by_their_own_lines() -> None:
    def flux(u: Any) -> Any:
        return u[1:] - u[:-1]  # helper

    def f(x: Any) -> Any:
        return np.exp(flux(x))  # caller

    found = prepare(f, X).why(0, 1)
    assert [line.number for line in found.lines] == [number_of_line(flux, "# helper"), number_of_line(f, "# caller")]
    assert [line.function for line in found.lines] == ["flux", "f"]


def test_equal_programs_report_their_own_lines() -> None:
    def first(x: Any) -> Any:
        return np.cos(x[1:]) * 2.0

    def second(x: Any) -> Any:
        z = np.cos(x[1:])
        return z * 2.0

    engines_module.clear()
    plans = [prepare(f, X) for f in (first, second)]
    assert plans[0]._variants.first.engine is plans[1]._variants.first.engine  # one cached engine for both
    for plan, f in zip(plans, (first, second), strict=True):
        assert plan.why(0, 1).lines[0].number == number_of_line(f, "np.cos")
        assert plan.why(0, 1).lines[0].function == f.__name__


def test_lines_are_no_part_of_the_digest() -> None:
    programs = [run(f, [X], 0).program for f in (lambda x: np.sin(x), lambda x: 0 or np.sin(x))]
    assert programs[0].digest == programs[1].digest
    assert programs[0].sites != programs[1].sites
    assert all(len(program.sites) == len(program.nodes) for program in programs)


def test_digest_is_the_same_while_the_interpreter_specialises_f() -> None:
    namespace: dict[str, Any] = {"np": np}
    text = "def f(x):\n    y = x * 1.0\n    for i in range(4):\n        y[i] = np.sin(abs(x[i]))\n    return y\n"
    exec(compile(text, "<made>", "exec"), namespace)
    assert len({run(namespace["f"], [X], 0).program.digest for _ in range(12)}) == 1


def test_an_operation_met_twice_keeps_its_first_line() -> None:
    def f(x: Any) -> Any:
        a = np.exp(x)  # first
        b = np.exp(x)
        return a * b

    found = prepare(f, X).why(1, 1)
    assert found.operations[0].line is not None
    assert found.operations[0].line.number == number_of_line(f, "# first")


MASK = np.array([1.0, 0.0, 2.0, 3.0])


def decided(x: Any) -> Any:
    y = x[:2] * 2.0
    if x[3] > 0.5:
        y = y + 1.0
    return y


REASONS: list[tuple[str, Callable[[Any], Any], int, int, str]] = [
    ("unread", lambda x: x[:2] * x[2], 0, 3, ""),
    ("zero", lambda x: np.sin(x) * MASK, 1, 1, "np.multiply"),
    ("zero", lambda x: np.exp(np.cos(x) * MASK)[::-1], 2, 1, "np.multiply"),
    ("zero derivative", lambda x: np.floor(x) * x[::-1], 0, 0, "np.floor"),
    ("zero derivative", lambda x: np.where(x > 1.0, x[::-1], 2.0), 0, 0, "np.greater"),
    ("cancels", lambda x: np.array([x[0] - x[0], x[1]]), 0, 0, "np.subtract"),
    ("cancels", lambda x: (x + 1.0) - (x + 2.0), 2, 2, ""),
    ("decision", decided, 0, 3, "np.greater"),
    ("unread", decided, 0, 2, ""),
]


@pytest.mark.parametrize(("reason", "f", "i", "j", "culprit"), REASONS)
def test_reasons_for_no_entry(reason: str, f: Callable[[Any], Any], i: int, j: int, culprit: str) -> None:
    found = prepare(f, X).why(i, j)
    assert not found
    assert found.reason == reason
    assert (found.culprit.name if found.culprit else "") == culprit
    assert culprit in str(found)
    if culprit:
        assert "<-- here" in str(found)
        assert found.culprit in found.operations


def test_a_given_pattern_without_the_entry_is_named() -> None:
    def f(x: Any) -> Any:
        return np.array([x[0] * x[1], x[2]])

    plan = prepare(f, X, pattern=prepare(lambda x: np.array([x[0], x[2]]), X).pattern)
    assert plan.why(0, 1).reason == "given pattern"
    assert plan.why(0, 0).reason == ""
    assert "pattern that was given" in str(plan.why(0, 1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dependence_is_the_pattern(case: Case) -> None:
    """A chain exists just where the pattern has an entry, and the first thing it reads is the unknown."""
    plan = prepare(case.f, case.point(), *case.args)
    pattern = plan.pattern.to_scipy().toarray()
    random = np.random.default_rng(0)
    rows, columns = plan.shape
    for _ in range(8 if rows * columns else 0):
        i, j = int(random.integers(rows)), int(random.integers(columns))
        found = plan.why(i, j)
        assert bool(found) == bool(pattern[i, j]), str(found)
        assert (found.row, found.column) == (i, j)


def test_numbers_and_scalars() -> None:
    found = prepare(lambda x: x * x, 3.0).why((), ())
    assert (found.output, found.unknown) == ("output", "x")
    assert names(found) == ["np.multiply"]
    assert prepare(lambda x: np.sum(x), X).why(0, 2)


def test_elements_that_are_only_moved_have_no_operations() -> None:
    found = prepare(lambda x: x[::-1], X).why(0, 3)
    assert found
    assert found.operations == ()
    assert "moved there as it is" in str(found)


def test_functions_of_libraries_have_their_names() -> None:
    def f(x: Any) -> Any:
        return np.linalg.inv(np.eye(4) * 3.0 + np.outer(x, x))[0]  # inverse

    found = prepare(f, X).why(0, 1)
    assert "np.linalg.inv" in names(found)
    assert {line.number for line in found.lines} == {number_of_line(f, "# inverse")}


def test_indices_count_from_the_end_too() -> None:
    plan = prepare(staged, X)
    assert plan.why(-1, -1).row == 5
    assert plan.why((-1, 0), -2).column == 2


class State(NamedTuple):
    """Two arrays of unknowns."""

    u: Any
    v: Any


def test_nested_arguments_and_results() -> None:
    def f(state: State) -> Any:
        return {"a": np.sin(state.u), "b": state.v[0] * state.u[:, 1]}

    plan = prepare(f, State(np.ones((2, 3)), np.ones(2)))
    found = plan.why(("b", 1), ("u", 1, 1))
    assert found
    assert (found.output, found.unknown) == ("output['b'][1]", "x.u[1, 1]")
    assert (found.row, found.column) == (7, 4)
    assert not plan.why(("a", 0, 0), ("v", 0))


@pytest.mark.parametrize(("i", "j"), [(6, 0), (-7, 0), ((0,), 0), ((2, 0), 0), (0, 4), (0, (0, 0)), (1.5, 0), ("a", 0)])
def test_what_is_no_element_raises(i: Any, j: Any) -> None:
    with pytest.raises(InputError, match="is no element of") as raised:
        prepare(staged, X).why(i, j)
    assert "Cure:" in str(raised.value)
    assert __file__ in str(raised.value)


def test_code_without_a_file_has_lines_without_text() -> None:
    namespace: dict[str, Any] = {"np": np}
    exec(compile("def f(x):\n    return np.sin(x)\n", "<made>", "exec"), namespace)
    found = prepare(namespace["f"], X).why(0, 0)
    assert [(line.file, line.number, line.text) for line in found.lines] == [("<made>", 2, "")]


def test_a_failed_trace_leaves_no_site_behind() -> None:
    with pytest.raises(UntraceableError):
        prepare(lambda x: np.sin(x).view(np.int64), X)
    found = prepare(staged, X).why(2, 1)
    assert found.lines[0].number == number_of_line(staged, "np.sin")
