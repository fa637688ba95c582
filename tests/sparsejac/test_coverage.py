"""The table of calls is complete, true, and printed in the docs."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from call_checks import EXAMPLES, NAMES, X, deviation
from call_probe import ARGUMENTS, is_silently_wrong
from oracles import flat_value
from sparsejac.coverage import as_markdown, calls
from sparsejac.coverage.table import MODULES
from sparsejac.coverage.text import versions

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "coverage.md"
SUPPORTED = {(row.module, row.name) for row in calls() if row.status == "supported"}


def test_every_public_callable_is_listed() -> None:
    """Nothing in NumPy, math or the modules of SciPy is forgotten."""
    unknown = [f"{row.module}.{row.name}" for row in calls() if row.status == "unknown"]
    assert not unknown, "give these a rule, refuse them, or list them in sparsejac/coverage"


def test_at_least_four_hundred_calls_are_supported() -> None:
    """Refusals and other names of one function do not count."""
    assert sum(row.status == "supported" and not row.same_as for row in calls()) >= 400


def test_every_supported_call_has_an_example() -> None:
    """And each example is of a call that the table has."""
    shown = {(example.module, example.name) for example in EXAMPLES}
    assert shown - {name for name in shown if "." in name[1]} == SUPPORTED


@pytest.mark.parametrize("module", sorted({example.module for example in EXAMPLES}))
def test_supported_calls_give_the_right_jacobian(module: str) -> None:
    """Value and Jacobian of all examples, against NumPy and differences."""
    wrong = {str(e): found for e in EXAMPLES if e.module == module and (found := deviation(e))}
    assert not wrong


def test_examples_depend_on_x() -> None:
    """An example that is constant would show nothing; results that are steps are among them."""
    other = X + np.linspace(1e-3, 2e-3, len(X))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        constant = [e for e in EXAMPLES if np.array_equal(flat_value(e.function, X), flat_value(e.function, other))]
    assert {(e.module, e.name) for e in constant} <= STEPS


def test_refusals_have_reason_and_cure() -> None:
    """Both stand in the table."""
    assert all(row.remark for row in calls() if row.status in ("refused", "no values"))


def test_page_is_fresh() -> None:
    """docs/coverage.md holds what the tables hold now."""
    if f"For {versions()}." not in PAGE.read_text(encoding="utf-8"):
        pytest.skip("the page was printed for other versions of NumPy, SciPy or Python")
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), "run: python -m sparsejac.coverage > docs/coverage.md"


_STEPS_OF_NUMPY = """
    sign floor ceil trunc rint fix round around signbit isfinite isinf isnan isneginf isposinf isreal iscomplex
    isrealobj iscomplexobj greater greater_equal less less_equal equal not_equal isclose allclose array_equal
    array_equiv isin floor_divide heaviside
"""
STEPS = {
    *(("numpy", name) for name in _STEPS_OF_NUMPY.split()),
    *(("numpy.ndarray", name) for name in ("round", "__floordiv__", "__ifloordiv__", "__rfloordiv__")),
    ("scipy.special", "gammasgn"),
    ("scipy.special", "round"),
}
"""Calls whose results are steps, so that an example may be constant."""

HANDS_OFF = {
    "test", "save", "savetxt", "savez", "savez_compressed", "load", "loadtxt", "fromfile", "fromregex", "genfromtxt",
    "memmap", "info", "show_config", "show_runtime", "errstate", "seterr", "seterrcall", "setbufsize", "printoptions",
    "set_printoptions", "set_backend", "set_global_backend", "set_workers", "register_backend", "skip_backend",
    "dump", "tofile", "use_solver", "__new__", "__init_subclass__", "__setstate__", "__setattr__", "__delattr__",
    "nested_iters", "from_dlpack", "__sizeof__", "clarkson_woodruff_transform",
}  # fmt: skip
"""Calls with effects, with random results, or that are no functions of numbers."""


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ("numpy.ndarray", "numpy.ufunc")])
def test_other_calls_are_never_silently_wrong(module: str) -> None:
    """What the table does not call supported raises, or is right all the same."""
    wrong = []
    for row in calls():
        if row.module == module and row.status != "supported" and row.name not in HANDS_OFF:
            function = getattr(sys.modules[module], row.name)
            found = [text for text, make in ARGUMENTS.items() if is_silently_wrong(function, make, X)]
            wrong += [f"{row.name}({text})" for text in found]
    assert not wrong


def test_names_of_examples_are_not_changed() -> None:
    """No example writes into what the others use."""
    assert NAMES["A"].sum() == pytest.approx(4.4)


def _declarations() -> Iterator[tuple[str, str]]:
    """Each function that a decorator of a rule names, but by a variable, with the file of the rule."""
    for file in sorted((ROOT / "sparsejac" / "tracing").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for call in getattr(node, "decorator_list", ()):
                kind = getattr(getattr(call, "func", None), "id", "")
                if kind == "traces":
                    yield from ((ast.unparse(arg), file.name) for arg in call.args if isinstance(arg, ast.Attribute))
                elif kind == "follows":
                    module, *names = call.args
                    constant = (ast.unparse(name) for name in names if isinstance(name, ast.Constant))
                    yield from ((f"{ast.unparse(module)}, {name}", file.name) for name in constant)


def test_no_function_has_two_rules() -> None:
    """The one that is declared first would be dead."""
    files: dict[str, list[str]] = {}
    for name, file in _declarations():
        files.setdefault(name, []).append(file)
    assert len(files) > 200
    assert {name: found for name, found in files.items() if len(found) > 1} == {}
