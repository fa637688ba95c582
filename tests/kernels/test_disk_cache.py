from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import cache, module
from kernels.llvm import native
from kernels.numba_printer import print_launch
from kernels.shape import lower

SCRIPT = """
import numpy as np
from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, Operation, Schedule, module
exp = Operation("exp", 1, np.exp, "math.exp({0})", 16)
k = KernelBuilder(1)
value = k.apply(exp, 0)
line = Affine((3,), 0, (1,))
launch = Launch(k.build(value), k.build(value, value), (3,), (Access(0, line),), Access(1, line), (0,))
executor = NumbaExecutor(Schedule((3, 3), (0,), (launch,), 1))
buffers = [np.array([0.0, 1.0, 2.0]), np.zeros(3)]
partials = executor.partials(buffers)[0]
assert np.allclose(partials[:, 0], np.exp(buffers[0]), rtol=1e-15), partials
executor.values(buffers)
print(module.compilations)
"""


def start(directory: Path | str, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SPARSEJAC_CACHE_DIR": str(directory), **more}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=Path(__file__).parents[2], text=True, **pipes
    )


def finish(process: subprocess.Popen[str]) -> int:
    """How many functions the process compiled."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return int(output)


pytestmark = pytest.mark.skipif(not native.is_available(), reason="code is compiled by numba here")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled")
    assert finish(start(directory)) == 2
    return directory


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "copy"))


BUNDLES = 3
"""Two functions, and the built-in function that all compiled ones share."""


@pytest.fixture
def source(cases):
    return print_launch(lower(cases("elementwise-7").schedule.launches[0]).shape, "value")


def test_a_second_process_compiles_nothing(filled):
    assert finish(start(filled)) == 0


def test_a_numba_cache_directory_of_the_user_changes_nothing(filled, tmp_path):
    assert finish(start(filled, NUMBA_CACHE_DIR=str(tmp_path))) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("off", ["", "off"])
def test_without_a_cache_directory_every_process_compiles(off):
    assert finish(start(off)) == 2


def test_processes_that_start_together_share_one_cache(tmp_path):
    together = [start(tmp_path) for _ in range(4)]
    assert all(finish(process) in (0, 1, 2) for process in together)
    bundles = list((tmp_path / "kernels").iterdir())
    assert len(bundles) == BUNDLES
    assert all(cache_holds(tmp_path, bundle.name) for bundle in bundles)
    assert finish(start(tmp_path)) == 0


def cache_holds(directory: Path, key: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEJAC_CACHE_DIR", str(directory))
        return cache.read_bundle(key) is not None


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES = {"flip": flip, "truncate": truncate, "empty": lambda path: path.write_bytes(b""), "remove": Path.unlink}


@pytest.mark.parametrize("damage", list(DAMAGES))
@pytest.mark.parametrize("name", ["kernel.py", "code.o", "manifest.json"])
def test_a_damaged_file_is_found_and_the_bundle_replaced(copy, monkeypatch, name, damage):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(copy))
    key = min(path.parent.name for path in (copy / "kernels").glob("*/kernel.py"))
    files = cache.read_bundle(key)
    assert files is not None
    DAMAGES[damage](copy / "kernels" / key / name)
    assert cache.read_bundle(key) is None
    assert cache.write_bundle(key, files)
    assert cache.read_bundle(key) == files


@pytest.mark.parametrize("name", ["kernel.py", "code.o", "manifest.json"])
def test_a_process_compiles_again_what_was_damaged(copy, name):
    for path in (copy / "kernels").glob(f"*/{name}"):
        flip(path)
    assert finish(start(copy)) == 2
    assert finish(start(copy)) == 0


def test_a_bundle_under_the_name_of_another_is_not_used(copy, monkeypatch):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(copy))
    first, second, _ = sorted((copy / "kernels").iterdir())
    shutil.rmtree(second)
    first.rename(second)
    assert cache.read_bundle(second.name) is None


def test_files_in_the_way_of_directories_are_survived(tmp_path):
    (tmp_path / "kernels").write_text("a file")
    assert finish(start(tmp_path)) == 2
    assert finish(start(tmp_path / "kernels")) == 2


def test_a_file_in_the_way_of_a_bundle_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "key").write_text("a file")
    assert cache.write_bundle("key", {"a": b"1"})
    assert cache.read_bundle("key") == {"a": b"1"}
    assert [path.name for path in (tmp_path / "kernels").iterdir()] == ["key"]


def test_the_first_of_two_writers_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    assert cache.write_bundle("key", {"a": b"1"})
    assert cache.write_bundle("key", {"a": b"2"})
    assert cache.read_bundle("key") == {"a": b"1"}


@pytest.mark.parametrize("call", ["mkdir", "write_bytes", "read_bytes"])
def test_denied_permissions_mean_no_cache(tmp_path, monkeypatch, call):
    def deny(*_args, **_options):
        raise PermissionError

    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(Path, call, deny)
    assert cache.write_bundle("key", {"a": b"1"}) is (call == "read_bytes")
    assert cache.read_bundle("key") is None


def test_a_bundle_that_cannot_be_linked_is_compiled_anew(tmp_path, monkeypatch, source):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    compile_afresh(monkeypatch, source)
    (key,) = (path.parent.name for path in (tmp_path / "kernels").glob("*/kernel.py"))
    whole = cache.read_bundle(key)
    other = native.machine.object_code(native.machine.optimised("declare i64 @nowhere()"))
    broken = {"code.o": b"no object code"}, {"code.o": other}, {"kernel.py": b"another text"}
    for file in broken:
        shutil.rmtree(tmp_path / "kernels" / key)
        cache.write_bundle(key, {**whole, **file})
        before = module.compilations
        compile_afresh(monkeypatch, source)
        assert module.compilations == before + 1


def compile_afresh(monkeypatch, source):
    """As a new process would."""
    monkeypatch.setattr(native, "_loaded", {})
    return native.compile_native(source)


def test_machine_code_from_disk_computes_the_same(tmp_path, monkeypatch, cases, source):
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path))
    case = cases("elementwise-7")
    lowered = lower(case.schedule.launches[0])
    results = []
    for compiled in (1, 0):
        before, buffers = module.compilations, case.buffers()
        function = compile_afresh(monkeypatch, source)
        assert module.compilations == before + compiled
        function(0, lowered.length, lowered.geometry, *(buffers[b] for b in lowered.slots))
        results.append(buffers[2].tolist())
    assert results[0] == results[1]
    np.testing.assert_allclose(results[0], case.values[2], rtol=1e-14)


def test_a_damaged_entry_point_is_compiled_anew(copy):
    (bundle,) = (path for path in (copy / "kernels").iterdir() if not (path / "kernel.py").exists())
    flip(bundle / "code.o")
    assert finish(start(copy)) == 0
    assert cache_holds(copy, bundle.name)


def test_with_numba_switched_off_plain_python_runs_the_text(tmp_path):
    assert finish(start(tmp_path, NUMBA_DISABLE_JIT="1")) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_default_directory_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("SPARSEJAC_CACHE_DIR")
    assert "sparsejac" in cache.cache_directory().parts


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    """Without HOME and an entry of the user in the system's list there is no directory to name."""

    def nowhere(name):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", nowhere)
    assert cache.cache_directory() is None
    assert not cache.write_bundle("key", {"a": b"b"})
    assert cache.read_bundle("key") is None


def test_within_a_process_equal_shapes_are_compiled_once(source):
    first = module.compile_source(source)
    before = module.compilations
    assert module.compile_source(source) is first
    assert module.compilations == before
