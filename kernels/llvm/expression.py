"""Expressions of the language as LLVM's text."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from kernels.llvm.library import CONSTANTS, EXTERNAL, INTRINSIC, WRITTEN
from kernels.llvm.value import (
    CONSTANT,
    DOUBLE,
    INDEX,
    ITEMS,
    LLVM,
    SIGNED,
    TRUTH,
    UNSIGNED,
    WHOLE,
    Array,
    Unsupported,
    Value,
    literal,
)
from kernels.llvm.writer import Writer

_REAL: dict[type[ast.AST], str] = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_LONG: dict[type[ast.AST], str] = {ast.Mod: "%", ast.FloorDiv: "//"}
_WHOLE: dict[type[ast.AST], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
_DIVISIONS = (ast.FloorDiv, ast.RShift)
_BITS: dict[type[ast.AST], str] = {ast.BitOr: "or", ast.BitAnd: "and", ast.BitXor: "xor"}
_REAL_TESTS: dict[type[ast.AST], str] = {
    ast.Eq: "oeq", ast.NotEq: "une", ast.Lt: "olt", ast.LtE: "ole", ast.Gt: "ogt", ast.GtE: "oge"
}  # fmt: skip
_WHOLE_TESTS: dict[type[ast.AST], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"
}  # fmt: skip


class Expressions:
    """Writes expressions of one function.

    Parameters
    ----------
    writer : Writer
    names : dict
        What names stand for: values and arrays; cells of variables that change are in `cells`.
    """

    def __init__(self, writer: Writer, names: dict[str, Value | Array]) -> None:
        self.writer = writer
        self.names = names
        self.cells: dict[str, tuple[str, str]] = {}

    def number(self, node: ast.expr) -> Value:
        """A number; whole numbers of the text stay constants."""
        rule = _RULES.get(type(node))
        if rule is None:
            raise Unsupported(f"line {node.lineno}: {type(node).__name__}")
        return rule(self, node)

    def double(self, node: ast.expr) -> Value:
        """A number that is a double, or a constant turned into one."""
        return self.as_double(self.number(node))

    def as_double(self, value: Value) -> Value:
        """A double from a constant."""
        if value.kind == DOUBLE:
            return value
        if value.kind != CONSTANT:
            raise Unsupported(f"{value.kind} among doubles")
        return literal(float(value.text))

    def truth(self, node: ast.expr) -> Value:
        """A condition."""
        value = self.number(node)
        if value.kind != TRUTH:
            raise Unsupported(f"line {node.lineno}: {value.kind} as a condition")
        return value

    def place(self, node: ast.Subscript) -> tuple[Array, str]:
        """The array and the pointer of ``a[i]`` or ``a[i, j]``."""
        array = self.array(node.value)
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(indices) != len(array.lengths):
            raise Unsupported(f"line {node.lineno}: {len(indices)} indices")
        item = ITEMS[array.item]
        places = [self._index(index, length) for index, length in zip(indices, array.lengths, strict=True)]
        pointer = array.data
        if len(places) == 2:
            row = self.writer.new(UNSIGNED, f"mul i64 {places[0].text}, {array.lengths[1]}")
            pointer = self.writer.new(UNSIGNED, f"getelementptr inbounds {item}, ptr {pointer}, {row.typed}").text
        last = places[-1]
        return array, self.writer.new(UNSIGNED, f"getelementptr inbounds {item}, ptr {pointer}, i64 {last.text}").text

    def array(self, node: ast.expr) -> Array:
        """An array that has a name."""
        found = self.names.get(node.id) if isinstance(node, ast.Name) else None
        if not isinstance(found, Array):
            raise Unsupported(f"line {node.lineno}: not an array")
        return found

    def load(self, array: Array, pointer: str) -> Value:
        """The number at a place; short ones are made as long as all others."""
        if array.item == "uint32":
            short = self.writer.new("uint32", f"load i32, ptr {pointer}")
            return self.writer.new(UNSIGNED, f"zext {short.typed} to i64")
        return self.writer.new(array.item, f"load {ITEMS[array.item]}, ptr {pointer}")

    def store(self, value: Value, array: Array, pointer: str) -> None:
        """Write a number to a place; short ones are cut off as NumPy does."""
        if not array.writeable:
            raise Unsupported("store to an array that is only read")
        if array.item == DOUBLE:
            value = self.as_double(value)
        elif value.kind not in (*WHOLE, UNSIGNED) or (array.item != SIGNED and value.text.startswith("-")):
            raise Unsupported(f"{value.kind} stored to {array.item}")
        elif array.item == "uint32":
            value = self.writer.new("uint32", f"trunc {value.typed} to i32")
        self.writer.line(f"store {value.typed}, ptr {pointer}")

    def whole(self, node: ast.expr) -> Value:
        """A whole number."""
        value = self.number(node)
        if value.kind not in (*WHOLE, UNSIGNED):
            raise Unsupported(f"line {node.lineno}: {value.kind} in the place of a whole number")
        return value

    def _index(self, node: ast.expr, length: str) -> Value:
        """A place; a negative one counts from the end."""
        value = self.whole(node)
        if value.kind != SIGNED and not value.text.startswith("-"):
            return value
        turned = self.writer.new(SIGNED, f"add i64 {value.text}, {length}")
        below = self.writer.new(TRUTH, f"icmp slt i64 {value.text}, 0")
        return self.writer.new(SIGNED, f"select {below.typed}, {turned.typed}, i64 {value.text}")

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.cells:
            kind, cell = self.cells[node.id]
            return self.writer.new(kind, f"load {LLVM[kind]}, ptr {cell}")
        found = self.names.get(node.id)
        if isinstance(found, Value):
            return found
        if node.id in CONSTANTS:
            return literal(CONSTANTS[node.id])
        raise Unsupported(f"line {node.lineno}: {node.id}")

    def _constant(self, node: ast.Constant) -> Value:
        number = node.value
        if isinstance(number, bool):
            return Value(TRUTH, "true" if number else "false")
        if isinstance(number, int):
            return Value(CONSTANT, str(number))
        if isinstance(number, float):
            return literal(number)
        raise Unsupported(f"line {node.lineno}: {number!r}")

    def _attribute(self, node: ast.Attribute) -> Value:
        name = _dotted(node)
        if name not in CONSTANTS:
            raise Unsupported(f"line {node.lineno}: {name}")
        return literal(CONSTANTS[name])

    def _load(self, node: ast.Subscript) -> Value:
        return self.load(*self.place(node))

    def _binary(self, node: ast.BinOp) -> Value:
        """From the innermost left operand outwards, without recursion: sums may have thousands of terms."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        result = self.number(chain[-1].left)
        for step in reversed(chain):
            result = self.combine(type(step.op), result, self.number(step.right))
        return result

    def combine(self, operator: type[ast.operator], left: Value, right: Value) -> Value:
        """The outcome of an operator."""
        kinds = {left.kind, right.kind}
        if operator in _BITS and kinds == {TRUTH}:
            return self.writer.new(TRUTH, f"{_BITS[operator]} {left.typed}, {right.text}")
        if kinds == {CONSTANT} or TRUTH in kinds or (DOUBLE not in kinds and operator not in (*_WHOLE, *_DIVISIONS)):
            raise Unsupported(f"{operator.__name__} of {left.kind} and {right.kind}")
        if operator in _DIVISIONS and DOUBLE not in kinds:
            return self._divided(operator, left, right)
        if DOUBLE in kinds:
            left, right = self.as_double(left), self.as_double(right)
            if operator in _LONG:
                return self.writer.request(_LONG[operator], left, right)
            if operator not in _REAL:
                raise Unsupported(operator.__name__)
            return self.writer.new(DOUBLE, f"{_REAL[operator]} double {left.text}, {right.text}")
        if UNSIGNED in kinds and kinds != {UNSIGNED}:
            raise Unsupported(f"{left.kind} with {right.kind}, which numba turns into doubles")
        kind = UNSIGNED if UNSIGNED in kinds else SIGNED
        return self.writer.new(kind, f"{_WHOLE[operator]} i64 {left.text}, {right.text}")

    def _divided(self, operator: type[ast.operator], left: Value, right: Value) -> Value:
        """A signed number by a positive one of the text, or by a power of two, rounded down."""
        if left.kind not in (SIGNED, INDEX) or right.kind != CONSTANT or int(right.text) < 1:
            raise Unsupported(f"{operator.__name__} of {left.kind} and {right.kind}")
        if operator is ast.RShift:
            return self.writer.new(SIGNED, f"ashr {left.typed}, {right.text}")
        quotient = self.writer.new(SIGNED, f"sdiv {left.typed}, {right.text}")
        rest = self.writer.new(SIGNED, f"srem {left.typed}, {right.text}")
        below = self.writer.new(SIGNED, f"ashr {rest.typed}, 63")
        return self.writer.new(SIGNED, f"add {quotient.typed}, {below.text}")

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self.writer.new(TRUTH, f"xor {self.truth(node.operand).typed}, true")
        value = self.number(node.operand)
        if isinstance(node.op, ast.USub) and value.kind == CONSTANT:
            return Value(CONSTANT, str(-int(value.text)))
        if not isinstance(node.op, ast.USub) or value.kind != DOUBLE:
            raise Unsupported(f"line {node.lineno}: {type(node.op).__name__} of {value.kind}")
        if value.text.startswith("0x"):
            return Value(DOUBLE, f"0x{int(value.text, 16) ^ 1 << 63:016X}")
        return self.writer.new(DOUBLE, f"fneg {value.typed}")

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) > 1:
            raise Unsupported(f"line {node.lineno}: a chain of comparisons")
        left, right, operator = self.number(node.left), self.number(node.comparators[0]), type(node.ops[0])
        kinds = {left.kind, right.kind}
        if kinds == {TRUTH} and operator in (ast.Eq, ast.NotEq):
            return self.writer.new(TRUTH, f"icmp {_WHOLE_TESTS[operator]} {left.typed}, {right.text}")
        if kinds in ({UNSIGNED, CONSTANT}, {UNSIGNED, INDEX}) and not (left.text + right.text).count("-"):
            kinds = {UNSIGNED}
        if operator not in _REAL_TESTS or TRUTH in kinds or (UNSIGNED in kinds and kinds != {UNSIGNED}):
            raise Unsupported(f"line {node.lineno}: {operator.__name__} of {left.kind} and {right.kind}")
        if DOUBLE in kinds:
            left, right = self.as_double(left), self.as_double(right)
            return self.writer.new(TRUTH, f"fcmp {_REAL_TESTS[operator]} {left.typed}, {right.text}")
        test = _WHOLE_TESTS[operator]
        sign = "" if test in ("eq", "ne") else "u" if kinds == {UNSIGNED} else "s"
        return self.writer.new(TRUTH, f"icmp {sign}{test} i64 {left.text}, {right.text}")

    def _logic(self, node: ast.BoolOp) -> Value:
        """All operands are computed where none reads from an array."""
        if any(map(_reads, node.values[1:])):
            return self._lazy_logic(node)
        word = "and" if isinstance(node.op, ast.And) else "or"
        result, *others = [self.truth(value) for value in node.values]
        for other in others:
            result = self.writer.new(TRUTH, f"{word} {result.typed}, {other.text}")
        return result

    def _lazy_logic(self, node: ast.BoolOp) -> Value:
        """An operand is computed only if those before it leave the outcome open."""
        writer, cell, done = self.writer, self.writer.cell(TRUTH), self.writer.name()
        for k, operand in enumerate(node.values):
            value = self.truth(operand)
            writer.line(f"store {value.typed}, ptr {cell}")
            if k < len(node.values) - 1:
                open_end = writer.name()
                ways = (open_end, done) if isinstance(node.op, ast.And) else (done, open_end)
                writer.end(f"br {value.typed}, label %{ways[0]}, label %{ways[1]}")
                writer.begin(open_end)
        writer.begin(done)
        return writer.new(TRUTH, f"load i1, ptr {cell}")

    def _choice(self, node: ast.IfExp) -> Value:
        """Both are computed, as in `_logic`."""
        if _reads(node.body) or _reads(node.orelse):
            return self._lazy_choice(node)
        test = self.truth(node.test)
        chosen, other = self.number(node.body), self.number(node.orelse)
        kinds = {chosen.kind, other.kind}
        if kinds <= set(WHOLE) and kinds != {CONSTANT}:
            chosen, other = Value(SIGNED, chosen.text), Value(SIGNED, other.text)
        elif len(kinds) > 1 or kinds == {CONSTANT}:
            chosen, other = self.as_double(chosen), self.as_double(other)
        return self.writer.new(chosen.kind, f"select {test.typed}, {chosen.typed}, {other.typed}")

    def _lazy_choice(self, node: ast.IfExp) -> Value:
        """The one that is chosen is computed."""
        writer, test = self.writer, self.truth(node.test)
        chosen, other, done = writer.name(), writer.name(), writer.name()
        writer.end(f"br {test.typed}, label %{chosen}, label %{other}")
        values, cell = [], ""
        for block, operand in ((chosen, node.body), (other, node.orelse)):
            writer.begin(block)
            values.append(self.number(operand))
            if values[0].kind != values[-1].kind or values[-1].kind == CONSTANT:
                raise Unsupported(f"line {node.lineno}: {values[0].kind} or {values[-1].kind}")
            cell = cell or writer.cell(values[0].kind)
            writer.line(f"store {values[-1].typed}, ptr {cell}")
            writer.jump(done)
        writer.begin(done)
        return writer.new(values[0].kind, f"load {LLVM[values[0].kind]}, ptr {cell}")

    def _call(self, node: ast.Call) -> Value:
        name = _dotted(node.func)
        if node.keywords:
            raise Unsupported(f"line {node.lineno}: keywords")
        special = _SPECIAL.get(name)
        if special is not None and len(node.args) == 1:
            return special(self, node.args[0])
        if name in ("min", "max") and len(node.args) == 2:
            return self._extreme(name, *map(self.whole, node.args))
        if name == "overlap" and len(node.args) == 2:
            return self._overlap(*map(self.array, node.args))
        arguments = [self.double(argument) for argument in node.args]
        if name in WRITTEN or name.startswith("elementary."):
            return self.writer.request(name, *arguments)
        if name in INTRINSIC:
            return self.writer.call(f"llvm.{INTRINSIC[name]}.f64", *arguments)
        if name in EXTERNAL:
            return self.writer.call(EXTERNAL[name], *arguments)
        if name in ("np.fmod", "math.fmod") and len(arguments) == 2:
            return self.writer.new(DOUBLE, f"frem {arguments[0].typed}, {arguments[1].text}")
        raise Unsupported(f"line {node.lineno}: {name}({len(arguments)} arguments)")

    def _to_unsigned(self, node: ast.expr) -> Value:
        value = self.whole(node)
        if value.kind == CONSTANT and int(value.text) < 0:
            raise Unsupported(f"line {node.lineno}: {value.text} as an unsigned number")
        return Value(UNSIGNED, value.text)

    def _to_signed(self, node: ast.expr) -> Value:
        return Value(SIGNED, self.whole(node).text)

    def _extreme(self, name: str, left: Value, right: Value) -> Value:
        """The smaller or larger one of two whole numbers of one kind."""
        if left.kind != right.kind or left.kind == CONSTANT:
            raise Unsupported(f"{name} of {left.kind} and {right.kind}")
        sign = "u" if left.kind == UNSIGNED else "s"
        test = self.writer.new(TRUTH, f"icmp {sign}{'lt' if name == 'min' else 'gt'} {left.typed}, {right.text}")
        return self.writer.new(left.kind, f"select {test.typed}, {left.typed}, {right.typed}")

    def _to_single(self, node: ast.expr) -> Value:
        """``np.float32(x)``: rounded, and a double again, which is what all that uses it makes of it."""
        single = self.writer.new(DOUBLE, f"fptrunc {self.double(node).typed} to float")
        return self.writer.new(DOUBLE, f"fpext float {single.text} to double")

    def _length(self, node: ast.expr) -> Value:
        return Value(INDEX, self.array(node).lengths[0])

    def _overlap(self, a: Array, b: Array) -> Value:
        """Whether two vectors of doubles share memory."""
        if a.item != DOUBLE or b.item != DOUBLE:
            raise Unsupported("overlap of other arrays than vectors of doubles")
        new = self.writer.new
        starts, ends = [], []
        for array in (a, b):
            end = new(UNSIGNED, f"getelementptr double, ptr {array.data}, i64 {array.lengths[0]}")
            starts.append(new(UNSIGNED, f"ptrtoint ptr {array.data} to i64"))
            ends.append(new(UNSIGNED, f"ptrtoint ptr {end.text} to i64"))
        first = new(TRUTH, f"icmp ult i64 {starts[0].text}, {ends[1].text}")
        second = new(TRUTH, f"icmp ult i64 {starts[1].text}, {ends[0].text}")
        return new(TRUTH, f"and i1 {first.text}, {second.text}")

    def _is_infinite(self, node: ast.expr) -> Value:
        size = self.writer.call("llvm.fabs.f64", self.double(node))
        return self.writer.new(TRUTH, f"fcmp oeq {size.typed}, {literal(float('inf')).text}")

    def _is_finite(self, node: ast.expr) -> Value:
        size = self.writer.call("llvm.fabs.f64", self.double(node))
        return self.writer.new(TRUTH, f"fcmp olt {size.typed}, {literal(float('inf')).text}")

    def _is_nan(self, node: ast.expr) -> Value:
        value = self.double(node)
        return self.writer.new(TRUTH, f"fcmp uno {value.typed}, {value.text}")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _reads(node: ast.expr) -> bool:
    """Whether an expression reads from an array."""
    return any(isinstance(part, ast.Subscript) for part in ast.walk(node))


_SPECIAL: dict[str, Callable[[Expressions, ast.expr], Value]] = {
    "np.uint64": Expressions._to_unsigned,
    "np.int64": Expressions._to_signed,
    "np.float64": Expressions.double,
    "np.float32": Expressions._to_single,
    "math.isinf": Expressions._is_infinite,
    "math.isfinite": Expressions._is_finite,
    "math.isnan": Expressions._is_nan,
    "len": Expressions._length,
}
_RULES: dict[type[ast.AST], Callable[[Expressions, Any], Value]] = {
    ast.Name: Expressions._name,
    ast.Constant: Expressions._constant,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._load,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.BoolOp: Expressions._logic,
    ast.IfExp: Expressions._choice,
    ast.Call: Expressions._call,
}
