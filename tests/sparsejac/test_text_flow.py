"""Text of values: no decision on its straight way to people, one wherever f may look at it."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

import numpy as np
import pytest

import sparsejac
from sparsejac.errors import UntraceableError

X = np.array([1.3, -0.4, 2.6])
POINTS = [X, np.array([-1.3, 0.7, 1.6]), np.array([2.2, -0.1, -3.4])]
log = logging.getLogger("text")
Programs = dict[str, Callable[[Any], Any]]


class Owner:
    """Has a logger, and texts of its own."""

    def __init__(self, value: Any = None) -> None:
        self.log = log
        self.value = value

    def __str__(self) -> str:
        return f"owner of {self.value:.2f}"

    def run(self, x: Any) -> Any:
        self.log.info(f"run at {x[0]:g}")
        self.tell("x", x[1])
        return 2.0 * x

    def tell(self, name: str, value: Any) -> None:
        print(f"{name} = {value:.3e}")


def short(value: Any) -> str:
    return f"{value:.3f}"


def stored(x: Any, verbose: bool = True) -> Any:
    message = f"T={x[0]:.2f}"
    message = message + ", " + str(x[1])
    if verbose:
        print(message)
    log.info(message)
    return 2.0 * x


def collected(x: Any) -> Any:
    line = ""
    for value in x:
        line += f"{value:.2f} " + "%s" % value  # noqa: UP031
    print(line)
    return 2.0 * x


def raises(x: Any) -> Any:
    if x.shape == (2,):
        raise ValueError(f"bad {x[0]} " + ", ".join(map(str, x)))
    assert x.shape == (3,), f"bad {x[0]}"
    return 2.0 * x


def several_lines(x: Any) -> Any:
    print(
        f"first {x[0]:.2f}",
        "second {:.2f} {!r}".format(x[1], x[2]),  # noqa: UP032
        sep=", ",
        file=sys.stderr,
        flush=True,
    )
    log.log(
        logging.INFO,
        f"sum {x.sum():.2f}",
    )
    return 2.0 * x


def with_warning(x: Any) -> Any:
    message = f"{x[0]} is low"
    warnings.warn(message, UserWarning, stacklevel=2)
    return 2.0 * x


def local_logger(x: Any) -> Any:
    logger = logging.getLogger("local")
    for value in x:
        message = f"T={value:.2f}"
        with np.errstate(all="ignore"):
            logger.info(message)
    with suppress(ValueError):
        again = f"T={x[0]:.2f}"
        print(again)
        sys.stderr.write(f"T={x[1]:.1f}")
    return 2.0 * x


SHOWN: Programs = {
    "a local logger": local_logger,
    "print": lambda x: print(f"{x[0]:.3f} {x} {x[1]!r}", x[2], x, "T=" + str(x[0]), "{:.1e}".format(x[0])) or x,  # noqa: UP032
    "print of lists": lambda x: print([x[0], x[1]], {"a": x[2]}, *x) or x,
    "print of joined texts": lambda x: print(", ".join(map(str, x)), " ".join([f"{t:.3g}" for t in x])) or x,
    "print of a generator": lambda x: print("x: " + ", ".join(f"{t:.3g} K" for t in x).rjust(50)) or x,
    "print of arrays": lambda x: print(np.array2string(x, precision=2), "x: " + np.array_str(x), np.array_repr(x)) or x,
    "print in a condition": lambda x: print(f"{x[0]:.2f} K" if x.size else "nothing") or x,
    "an error stream": lambda x: print(f"{x[0]:.2f} K", file=sys.stderr) or x,
    "logging": lambda x: log.warning("T=%g %s", x[0], x) or logging.info(f"{x[0]} K") or x,
    "logging by name": lambda x: logging.getLogger("a").info(f"{x[0]:.2f} K") or x,
    "a method": Owner().run,
    "an object": lambda x: print(Owner(x[0]), f"{Owner(x[1])}") or x,
    "a formatter": lambda x: print("at", short(x[0]), Owner(x[0]).__class__) or x,
    "a name": stored,
    "a name that grows": collected,
    "errors": raises,
    "lines": several_lines,
    "warnings": with_warning,
    "eval": eval('lambda x: print("%g" % x[0], f"T={x[0]}") or x'),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SHOWN)
def test_what_people_read_is_no_decision(name: str) -> None:
    f = SHOWN[name]
    plan = sparsejac.prepare(f, X, backend="numpy")
    assert not plan.explain().guards
    for point in POINTS:
        np.testing.assert_allclose(plan(point).toarray(), np.diag(f(point) / point), rtol=1e-12)
    assert plan.explain().paths == 1


class Memo(dict[str, Any]):
    """What was computed under a text, which is one of a few."""

    def __missing__(self, key: str) -> Any:
        return 1.0 + sum(map(ord, key)) % 7


def local_name(x: Any) -> Any:
    key = f"T={x[0]:.1f}"
    print(key)
    return x * Memo()[key]


def named_on_the_way(x: Any) -> Any:
    print(key := f"T={x[0]:.1f}")
    return x * Memo()[key]


def in_a_loop(x: Any) -> Any:
    known = {f"T={X[0]:.1f}"}
    while x.ndim:
        if f"T={x[0]:.1f}" in known:
            factor = 2.0
            break
        if f"T={x[0]:.2f}" in known:
            raise ValueError("known")
        known.add(f"T={x[0]:.1f}")
        known.add(f"T={-x[0]:.2f}")
        factor = 3.0
        break
    return factor * x


def refuses_known(x: Any) -> Any:
    try:
        for _ in range(1):
            if f"T={x[0]:.1f}" not in {"T=1.3"}:
                raise ValueError("unknown")
    except ValueError:
        return 3.0 * x
    return 2.0 * x


def asserted(x: Any) -> Any:
    try:
        assert Memo()[f"T={x[0]:.1f}"] > 3.0, "small"
    except AssertionError:
        return 3.0 * x
    return 2.0 * x


def caught(x: Any) -> Any:
    try:
        raise KeyError(f"T={x[0]:.1f}")
    except KeyError as error:
        return x * Memo()[error.args[0]]


def caught_of_the_operator(x: Any) -> Any:
    try:
        raise KeyError("T=%.1f" % x[0])  # noqa: UP031
    except KeyError as error:
        return x * Memo()[error.args[0]]


def caught_around(x: Any) -> Any:
    def inner() -> None:
        raise KeyError(f"T={x[0]:.1f}")

    factor = 1.0
    with suppress(KeyError), Watching() as watching:
        inner()
    factor = Memo()[watching.text]
    return x * factor


class Watching:
    """Sees the errors of a block."""

    text = ""

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.text = str(error)


def redirected(x: Any) -> Any:
    with redirect_stdout(io.StringIO()) as file:
        print(f"T={x[0]:.1f}")
    return x * Memo()[file.getvalue()]


def recorded(x: Any) -> Any:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.warn(f"T={x[0]:.1f}", stacklevel=1)
    return x * Memo()[str(found[0].message)]


class Lines(list[str]):
    """A stream of one's own."""

    write = list.append


