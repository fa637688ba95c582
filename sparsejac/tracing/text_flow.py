"""Where text goes that code of the user's makes of a value: straight to people, or to where f may look at it.

This is read off the instructions of the running code, never off its source, which may have changed since.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import io
import sys
import warnings
from functools import lru_cache
from types import BuiltinFunctionType, CodeType, FrameType, ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from sparsejac.location import call_chain, is_user_frame
from sparsejac.tracing.trace import Trace, outlets

Reader = Literal["people", "logs", "handlers", "f"]
"""Who reads a text: people alone, what keeps it for them, whoever catches an error or what is printed, or any code."""

_READERS = ("people", "logs", "handlers", "f")

_HANDS_ON = (
    *("LOAD_", "FORMAT_", "CONVERT_", "BUILD_", "LIST_", "CALL_INTRINSIC_1", "PUSH_NULL", "PRECALL", "KW_NAMES"),
    *("JUMP", "POP_JUMP", "TO_BOOL", "NOP"),  # texts of values are never empty
    *("SWAP", "STORE_FAST"),  # at the end of an inlined comprehension
)
_ENDS = ("STORE_", "DELETE_", "POP_TOP", "RETURN_", "YIELD_")
_STORES = ("STORE_FAST", "STORE_FAST_LOAD_FAST")
_CALLS = ("CALL", "CALL_KW", "CALL_FUNCTION_EX")
_HANDED_OUT = {("YIELD_VALUE", "<genexpr>"): False}
"""How functions hand out text, by the instruction and their names -> whether it is the result of the call."""
for _name in ("__repr__", "__str__", "__format__"):
    _HANDED_OUT["RETURN_VALUE", _name] = False
if sys.version_info < (3, 12):
    _HANDED_OUT["LIST_APPEND", "<listcomp>"] = True
_OF_NUMPY = frozenset(["array2string", "array_repr", "array_str"])
_LAYS_OUT = frozenset(["center", "format", "join", "ljust", "rjust"])
_READS_NAMES = frozenset(["locals", "vars", "dir", "eval", "exec"])
_LEVELS = frozenset(["debug", "info", "warning", "error", "critical", "exception", "log"])


class _Use(NamedTuple):
    """An instruction that takes a text, or what it is a part of."""

    name: str
    chain: tuple[tuple[str, str], ...]  # of a call: what loads the function
    names: tuple[str, ...]  # of the chain
    to_standard: bool  # of a call: no argument says where it writes, or one says sys.stdout or sys.stderr
    dropped: bool  # of a call: nobody takes the result


class _Uses(NamedTuple):
    """What takes the result of an instruction, the innermost first, and where the last result goes."""

    parts: tuple[_Use, ...]
    raised: bool
    stored: str


def reader_of_text(trace: Trace) -> Reader:
    """Who reads the text that is being made of one of our values (two calls above), by the code that asked for it."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("sparsejac.tracing."):
        frame = frame.f_back
    return "f" if frame is None else _reader(trace, frame, frame.f_lasti, frozenset())


def _reader(trace: Trace, frame: FrameType, offset: int, names: frozenset[str]) -> Reader:
    """Who reads the result of an instruction; it has been in local variables of these names."""
    if frame.f_globals.get("__name__") == "logging":
        return "logs"
    code = frame.f_code
    uses = _uses(code, offset)
    if uses.raised:
        return "handlers" if _may_be_handled(frame) else "people"
    for use in uses.parts:
        if use.name in _CALLS:
            reader = _read_by_callee(trace, frame, use, bool(names))
            if reader != "f" or not _lays_out(frame, use):
                return reader
        elif (use.name, code.co_name) in _HANDED_OUT:
            return _reader_around(trace, frame, _HANDED_OUT[use.name, code.co_name])
        elif use.name == "RETURN_VALUE" and _is_called_by_name(frame):
            return _reader_around(trace, frame, True)
        else:
            return "f"
    if not uses.stored:
        return "f"
    if not _READS_NAMES.isdisjoint(code.co_names):
        return "f"
    readers: set[Reader] = {"people"}
    for load in () if uses.stored in names else _loads(code, uses.stored):
        reader = "f" if load is None else _reader(trace, frame, load, names | {uses.stored})
        # What a `with` begins may collect what is printed there.
        readers.add("handlers" if reader == "people" and _enters_block(code, offset, load) else reader)
    return max(readers, key=_READERS.index)


