"""The layers of the repository, beyond what import-linter's contracts say."""

from __future__ import annotations

import ast
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


def test_import_loads_no_heavy_package() -> None:
    code = f"import sys, sparsejac; print(*sorted({LAZY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == ""
