"""The benchmarks run at tiny sizes and write what they found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cases import limits
from bench.cases.case import Case, Settings
from bench.cases.field import Race
from bench.cases.registry import CASES
from bench.families.registry import sized
from bench.launcher import Answer
from bench.limits.limit import VECTORISED
from bench.markdown import as_markdown
from bench.peers.ours import STRATEGIES
from bench.plots import draw
from bench.result import CaseResult, Figure, Outcome, Table
from in_process import Here
from sparsejac.strategies import STRATEGIES as REGISTRY


def test_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in CASES)


def test_strategies_are_those_of_the_registry_and_auto() -> None:
    assert set(STRATEGIES) == {"auto", *REGISTRY}


def _outcome(case: str, **settings: Any) -> Outcome:
    return CASES[case].run(Settings(Here(), quick=True, families=("broyden",), **settings))  # type: ignore[arg-type]


def test_cases_print_figures_and_write_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "result.md"
    file = tmp_path / "found" / "result.json"
    cases = ["--quick", "--case", "broyden_loop"]
    assert main([*cases, "--json", str(file), "--markdown", str(page), "--width", "160"]) == 0
    assert "J against the closed form" in capsys.readouterr().out
    assert "| J against the closed form |" in page.read_text(encoding="utf-8")
    document = json.loads(file.read_text(encoding="utf-8"))
    assert {"cores", "vectors", "numpy", "numba"} <= document["machine"].keys()
    (loop,) = document["cases"]
    figures = {figure["name"]: figure for figure in loop["figures"]}
    assert figures["J against the closed form"]["met"] is True
    assert figures["set-up cold"]["value"] > 0


def test_strategies_race_against_the_limit() -> None:
    outcome = _outcome("limits")
    (table,) = outcome.tables
    found: dict[str, Any] = dict(zip(table.columns, table.rows[0], strict=True))
    assert (found["family"], found["n"], found["entries"]) == ("broyden", 64, 3 * 64 - 2)
    assert all(found[name] > 0 for name in ("limit µs", "GB/s", "copy GB/s", *STRATEGIES))
    mean, worst, stricter, near = outcome.figures
    assert mean.value == pytest.approx(worst.value) == pytest.approx(found["auto"]) == pytest.approx(stricter.value)
    assert near.value in (0.0, 1.0)


def test_field_has_a_row_for_each_way_and_pictures(tmp_path: Path) -> None:
    outcome = _outcome("field", peers=("scipy", "autograd"))
    (table,) = outcome.tables
    names = [str(row[0]).partition(":")[0] for row in table.rows]
    assert names == ["auto", "scipy", "autograd"]
    for row in table.rows:
        found: dict[str, Any] = dict(zip(table.columns, row, strict=True))
        assert found["error"] is None or found["error"] < 1e-4
        assert found["error"] is not None or "not installed" in found["way"]
        beside = [found[name] for name in ("ours µs", "ours, values µs")]
        if str(found["way"]) == "scipy":  # tiny: both in one process
            assert all(value > 0.0 for value in beside)
        else:
            assert beside == [None, None] or found["way"] != "auto"
    assert {"limit", "auto", "scipy"} <= {point.way for point in outcome.points}
    (picture,) = draw(tmp_path / "plots", outcome.points)
    assert picture.name == "broyden.png"
    assert picture.stat().st_size > 1000


def test_the_lead_is_that_of_one_process_or_of_units_of_the_limit() -> None:
    ours = Answer({"seconds": {"J": 6.0, "values": 3.0, "limit": 2.0}}, {})
    apart = Answer({"seconds": {"J": 50.0, "values": 36.0, "limit": 4.0}}, {})
    together = Answer({"seconds": {"J": 50.0, "values": 9.0, "limit": 4.0, "ours": 10.0, "ours, values": 4.0}}, {})
    race = Race("broyden", 100, {"auto": ours, "apart": apart, "together": together, "late": "more than 20 s"}, None)
    assert [race.lead(name) for name in ("apart", "together", "late")] == [3.0, 0.9, None]
    assert race.nearest() == ("together", 0.9)
    alone = Race("broyden", 100, {"auto": "more than 20 s", "apart": apart}, None)
    assert alone.nearest() == ("apart", 0.0)
    assert Race("broyden", 100, {"auto": ours}, None).nearest() is None


def test_setup_is_cold_once_and_warm_once() -> None:
    outcome = _outcome("setup")
    assert [figure.name.partition(": ")[0] for figure in outcome.figures[1:]] == ["broyden"] * 3
    assert outcome.tables[0].rows[0][1] == 3 * 400 - 2


def test_growth_compares_sizes() -> None:
    outcome = _outcome("growth")
    assert [row[1] for row in outcome.tables[0].rows] == [3 * (entries // 3) - 2 for entries in (1_000, 4_000)]
    assert all(figure.value is not None and figure.value >= 1 for figure in outcome.figures)


def test_threads_stand_beside_halves_by_hand() -> None:
    outcome = _outcome("threads", sizes=(300,))
    (table,) = outcome.tables
    found: dict[str, Any] = dict(zip(table.columns, table.rows[0], strict=True))
    assert (found["family"], found["n"], found["entries"]) == ("broyden", 300, 3 * 300 - 2)
    assert found["of it"] == pytest.approx(found["gain"] / found["the machine's"])
    figures = {figure.name.rpartition(": ")[2]: figure for figure in outcome.figures}
    assert figures["geometric mean"].value == found["gain"] == pytest.approx(found["one thread µs"] / found["two µs"])
    assert figures["problems whose bits depend on the number of threads"].met
    assert all(figures[name].value > 0 for name in ("arithmetic", "copies in the cache", "copies in memory"))


def test_families_beyond_their_largest_are_taken_once() -> None:
    assert sized(["recursion", "broyden"], (100, 10_000, 1_000_000)) == [
        ("recursion", 100),
        ("recursion", 10_000),
        ("broyden", 100),
        ("broyden", 10_000),
        ("broyden", 1_000_000),
    ]


def test_tasks_keep_their_order_and_share_the_processors() -> None:
    told: list[tuple[int, int]] = []
    settings = Settings(Here(), jobs=2, advance=lambda done, of: told.append((done, of)))  # type: ignore[arg-type]
    found = settings.each([3, 1, 2], lambda alone, task: (task, alone.launcher.processor, alone.launcher.threads))
    assert [task for task, _, _ in found] == [3, 1, 2]
    assert {processor for _, processor, _ in found} <= {0, 1}
    assert {threads for _, _, threads in found} == {1}
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "0"], "--size"),
        (["--size", "nan"], "--size"),
        (["--size", "10.5"], "--size"),
        (["--seconds", "-1"], "--seconds"),
        (["--gigabytes", "inf"], "--gigabytes"),
        (["--threads", "0"], "--threads"),
        (["--jobs", "0"], "--jobs"),
        (["--width", "0"], "--width"),
        (["--case", "tracing", "--family", "broyden"], "no chosen case has broyden"),
        (["--case", "limits", "--family", "liarwhd"], "no chosen case has liarwhd"),
        (["--json", "{file}/result.json"], "--json"),
        (["--json", "{folder}"], "Is a directory"),
        (["--json", "{folder}/a.json", "--markdown", "{folder}"], "--markdown"),
        (["--json", "{folder}/a.json", "--plots", "{file}"], "--plots"),
    ],
)
def test_what_cannot_end_well_is_refused_before_it_begins(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.__main__.run_case", None)
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(SystemExit):
        main([argument.format(file=file, folder=tmp_path) for argument in arguments])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def test_families_choose_among_the_cases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run: list[str] = []

    def note(console: object, case: Case, options: object) -> CaseResult:
        run.append(case.name)
        return CaseResult(case.name, "", Outcome(), 0.0)

    monkeypatch.setattr("bench.__main__.run_case", note)
    assert main(["--family", "liarwhd", "--json", str(tmp_path / "a.json")]) == 0
    assert run == ["hessians"]


def test_an_interruption_keeps_the_cases_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "a.json", tmp_path / "a.md"

    def interrupted(console: object, case: Case, options: object) -> CaseResult:
        if case.name == "setup":
            raise KeyboardInterrupt
        return CaseResult(case.name, "the first one", Outcome((Figure("a figure", 1.0),)), 0.0)

    monkeypatch.setattr("bench.__main__.run_case", interrupted)
    asked = ["--case", "limits", "--case", "setup", "--json", str(file), "--markdown", str(page)]
    assert main(asked) == 130
    assert "interrupted in the case setup" in capsys.readouterr().out
    assert [case["case"] for case in json.loads(file.read_text(encoding="utf-8"))["cases"]] == ["limits"]
    assert "the first one" in page.read_text(encoding="utf-8")


def test_markdown_tells_what_the_columns_are() -> None:
    table = Table("Title", ("a|b", "c"), (("x", None),), "What c is.")
    written = as_markdown({"processor": "one"}, [CaseResult("name", "summary", Outcome((), (table,)), 0.0)])
    assert written == (
        "processor one\n\n### name: summary\n\nTitle\n\n| a\\|b | c |\n| --- | --- |\n| x | - |\n\nWhat c is.\n"
    )


def test_the_stricter_mean_takes_the_fastest_by_hand() -> None:
    """Ours takes 3, and by hand it takes 6, with vectorised functions 2; another one takes 6 by hand alone."""
    seconds = {"auto": 3.0, "limit": 6.0, VECTORISED: 2.0}
    races = {("a", 10): {"seconds": seconds}, ("b", 10): {"seconds": {**seconds, VECTORISED: None}}}
    mean, _, strict = limits._over(10, races)
    assert mean.value == pytest.approx(0.5)
    assert strict.value == pytest.approx((1.5 * 0.5) ** 0.5)


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--case", "none"])
    assert "broyden_loop" in capsys.readouterr().err


def test_loops_without_a_pattern_are_timed_by_each_backend() -> None:
    outcome = _outcome("irregular")
    (figure,), (table,) = outcome.figures, outcome.tables
    assert figure.value is not None
    assert figure.value > 0.0
    assert figure.note in ("auto runs on tape", "auto runs on numba")
    assert [row[1] for row in table.rows][:3] == ["numpy", "auto", "numba"]