def _reader_around(trace: Trace, frame: FrameType, results: bool) -> Reader:
    """Who reads what a function hands out: the instruction there takes it, or (`results`) has it for its result."""
    around = frame.f_back
    return "f" if around is None else _reader(trace, around, around.f_lasti + results, frozenset())


def _is_called_by_name(frame: FrameType) -> bool:
    """Whether a function was called by an instruction of the frame around, and not by compiled code there."""
    around = frame.f_back
    chain = () if around is None else call_chain(around.f_code, around.f_lasti)
    found = [] if around is None else _found(around, chain)
    return bool(found) and len(found) == len(chain) and getattr(found[-1], "__code__", None) is frame.f_code


def _may_be_handled(frame: FrameType | None) -> bool:
    """Whether code between f and here has handlers of any sort, also those of `with` and of the standard library."""
    while frame is not None and frame.f_globals.get("__name__") != "sparsejac.tracing.run":
        ours = str(frame.f_globals.get("__name__", "")).startswith("sparsejac.") and not is_user_frame(frame)
        if frame.f_code.co_exceptiontable and not ours:
            return True
        frame = frame.f_back
    return False


def _read_by_callee(trace: Trace, frame: FrameType, use: _Use, later: bool) -> Reader:
    """Who reads the text that a call takes, now or later, when names may stand for something else."""
    if not use.chain or (later and not _lasts(frame, use)):
        return "f"
    found = _found(frame, use.chain)
    if use.names[-1] in _LEVELS and _is_of_logging(found, use.names):
        return "logs"
    if len(found) != len(use.names):
        return "f"
    to_standard = found[0] is sys and use.names[1:] in (("stdout", "write"), ("stderr", "write")) and use.dropped
    warns, prints = (found[-1] is own and _is_of_python(own) for own in (warnings.warn, print))
    if not (to_standard or warns or (prints and use.to_standard)):
        return "f"
    if trace.outlets != outlets():
        return "handlers"
    if warns and any(rule[0] == "error" for rule in warnings.filters) and _may_be_handled(frame):
        return "handlers"
    return "logs" if isinstance(sys.stdout, io.StringIO) else "people"


def _is_of_python(function: Any) -> bool:
    """Whether a function is not what somebody has put in the place of Python's own."""
    return type(function) is BuiltinFunctionType and function.__module__ in ("builtins", "_warnings")


def _is_of_logging(found: list[Any], names: tuple[str, ...]) -> bool:
    """Whether a call is one of a function of `logging`, or of a method that loggers have from there."""
    logging = sys.modules.get("logging")
    if logging is None:
        return False
    if len(found) == len(names) - 1 and found[-1] is logging.getLogger:  # and called: getLogger(name).info
        found = [*found, logging.getLoggerClass(), getattr(logging.getLoggerClass(), names[-1], None)]
    elif len(found) != len(names) or len(found) < 2:
        return False
    owner, method = found[-2:]
    known = owner is logging or isinstance(owner, logging.Logger) or owner is logging.getLoggerClass()
    return known and getattr(method, "__module__", "") == "logging"


def _lasts(frame: FrameType, use: _Use) -> bool:
    """Whether the code at hand lets names of a call that is still to come stand for what they stand for now."""
    (how, name), code = use.chain[0], frame.f_code
    stores = () if how == "LOAD_CONST" else _stores(code, name)
    known = not stores or (stores != (None,) and name in frame.f_locals)
    return known and _attributes_set(code).isdisjoint({*use.names[1:], "stdout", "stderr", "showwarning"})


