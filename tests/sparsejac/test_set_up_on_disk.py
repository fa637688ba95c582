"""What set-up finds is kept on disk: the second process finds nothing again, and gives the same to the last bit."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import csr_array

from sparsejac import prepare, sparse_jacobian
from sparsejac.elimination import regional
from sparsejac.evaluation import engines
from sparsejac.on_disk import stored
from sparsejac.strategies import rates

ROOT = Path(__file__).parents[2]
SHAPE = (50, 60)
STRATEGIES = ["auto", "forward", "reverse", "bidirectional", "identity", "elimination"]
COLORED = ("forward", "reverse", "bidirectional")

RNG = np.random.default_rng(0)
SOURCES, TARGETS = RNG.integers(0, SHAPE[1], 200), RNG.integers(0, SHAPE[0], 200)
WEIGHTS = np.where(RNG.random(200) < 0.3, 0.0, RNG.random(200))
X = RNG.uniform(-1.0, 1.0, SHAPE[1])

# Prints a digest of pattern and entries, and what the process made and read.
SCRIPT = """
import json
from sparsejac.on_disk import stored
from tests.sparsejac.test_set_up_on_disk import run
stored.WORTH, stored._STARTED = 0, 2**63
pattern, entries = run("forward")
stored.wait()
print(json.dumps([pattern.tolist(), [entry.hex() for entry in entries.tolist()], stored.counts]))
"""


def assembled(x: Any) -> Any:
    y = np.zeros(SHAPE[0])
    np.add.at(y, TARGETS, WEIGHTS * np.sin(x[SOURCES] * x[0]))
    return y


def closed_form(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    expected, inner = np.zeros(SHAPE), WEIGHTS * np.cos(x[SOURCES] * x[0])
    np.add.at(expected, (TARGETS, SOURCES), inner * x[0])
    np.add.at(expected, (TARGETS, np.zeros(200, dtype=int)), inner * x[SOURCES])
    return expected


def run(strategy: Any) -> tuple[Any, Any]:
    """Columns and entries, set up as by a new process and checked."""
    engines.clear()
    plan = prepare(assembled, X, strategy=strategy, backend="numpy")
    entries = plan.values(X)
    assert np.abs(plan(X).toarray() - closed_form(X)).max() < 1e-13
    return plan.pattern.indices, entries


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own that all work is worth."""
    monkeypatch.setattr(stored, "WORTH", 0)
    monkeypatch.setattr(stored, "_STARTED", 2**63)
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    stored._sources.cache_clear()
    yield tmp_path / "structures"
    stored.wait()
    stored._sources.cache_clear()


def counted(strategy: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, set[str], set[str]]:
    """Digest of a run, what it made, and what it read."""
    monkeypatch.setattr(stored, "counts", counts := Counter[str]())
    pattern, entries = run(strategy)
    stored.wait()
    words = {word: {kind for kind in counts if kind.startswith(f"{word} ")} for word in ("made", "read")}
    made, read = ({kind.partition(" ")[2] for kind in words[word]} for word in ("made", "read"))
    return pattern.tobytes() + entries.tobytes(), made, read


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_second_time_nothing_is_found_again(cache: Path, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
    without, _, read = counted(strategy, monkeypatch)
    assert not read
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(cache.parent))
    first, made, read = counted(strategy, monkeypatch)
    assert not read
    assert {"pattern", "zeros"} <= made
    assert ("identity" in made) == (strategy == "identity")
    assert ("elimination" in made) == (strategy in ("auto", "elimination"))
    assert ("strategy" in made) == (strategy == "auto")
    assert any(kind.startswith("coloring") for kind in made) == (strategy in COLORED)
    second, made_again, read = counted(strategy, monkeypatch)
    assert not made_again
    assert read == made - ({"facts"} if strategy == "auto" else set())  # which tell how to choose
    assert without == first == second


def test_little_work_asks_no_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "WORTH", 10**6)
    _, _, read = counted("identity", monkeypatch)
    assert not read
    assert not cache.exists()


