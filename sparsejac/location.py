"""Where in the user's file something happened, and which code is the user's."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from pathlib import Path
from types import FrameType

import numpy as np
import scipy

_LIBRARIES = tuple(
    f"{Path(origin).resolve().parent}/"
    for origin in (np.__file__, scipy.__file__, __file__, str(Path(__file__).parent.parent / "kernels" / "any"))
)
_STANDARD = f"{Path(sysconfig.get_paths()['stdlib']).resolve()}/"
_LOADED_LATER = ("/site-packages/numba/", "/site-packages/cupy/", "/dist-packages/numba/", "/dist-packages/cupy/")

_USER_FILES: dict[str, bool] = {}


def is_user_frame(frame: FrameType) -> bool:
    """Whether a frame runs code of neither ours, nor the array libraries, nor the standard library."""
    name = frame.f_code.co_filename
    known = _USER_FILES.get(name)
    if known is None:
        known = _USER_FILES[name] = _is_user_file(name)
    return known


def _is_user_file(name: str) -> bool:
    if name.startswith("<"):
        return not name.startswith(("<frozen", "<__array_function__"))
    path = str(Path(name).resolve())
    if path.startswith(_LIBRARIES) or any(part in path for part in _LOADED_LATER):
        return False
    return not path.startswith(_STANDARD) or "-packages/" in path


def user_site() -> tuple[object, int]:
    """The innermost place in the user's code, as a key: the same for each turn of a loop."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_user_frame(frame):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None, 0


def user_location() -> str:
    """File, line and text of the innermost line of the user's code, for messages."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
    if frame is None:
        return "<unknown place>"
    code = frame.f_code
    text = linecache.getline(code.co_filename, frame.f_lineno, frame.f_globals).strip()
    place = f'File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}'
    return f"{place}\n    {text}" if text else place
