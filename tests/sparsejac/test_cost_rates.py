"""Rates of the cost model: shipped, calibrated, kept on disk, and never read from a file that is not whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparsejac
from kernels.cache import write_bundle
from sparsejac import calibration
from sparsejac.calibration import REFERENCES, calibrate, measure, time_one
from sparsejac.evaluation.engines import clear
from sparsejac.strategies import rates as module
from sparsejac.strategies.rates import SHIPPED, Rates, distance, forget, keep, rates

NAMES = [field.name for field in fields(Rates)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own; what other tests go by is forgotten before and after."""
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    forget()
    clear()
    yield tmp_path
    monkeypatch.undo()
    forget()
    clear()


def test_shipped_rates_where_nothing_was_calibrated() -> None:
    assert rates() is SHIPPED
    assert all(getattr(SHIPPED, name) > 0.0 for name in NAMES)


def test_kept_rates_are_found_again() -> None:
    found = replace(SHIPPED, weight=0.3, far_line=9.0)
    assert keep(found)
    assert rates() is found
    forget()
    assert rates() == found


def test_without_a_cache_they_hold_for_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
    found = replace(SHIPPED, weight=0.3)
    assert not keep(found)
    assert rates() is found
    forget()
    assert rates() is SHIPPED


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"0.3", b"0.4"),
        lambda text: b"",
        lambda text: b"\xff\x00",
    ],
)
def test_damaged_files_are_not_read(own_cache: Path, damage: Any) -> None:
    keep(replace(SHIPPED, weight=0.3))
    (path,) = own_cache.rglob("rates.json")
    path.write_bytes(damage(path.read_bytes()))
    forget()
    assert rates() is SHIPPED


WRONG: list[Any] = [
    {"format": module.FORMAT + 1, "rates": asdict(SHIPPED)},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "unheard_of": 1.0}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": float("nan")}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": float("inf")}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": 0.0}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": -0.1}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": "fast"}},
    {"format": module.FORMAT, "rates": {**asdict(SHIPPED), "weight": None}},
    {"format": module.FORMAT, "rates": [1.0, 2.0]},
    {"format": module.FORMAT},
    {"rates": asdict(SHIPPED)},
    [1.0, 2.0],
    None,
    7,
]


@pytest.mark.parametrize("content", WRONG)
def test_whole_files_that_make_no_sense_are_not_used(content: Any) -> None:
    """Their sums fit, but an older or a newer release wrote them, or nobody did."""
    assert write_bundle(module._key(), {"rates.json": json.dumps(content).encode()})
    assert rates() is SHIPPED


def test_a_whole_file_is_used() -> None:
    """The counterpart of the last test: what it damages would otherwise be read."""
    content = {"format": module.FORMAT, "rates": asdict(replace(SHIPPED, weight=0.3))}
    assert write_bundle(module._key(), {"rates.json": json.dumps(content).encode()})
    assert rates() == replace(SHIPPED, weight=0.3)


def test_other_machines_have_files_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(replace(SHIPPED, weight=0.3))
    forget()
    monkeypatch.setattr(module, "_processor", lambda: "some other processor")
    assert rates() is SHIPPED


def ticks(step: float) -> Any:
    """A clock that goes on by `step` seconds at each look."""
    times = iter(np.arange(1, 10**6) * step)
    return lambda: float(next(times))


def test_each_rate_goes_with_one_reference() -> None:
    scaled = [name for reference in REFERENCES for name in reference.rates]
    assert sorted(scaled) == sorted(NAMES)


def test_rates_follow_the_clock() -> None:
    """On a clock on which each call takes a millisecond, rates are what that makes of one of a reference."""
    found = measure(ticks(1e-3))
    for reference in REFERENCES:
        count = reference.make()[1]
        assert time_one(reference, ticks(1e-3)) == pytest.approx(1e6 / count)
        for name in reference.rates:
            expected = getattr(SHIPPED, name) * 1e6 / count / reference.nanoseconds
            assert getattr(found, name) == pytest.approx(expected)
    assert rates() is SHIPPED  # nothing was kept


def test_calibration_is_bounded() -> None:
    """A function is called until its time is over, and no longer."""
    calls = 0

    def make() -> tuple[Any, int]:
        def count() -> None:
            nonlocal calls
            calls += 1

        return count, 1

    time_one(replace(REFERENCES[0], make=make), ticks(calibration.SECONDS / 10))
    assert 2 <= calls <= 12


def test_calibration_is_kept_and_changes_predictions() -> None:
    def predicted() -> float:
        clear()
        engine = sparsejac.prepare(lambda x: np.sin(x[1:]) * x[:-1], np.ones(500))._variants.first.engine
        return engine.predict("identity").seconds

    before = predicted()
    found = calibrate()
    assert rates() is found
    forget()
    assert rates() == found
    keep(replace(SHIPPED, **{name: 2.0 * getattr(SHIPPED, name) for name in NAMES}))
    assert predicted() == pytest.approx(2.0 * before)


def test_the_command_prints_all_rates(capsys: pytest.CaptureFixture[str]) -> None:
    calibration.main()
    text = capsys.readouterr().out
    assert all(f"\n{name} " in text for name in NAMES)
    assert "kept for processes to come" in text
    forget()
    assert rates() is not SHIPPED


def test_distance_grows_with_size() -> None:
    sizes = [0, 1, 1e3, 1e5, 3e6, 1e7, 5e7, 1e8, 1e12]
    found = [distance(size) for size in sizes]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert all(distance(size, 1e5) >= distance(size) for size in sizes)
