"""The elementary functions as C: what `kernels.elementary` emits for LLVM, read back instruction by instruction.

So the functions stand in one place, and both compilers get the same operations in the same order.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from kernels.cuda.expression import PREFIX, UnsupportedError, literal
from kernels.elementary.emitter import ir
from kernels.elementary.functions import FUNCTIONS, ROUNDINGS
from kernels.elementary.inlined import PREFIX as EMITTED
from kernels.elementary.inlined import define

_ARITHMETIC = {"fadd": "+", "fsub": "-", "fmul": "*", "fdiv": "/"}
_WHOLE = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "lshr": ">>"}
_TRUTHS = {"and": "&&", "or": "||", "xor": "!="}
_TESTS = {"olt": "<", "ole": "<=", "ogt": ">", "oge": ">=", "oeq": "==", "eq": "==", "ne": "!="}
_INTRINSICS = {"llvm.fma.f64": "fma", "llvm.sqrt.f64": "sqrt", "llvm.rint.f64": "rint", "llvm.fma": "fma"}
_WORD = 64


@cache
def definitions(name: str) -> dict[str, str]:
    """An elementary function and what it needs, by symbol, those that are called before their callers.

    Parameters
    ----------
    name : str
        As in ``elementary.name``.

    Raises
    ------
    UnsupportedError
        If there is none of this name.
    """
    function = (FUNCTIONS | ROUNDINGS).get(name.removeprefix("elementary."))
    if function is None:
        raise UnsupportedError(name)
    module: Any = ir.Module()
    made = define(module, function, len(inspect.signature(function.emit).parameters))
    found: dict[str, str] = {}
    _define(made, found)
    return found


def _define(function: Any, found: dict[str, str]) -> None:
    """Add the text of a function behind those of the functions and tables that it needs."""
    translator = _Function(function, found)
    text = translator.text()
    found[_symbol(function.name)] = text


def _symbol(name: str) -> str:
    return PREFIX + name.removeprefix(EMITTED).removeprefix(PREFIX)


class _Function:
    """One function; of branches, it may have those around an early return."""

    def __init__(self, function: Any, found: dict[str, str]) -> None:
        self.function = function
        self.found = found
        self._names: dict[int, str] = {id(argument): f"x{k}" for k, argument in enumerate(function.args)}
        self._lines: list[str] = []
        self._depth = 1
        self._needed = _needed(function)

    def text(self) -> str:
        parameters = ", ".join(f"double x{k}" for k in range(len(self.function.args)))
        rare = "noinline" in map(str, self.function.attributes)
        block = self.function.blocks[0]
        while block is not None:
            block = self._block(block)
        body = "\n".join(self._lines)
        head = f"{'RARE' if rare else 'INLINE'} double {_symbol(self.function.name)}({parameters})"
        return f"{head}\n{{\n{body}\n}}\n"

    def _emit(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _block(self, block: Any) -> Any:
        """The statements of a block; the block that comes after it, if any."""
        for instruction in block.instructions[:-1]:
            if id(instruction) in self._needed:
                self._instruction(instruction)
        last = block.instructions[-1]
        if last.opname == "ret":
            self._emit(f"return {self._value(last.operands[0])};")
            return None
        if last.opname != "br" or len(last.operands) != 3:
            raise UnsupportedError(f"{self.function.name}: {last}")
        condition, taken, other = last.operands
        self._emit(f"if ({self._value(condition)}) {{")
        self._depth += 1
        if self._block(taken) is not None:
            raise UnsupportedError(f"{self.function.name}: a branch that comes back")
        self._depth -= 1
        self._emit("}")
        return other

    def _instruction(self, i: Any) -> None:
        rule = _RULES.get(i.opname) or (_binary if i.opname in _ARITHMETIC or i.opname in _WHOLE else None)
        if rule is None:
            raise UnsupportedError(f"{self.function.name}: {i}")
        text = rule(self, i)
        if i.opname == "getelementptr":
            self._names[id(i)] = text
            return
        name = self._names[id(i)] = f"t{len(self._names)}"
        self._emit(f"const {_type(i.type)} {name} = {text};")

    def _value(self, value: Any) -> str:
        if id(value) in self._names:
            return self._names[id(value)]
        if not isinstance(value, ir.Constant):
            raise UnsupportedError(f"{self.function.name}: {value}")
        return _constant(value)

    def call(self, i: Any) -> str:
        """A call: of what C has too, or of a function to be defined."""
        arguments = ", ".join(map(self._value, i.args))
        name = i.callee.name
        if name in _INTRINSICS:
            return f"{_INTRINSICS[name]}({arguments})"
        if not i.callee.blocks:
            raise UnsupportedError(f"{self.function.name}: {name}")
        if _symbol(name) not in self.found:
            _define(i.callee, self.found)
        return f"{_symbol(name)}({arguments})"

    def place(self, i: Any) -> str:
        """A place in a table of constants, which is defined."""
        table, (_, index) = i.pointer, i.indices
        words = ",\n    ".join(f"0x{getattr(word, 'constant', word):016x}ull" for word in table.initializer.constant)
        name = _symbol(table.name)
        self.found[name] = f"TABLE u64 {name}[] = {{\n    {words}}};\n"
        return f"{name}[{self._value(index)}]"


def _needed(function: Any) -> set[int]:
    """Instructions on which branches and results depend, by identity; the others have no effect."""
    found: set[int] = set()
    for block in reversed(function.blocks):
        for i in reversed(block.instructions):
            if i is block.terminator or id(i) in found:
                found.update(map(id, i.operands))
    return found


def _type(kind: Any) -> str:
    if isinstance(kind, ir.DoubleType):
        return "double"
    if kind.width == 1:
        return "bool"
    return "u64" if kind.width == _WORD else f"Wide<{kind.width // _WORD}>"


def _constant(value: Any) -> str:
    if isinstance(value.type, ir.DoubleType):
        return (
            f"({literal(value.constant)})"
            if value.constant < 0 or _is_minus_zero(value.constant)
            else literal(value.constant)
        )
    if value.type.width == 1:
        return "true" if value.constant else "false"
    number = value.constant % 2**value.type.width
    if value.type.width == _WORD:
        return f"{number:#x}ull"
    words = ", ".join(f"{number >> place & (2**_WORD - 1):#x}ull" for place in range(0, value.type.width, _WORD))
    return f"{_type(value.type)}{{{{{words}}}}}"


def _is_minus_zero(number: float) -> bool:
    return number == 0.0 and math.copysign(1.0, number) < 0.0


def _binary(f: _Function, i: Any) -> str:
    left, right = map(f._value, i.operands)
    if i.opname in _ARITHMETIC:
        return f"{left} {_ARITHMETIC[i.opname]} {right}"
    if i.type.width == 1:
        return f"{left} {_TRUTHS[i.opname]} {right}"
    if i.type.width == _WORD:
        return f"{left} {_WHOLE[i.opname]} {right}"
    if i.opname in ("shl", "lshr", "ashr"):
        return _wide_shift(f, i)
    return f"wide_{i.opname}({left}, {right})"


def _wide_shift(f: _Function, i: Any) -> str:
    """By a constant; or by less than a word."""
    left, amount = i.operands
    if isinstance(amount, ir.Constant):
        return f"wide_{i.opname}<{amount.constant}>({f._value(left)})"
    return f"wide_{i.opname}_some({f._value(left)}, {f._value(amount)}.word[0])"


def _bits(f: _Function, i: Any) -> str:
    way = "__double_as_longlong" if isinstance(i.operands[0].type, ir.DoubleType) else "__longlong_as_double"
    return f"({_type(i.type)}){way}({f._value(i.operands[0])})"


def _shortened(f: _Function, i: Any) -> str:
    text = f._value(i.operands[0])
    return f"{text}.word[0]" if i.type.width == _WORD else f"wide_to<{i.type.width // _WORD}>({text})"


def _lengthened(f: _Function, i: Any) -> str:
    return f"wide_of<{i.type.width // _WORD}>({f._value(i.operands[0])})"


def _test(f: _Function, i: Any) -> str:
    left, right = map(f._value, i.operands)
    if i.op == "uno":
        return f"{left} != {left} || {right} != {right}"
    if i.op not in _TESTS:
        raise UnsupportedError(f"{i.opname} {i.op}")
    return f"{left} {_TESTS[i.op]} {right}"


_RULES: dict[str, Callable[[_Function, Any], str]] = {
    "fneg": lambda f, i: f"-{f._value(i.operands[0])}",
    "fcmp": _test,
    "icmp": _test,
    "select": lambda f, i: "{} ? {} : {}".format(*map(f._value, i.operands)),
    "bitcast": _bits,
    "trunc": _shortened,
    "zext": _lengthened,
    "sitofp": lambda f, i: f"(double)(long long){f._value(i.operands[0])}",
    "call": _Function.call,
    "getelementptr": _Function.place,
    "load": lambda f, i: f._value(i.operands[0]),
    "ashr": _wide_shift,
}
