"""Flat files: a value made of dataclasses and arrays as one file, whose arrays are mapped into memory and not copied.

A file is a mark, the length of its head, a checksum of the head, the head, and the arrays one after the other, each on
a boundary of 64 bytes. The head is JSON: the tree of the value, and for each array its type, shape, place and checksum.
It names no code: a reader knows the dataclasses that it may build. A file that is not exactly what was written is no
file.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass

_MARK = b"sparsejac flat 1"
_START = struct.Struct("<16sQI")
_ALIGNMENT = 64
_SUMMED = 2**22
_KINDS = frozenset("biuf")


@dataclass(frozen=True)
class Form:
    """How the objects of a class are taken apart and put together again.

    Parameters
    ----------
    type : type
    parts : callable
        From an object to what stands for it: numbers, texts, arrays, and what else can be stored.
    build : callable
        And back.
    """

    type: type
    parts: Callable[[Any], Any]
    build: Callable[[Any], Any]


Forms = Sequence[type | Form]
"""The classes that a value is made of: dataclasses by themselves, others by their forms."""


class _Encoder:
    """Turns a value into a tree for JSON and a list of arrays."""

    def __init__(self, forms: Forms) -> None:
        self.arrays: list[npt.NDArray[Any]] = []
        self._forms = {form.type if isinstance(form, Form) else form: form for form in forms}
        self._numbers: dict[int, int] = {}

    def tree(self, value: Any) -> Any:
        """The value as lists, texts and numbers; arrays by their numbers."""
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, float):
            return ["float", float(value).hex()]
        if isinstance(value, np.integer | np.bool_):
            return value.item()
        if type(value) in (tuple, list):
            return [type(value).__name__, *map(self.tree, value)]
        if type(value) is dict:
            return ["dict", *([self.tree(key), self.tree(held)] for key, held in value.items())]
        if type(value) is np.ndarray:
            return ["array", self._number(value)]
        form = self._forms.get(type(value))
        if isinstance(form, Form):
            return ["form", form.type.__qualname__, self.tree(form.parts(value))]
        if form is None or not is_dataclass(form):
            raise TypeError(f"stored: a {type(value).__qualname__} cannot be stored; give its class, or a Form for it")
        parts = {field.name: self.tree(getattr(value, field.name)) for field in fields(form) if field.init}
        return ["object", form.__qualname__, parts]

    def _number(self, array: npt.NDArray[Any]) -> int:
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"stored: an array of {array.dtype} cannot be stored")
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[id(array)]


def _decoded(tree: Any, arrays: Sequence[npt.NDArray[Any]], forms: Mapping[str, type | Form]) -> Any:
    if not isinstance(tree, list):
        return tree
    kind, *rest = tree
    if kind == "float":
        return float.fromhex(rest[0])
    if kind == "array":
        return arrays[rest[0]]
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(_decoded(part, arrays, forms) for part in rest)
    if kind == "dict":
        return {_decoded(key, arrays, forms): _decoded(held, arrays, forms) for key, held in rest}
    form = forms[rest[0]]
    if isinstance(form, Form):
        return form.build(_decoded(rest[1], arrays, forms))
    return form(**{name: _decoded(part, arrays, forms) for name, part in rest[1].items()})


@dataclass(frozen=True, eq=False)
class FlatValue:
    """A value taken apart, ready to be written.

    Parameters
    ----------
    tree : object
        For JSON.
    arrays : list of array
        Not copied: whoever made them may not change them any more.
    """

    tree: Any
    arrays: list[npt.NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self.arrays)


def take_apart(value: Any, forms: Forms = ()) -> FlatValue:
    """Take a value apart.

    Parameters
    ----------
    value : object
        None, numbers, texts, tuples, lists, dicts, arrays of numbers, and objects of the classes in `forms`.
    forms : sequence of (type or Form)

    Raises
    ------
    TypeError
        For anything else.
    """
    encoder = _Encoder(forms)
    return FlatValue(encoder.tree(value), encoder.arrays)


def write(path: Path, key: str, flat: FlatValue) -> bool:
    """Write a file; see `put`."""
    return put(path, lambda: _blocks(key, flat))


def put(path: Path, blocks: Callable[[], Iterable[Any]]) -> bool:
    """Write bytes under a name of their own and move them into place, so that nobody sees half of them.

    Returns
    -------
    bool
        Whether the file is there.
    """
    scratch = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix="tmp-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            for block in blocks():
                file.write(block)
        os.replace(scratch, path)
    except (OSError, ValueError):
        if scratch:
            with contextlib.suppress(OSError):
                os.unlink(scratch)
        return False
    return True


def _blocks(key: str, flat: FlatValue) -> list[Any]:
    """The bytes of a file, in order."""
    arrays = [np.ascontiguousarray(array) for array in flat.arrays]
    described = [[a.dtype.str, list(shaped.shape), _sums(a)] for a, shaped in zip(arrays, flat.arrays, strict=True)]
    head = json.dumps({"key": key, "tree": flat.tree, "arrays": described}).encode()
    blocks: list[Any] = [_START.pack(_MARK, len(head), zlib.crc32(head)), head]
    end = _START.size + len(head)
    for array in arrays:
        blocks += [bytes(-end % _ALIGNMENT), array.reshape(-1).view(np.uint8).data]
        end += -end % _ALIGNMENT + array.nbytes
    return blocks


def read(path: Path, key: str, forms: Forms = ()) -> Any:
    """The value in a file; its arrays are read-only and lie in the file.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not exactly what was written under this key, or holds classes that are not among `forms`.
    """
    with path.open("rb") as file, contextlib.closing(_Closing()) as closing:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        closing.mapped = mapped
        try:
            head, end = _head(mapped, key)
            arrays = []
            for code, shape, sums in head["arrays"]:
                end += -end % _ALIGNMENT
                array = np.ndarray(tuple(shape), np.dtype(code), mapped, end)
                if array.dtype.kind not in _KINDS or _sums(array) != sums:
                    raise ValueError("an array is damaged")
                arrays.append(array)
                end += array.nbytes
            if end != len(mapped):
                raise ValueError("it has another length")
            named = {(f.type if isinstance(f, Form) else f).__qualname__: f for f in forms}
            value = _decoded(head["tree"], arrays, named)
        except (KeyError, TypeError, IndexError, AttributeError, struct.error, RecursionError) as error:
            raise ValueError(f"{path.name} holds something else: {error!r}") from None
        closing.mapped = None
    return value


class _Closing:
    """Closes a map that is of no use; one whose arrays are in use stays open as long as these."""

    mapped: mmap.mmap | None = None

    def close(self) -> None:
        """Close it, unless it was given on."""
        if self.mapped is not None:
            with contextlib.suppress(BufferError):
                self.mapped.close()


def _head(mapped: mmap.mmap, key: str) -> tuple[dict[str, Any], int]:
    mark, length, checksum = _START.unpack_from(mapped)
    end = _START.size + length
    head = mapped[_START.size : end]
    if mark != _MARK or len(head) != length or zlib.crc32(head) != checksum:
        raise ValueError("its head is damaged")
    found: dict[str, Any] = json.loads(head)
    if found["key"] != key:
        raise ValueError("it was written under another key")
    return found, end


def _sums(array: npt.NDArray[Any]) -> list[int]:
    """A checksum of each few megabytes."""
    whole = array.reshape(-1).view(np.uint8).data
    return [zlib.crc32(whole[at : at + _SUMMED]) for at in range(0, len(whole), _SUMMED)]
