"""Where in the user's file something happened, and which code is the user's."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import linecache
import sys
from functools import lru_cache, partial
from itertools import islice, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import scipy

from kernels.records import dataclass

_HOME = Path(__file__).resolve().parent
_LIBRARIES = (
    *(f"{Path(origin).resolve().parent}/" for origin in (np.__file__, scipy.__file__)),
    *(f"{place}/" for place in (_HOME, _HOME.parent / "kernels")),
)
_STANDARD = f"{Path(inspect.__file__).resolve().parent}/"
_LOADED_LATER = tuple(
    f"/{place}-packages/{name}/" for place in ("site", "dist") for name in ("cupy", "numba", "pandas", "xarray")
)

_OURS = ("sparsejac.tracing", "sparsejac.location", "sparsejac.residence", "kernels")
_BETWEEN = (*_OURS, "scipy._lib", "numpy.lib.mixins")
"""Modules whose functions stand between the user's call and what it does."""

_REMAINDERS = frozenset(k for k, (_, symbol) in enumerate(dis._nb_ops) if symbol in ("%", "%="))  # type: ignore[attr-defined]
"""Arguments of BINARY_OP that mean ``%``."""

_USER_FILES: dict[str, bool] = {}

_CATCHES_ALL = bytes([dis.opmap["PUSH_EXC_INFO"], 0, dis.opmap["POP_TOP"], 0])
"""How the handler of an `except` that names no error begins."""

_ITEM_STORES = frozenset(["STORE_SUBSCR", "STORE_SLICE"])
"""Instructions of item assignments; since Python 3.12 there is one for slices."""

UNKNOWN = "<unknown place>"

Site = tuple[CodeType | None, int]
"""A place in the user's code that costs little to note: a code object and the offset of an instruction."""

NOWHERE: Site = (None, 0)
"""No place in f: what came in with its arguments, or was made after it had returned."""


@dataclass(frozen=True)
class CodeLine:
    """A line of the user's code.

    Parameters
    ----------
    file : str
    number : int
    function : str
    text : str
        What stands there, as far as the file can be read.
    """

    file: str
    number: int
    function: str
    text: str

    def __str__(self) -> str:
        place = f'File "{self.file}", line {self.number}, in {self.function}'
        return f"{place}\n    {self.text}" if self.text else place


def is_user_frame(frame: FrameType) -> bool:
    """Whether a frame runs code of neither ours, nor the array libraries, nor the standard library."""
    return is_user_file(frame.f_code.co_filename)


def formats_text() -> bool:
    """Whether the caller's caller is at an operator ``%`` (with text on its left: others do not ask for floats)."""
    code, at = sys._getframe(2).f_code.co_code, sys._getframe(2).f_lasti
    return dis.opname[code[at]] == "BINARY_OP" and code[at + 1] in _REMAINDERS


def called_library() -> tuple[str, str] | None:
    """Public module and name of the library's function that the innermost line of the user's code has called.

    None where there is none, and for compiled functions, which leave no frame.
    """
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_BETWEEN) and not frame.f_code.co_name.startswith("<"):
            public = module.partition("._")[0] if not module.startswith("sparsejac") else "sparsejac"
            found = public, _function_name(frame)
        frame = frame.f_back
    return found


def _function_name(frame: FrameType) -> str:
    """The name under which a function was called: methods are those of the object's own class."""
    owner = type(frame.f_locals.get("self")).__name__
    public = "." in frame.f_code.co_qualname and "self" in frame.f_locals and not owner.startswith("_")
    return f"{owner}.{frame.f_code.co_name}" if public else frame.f_code.co_qualname


def is_written_by_user(function: Any) -> bool:
    """Whether a function is the user's own, and not one of a library or of Python."""
    code = _code_of(function)
    return code is not None and is_user_file(code.co_filename)


def _code_of(function: Any) -> CodeType | None:
    code = getattr(inspect.unwrap(getattr(function, "func", function)), "__code__", None)
    return code or getattr(vars(type(function)).get("__call__"), "__code__", None)


def definition_of(function: Any) -> str:
    """File, line and text where a function of the user's begins, for messages; of each that ours puts together."""
    parts = [part for part in function.args if callable(part)] if isinstance(function, partial) else []
    if parts and not is_written_by_user(function):
        return "\n  ".join(map(definition_of, parts))
    code = _code_of(function)
    if code is None:
        return f"in {function!r}"
    text = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return str(CodeLine(code.co_filename, code.co_firstlineno, code.co_name, text))


