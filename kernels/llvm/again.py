"""A compiled function with all but its first two arguments in place, as one built-in function, in LLVM's text.

At a hundred unknowns a kernel takes as long as two calls of Python functions. This built-in function looks at x and at
the array for the result, takes one of its own where none is given, and runs the compiled function; where anything is
not as it has to be, it says None, and has done nothing that counts.

Small arrays that it has given away are used again once nobody holds them any more: a new one of more than a thousand
bytes takes the C library longer than a small kernel runs. Nobody holds an array whose only reference is that of the
list it is kept in, and that has no weak references; what owned it before may have changed its fields, so these are
looked at as well.
"""

from __future__ import annotations

import ctypes
import os
import struct
import weakref
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.llvm.call import (
    ALIGNED,
    BYTE_ORDER,
    CHARACTERS,
    CONTIGUOUS,
    DATA,
    DIMENSIONS,
    DTYPE,
    FLAGS,
    FOREIGN,
    ITEMS,
    NDARRAY,
    NUMBER,
    SHAPE,
    TYPE,
    WRITEABLE,
)
from kernels.llvm.machine import built_in
from kernels.llvm.native import link_text

AGAIN = "sparsejac_again"

LENGTH, LIST_ITEMS = 16, 24
"""Where a list has its length, and the address of its items."""
BASE, WEAK_REFERENCES = 48, 72
"""Further fields of an array."""
_FLOAT64 = np.dtype(np.float64).num
_READ, _WRITTEN = CONTIGUOUS | ALIGNED, CONTIGUOUS | ALIGNED | WRITEABLE
_OWNED = _WRITTEN | 0x4
"""With memory that an array frees itself: others may have taken it over."""

_TURN, _PACKED = 1, 2
"""Places in the state, after whether it runs: which kept array is replaced next, and the arguments of the code."""

