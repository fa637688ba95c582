"""The digest of our modules' texts: another one after each change, and texts that did not change are read once."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep

import pytest

from sparsejac.on_disk import sources
from sparsejac.on_disk.sources import are_unchanged, digest_of_sources

LATER = 2**62
"""A start of this process after which nothing changes, however long the other tests take."""

posix_only = pytest.mark.skipif(os.name != "posix", reason="elsewhere texts are always read")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one module of a package that stands for ours; its changes are taken to leave marks at once."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("one")
    monkeypatch.setattr(sources, "_folders", [package])
    monkeypatch.setattr(sources, "TICK", -(10**12))
    return package / "module.py"


@pytest.fixture
def texts_read(module: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Modules whose texts were read, each time that they were."""
    seen: list[dict[str, str]] = []
    standard = sources._digest_of_texts

    def observed(modules: dict[str, str]) -> str:
        seen.append(modules)
        return standard(modules)

    monkeypatch.setattr(sources, "_digest_of_texts", observed)
    return seen


def test_every_text_and_every_name_counts(module: Path, tmp_path: Path) -> None:
    digests = [digest_of_sources(tmp_path, LATER)]
    module.write_text("two")
    digests.append(digest_of_sources(tmp_path, LATER))
    (module.parent / "inner").mkdir()
    (module.parent / "inner" / "more.py").write_text("")
    digests.append(digest_of_sources(tmp_path, LATER))
    module.rename(module.with_name("other.py"))
    digests.append(digest_of_sources(tmp_path, LATER))
    assert None not in digests
    assert len(set(digests)) == 4
    (module.parent / "inner" / "more.py").unlink()
    module.with_name("other.py").rename(module)
    module.write_text("one")
    assert digest_of_sources(tmp_path, LATER) == digests[0]


def test_what_is_no_text_of_a_module_does_not_count(module: Path, tmp_path: Path) -> None:
    first = digest_of_sources(tmp_path, LATER)
    (module.parent / "__pycache__").mkdir()
    (module.parent / "__pycache__" / "left.py").write_text("left")
    (module.parent / "notes.txt").write_text("notes")
    assert digest_of_sources(tmp_path, LATER) == first


def test_a_module_changed_since_the_start_leaves_no_digest(module: Path, tmp_path: Path) -> None:
    before = module.stat().st_mtime_ns - 10**9
    assert (digest_of_sources(tmp_path, before), are_unchanged(before)) == (None, False)
    assert are_unchanged(LATER)


def test_without_modules_there_is_no_digest(module: Path, tmp_path: Path) -> None:
    module.unlink()
    assert (digest_of_sources(tmp_path, LATER), are_unchanged(LATER)) == (None, False)


@posix_only
def test_texts_that_did_not_change_are_read_once(tmp_path: Path, texts_read: list[dict[str, str]]) -> None:
    assert len({digest_of_sources(tmp_path, LATER) for _ in range(3)}) == 1
    assert len(texts_read) == 1
    assert len(list(tmp_path.glob("*.sources"))) == 1


@posix_only
def test_a_change_that_hides_its_date_and_size_is_seen(
    module: Path, tmp_path: Path, texts_read: list[dict[str, str]]
) -> None:
    first, dates = digest_of_sources(tmp_path, LATER), os.stat(module)
    sleep(0.05)
    module.write_text("two")
    os.utime(module, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert os.stat(module).st_mtime_ns == dates.st_mtime_ns
    assert digest_of_sources(tmp_path, LATER) != first
    assert len(texts_read) == 2


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"0" * 40, None])
def test_damaged_notes_are_written_anew(tmp_path: Path, texts_read: list[dict[str, str]], damage: bytes | None) -> None:
    first = digest_of_sources(tmp_path, LATER)
    for note in tmp_path.glob("*.sources"):
        note.write_bytes(note.read_bytes().replace(b" ", b"0 ") if damage is None else damage)
    assert digest_of_sources(tmp_path, LATER) == first
    assert len(texts_read) == 2
    assert digest_of_sources(tmp_path, LATER) == first


def test_of_texts_that_just_changed_nothing_is_noted(
    tmp_path: Path, texts_read: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TICK", 10**12)
    assert digest_of_sources(tmp_path, LATER) == digest_of_sources(tmp_path, LATER)
    assert len(texts_read) == 2
    assert list(tmp_path.glob("*.sources")) == []