def called_text() -> str:
    """How the call at the innermost place of the user's code is written, without its arguments; empty if it is none.

    Names that are Python's own (``float``) are not given.
    """
    code, offset = user_site()
    position = next(islice(code.co_positions(), offset // 2, None), None) if code is not None else None
    if code is None or position is None or position[0] is None or position[0] != position[1]:
        return ""
    line = linecache.getline(code.co_filename, position[0]).encode()
    try:
        call = ast.parse(line[position[2] : position[3]].strip(), mode="eval").body
    except SyntaxError:
        return ""
    called = call.func if isinstance(call, ast.Call) else None
    name = "" if called is None else ast.unparse(called)
    if len(name) > 60:
        name = f"(...).{called.attr}" if isinstance(called, ast.Attribute) else ""
    return "" if hasattr(builtins, name) else name


def at_item_assignment() -> bool:
    """Whether the innermost line of the user's code is about to store an item (``y[i] = ...``)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
    return frame is not None and instruction_at(frame) in _ITEM_STORES


def stores_in_compiled_code() -> bool:
    """Whether the caller's caller, an item assignment, comes from compiled code: from no statement, nor by its name."""
    frame = sys._getframe(3)
    if instruction_at(frame) in _ITEM_STORES:
        return False
    return (_callee(frame.f_code, frame.f_lasti) or ("", ""))[1] not in ("setitem", "__setitem__")


def instruction_at(frame: FrameType) -> str:
    """The name of the instruction that a frame is at."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]]


def is_caught_by_callers(error: type[Exception]) -> bool:
    """Whether code of the user's between f and here may catch an error of a class."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != "sparsejac.tracing.run":
        if is_user_frame(frame) and may_catch(frame.f_code, frame.f_globals, error):
            return True
        frame = frame.f_back
    return False


def may_catch(code: CodeType, names: dict[str, Any], error: type[Exception]) -> bool:
    """Whether code has handlers, and one for everything or a name for what an error belongs to."""
    if not code.co_exceptiontable:
        return False
    named = (names.get(name, getattr(builtins, name, None)) for name in code.co_names)
    return _CATCHES_ALL in code.co_code or any(_includes(value, error) for value in named) or _catches_unknown(code)


@lru_cache(maxsize=4096)
def _catches_unknown(code: CodeType) -> bool:
    """Whether a handler is for what a local name holds: an argument, or a name of the function around."""
    names = [instruction.opname for instruction in dis.get_instructions(code)]
    local = ("LOAD_FAST", "LOAD_DEREF")
    return any(match == "CHECK_EXC_MATCH" and load.startswith(local) for load, match in pairwise(names))


def _includes(caught: Any, error: type[Exception]) -> bool:
    if type(caught) is tuple:
        return any(_includes(part, error) for part in caught)
    return isinstance(caught, type) and issubclass(caught, BaseException) and issubclass(error, caught)


def _callee(code: CodeType, offset: int) -> tuple[str, str] | None:
    """How the function that a call instruction calls was loaded: the kind of load and the name."""
    chain = call_chain(code, offset)
    return chain[-1] if chain else None


@lru_cache(maxsize=4096)
def call_chain(code: CodeType, offset: int) -> tuple[tuple[str, str], ...]:
    """The loads by which the function was found that a call instruction calls, each with its name: np, add, reduce."""
    call = None
    loads = []
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset:
            break
        call = instruction  # the offset may be that of a cache behind the instruction
        is_load = instruction.opname.startswith("LOAD") and isinstance(instruction.argval, str)
        if is_load or instruction.opname.startswith("BINARY"):
            loads.append(instruction)
    if call is None or call.positions is None or call.positions.lineno is None:
        return ()
    begin = call.positions[0], call.positions[2]
    return tuple(
        (load.opname, str(load.argval))
        for load in loads
        if load.positions is not None and (load.positions[0], load.positions[2]) == begin
    )


_NO_NAMES: frozenset[str] = frozenset()
_RANDOM = frozenset(dir(np.random.Generator)) | frozenset(dir(np.random.RandomState))


class Leads:
    """Under which names the user's code calls each of some functions."""

    def __init__(self) -> None:
        self.functions: dict[int, set[int]] = {}
        self.names: dict[int, set[str]] = {}
        self.bound: dict[int, set[str]] = {}
        # Whether f can reach a method of compiled code, which a call without a name may stand for as well.
        self.beside_compiled = False

    def add(self, original: Any, route: Any) -> None:
        """Let calls of a function and of its route, by the function's own name, lead to it."""
        self.functions[id(original)] = {id(original), id(route)}
        self.names.setdefault(id(original), set()).add(original.__name__)

    def bind(self, original: Any, name: object) -> None:
        """Let a name of the user's (an attribute, a key, an index) lead to a function, until `unbind`.

        Names of the methods of random generators do not: these call np.empty themselves, and write into its memory.
        """
        if str(name) not in _RANDOM:
            self.bound.setdefault(id(original), set()).add(str(name))

    def unbind(self) -> None:
        """Forget the names of the user's."""
        self.bound.clear()
        self.beside_compiled = False


def is_called_directly(leads: Leads, original: Any) -> bool:
    """Whether the caller was called by name in the user's code, and not by compiled code that the user called.

    Compiled extensions leave no frame: the innermost frame is then the user's, but it is at another call. What they are
    given must be the array that they asked for, since they write into its memory.

    Parameters
    ----------
    leads : Leads
        The names that lead to the caller.
    original : callable
        What the caller stands for.
    """
    frame = sys._getframe(2)
    file = frame.f_code.co_filename
    # Looked up here before by a call: every call of np.empty asks while f runs.
    if _USER_FILES.get(file) is False or not is_user_file(file):
        return False
    me = id(original)
    names, bound = leads.names.get(me, _NO_NAMES), leads.bound.get(me, _NO_NAMES)
    loaded = _callee(frame.f_code, frame.f_lasti)
    if loaded is None:
        used = frame.f_code.co_names
        return not used or not names.isdisjoint(used) or not bound.isdisjoint(used)
    how, name = loaded
    if how.startswith(("LOAD_ATTR", "LOAD_METHOD")):
        return name in names or name in bound
    if how.startswith("BINARY"):  # a function out of a list or a dict
        return not leads.beside_compiled and (bool(bound) or not names.isdisjoint(frame.f_code.co_names))
    found = frame.f_locals.get(name, frame.f_globals.get(name))
    return id(found.func if isinstance(found, partial) else found) in leads.functions.get(me, ())


def is_user_file(name: str) -> bool:
    """Whether a file (or what stands for one in a code object) holds code of the user's."""
    known = _USER_FILES.get(name)
    if known is None:
        known = _USER_FILES[name] = _judge(name)
    return known


def _judge(name: str) -> bool:
    if name.startswith("<"):
        return not name.startswith(("<frozen", "<__array_function__"))
    if name.startswith(_LIBRARIES) and "/.." not in name:
        return False  # to resolve a path asks the disk for each folder on the way
    path = str(Path(name).resolve())
    if path.startswith(_LIBRARIES) or any(part in path for part in _LOADED_LATER):
        return False
    return not path.startswith(_STANDARD) or "-packages/" in path


def site_key() -> int:
    """A number for the innermost place in the user's code, the same for each turn of a loop.

    It is made of the identity of the code object: its hash changes while the interpreter specialises its instructions.
    """
    code, offset = user_site()
    return (id(code) << 20) + offset


def offset_in_call(site: Site) -> int:
    """How far a place is from the end of its call instruction, which CPython 3.11 splits into two.

    Calls that the interpreter has specialised run in the first half, others in the second.
    """
    code, offset = site
    if code is None:
        return 0
    names = [dis.opname[opcode] for opcode in code.co_code[offset : offset + 16 : 2]]
    return 2 * names.index("CALL") if names[0] == "PRECALL" and "CALL" in names else 0


def user_site() -> Site:
    """The innermost place in the user's code; no key of a dict, see `site_key`."""
    frame: FrameType | None = sys._getframe(1)
    known = _USER_FILES  # looked up here and not by calls: every operation of f asks
    while frame is not None:
        code = frame.f_code
        user = known.get(code.co_filename)
        if user or (user is None and is_user_file(code.co_filename)):
            return code, frame.f_lasti
        frame = frame.f_back
    return NOWHERE


def line_of(site: Site) -> CodeLine | None:
    """The line of a place; None where there is none."""
    code, offset = site
    if code is None:
        return None
    position = next(islice(code.co_positions(), offset // 2, None), (None,))
    number = position[0] or code.co_firstlineno
    return CodeLine(code.co_filename, number, code.co_name, linecache.getline(code.co_filename, number).strip())


def user_location() -> str:
    """File, line and text of the innermost line of the user's code, for messages."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
    return UNKNOWN if frame is None else _described(frame, frame.f_lineno)


def user_stacklevel() -> int:
    """The `stacklevel` with which a warning of the caller points at the innermost line of the user's code."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
        level += 1
    return level


def location_of(error: BaseException) -> str:
    """File, line and text of the innermost line of the user's code that an error went through."""
    step = error.__traceback__
    place = UNKNOWN
    while step is not None:
        if is_user_frame(step.tb_frame):
            place = _described(step.tb_frame, step.tb_lineno)
        step = step.tb_next
    return place


def _described(frame: FrameType, line: int) -> str:
    code = frame.f_code
    text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    return str(CodeLine(code.co_filename, line, code.co_name, text))