def by_stream(x: Any) -> Any:
    before, sys.stdout = sys.stdout, Lines()
    try:
        print(f"T={x[0]:.1f}")
        return x * Memo()[sys.stdout[0]]
    finally:
        sys.stdout = before


def by_locals(x: Any) -> Any:
    text = f"T={x[0]:.1f}"
    print(text)
    return x * Memo()[locals()["text"]]


def in_a_file(x: Any) -> Any:
    file = io.StringIO()
    print(f"T={x[0]:.1f}", file=file)
    return x * Memo()[file.getvalue()]


def nested(x: Any) -> Any:
    texts = []
    print(", ".join(texts.append(f"{t:.1f}") or "" for t in x))
    return x * Memo()["".join(texts)]


def of_looked_up(x: Any) -> Any:
    found: list[Any] = []
    print(" ".join(str(found.append(Memo()["".join([f"{t:.1f}" for t in x])])) for _ in range(1)))
    return x * found[0]


class Collector(list[str]):
    """Keeps what operators give it."""

    def __or__(self, text: str) -> Collector:
        self.append(text)
        return self


def operated(x: Any) -> Any:
    texts = Collector()
    print(texts | f"T={x[0]:.1f}")
    return x * Memo()[texts[0]]


def returned(x: Any) -> Any:
    text = short(x[0])
    print(text)
    return x * Memo()[text]


def label(value: Any) -> str:
    if value.ndim == 0:
        return f"T={value:.1f}"
    raise ValueError("no number")


def times_known(x: Any, key: str) -> Any:
    return x * Memo()[key]


def with_others(x: Any) -> Any:
    key = f"T={x[0]:.1f}"
    print(key)
    return times_known(x, key)


def by_count(x: Any) -> Any:
    return x * sys.stdout.write(f"T={100.0 ** x[0]:.1f}\n")


def bound_later(x: Any) -> Any:
    texts: list[str] = []
    text = f"T={x[0]:.1f}"
    print = texts.append
    print(text)
    return x * Memo()[texts[0]]


def bound_anew(x: Any) -> Any:
    texts: list[str] = []
    tell: Any = print
    text = f"T={x[0]:.1f}"
    tell = texts.append
    tell(text)
    return x * Memo()[texts[0]]


