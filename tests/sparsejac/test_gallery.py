"""The gallery of refusals: each program is refused with the message that is printed, and each cure works."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import differences

PAGE = Path(__file__).resolve().parents[2] / "docs" / "refusals.md"
X = np.array([1.25, 3.5, 2.4])
FILE = "model.py"

_ENTRY = re.compile(
    r"^## \d+\. (?P<title>.*?)\n\n```python refused\n(?P<refused>.*?)^```\n\n```text\n(?P<message>.*?)^```\n\n"
    r"```python cured\n(?P<cured>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Entry:
    """One program, what it is answered, and what to write instead."""

    title: str
    refused: str
    message: str
    cured: str


TEXT = PAGE.read_text(encoding="utf-8")
GALLERY = [Entry(**match.groupdict()) for match in _ENTRY.finditer(TEXT)]


def program(text: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """The f of a program, whose lines can be shown."""
    monkeypatch.setitem(linecache.cache, FILE, (len(text), None, text.splitlines(True), FILE))
    names: dict[str, Any] = {"np": np, "__name__": "model"}
    exec(compile(text, FILE, "exec"), names)
    f: Callable[[Any], Any] = names["f"]
    return f


def test_all_entries_are_found() -> None:
    """Thirty and more, and none is lost by a slip in the page."""
    assert len(GALLERY) == TEXT.count("```python refused") >= 30


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.title)
def test_message_is_as_printed(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word; a program that keeps something may need a second call."""
    f = program(entry.refused, monkeypatch)
    with pytest.raises((sparsejac.UntraceableError, sparsejac.InputTypeError)) as caught:  # noqa: PT012
        for _ in range(2):
            sparsejac.sparse_jacobian(f, X)
    assert str(caught.value) == entry.message.rstrip("\n")
    assert "Cure: " in entry.message


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.title)
def test_cure_works(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second program has the Jacobian that differences give, and it is not zero."""
    f = program(entry.cured, monkeypatch)
    found = sparsejac.sparse_jacobian(f, X).toarray()
    np.testing.assert_allclose(found, differences(f, X).jacobian, rtol=1e-6, atol=1e-8)
    assert found.any()


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.title)
def test_refusals_name_the_place(entry: Entry) -> None:
    """The line, and what stands there."""
    found = re.search(rf'File "{FILE}", line (\d+), in \w+\n    (.*)\n', entry.message)
    assert found is not None
    assert entry.refused.splitlines()[int(found[1]) - 1].strip() == found[2]
