"""The text of functions that are compiled from their files: that of what runs, whatever lies there by now."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kernels import product_loops, symbolic_loops
from kernels.llvm.library import WRITTEN
from kernels.source import text_of

TEXT = "def double(out):\n    for i in range(len(out)):\n        out[i] = 2.0 * out[i]\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """A function, and its file."""
    file = tmp_path / "loops.py"
    file.write_text(TEXT)
    spec = importlib.util.spec_from_file_location("loops", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.double, file


def test_the_text_is_that_of_the_file(loaded: Any) -> None:
    function, _ = loaded
    assert text_of(function) == TEXT


CHANGED = ["", "x = 1\n", "def", TEXT.replace("2.0", "3.0"), TEXT.replace("double", "triple"), TEXT.replace("*", "+")]


@pytest.mark.parametrize("changed", CHANGED)
def test_another_text_is_refused(loaded: Any, changed: str) -> None:
    function, file = loaded
    file.write_text(changed)
    text_of.cache_clear()
    with pytest.raises(RuntimeError, match="double cannot be compiled"):
        text_of(function)


def test_all_loops_of_ours_are_found() -> None:
    modules = [vars(module).values() for module in (product_loops, symbolic_loops)]
    ours = [f for found in modules for f in found if callable(f) and f.__module__.startswith("kernels.")]
    assert len(ours) > 10
    for function in [*ours, *WRITTEN.values()]:
        assert textwrap.dedent(text_of(function)).startswith("def ")


def test_a_module_in_a_zip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("packed_loops.py", f"import math\n\n\n{TEXT}")
    monkeypatch.syspath_prepend(archive)
    assert text_of(importlib.import_module("packed_loops").double) == TEXT
    monkeypatch.delitem(sys.modules, "packed_loops")


def test_a_function_that_stands_in_other_lines_is_found(loaded: Any) -> None:
    function, file = loaded
    file.write_text(f"def other():\n    pass\n\n\n{TEXT}")
    text_of.cache_clear()
    assert text_of(function) == TEXT


def test_where_there_is_no_text_the_cure_is_told(loaded: Any) -> None:
    function, file = loaded
    file.unlink()
    text_of.cache_clear()
    with pytest.raises(RuntimeError, match="install them"):
        text_of(function)
