"""The guides are true: their code runs, and the files they name exist."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOPS = ("sparsejac/", "coloring/", "kernels/", "tests/", "bench/", "docs/", "requirements/", ".ci/")

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what follows the language, its text, and where it starts."""

    language: str
    option: str
    text: str
    line: int


def blocks_of(text: str) -> list[Block]:
    """All fenced blocks in order."""
    blocks = []
    for match in FENCE.finditer(text):
        language, _, option = match["info"].strip().partition(" ")
        blocks.append(Block(language, option.strip(), match["text"], text.count("\n", 0, match.start()) + 1))
    return blocks


def run_blocks(blocks: list[Block]) -> list[tuple[int, str, str]]:
    """Run the Python blocks in one namespace; (line, printed, promised) for each followed by a block of text."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    compared = []
    for number, block in enumerate(blocks):
        if block.language != "python" or block.option:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * block.line + block.text, "guide", "exec"), namespace)
        if number + 1 < len(blocks) and blocks[number + 1].language == "text":
            compared.append((block.line, printed.getvalue().rstrip(), blocks[number + 1].text.rstrip()))
    return compared


def missing_excerpts(blocks: list[Block], root: Path) -> list[str]:
    """Blocks marked ``file=PATH`` that do not stand in that file word for word."""
    missing = []
    for block in blocks:
        option, _, path = block.option.partition("=")
        if option == "file":
            file = root / path
            if not file.is_file() or block.text.strip() not in file.read_text(encoding="utf-8"):
                missing.append(f"line {block.line}: {path}")
    return missing


def missing_paths(text: str, folder: Path, root: Path) -> list[str]:
    """Paths in back quotes (from the root) and targets of links (from the page) at which nothing is."""
    prose = FENCE.sub("", text)
    spans = [s for s in SPAN.findall(prose) if s.startswith(TOPS) and not re.search(r"[\s<>{}]", s)]
    missing = [span for span in spans if not any(root.glob(span.partition("::")[0].rstrip("/")))]
    links = [link for link in LINK.findall(prose) if "://" not in link]
    return missing + [link for link in links if not (folder / link).exists()]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_of_guide_runs(guide: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for line, printed, promised in run_blocks(blocks_of(guide.read_text(encoding="utf-8"))):
        assert printed == promised, f"{guide.name}, line {line}"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_excerpts_and_paths_of_guide_exist(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert missing_excerpts(blocks_of(text), ROOT) == []
    assert missing_paths(text, guide.parent, ROOT) == []


def test_readme_has_an_example_with_output() -> None:
    compared = run_blocks(blocks_of((ROOT / "README.md").read_text(encoding="utf-8")))
    assert any(promised for _, _, promised in compared)


def test_wrong_output_is_seen() -> None:
    text = "```python\na = 1\n```\n\n```python\nprint(a + 1)\n```\n\n```text\n3\n```\n"
    assert run_blocks(blocks_of(text)) == [(5, "2", "3")]


def test_missing_things_are_seen(tmp_path: Path) -> None:
    (tmp_path / "coloring").mkdir()
    (tmp_path / "coloring" / "graph.py").write_text("a = 1\nb = 2\n", encoding="utf-8")
    text = "```python file=coloring/graph.py\nb = 2\n```\n```python file=coloring/graph.py\nb = 3\n```\n"
    assert missing_excerpts(blocks_of(text), tmp_path) == ["line 4: coloring/graph.py"]
    text = "`coloring/graph.py` `coloring/` `coloring/*.py` `coloring/order.py` `coloring/<name>.py` [a](b.md)"
    assert missing_paths(text, tmp_path, tmp_path) == ["coloring/order.py", "b.md"]


def test_the_list_of_pages_is_complete() -> None:
    listed = {(ROOT / "docs" / link).resolve() for link in LINK.findall((ROOT / "docs/index.md").read_text("utf-8"))}
    assert len(GUIDES) > 40
    assert [guide.name for guide in GUIDES if guide not in listed and guide.name != "index.md"] == []


def test_every_file_has_a_place_in_the_tables_of_files() -> None:
    named = set(SPAN.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    files = [path.relative_to(ROOT) for path in (ROOT / "sparsejac").rglob("*.py") if not path.name.startswith("__")]
    alone = {"sparsejac/", "sparsejac/tracing/"}  # folders whose files have places of their own
    missing = [p for p in files if named.isdisjoint({p.as_posix(), f"{p.parent.as_posix()}/"} - alone)]
    assert len(files) > 100
    assert missing == []


@pytest.mark.parametrize("package", ["coloring", "kernels"])
def test_every_file_of_the_lower_packages_has_a_place_in_the_architecture(package: str) -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text[text.index(f"| file or folder of `{package}/` |") :].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in SPAN.findall(row.split("|")[1])}
    files = {path.name for path in (ROOT / package).glob("*.py") if not path.name.startswith("__")}
    folders = {f"{path.parent.name}/" for path in (ROOT / package).glob("*/__init__.py")}
    assert named == files | folders
