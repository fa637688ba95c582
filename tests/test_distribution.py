"""What a wheel holds."""

from __future__ import annotations

import os
import tomllib
import zipfile
from pathlib import Path

import hatchling.build
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sparsejac", "coloring", "kernels")
SOURCES = {".py", ".cu", ".cuh", ".cpp", ".h"}  # CUDA is compiled where it runs


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    before = Path.cwd()
    os.chdir(ROOT)  # the build backend reads the project of the current folder
    try:
        wheel = hatchling.build.build_wheel(str(folder))
    finally:
        os.chdir(before)
    with zipfile.ZipFile(folder / wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_the_three_packages_and_nothing_else(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_every_source_and_the_types(names: set[str], package: str) -> None:
    files = (path for path in (ROOT / package).rglob("*") if path.suffix in SOURCES)
    sources = {path.relative_to(ROOT).as_posix() for path in files}
    assert {Path(name).suffix for name in names if name.startswith(f"{package}/")} <= {*SOURCES, ".typed"}
    assert sources | {f"{package}/py.typed"} <= names


def test_locks_hold_every_runtime_dependency_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {line.partition(">=")[0] for line in project["project"]["dependencies"]}
    groups = set(project["dependency-groups"]) - {"build"}
    assert {path.stem for path in (ROOT / "requirements").glob("*.lock")} == groups
    for group in groups:
        lines = (ROOT / "requirements" / f"{group}.lock").read_text(encoding="utf-8").splitlines()
        pins = dict(line.split("==") for line in lines if not line.startswith("#"))
        assert needed <= set(pins)