TEXT = f"""
@{NDARRAY} = external global i8
@PyExc_TypeError = external global ptr
@_Py_NoneStruct = external global i8
@two = private constant [48 x i8] c"sparsejac_again: takes x, and an array or None.\\00"
declare ptr @PyEval_SaveThread() nounwind
declare void @PyEval_RestoreThread(ptr) nounwind
declare ptr @PyObject_CallNoArgs(ptr) nounwind
declare void @PyErr_SetString(ptr, ptr) nounwind
declare void @Py_IncRef(ptr) nounwind
declare void @Py_DecRef(ptr) nounwind

define private i1 @fits(ptr %object, i64 %length, i32 %wanted) alwaysinline nounwind {{
entry:
  %type.at = getelementptr i8, ptr %object, i64 {TYPE}
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @{NDARRAY}
  br i1 %is.array, label %fields, label %no
fields:
  %dimensions.at = getelementptr i8, ptr %object, i64 {DIMENSIONS}
  %dimensions = load i32, ptr %dimensions.at
  %is.vector = icmp eq i32 %dimensions, 1
  br i1 %is.vector, label %vector, label %no
vector:
  %shape.at = getelementptr i8, ptr %object, i64 {SHAPE}
  %shape = load ptr, ptr %shape.at
  %found.length = load i64, ptr %shape
  %same.length = icmp eq i64 %found.length, %length
  %flags.at = getelementptr i8, ptr %object, i64 {FLAGS}
  %flags = load i32, ptr %flags.at
  %flags.found = and i32 %flags, %wanted
  %same.flags = icmp eq i32 %flags.found, %wanted
  %dtype.at = getelementptr i8, ptr %object, i64 {DTYPE}
  %dtype = load ptr, ptr %dtype.at
  %number.at = getelementptr i8, ptr %dtype, i64 {NUMBER}
  %number = load i32, ptr %number.at
  %same.number = icmp eq i32 %number, {_FLOAT64}
  %order.at = getelementptr i8, ptr %dtype, i64 {BYTE_ORDER}
  %order = load i8, ptr %order.at
  %native = icmp ne i8 %order, {FOREIGN}
  %same.size = and i1 %same.length, %same.flags
  %same.kind = and i1 %same.number, %native
  %same = and i1 %same.size, %same.kind
  ret i1 %same
no:
  ret i1 false
}}

define private i1 @is_free(ptr %object, i64 %length) alwaysinline nounwind {{
entry:
  %references = load i64, ptr %object
  %is.ours = icmp eq i64 %references, 1
  br i1 %is.ours, label %alone, label %no
alone:
  %base.at = getelementptr i8, ptr %object, i64 {BASE}
  %base = load ptr, ptr %base.at
  %owns = icmp eq ptr %base, null
  %weak.at = getelementptr i8, ptr %object, i64 {WEAK_REFERENCES}
  %weak = load ptr, ptr %weak.at
  %unwatched = icmp eq ptr %weak, null
  %fits = call i1 @fits(ptr %object, i64 %length, i32 {_OWNED})
  %both = and i1 %owns, %unwatched
  %free = and i1 %both, %fits
  ret i1 %free
no:
  ret i1 false
}}

define ptr @{AGAIN}(ptr %self, ptr %arguments, i64 %count) nounwind {{
entry:
  %first = getelementptr i8, ptr %self, i64 {ITEMS}
  %bytes = load ptr, ptr %first
  %description = getelementptr i8, ptr %bytes, i64 {CHARACTERS}
  %function = load ptr, ptr %description
  %size.at = getelementptr i64, ptr %description, i64 1
  %size = load i64, ptr %size.at
  %length.at = getelementptr i64, ptr %description, i64 2
  %length = load i64, ptr %length.at
  %kept.at = getelementptr i64, ptr %description, i64 3
  %kept = load ptr, ptr %kept.at
  %make.at = getelementptr i64, ptr %description, i64 4
  %make = load ptr, ptr %make.at
  %unlocks.at = getelementptr i64, ptr %description, i64 5
  %unlocks = load i64, ptr %unlocks.at
  %state.at = getelementptr i64, ptr %description, i64 6
  %state = load ptr, ptr %state.at
  %complete = icmp eq i64 %count, 2
  br i1 %complete, label %ask, label %wrong.count
ask:
  %x = load ptr, ptr %arguments
  %out.at = getelementptr ptr, ptr %arguments, i64 1
  %given = load ptr, ptr %out.at
  %fits = call i1 @fits(ptr %x, i64 %size, i32 {_READ})
  br i1 %fits, label %place, label %nothing
place:
  %is.none = icmp eq ptr %given, @_Py_NoneStruct
  br i1 %is.none, label %search, label %look
look:
  %out.fits = call i1 @fits(ptr %given, i64 %length, i32 {_WRITTEN})
  br i1 %out.fits, label %taken.given, label %nothing
taken.given:
  call void @Py_IncRef(ptr %given)
  br label %idle
search:
  %many.at = getelementptr i8, ptr %kept, i64 {LENGTH}
  %many = load i64, ptr %many.at
  %items.at = getelementptr i8, ptr %kept, i64 {LIST_ITEMS}
  %items = load ptr, ptr %items.at
  br label %test
test:
  %k = phi i64 [ 0, %search ], [ %k.next, %next ]
  %more = icmp slt i64 %k, %many
  br i1 %more, label %item, label %new
item:
  %item.at = getelementptr ptr, ptr %items, i64 %k
  %candidate = load ptr, ptr %item.at
  %free = call i1 @is_free(ptr %candidate, i64 %length)
  br i1 %free, label %taken, label %next
next:
  %k.next = add i64 %k, 1
  br label %test
taken:
  call void @Py_IncRef(ptr %candidate)
  br label %idle
new:
  %made = call ptr @PyObject_CallNoArgs(ptr %make)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %raised, label %keep
keep:
  %keeps = icmp sgt i64 %many, 0
  br i1 %keeps, label %replace, label %idle
replace:
  %turn.at = getelementptr i64, ptr %state, i64 {_TURN}
  %turn = load i64, ptr %turn.at
  %turn.more = add i64 %turn, 1
  %turn.next = urem i64 %turn.more, %many
  store i64 %turn.next, ptr %turn.at
  %old.at = getelementptr ptr, ptr %items, i64 %turn
  %old = load ptr, ptr %old.at
  call void @Py_IncRef(ptr %made)
  store ptr %made, ptr %old.at
  call void @Py_DecRef(ptr %old)
  br label %idle
idle:
  %out = phi ptr [ %given, %taken.given ], [ %candidate, %taken ], [ %made, %keep ], [ %made, %replace ]
  %busy = load i64, ptr %state
  %is.idle = icmp eq i64 %busy, 0
  br i1 %is.idle, label %run, label %refused
run:
  %out.data.at = getelementptr i8, ptr %out, i64 {DATA}
  %out.data = load i64, ptr %out.data.at
  %x.data.at = getelementptr i8, ptr %x, i64 {DATA}
  %x.data = load i64, ptr %x.data.at
  %packed = getelementptr i64, ptr %state, i64 {_PACKED}
  store i64 %out.data, ptr %packed
  %packed.x = getelementptr i64, ptr %packed, i64 2
  store i64 %x.data, ptr %packed.x
  %alone = icmp eq i64 %unlocks, 0
  br i1 %alone, label %locked, label %unlocked
locked:
  %outcome.locked = call i64 %function(ptr %packed)
  br label %ran
unlocked:
  store i64 1, ptr %state
  %lock = call ptr @PyEval_SaveThread()
  %outcome.unlocked = call i64 %function(ptr %packed)
  call void @PyEval_RestoreThread(ptr %lock)
  store i64 0, ptr %state
  br label %ran
ran:
  %outcome = phi i64 [ %outcome.locked, %locked ], [ %outcome.unlocked, %unlocked ]
  %done = icmp eq i64 %outcome, 0
  br i1 %done, label %give, label %refused
give:
  ret ptr %out
refused:
  call void @Py_DecRef(ptr %out)
  br label %nothing
nothing:
  call void @Py_IncRef(ptr @_Py_NoneStruct)
  ret ptr @_Py_NoneStruct
wrong.count:
  %kind = load ptr, ptr @PyExc_TypeError
  call void @PyErr_SetString(ptr %kind, ptr @two)
  ret ptr null
raised:
  ret ptr null
}}
"""

