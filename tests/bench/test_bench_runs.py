"""The benchmarks run at tiny sizes and write what they found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.cases.registry import CASES


def test_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in CASES)


def test_cases_print_figures_and_write_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, page = tmp_path / "found" / "result.json", tmp_path / "result.md"
    cases = ["--case", "broyden_loop", "--case", "strategies"]
    assert main(["--quick", *cases, "--json", str(file), "--markdown", str(page), "--width", "160"]) == 0
    assert "J against the closed form" in capsys.readouterr().out
    assert "| J against the closed form |" in page.read_text(encoding="utf-8")
    document = json.loads(file.read_text(encoding="utf-8"))
    assert {"cores", "numpy", "numba"} <= document["machine"].keys()
    loop, strategies = document["cases"]
    figures = {figure["name"]: figure for figure in loop["figures"]}
    assert figures["J against the closed form"]["met"] is True
    assert figures["set-up cold"]["value"] > 0
    rows = strategies["tables"][0]["rows"]
    names = ["forward", "reverse", "bidirectional", "identity", "auto", "scipy"]
    assert [row[0].partition(":")[0] for row in rows] == names
    assert all(row[-1] is not None and row[-1] < 1e-4 for row in rows)


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--case", "none"])
    assert "broyden_loop" in capsys.readouterr().err
