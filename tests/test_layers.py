"""The layers of the repository, beyond what import-linter's contracts say."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import grimp
import networkx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sparsejac", "coloring", "kernels")
LAZY = {"numba", "networkx", "matplotlib", "ortools", "cupy", "cupyx"}


def find_circles(edges: list[tuple[str, str]]) -> list[list[str]]:
    """Sets of modules that import each other, directly or not."""
    graph = networkx.DiGraph(edges)
    strong = (sorted(part) for part in networkx.strongly_connected_components(graph) if len(part) > 1)
    return sorted(strong)


def imports_of(package: str) -> list[tuple[str, str]]:
    """All (importer, imported) pairs of modules inside a package."""
    graph = grimp.build_graph(package, cache_dir=None)
    return [(m, i) for m in sorted(graph.modules) for i in sorted(graph.find_modules_directly_imported_by(m))]


def late_imports(text: str) -> list[tuple[int, str]]:
    """(line, top-level name) of each import inside a function."""
    found = set()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                found |= {(node.lineno, alias.name.partition(".")[0]) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.lineno, "." * node.level + (node.module or "").partition(".")[0]))
    return sorted(found)


def test_find_circles_finds_a_circle() -> None:
    assert find_circles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]) == [["a", "b", "c"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(package: str) -> None:
    assert find_circles(imports_of(package)) == []


def test_late_imports_are_seen() -> None:
    text = "import a\ndef f():\n    import numba.core\n    from .c import d\n"
    assert late_imports(text) == [(3, "numba"), (4, ".c")]


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_import_only_heavy_packages(package: str) -> None:
    late = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, name in late_imports(path.read_text(encoding="utf-8"))
        if name not in LAZY
    ]
    assert late == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_others_import_is_public(package: str) -> None:
    private = [
        f"{path.relative_to(ROOT)}: {alias.name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert private == []


def test_one_mechanism_imports_by_name() -> None:
    """What is loaded late goes through `kernels.lazy`; the table of calls walks other packages by name."""
    users = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("import_module", "__import__("))
    }
    assert users <= {"kernels/lazy.py", "sparsejac/coverage/table.py", "coloring/__init__.py"}


def test_import_loads_what_a_first_jacobian_needs() -> None:
    """Colorings, checks, explanations, and rules for libraries that nobody imported come when they are asked for."""
    code = (
        "import sys, scipy.sparse; print('scipy.linalg' in sys.modules); "
        "import sparsejac, numpy; sparsejac.sparse_jacobian(lambda x: x[1:] * x[:-1], numpy.ones(100)); "
        "print(*sorted(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    unasked, *names_of_modules = run.stdout.split()
    if unasked == "True":
        pytest.skip("this SciPy loads scipy.linalg with its sparse arrays; its rules come with it")
    loaded = set(names_of_modules)
    names = (
        "checks.checking",
        "custom",
        "reports.dependence",
        "reports.explanation",
        "checks.differences",
        "coverage",
        "plan",
        "strategies.forward",
    )
    late = {f"sparsejac.{name}" for name in names}
    late |= {"coloring", "scipy.special", "scipy.linalg", "sparsejac.tracing.numpy_rules.statistics"}
    assert [name for name in sorted(late) if importlib.util.find_spec(name) is None] == []
    assert loaded & late == set()
    assert len([name for name in loaded if name.partition(".")[0] in PACKAGES]) <= 149


def test_all_public_names_are_there() -> None:
    code = (
        "import sparsejac; listed = dir(sparsejac); assert set(sparsejac.__all__) <= set(listed); "
        "from sparsejac import *; assert check_jacobian is sparsejac.check_jacobian; "
        "assert all(getattr(sparsejac, name) is globals()[name] for name in sparsejac.__all__); "
        "assert not hasattr(sparsejac, 'nothing'); "
        "import typing; from sparsejac import api; plan = vars(sparsejac.Plan).values(); "
        "functions = [getattr(sparsejac, name) for name in sparsejac.__all__ if hasattr(api, name)]; "
        "hints = [typing.get_type_hints(getattr(f, 'fget', f)) for f in (*functions, *plan) if f is not None "
        "and (callable(f) or isinstance(f, property))]; assert len(hints) > 10"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_import_loads_no_heavy_package() -> None:
    code = f"import sys, sparsejac; print(*sorted({LAZY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == ""