def bound_in_turns(x: Any) -> Any:
    texts: list[str] = []
    text = ""
    tell: Any
    for tell in (print, texts.append):
        if text:
            tell(text)
        text = f"T={x[0]:.1f}"
    return x * Memo()[texts[0]]


def global_anew(x: Any) -> Any:
    global tell_all
    texts: list[str] = []
    tell_all = print
    text = f"T={x[0]:.1f}"
    tell_all = texts.append
    tell_all(text)
    return x * Memo()[texts[0]]


tell_all: Any = print


def attribute_anew(x: Any) -> Any:
    texts: list[str] = []
    owner = Owner()
    owner.show = print  # type: ignore[attr-defined]
    text = f"T={x[0]:.1f}"
    owner.show = texts.append  # type: ignore[attr-defined]
    owner.show(text)  # type: ignore[attr-defined]
    return x * Memo()[texts[0]]


def redirected_later(x: Any) -> Any:
    text = f"T={x[0]:.1f}"
    with redirect_stdout(io.StringIO()) as file:
        print(text)
    return x * Memo()[file.getvalue()]


def by_stream_later(x: Any) -> Any:
    before, lines = sys.stdout, Lines()
    text = f"T={x[0]:.1f}"
    sys.stdout = lines  # type: ignore[assignment]
    print(text)
    sys.stdout = before
    return x * Memo()[lines[0]]


def one_of_two_files(x: Any) -> Any:
    file = Stream()
    print(f"T={x[0]:.1f}", file=file or sys.stdout)
    return x * Memo()[file.getvalue()]


class Stream(io.StringIO):
    """A file that is true."""


def warns(x: Any) -> None:
    warnings.warn(f"T={x[0]:.1f}", stacklevel=1)


def as_error(x: Any) -> Any:
    rules = warnings.filters[:]
    warnings.simplefilter("error")
    try:
        warns(x)
    except UserWarning as warning:
        return x * Memo()[str(warning)]
    finally:
        warnings.filters[:] = rules  # type: ignore[index]
    return x


def shown_elsewhere(x: Any) -> Any:
    texts: list[str] = []
    before, rules = warnings.showwarning, warnings.filters[:]
    warnings.showwarning = lambda message, *rest, **named: texts.append(str(message))
    warnings.simplefilter("always")
    warns(x)
    warnings.showwarning, warnings.filters[:] = before, rules  # type: ignore[index]
    return x * Memo()[texts[0]]


def warned_elsewhere(x: Any) -> Any:
    texts: list[Any] = []
    before, warnings.warn = warnings.warn, texts.append  # type: ignore[assignment]
    try:
        warnings.warn(f"T={x[0]:.1f}")  # noqa: B028
    finally:
        warnings.warn = before
    return x * Memo()[texts[0]]


class Keeper(logging.Logger):
    """A logger whose method is its own."""

    text = ""

    def info(self, message: Any, *args: Any, **named: Any) -> None:
        self.text = message


keeper = Keeper("keeper")
log.keeper = Keeper("attribute")  # type: ignore[attr-defined]


def own_logger(x: Any) -> Any:
    keeper.info(f"T={x[0]:.1f}")
    return x * Memo()[keeper.text]


def attribute_of_a_logger(x: Any) -> Any:
    log.keeper.info(f"T={x[0]:.1f}")  # type: ignore[attr-defined]
    return x * Memo()[log.keeper.text]  # type: ignore[attr-defined]


def own_method_of_a_logger(x: Any) -> Any:
    texts: list[Any] = []
    plain = logging.Logger("plain")
    plain.info = texts.append  # type: ignore[assignment, method-assign]
    plain.info(f"T={x[0]:.1f}")
    return x * Memo()[texts[0]]


def gathered(x: Any) -> Any:
    async def fails() -> None:
        raise ValueError(f"T={x[0]:.1f}")

    async def gathers() -> Any:
        return await asyncio.gather(fails(), return_exceptions=True)

    return x * Memo()[str(asyncio.run(gathers())[0])]