def test_damaged_files_are_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, made, _ = counted("identity", monkeypatch)
    for k, path in enumerate(sorted(cache.iterdir())):
        content = bytearray(path.read_bytes())
        content[-1 - k] ^= 255
        path.write_bytes(content if k % 2 else content[: len(content) // 2])
    second, made_again, read = counted("identity", monkeypatch)
    assert second == first
    assert made_again == made
    assert not read
    third, made, _ = counted("identity", monkeypatch)
    assert third == first
    assert not made


def test_zeros_of_constants_are_part_of_the_key(cache: Path) -> None:
    mask = np.array([1.0, 0.0, 2.0])
    for zero in (0, 1, 2, 0, 1, 2):
        mask[:] = 1.0
        mask[zero] = 0.0
        engines.clear()
        found = sparse_jacobian(lambda x: mask * x[1:] ** 2, np.arange(4.0), backend="numpy")
        stored.wait()
        assert sorted(found.indices.tolist()) == [k for k in (1, 2, 3) if k != zero + 1]


def made_by(f: Any, x: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, set[str], Any]:
    """Entries at x by an engine as of a new process, what that made, and what it prepared."""
    engines.clear()
    monkeypatch.setattr(stored, "counts", counts := Counter[str]())
    plan = prepare(f, x, backend="numpy", **options)
    entries = plan.values(x)
    stored.wait()
    made = {kind.partition(" ")[2] for kind in counts if kind.startswith("made ")}
    return entries, made, plan._variants.first.engine.prepared


def band(x: Any) -> Any:
    for _ in range(12):
        y = np.zeros(len(x))
        y[1:-1] = np.sin(x[:-2]) * x[2:] + x[1:-1]
        x = y
    return x


def tangle(x: Any) -> Any:
    for _ in range(4):
        x = np.tanh(MIXED @ x) * x
    return x


MIXED = csr_array((RNG.random((60, 60)) < 0.05) * RNG.normal(size=(60, 60)))


def by_tables(x: Any) -> Any:
    return band(x)


@pytest.mark.parametrize("f", [band, by_tables, tangle])
def test_all_that_is_run_comes_back(cache: Path, f: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if f is by_tables:
        monkeypatch.setattr(regional, "regular", lambda *_: None)
    x = RNG.uniform(0.1, 1.0, 60 if f is tangle else 300)
    first, made, prepared = made_by(f, x, monkeypatch, strategy="elimination")
    assert "elimination" in made
    second, made, read = made_by(f, x, monkeypatch, strategy="elimination")
    assert not made
    assert first.tobytes() == second.tobytes()
    for found in (prepared, read):
        assert bool(found.cuts) == (f is not tangle)
        assert found.regional == (f is band)
        assert bool(found.products and found.products.multiplications) == (f is not tangle)
        assert bool(found.scatter) == (f is band)
    assert (prepared.launches, prepared.bytes) == (read.launches, read.bytes)
    exact = prepare(f, x, strategy="identity", backend="numpy").values(x)
    np.testing.assert_allclose(second, exact, rtol=1e-11, atol=1e-13)


def test_another_program_is_eliminated_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.array([0, 2, 1, 3])
    factors = np.ones(4)

    def f(x: Any) -> Any:
        return np.sin(x[table]) * x * factors

    x = RNG.uniform(0.1, 1.0, 4)

    def made() -> set[str]:
        entries, found, _ = made_by(f, x, monkeypatch)
        expected = np.zeros((4, 4))
        np.add.at(expected, (range(4), table), np.cos(x[table]) * x * factors)
        np.add.at(expected, (range(4), range(4)), np.sin(x[table]) * factors)
        assert np.count_nonzero(expected) == len(entries)
        np.testing.assert_allclose(entries, expected[expected != 0.0], rtol=1e-14)
        return found & {"elimination", "strategy", "pattern"}

    everything = {"elimination", "strategy", "pattern"}
    assert made() == everything
    factors[:] = [2.0, 3.0, 4.0, 5.0]
    assert not made()  # other floats are the same structure
    factors[1] = 0.0
    assert made() == everything
    factors[1] = 7.0
    assert not made()
    table[:] = [3, 2, 1, 0]
    assert made() == everything


def test_other_rates_choose_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"strategy", "elimination"} <= made_by(assembled, X, monkeypatch)[1]
    assert not made_by(assembled, X, monkeypatch)[1]
    other = dataclasses.replace(rates.SHIPPED, swept=rates.SHIPPED.swept * 1.5)
    monkeypatch.setattr(rates, "_current", other)
    assert made_by(assembled, X, monkeypatch)[1] - {"facts"} == {"strategy"}


def test_a_strategy_chosen_by_given_colors_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colored = np.arange(SHAPE[1])
    assert "strategy" not in made_by(assembled, X, monkeypatch, coloring=colored)[1]
    assert "strategy" in made_by(assembled, X, monkeypatch)[1]


def test_calls_of_libraries_are_eliminated_each_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        return np.linalg.solve(np.diag(x) + 0.1, x) * x

    for _ in range(2):
        made = made_by(f, RNG.random(5), monkeypatch, strategy="elimination")[1]
        assert "elimination" in made


def start(directory: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SPARSEJAC_CACHE_DIR": str(directory)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str]) -> tuple[Any, dict[str, int]]:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    *found, counts = json.loads(output)
    return found, counts


def test_processes_at_once_and_one_after_them(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(2)]
    (first, _), (second, _) = map(finish, processes)
    third, counts = finish(start(tmp_path))
    assert first == second == third
    assert "made" not in counts
    assert {"read pattern", "read coloring column"} <= set(counts)
    assert not [path for path in (tmp_path / "structures").iterdir() if path.name.startswith("tmp-")]
