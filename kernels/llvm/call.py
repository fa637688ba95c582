"""The way from Python into compiled functions: one built-in function that looks at its arguments, in LLVM's text.

It is called by the vectorcall protocol (PEP 590) with a `description` of the compiled function, reads the fields of
CPython's and NumPy's objects where their binary interfaces have them, and gives the lock of the interpreter back while
the function runs.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from kernels.llvm.value import Parameter

ENTRY_POINT = "sparsejac_call"
NDARRAY = "sparsejac_ndarray"
"""Stands for ``numpy.ndarray``."""

ITEMS, CHARACTERS = 24, 32
"""Where the items of a tuple begin, and the characters of a bytes object."""
TYPE, DATA, DIMENSIONS, SHAPE, DTYPE, FLAGS = 8, 16, 24, 32, 56, 64
"""Offsets in an array: its type, and the fields of NumPy's PyArrayObject."""
BYTE_ORDER, NUMBER = 26, 28
"""Offsets in a dtype: fields of NumPy's PyArray_Descr."""
CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400
FOREIGN = ord(">") if np.little_endian else ord("<")

CALL = f"""
@{NDARRAY} = external global i8
@PyExc_TypeError = external global ptr
@_Py_NoneStruct = external global i8
@count = private constant [44 x i8] c"%s: %zd arguments instead of %zd, as in %s.\\00"
@fit = private constant [39 x i8] c"%s: argument %zd does not fit into %s.\\00"
declare ptr @PyEval_SaveThread() nounwind
declare void @PyEval_RestoreThread(ptr) nounwind
declare ptr @PyLong_FromLongLong(i64) nounwind
declare i64 @PyLong_AsLongLong(ptr) nounwind
declare ptr @PyErr_Occurred() nounwind
declare ptr @PyErr_Format(ptr, ptr, ...) nounwind
declare void @Py_IncRef(ptr) nounwind

define ptr @{ENTRY_POINT}(ptr %self, ptr %arguments, i64 %count) nounwind {{
entry:
  %first = getelementptr i8, ptr %self, i64 {ITEMS}
  %bytes = load ptr, ptr %first
  %description = getelementptr i8, ptr %bytes, i64 {CHARACTERS}
  %function = load ptr, ptr %description
  %name.at = getelementptr i64, ptr %description, i64 1
  %name = load ptr, ptr %name.at
  %signature.at = getelementptr i64, ptr %description, i64 2
  %signature = load ptr, ptr %signature.at
  %returns.at = getelementptr i64, ptr %description, i64 3
  %returns = load i64, ptr %returns.at
  %expected.at = getelementptr i64, ptr %description, i64 4
  %expected = load i64, ptr %expected.at
  %codes = getelementptr i64, ptr %description, i64 5
  %complete = icmp eq i64 %count, %expected
  br i1 %complete, label %begin, label %wrong.count
begin:
  %room = mul i64 %expected, 3
  %buffer = alloca i64, i64 %room
  br label %argument
argument:
  %k = phi i64 [ 0, %begin ], [ %k.next, %next ]
  %to = phi ptr [ %buffer, %begin ], [ %to.next, %next ]
  %object.at = getelementptr ptr, ptr %arguments, i64 %k
  %object = load ptr, ptr %object.at
  %code.at = getelementptr i64, ptr %codes, i64 %k
  %code = load i64, ptr %code.at
  %is.number = icmp eq i64 %code, 0
  br i1 %is.number, label %number, label %array
number:
  %value = call i64 @PyLong_AsLongLong(ptr %object)
  store i64 %value, ptr %to
  %to.number = getelementptr i64, ptr %to, i64 1
  %maybe = icmp eq i64 %value, -1
  br i1 %maybe, label %asked, label %next
asked:
  %error = call ptr @PyErr_Occurred()
  %raised = icmp ne ptr %error, null
  br i1 %raised, label %failed, label %next
array:
  %type.at = getelementptr i8, ptr %object, i64 {TYPE}
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @{NDARRAY}
  br i1 %is.array, label %fields, label %wrong
fields:
  %dimensions.at = getelementptr i8, ptr %object, i64 {DIMENSIONS}
  %dimensions32 = load i32, ptr %dimensions.at
  %dimensions = zext i32 %dimensions32 to i64
  %flags.at = getelementptr i8, ptr %object, i64 {FLAGS}
  %flags32 = load i32, ptr %flags.at
  %flags = zext i32 %flags32 to i64
  %dtype.at = getelementptr i8, ptr %object, i64 {DTYPE}
  %dtype = load ptr, ptr %dtype.at
  %type.number.at = getelementptr i8, ptr %dtype, i64 {NUMBER}
  %type.number32 = load i32, ptr %type.number.at
  %type.number = zext i32 %type.number32 to i64
  %order.at = getelementptr i8, ptr %dtype, i64 {BYTE_ORDER}
  %order = load i8, ptr %order.at
  %native = icmp ne i8 %order, {FOREIGN}
  %wanted.flags = lshr i64 %code, 16
  %found.flags = and i64 %flags, %wanted.flags
  %type.part = shl i64 %type.number, 8
  %found.low = or i64 %type.part, %dimensions
  %found.high = shl i64 %found.flags, 16
  %found = or i64 %found.low, %found.high
  %same = icmp eq i64 %found, %code
  %fits = and i1 %same, %native
  br i1 %fits, label %taken, label %wrong
taken:
  %data.at = getelementptr i8, ptr %object, i64 {DATA}
  %data = load i64, ptr %data.at
  store i64 %data, ptr %to
  %shape.at = getelementptr i8, ptr %object, i64 {SHAPE}
  %shape = load ptr, ptr %shape.at
  %rows = load i64, ptr %shape
  %to.rows = getelementptr i64, ptr %to, i64 1
  store i64 %rows, ptr %to.rows
  %to.columns = getelementptr i64, ptr %to, i64 2
  %is.matrix = icmp eq i64 %dimensions, 2
  br i1 %is.matrix, label %matrix, label %next
matrix:
  %columns.at = getelementptr i64, ptr %shape, i64 1
  %columns = load i64, ptr %columns.at
  store i64 %columns, ptr %to.columns
  %to.after = getelementptr i64, ptr %to, i64 3
  br label %next
next:
  %to.next = phi ptr [ %to.number, %number ], [ %to.number, %asked ], [ %to.columns, %taken ], [ %to.after, %matrix ]
  %k.next = add i64 %k, 1
  %more = icmp ne i64 %k.next, %expected
  br i1 %more, label %argument, label %run
run:
  %lock = call ptr @PyEval_SaveThread()
  %outcome = call i64 %function(ptr %buffer)
  call void @PyEval_RestoreThread(ptr %lock)
  %is.nothing = icmp eq i64 %returns, 0
  br i1 %is.nothing, label %nothing, label %something
nothing:
  call void @Py_IncRef(ptr @_Py_NoneStruct)
  ret ptr @_Py_NoneStruct
something:
  %result = call ptr @PyLong_FromLongLong(i64 %outcome)
  ret ptr %result
wrong.count:
  %kind.count = load ptr, ptr @PyExc_TypeError
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %kind.count, ptr @count, ptr %name, i64 %count, i64 %expected,
    ptr %signature)
  ret ptr null
wrong:
  %kind = load ptr, ptr @PyExc_TypeError
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %kind, ptr @fit, ptr %name, i64 %k, ptr %signature)
  ret ptr null
failed:
  ret ptr null
}}
"""


