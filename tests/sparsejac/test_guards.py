"""Decisions and fallbacks as `explain` lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac import prepare
from sparsejac.reports.guards import Guard

X = np.array([1.0, 0.2, 0.3, 2.4])


def line_with(f: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(f)
    (found,) = [first + k for k, line in enumerate(lines) if text in line]
    return found


def guards(f: Callable[[Any], Any], x: Any = X) -> list[Guard]:
    return list(prepare(f, x).explain(color=False).guards)


def told(f: Callable[[Any], Any], x: Any = X) -> list[tuple[str, int, str]]:
    return [(guard.operation, guard.count, guard.outcome) for guard in guards(f, x)]


def test_code_without_branches_has_no_decisions() -> None:
    explained = prepare(lambda x: np.where(x > 0.5, x**2, np.abs(x)), X).explain()
    assert explained.guards == ()
    assert "decisions" not in str(explained)


def branched(x: Any) -> Any:
    y = x * 1.0
    if x[0] > 0.5:  # first
        y[1] += x[0]
    for k in range(3):
        if x[k] < x[k + 1]:  # second
            y[k] *= 2.0
    return y


def test_each_line_that_decides_is_listed_with_its_outcome() -> None:
    found = guards(branched)
    assert [(g.operation, g.count, g.outcome) for g in found] == [
        ("np.greater", 1, "true"),
        ("np.less", 3, "2 of 3 true"),  # 1.0 < 0.2 fails
    ]
    assert [g.line.number for g in found if g.line] == [line_with(branched, "# first"), line_with(branched, "# second")]
    assert all(g.line is not None and g.line.file == __file__ for g in found)


def test_outcomes_in_words() -> None:
    assert told(lambda x: x * 2.0 if x[1] > 5.0 else x) == [("np.greater", 1, "false")]
    assert told(lambda x: x[x > 0.1] * 2.0) == [("np.greater", 4, "all true")]
    assert told(lambda x: x[x > 9.0] * 2.0) == [("np.greater", 4, "all false")]
    assert told(lambda x: x[: int(x[3])] * 2.0) == [("np.trunc", 1, "2")]


def test_a_mask_that_is_read_and_written_is_one_decision() -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        y[y > 0.25] *= 3.0
        return y

    assert told(f) == [("np.greater", 4, "3 of 4 true")]


def test_text_of_explain_names_decisions() -> None:
    plan = prepare(branched, X)
    text = str(plan.explain())
    assert "decisions, asked again at each call (1 way through f met so far):" in text
    assert f'File "{__file__}", line {line_with(branched, "# first")}, in branched' in text
    assert "if x[0] > 0.5:  # first" in text
    assert "np.less, 3 values: 2 of 3 true" in text


def test_fallbacks_are_listed() -> None:
    def f(x: Any) -> Any:
        y = np.sqrt(x[1:]) + x[:-1]
        return y * 2.0 if x[0] > 0.5 else y * x[1:]

    plan = prepare(f, X, strategy="forward")
    assert not any("one by one" in text for text in plan.explain().fallbacks)
    plan(np.array([1.0, 0.0, 2.0, 3.0]))
    assert any("entries were computed one by one at 1 point," in text for text in plan.explain().fallbacks)
    assert not any("another way" in text for text in plan.explain().fallbacks)
    plan(np.array([0.1, 1.0, 2.0, 3.0]))
    explained = plan.explain()
    assert explained.paths == 2
    assert any("f was traced again at 1 point" in text for text in explained.fallbacks)
    assert "fallbacks:" in str(explained)


def test_interpreter_in_the_place_of_compiled_code_is_a_fallback_of_auto_only() -> None:
    def interpreted(backend: Any) -> bool:
        return any("interprets" in text for text in prepare(np.sin, X, backend=backend).explain().fallbacks)

    assert interpreted("auto")
    assert not interpreted("numpy")


def test_library_calls_are_listed_with_their_line() -> None:
    def f(x: Any) -> Any:
        A = np.eye(4) + np.outer(x, x)
        return np.linalg.inv(A)[0]  # inverse

    texts = [text for text in prepare(f, X).explain().fallbacks if "runs as it is" in text]
    assert len(texts) >= 1
    assert all(f"line {line_with(f, '# inverse')}" in text for text in texts)