KEPT, KEPT_BYTES = 3, 1 << 16
"""Arrays that are kept to be used again, and how large they are at most. A loop that assigns J holds two."""


def again(
    address: int, size: int, length: int, rest: Sequence[npt.NDArray[Any]], *, unlocks: bool, keep: Any
) -> Callable[[Any, Any], Any]:
    """A function of x and `out`, which may be None, that gives `out` or an array of its own; None where it did nothing.

    Parameters
    ----------
    address : int
        Of code that takes its arguments from an array; they are `out`, x and the rest.
    size, length : int
        Of x and `out`: aligned, contiguous vectors of float64.
    rest : sequence of array
        Vectors, contiguous. They hold what the code works with: while it runs, another thread gets None.
    unlocks : bool
        Whether other threads may run meanwhile: to let them takes as long as 100 additions.
    keep : object
        Keeps the code.
    """
    makes = partial(np.empty, length)
    kept = [np.empty(0) for _ in range(KEPT if 8 * length <= KEPT_BYTES else 0)]  # to be replaced
    packed = [0, length, 0, size, *(number for array in rest for number in (array.ctypes.data, len(array)))]
    state = np.array([0, 0, *packed], dtype=np.int64)
    _states[id(state)] = state
    description = struct.pack("=QqqQQqQ", address, size, length, id(kept), id(makes), int(unlocks), state.ctypes.data)
    entry = link_text(TEXT, (AGAIN,)).addresses[AGAIN]
    function: Callable[[Any, Any], Any] = built_in(entry, b"again", (description, kept, makes, state, rest, keep))
    return function


_states: weakref.WeakValueDictionary[int, npt.NDArray[np.int64]] = weakref.WeakValueDictionary()


def _set_idle() -> None:
    """In a forked child: the threads that ran the code are not there."""
    for state in list(_states.values()):
        state[0] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_set_idle)


@cache
def layout_is_known() -> bool:
    """Whether objects have the fields that only `TEXT` reads where it reads them; see `call.layout_is_known`."""
    owner: Any = np.empty(3)
    part, watched = owner[1:], np.empty(3)
    reference, listed = weakref.ref(watched), [owner, part]
    items = _read(ctypes.c_void_p, id(listed) + LIST_ITEMS)
    return (
        _read(ctypes.c_ssize_t, id(owner)) == 3  # `owner`, `part`, `listed`
        and _read(ctypes.c_void_p, id(part) + BASE) == id(owner)
        and _read(ctypes.c_void_p, id(owner) + BASE) is None
        and _read(ctypes.c_void_p, id(watched) + WEAK_REFERENCES) == id(reference)
        and _read(ctypes.c_void_p, id(owner) + WEAK_REFERENCES) is None
        and _read(ctypes.c_ssize_t, id(listed) + LENGTH) == 2
        and [_read(ctypes.c_void_p, items + 8 * k) for k in (0, 1)] == [id(owner), id(part)]
    )


def _read(kind: Any, address: int) -> Any:
    return kind.from_address(address).value