def describe(address: int, name: bytes, signature: bytes, result: str, parameters: Sequence[Parameter]) -> bytes:
    """The description of a compiled function; whoever holds it keeps `name` and `signature` alive."""
    texts = (id(text) + CHARACTERS for text in (name, signature))
    codes = map(_code, parameters)
    return struct.pack(f"=QQQqq{len(parameters)}q", address, *texts, int(result != "void"), len(parameters), *codes)


def _code(parameter: Parameter) -> int:
    """Dimensions, number of the dtype and flags of an array; 0 for a number."""
    if parameter.dimensions == 0:
        return 0
    flags = CONTIGUOUS | ALIGNED | (WRITEABLE if parameter.writeable else 0)
    return flags << 16 | np.dtype(parameter.item).num << 8 | parameter.dimensions


@cache
def layout_is_known() -> bool:
    """Whether objects have their fields where `CALL` reads them: true of CPython with its usual build."""
    sizes = (object.__basicsize__, tuple.__basicsize__, bytes.__basicsize__)
    if sizes != (TYPE + 8, ITEMS, CHARACTERS + 1) or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    probe = np.empty((3, 5), dtype=np.uint32)
    fields = (TYPE, id(np.ndarray)), (DATA, probe.ctypes.data), (DTYPE, id(probe.dtype))
    shape = _read(ctypes.c_void_p, id(probe) + SHAPE)
    return (
        all(_read(ctypes.c_void_p, id(probe) + offset) == expected for offset, expected in fields)
        and [_read(ctypes.c_int64, shape + 8 * axis) for axis in (0, 1)] == [3, 5]
        and _read(ctypes.c_int, id(probe) + DIMENSIONS) == 2
        and _read(ctypes.c_int, id(probe) + FLAGS) == probe.flags.num
        and _read(ctypes.c_int, id(probe.dtype) + NUMBER) == probe.dtype.num
        and _read(ctypes.c_char, id(probe.dtype) + BYTE_ORDER) == probe.dtype.byteorder.encode()
    )


def _read(kind: Any, address: int) -> Any:
    return kind.from_address(address).value