LOOKED_AT: Programs = {
    "a name bound later": bound_later,
    "a name bound anew": bound_anew,
    "a name bound in turns": bound_in_turns,
    "a global bound anew": global_anew,
    "an attribute bound anew": attribute_anew,
    "redirected later": redirected_later,
    "a stream later": by_stream_later,
    "one of two files": one_of_two_files,
    "a warning as an error": as_error,
    "a warning shown elsewhere": shown_elsewhere,
    "another warn": warned_elsewhere,
    "a logger of one's own": own_logger,
    "an attribute of a logger": attribute_of_a_logger,
    "a method of a logger": own_method_of_a_logger,
    "gathered errors": gathered,
    "a name": local_name,
    "named on the way": named_on_the_way,
    "a sum": lambda x: x * Memo()["T=" + str(x[0].round(1))],
    "format": lambda x: x * Memo()["{:.2f} K".format(x[0])],  # noqa: UP032
    "join": lambda x: x * Memo()[",".join(map(str, x))],
    "join of a list": lambda x: x * Memo()[",".join([f"{t:.1f}" for t in x])],
    "%s": lambda x: x * Memo()["T=%s" % x[0]],  # noqa: UP031
    "%r of an array": lambda x: x * Memo()["T=%r" % x],  # noqa: UP031
    "a list's text": lambda x: x * Memo()[str([x[0], x[1]])],
    "an object's text": lambda x: x * Memo()[str(Owner(x[0]))],
    "within": lambda x: x * (2.0 if str(x[0])[:3] in "from 1.3 to 2.2" else 3.0),
    "in a loop": in_a_loop,
    "refuses": refuses_known,
    "asserts": asserted,
    "an error": caught,
    "an error with %": caught_of_the_operator,
    "an error that is seen": caught_around,
    "printed elsewhere": redirected,
    "recorded": recorded,
    "a stream": by_stream,
    "locals": by_locals,
    "a file": in_a_file,
    "NumPy's text": lambda x: x * Memo()[np.array2string(x, precision=1) + np.array_str(x[:1]) + np.array_repr(x)],
    "in a generator": nested,
    "in generators": of_looked_up,
    "an operator": operated,
    "a function": returned,
    "a function that may raise": lambda x: times_known(x, label(x[0])),
    "beside another name": with_others,
    "written": by_count,
    "in print": lambda x: x * (2.0 if (a := [], print(a.append(f"{x[0]:.1f}")))[0] == ["1.3"] else 3.0),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_what_f_may_look_at_is_a_decision(name: str) -> None:
    f = LOOKED_AT[name]
    plan = sparsejac.prepare(f, X, backend="numpy")
    assert plan.explain().guards
    outcomes = set()
    for point in POINTS:
        expected = np.diag(f(point) / point)
        outcomes.add(round(expected[0, 0], 9))
        np.testing.assert_allclose(plan(point).toarray(), expected, rtol=1e-12)
        np.testing.assert_allclose(sparsejac.sparse_jacobian(f, point).toarray(), expected, rtol=1e-12)
    assert len(outcomes) > 1, "the text must matter"


def on_the_spot(x: Any) -> Any:
    if f"T={x[0]:.1f}" != "T=1.3":
        raise ValueError("another")
    return x


def in_turns(x: Any) -> Any:
    for k in range(3):
        if f"T={x[k]:.1f}" not in {"T=1.3", "T=-0.4", "T=2.6"}:
            raise ValueError("another")
    return x


def goes_on(x: Any) -> Any:
    for k in range(3):
        if f"T={x[k]:.1f}" in {"T=1.3", "T=-0.4", "T=2.6"}:
            continue
        raise ValueError("another")
    return x


def by_assertion(x: Any) -> Any:
    assert f"T={x[0]:.1f}" == "T=1.3"
    return x


@pytest.mark.parametrize("f", [on_the_spot, in_turns, goes_on, by_assertion])
def test_what_decides_on_an_error_is_a_decision(f: Callable[[Any], Any]) -> None:
    """The text before an error goes into the question, not into the error."""
    plan = sparsejac.prepare(f, X, backend="numpy")
    np.testing.assert_array_equal(plan(X).toarray(), np.eye(3))
    for point in POINTS[1:]:
        with pytest.raises((ValueError, AssertionError)) as expected:
            f(point)
        with pytest.raises(type(expected.value)):
            plan(point)


def test_the_source_is_not_asked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What f's file has become since it was imported says nothing of what runs."""
    file = tmp_path / "changing_model.py"
    text = "seen = []\n\ndef f(x):\n    {}(f'T={{x[0]:.1f}}')\n    return x * (2.0 if seen[-1] == 'T=1.3' else 3.0)\n"
    file.write_text(text.format("seen.append"))
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("changing_model")
    file.write_text(text.format("print      "))
    plan = sparsejac.prepare(module.f, X, backend="numpy")
    assert plan.explain().guards
    np.testing.assert_array_equal(plan(POINTS[1]).toarray(), 3.0 * np.eye(3))


def test_a_print_of_ones_own_reads() -> None:
    """Names are looked up where the code runs."""
    lines: list[str] = []

    def f(x: Any, print: Any = lines.append) -> Any:
        print("%g" % x[0])  # noqa: UP031
        return x * len(lines)

    with pytest.raises(UntraceableError, match="by %"):
        sparsejac.sparse_jacobian(f, X)
