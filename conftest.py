"""Settings of every test run: a cache of its own, one profile for hypothesis, and what needs a GPU."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

CACHE_VARIABLE = "SPARSEJAC_CACHE_DIR"
FOLDER = pytest.StashKey[str]()
BEFORE = pytest.StashKey[dict[str, str | None]]()
ROOT = Path(__file__).parent
PACKAGES = ("sparsejac", "coloring", "kernels")

# Examples are the same in every run (a failure can be repeated), and the first compilation may take its time.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def count_devices() -> int:
    """Number of CUDA devices that CuPy can use."""
    if importlib.util.find_spec("cupy") is None:
        return 0
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def pytest_configure(config: pytest.Config) -> None:
    """Point the cache of compiled kernels to a new folder, which worker processes inherit and share."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="sparsejac-tests-")
        config.stash[FOLDER] = folder
        config.stash[BEFORE] = {name: os.environ.get(name) for name in (CACHE_VARIABLE, "PYTHONDONTWRITEBYTECODE")}
        os.environ[CACHE_VARIABLE] = folder
        # The fresh processes that tests start would compile all of our modules, each of them anew.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder, and leave the environment as it was."""
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)
        for name, value in config.stash[BEFORE].items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def pytest_collect_file(file_path: Path) -> None:
    """Import a module of ours the ordinary way before its doctests are collected.

    pytest itself would load its file beside the module that its package imports meanwhile: two sets of tables.
    """
    if file_path.suffix == ".py" and file_path.is_relative_to(ROOT):
        parts = file_path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in PACKAGES and parts[-1] != "__main__":
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def pytest_collection() -> None:
    """Look for no garbage while a million objects are made that stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave those objects out of the collections of garbage that tests ask for."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    """Say whether the tests of the GPU run."""
    devices = count_devices()
    return f"GPU tests: run, {devices} CUDA device(s)" if devices else "GPU tests: skipped, no CuPy/CUDA device"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu`, visibly, where there is no device."""
    if any(item.get_closest_marker("gpu") for item in items) and not count_devices():
        skip = pytest.mark.skip(reason="no CuPy/CUDA device")
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(skip)