def _lays_out(frame: FrameType, use: _Use) -> bool:
    """Whether a call only makes another text of those that it takes."""
    found = _found(frame, use.chain)
    if len(use.names) == 1:
        return bool(found) and any(found[0] is function for function in (str, repr, format))
    if not found:
        return False
    if found[0] is np:
        return len(use.names) == 2 and use.names[1] in _OF_NUMPY
    return (type(found[0]) is str or found[0] is str) and _LAYS_OUT.issuperset(use.names[1:])


def _found(frame: FrameType, chain: tuple[tuple[str, str], ...]) -> list[Any]:
    """The objects behind the names of a chain of loads, as far as they are known without running any code."""
    if not chain:
        return []
    (how, name), *attributes = chain
    found: list[Any] = []
    if how == "LOAD_CONST":
        found = [name]
    elif how.startswith("LOAD_GLOBAL"):
        found = [frame.f_globals[name] if name in frame.f_globals else vars(builtins).get(name)]
    elif how.startswith(("LOAD_FAST", "LOAD_NAME", "LOAD_DEREF")):
        places = (frame.f_locals, *((frame.f_globals, vars(builtins)) if how == "LOAD_NAME" else ()))
        found = [place[name] for place in places if name in place][:1]
    for how, name in attributes if found else ():
        known = vars(found[-1]) if isinstance(found[-1], ModuleType) else None
        missing = object()
        value = inspect.getattr_static(found[-1], name, missing) if known is None else known.get(name, missing)
        if value is missing or not how.startswith(("LOAD_ATTR", "LOAD_METHOD")):
            break
        found.append(value)
    return found


@lru_cache(maxsize=1024)
def _uses(code: CodeType, offset: int) -> _Uses:
    """What happens to the result of an instruction, or of what runs in the caches behind it."""
    instructions = list(dis.get_instructions(code))
    start = max(k for k, instruction in enumerate(instructions) if instruction.offset <= offset)
    first = instructions[start]
    place = _place(first)
    if place is None:
        return _Uses((), False, "")
    start += offset % 2  # an instruction has two bytes: between them stands what it gave
    parts, stored, previous = [], "", start - 1
    for k in range(start, len(instructions)):
        instruction = instructions[k]
        here = _place(instruction)
        if k == previous + 1 and instruction.opname in _STORES and (here == place or not _holds(here, place)):
            stored = instruction.argval if type(instruction.argval) is str else instruction.argval[0]
            break
        if _holds(here, place):
            previous = k
            if not _hands_on(code, instruction):
                chain = call_chain(code, instruction.offset) if instruction.opname in _CALLS else ()
                standard, dropped = _to_standard(code, instructions, k), _dropped(instructions, k)
                parts.append(_Use(instruction.opname, chain, tuple(name for _, name in chain), standard, dropped))
    return _Uses(tuple(parts), _is_raised(instructions[start:]), stored)


def _hands_on(code: CodeType, instruction: dis.Instruction) -> bool:
    """Whether an instruction only makes a text or a collection of what it takes, or takes nothing of it."""
    if instruction.opname == "BINARY_OP":
        return instruction.argrepr.startswith(("+", "%"))
    return instruction.opname.startswith(_HANDS_ON) and (instruction.opname, code.co_name) not in _HANDED_OUT


_Place = tuple[tuple[int, int], tuple[int, int]]


def _place(instruction: dis.Instruction) -> _Place | None:
    """Begin and end in the source."""
    p = instruction.positions
    if p is None or p.lineno is None or p.end_lineno is None or p.col_offset is None or p.end_col_offset is None:
        return None
    return (p.lineno, p.col_offset), (p.end_lineno, p.end_col_offset)


def _holds(place: _Place | None, part: _Place) -> bool:
    return place is not None and place[0] <= part[0] and part[1] <= place[1]


