"""Values in flat files: what is read is what was written, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sparsejac.on_disk.flat_files import Form, read, take_apart, write

KEY = "0a1b"


@dataclass(frozen=True, eq=False)
class Inner:
    indices: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Outer:
    inner: Inner | None
    steps: tuple[Any, ...]
    rate: float


@dataclass(frozen=True, eq=False)
class Stranger:
    indices: Any


class Plain:
    def __init__(self, number: int) -> None:
        self.number = number


FORMS = (Inner, Outer, Form(Plain, lambda plain: plain.number, Plain))
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5) | st.floats(allow_nan=False)
ARRAYS = arrays.arrays(
    st.sampled_from(["bool", "uint8", "int32", "int64", "float64", ">i4"]), arrays.array_shapes(min_dims=0, min_side=0)
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(st.integers() | st.text(max_size=3), inside, max_size=3)
        | st.builds(Inner, inside, st.tuples(st.integers(0, 9), st.integers(0, 9)))
        | st.builds(Plain, st.integers())
    ),
    max_leaves=6,
)


def equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return bool(a.hex() == b.hex())
    return bool(a == b) if not hasattr(a, "__dict__") else equal(vars(a), vars(b))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "deeper" / "one.flat"


@given(VALUES)
def test_what_is_read_is_what_was_written(path: Path, value: Any) -> None:
    assert write(path, KEY, take_apart(value, FORMS))
    assert equal(read(path, KEY, FORMS), value)


def example() -> Outer:
    strided = np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2]
    return Outer(Inner(np.array([3, 1, 2], dtype=np.int32), (3, 5)), (None, strided, np.empty(0), (1, "a")), -0.0)


def test_arrays_are_views_of_the_file_and_read_only(path: Path) -> None:
    shared = np.arange(1000)
    write(path, KEY, take_apart((shared, shared), FORMS))
    first, second = read(path, KEY, FORMS)
    assert first is second
    assert not first.flags.writeable
    assert not first.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
    assert first.ctypes.data % 64 == 0


def test_values_outlive_the_file(path: Path) -> None:
    write(path, KEY, take_apart(np.arange(5000), FORMS))
    found = read(path, KEY, FORMS)
    write(path, KEY, take_apart(np.zeros(5000), FORMS))
    path.unlink()
    assert np.array_equal(found, np.arange(5000))


@given(st.data())
def test_damage_never_gives_another_value(path: Path, data: st.DataObject) -> None:
    write(path, KEY, take_apart(example(), FORMS))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found = read(path, KEY, FORMS)
    except ValueError:
        return
    assert equal(found, example())  # a byte between two arrays


@given(st.integers(0, 1000), st.integers(1, 100))
def test_a_file_of_another_length_is_refused(path: Path, kept: int, more: int) -> None:
    write(path, KEY, take_apart(example(), FORMS))
    content = path.read_bytes()
    for other in (content[: min(kept, len(content) - 1)], content + bytes(more)):
        path.write_bytes(other)
        with pytest.raises((ValueError, OSError)):
            read(path, KEY, FORMS)


def test_a_file_of_another_key_or_of_unknown_classes_is_refused(path: Path) -> None:
    write(path, KEY, take_apart(example(), FORMS))
    with pytest.raises(ValueError, match="another key"):
        read(path, "other", FORMS)
    with pytest.raises(ValueError, match="something else"):
        read(path, KEY, (Outer,))
    with pytest.raises(OSError, match="No such file"):
        read(path.with_name("none.flat"), KEY, FORMS)


def test_numbers_of_numpy_come_back_as_those_of_python(tmp_path: Path) -> None:
    given = (np.float64(0.1), np.int64(-3), np.bool_(True), np.int32(7))
    write(tmp_path / "file", "key", take_apart(given))
    found = read(tmp_path / "file", "key")
    assert found == given
    assert [type(part) for part in found] == [float, int, bool, int]


@pytest.mark.parametrize("value", [Stranger(1), {1, 2}, object(), np.array([None]), 1j, np.zeros(2) * 1j])
def test_what_cannot_be_stored_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        take_apart((1, value), FORMS)


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not write(tmp_path / "file" / "one.flat", KEY, take_apart(1))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
