"""Storage: colorings in files, as arrays of NumPy and nothing that a loader would execute."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound
from coloring.problems import PROBLEMS
from coloring.result import Coloring, as_coloring, numbered

File: TypeAlias = str | os.PathLike[str] | BinaryIO

VERSION = 1
FIELDS = ("problem", "method", "colors", "num_rows", "bound", "bound_reason", "bound_witness")


def save(coloring: Coloring, file: File) -> None:
    """Write a coloring to a file, in NumPy's ``.npz`` format.

    Parameters
    ----------
    coloring : Coloring
    file : path or binary file
        Written as it is named.

    Examples
    --------
    >>> import io
    >>> from coloring import color
    >>> file = io.BytesIO()
    >>> save(color(([0, 2, 4], [0, 1, 1, 2], (2, 3))), file)
    >>> _ = file.seek(0)
    >>> load(file).num_colors
    2
    """
    as_coloring(coloring, "save")
    fields: dict[str, Any] = {
        "version": np.int64(VERSION),
        "problem": np.str_(coloring.problem),
        "method": np.str_(coloring.method),
        "colors": coloring.colors,
        "num_rows": np.int64(coloring.num_rows),
        "bound": np.int64(coloring.bound.value),
        "bound_reason": np.str_(coloring.bound.reason),
        "bound_witness": coloring.bound.witness,
    }
    if isinstance(file, str | os.PathLike):
        with Path(file).open("wb") as opened:  # a name would get ".npz" appended
            np.savez_compressed(opened, **fields)
    else:
        np.savez_compressed(file, **fields)


def load(file: File) -> Coloring:
    """Read a coloring that `save` wrote.

    The file knows no pattern: whether the coloring is valid for one, `check` or a `decompression_plan` says.

    Raises
    ------
    ValueError
        If the file holds no coloring, or one of another version of the format, or numbers that are no coloring.
    OSError
        If it cannot be read.
    """
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as opened:
            return _read(opened, repr(os.fspath(file)))
    return _read(file, "a file")


def _read(file: BinaryIO, name: str) -> Coloring:
    try:
        with zipfile.ZipFile(file) as archive:
            version = _scalar(_array(archive, "version"), "iu")
            if version != VERSION:
                raise ValueError(f"it has version {version}, and {VERSION} is known here")
            return _coloring({field: _array(archive, field) for field in FIELDS})
    except (ValueError, KeyError, EOFError, RuntimeError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"load: got {name}, which holds no coloring: {error}; pass a file of `save`") from None


def _array(archive: zipfile.ZipFile, field: str) -> npt.NDArray[Any]:
    # np.load would leave broken files open, and read other formats.
    with archive.open(f"{field}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _coloring(fields: dict[str, Any]) -> Coloring:
    """Make a coloring of what was stored, if it is one."""
    problem, method, reason = (_scalar(fields[name], "U") for name in ("problem", "method", "bound_reason"))
    num_rows, value = (_scalar(fields[name], "iu") for name in ("num_rows", "bound"))
    colors, witness = fields["colors"], fields["bound_witness"]
    if problem not in PROBLEMS:
        raise ValueError(f"its problem is {problem!r}")
    for array in (colors, witness):
        if array.ndim != 1 or array.dtype.kind != "i":
            raise ValueError(f"an array is of dtype {array.dtype} with {array.ndim} dimensions")
    if num_rows not in range(len(colors) + 1) or (num_rows and not PROBLEMS[problem].two_sided):
        raise ValueError(f"{num_rows} of {len(colors)} vertices are rows")
    if np.any(colors < -1) or not np.array_equal(numbered(colors, num_rows), colors):
        raise ValueError("its colors are not numbered from 0")
    if value not in range(int(colors.max(initial=-1)) + 2):
        raise ValueError(f"its lower bound is {value} of {int(colors.max(initial=-1)) + 1} colors")
    if np.any((witness < 0) | (witness >= len(colors))):
        raise ValueError(f"its bound has a witness that is none of {len(colors)} vertices")
    for array in (colors, witness):
        array.flags.writeable = False
    return Coloring(problem, method, colors.astype(np.int32, copy=False), Bound(value, reason, witness), num_rows)


def _scalar(array: Any, kinds: str) -> Any:
    if array.ndim or array.dtype.kind not in kinds:
        raise ValueError(f"a field is of dtype {array.dtype} with {array.ndim} dimensions")
    return array.item()