def _is_raised(instructions: list[dis.Instruction]) -> bool:
    """Whether what the first of these gives can only go into an error that is raised."""
    targets: list[int] = []
    for instruction in instructions:
        if instruction.opname == "RAISE_VARARGS":
            return all(instructions[0].offset < target <= instruction.offset for target in targets)
        if instruction.opname.startswith(_ENDS):
            return False
        if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            targets.append(int(instruction.argval))
    return False


def _to_standard(code: CodeType, instructions: list[dis.Instruction], k: int) -> bool:
    """Whether a call has no argument `file`, or one that is written sys.stdout or sys.stderr."""
    call = instructions[k]
    if call.opname == "CALL_FUNCTION_EX":
        return not (call.arg or 0) & 1
    named = k - 1
    while named >= 0 and instructions[named].opname in ("PRECALL", "EXTENDED_ARG"):
        named -= 1
    marker = instructions[named]
    if call.opname == "CALL_KW" and marker.opname == "LOAD_CONST":
        names = marker.argval
    elif call.opname == "CALL" and marker.opname == "KW_NAMES":
        names = code.co_consts[marker.arg or 0]
    else:
        return call.opname == "CALL"
    if "file" not in names:
        return True
    behind = len(names) - 1 - names.index("file")
    owner, stream, *rest = instructions[max(named - behind - 2, 0) : named]
    return (
        not any(other.is_jump_target for other in (stream, *rest, marker))  # file=mine or sys.stdout
        and (owner.opname, owner.argval) == ("LOAD_GLOBAL", "sys")
        and stream.opname == "LOAD_ATTR"
        and stream.argval in ("stdout", "stderr")
        and all(other.opname == "LOAD_CONST" for other in rest)
    )


def _dropped(instructions: list[dis.Instruction], k: int) -> bool:
    """Whether a call is a statement of its own."""
    return k + 1 < len(instructions) and instructions[k + 1].opname == "POP_TOP"


@lru_cache(maxsize=1024)
def _loads(code: CodeType, name: str) -> tuple[int | None, ...]:
    """Where a local variable is read; None for a place that says nothing of who takes it."""
    found: list[int | None] = []
    for instruction in dis.get_instructions(code):
        read, how = instruction.argval, instruction.opname
        if how == "LOAD_FAST_LOAD_FAST" and read[0] == name != read[1]:
            read = name  # the place of two instructions in one is that of the first
        elif how == "STORE_FAST_LOAD_FAST" and read[1] != name:
            continue
        if read == name and how.startswith("LOAD_FAST"):
            found.append(instruction.offset)
        elif type(read) is tuple and name in read and "FAST" in how:
            found.append(None)
    return tuple(found)


@lru_cache(maxsize=1024)
def _stores(code: CodeType, name: str) -> tuple[int | None, ...]:
    """Where a name of any sort is bound; None alone where it may be bound anew after it was."""
    found, loops = [], []
    for instruction in dis.get_instructions(code):
        bound = instruction.argval if type(instruction.argval) is tuple else (instruction.argval,)
        if instruction.opname.startswith(("STORE_", "DELETE_")) and not instruction.opname.endswith("_ATTR"):
            found += [instruction.offset] if name in bound else []
            if instruction.opname == "STORE_GLOBAL" and name in bound:
                return (None,)
        elif instruction.opname.startswith("JUMP_BACKWARD"):
            loops.append((instruction.argval, instruction.offset))
    again = len(found) > 1 or any(begin <= store < end for store in found for begin, end in loops)
    return (None,) if again else tuple(found)


@lru_cache(maxsize=1024)
def _attributes_set(code: CodeType) -> frozenset[str]:
    """The attributes that code sets, of whatever."""
    return frozenset(i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_ATTR", "DELETE_ATTR"))


@lru_cache(maxsize=1024)
def _enters_block(code: CodeType, begin: int, end: int) -> bool:
    """Whether a place lies in a block of `with` or `try` that another one does not lie in."""
    blocks: Any = dis.Bytecode(code)
    return any(b.start <= end < b.end and not b.start <= begin < b.end for b in blocks.exception_entries)
