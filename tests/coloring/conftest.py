"""Fixtures of the coloring tests: patterns by name, and the compiled path for patterns of any size."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def families() -> ModuleType:
    """Load the pattern generators, which stand beside the tests."""
    spec = importlib.util.spec_from_file_location("coloring_families", Path(__file__).with_name("families.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build(families: ModuleType) -> Callable[[str], Any]:
    """Make a pattern by its name."""
    builder: Callable[[str], Any] = families.build
    return builder


@pytest.fixture
def always_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let numba run everything, however small."""
    for module in ("algorithms.partial_distance_2", "compiled", "bipartite"):
        monkeypatch.setattr(f"coloring.{module}.SMALL", -1)
