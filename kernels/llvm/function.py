"""Statements of the language as LLVM's text: one function of generated Python."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kernels.llvm.expression import Expressions
from kernels.llvm.value import CONSTANT, DOUBLE, INDEX, SIGNED, UNSIGNED, Array, Parameter, Unsupported, Value
from kernels.llvm.writer import ModuleText, Writer
from kernels.source import IN_VECTORS

ENTRIES = 3
"""Numbers in a table for each array: see `kernels.memory`."""

MOST_ROOM = 1 << 12
"""Doubles in an array on the stack."""


@dataclass(frozen=True)
class Callee:
    """A function that the text may call for its effects, by the name of its symbol."""

    symbol: str
    parameters: tuple[Parameter, ...]


def write_function(
    node: ast.FunctionDef,
    parameters: Sequence[Parameter],
    result: str,
    module: ModuleText,
    *,
    head: str,
    callees: dict[str, Callee],
    constants: dict[str, ast.expr],
) -> str:
    """The text of a function.

    Parameters
    ----------
    node : ast.FunctionDef
    parameters : sequence of Parameter
    result : {"void", "int64", "float64"}
    module : ModuleText
    head : str
        All that stands before the body.
    callees : dict
        By the name that the text calls them.
    constants : dict
        Numbers that have a name outside of the function.
    """
    if len(node.args.args) != len(parameters):
        raise Unsupported(f"{len(parameters)} types for {len(node.args.args)} arguments")
    names = {argument.arg: parameters[k].argument(k) for k, argument in enumerate(node.args.args)}
    statements = _Statements(names, node, result, Writer(module), callees)
    statements.name_constants(constants)
    return statements.text(head)


class _Statements:
    def __init__(
        self,
        names: dict[str, Value | Array],
        node: ast.FunctionDef,
        result: str,
        writer: Writer,
        callees: dict[str, Callee],
    ) -> None:
        self._expressions = Expressions(writer, names)
        self._names = names
        self._writer = writer
        self._result = result
        self._callees = callees
        self._body = node.body
        self._loops: list[str] = []
        self._stored = Counter(names)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._stored[part.id] += 1
            if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                self._stored[part.target.id] += 1

    def name_constants(self, constants: dict[str, ast.expr]) -> None:
        """Constants that the function hides by names of its own are none of its own."""
        for name, node in constants.items():
            if name not in self._stored:
                value = self._expressions.number(node)
                self._names[name] = value

    def text(self, head: str) -> str:
        """The whole function."""
        self._run(self._body)
        if self._writer.open:
            if self._result != "void":
                raise Unsupported("an end without a return")
            self._writer.end("ret void")
        return self._writer.text(head)

    def _run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            rule = _RULES.get(type(statement))
            if rule is None:
                raise Unsupported(f"line {statement.lineno}: {type(statement).__name__}")
            if not self._writer.open:
                raise Unsupported(f"line {statement.lineno}: behind a return")
            rule(self, statement)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """Names that are bound inside stand for nothing outside, where they may have no value."""
        before = dict(self._names)
        yield
        self._names.clear()
        self._names.update(before)

    def _assign(self, node: ast.Assign) -> None:
        (target,) = node.targets
        if isinstance(target, ast.Tuple):
            if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
                raise Unsupported(f"line {node.lineno}: a tuple")
            values = [self._value(value) for value in node.value.elts]
            for one, value in zip(target.elts, values, strict=True):
                self._store(one, value)
        else:
            self._store(target, self._value(node.value))

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            raise Unsupported(f"line {node.lineno}: no value")
        self._store(node.target, self._value(node.value))

    def _value(self, node: ast.expr) -> Value | Array:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.empty":
            return self._room(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ARRAYS:
            return self._array_at(node.func.id, node.args)
        return self._expressions.number(node)

    def _store(self, target: ast.expr, value: Value | Array) -> None:
        if isinstance(target, ast.Subscript) and isinstance(value, Value):
            self._expressions.store(value, *self._expressions.place(target))
        elif isinstance(target, ast.Name):
            self._bind(target.id, value)
        else:
            raise Unsupported(f"line {target.lineno}: {type(target).__name__} as a target")

    def _bind(self, name: str, value: Value | Array) -> None:
        if self._stored[name] == 1:
            if isinstance(value, Value) and value.kind == CONSTANT:
                value = Value(INDEX if not value.text.startswith("-") else SIGNED, value.text)
            self._names[name] = value
            return
        if isinstance(value, Array) or name in self._names:
            raise Unsupported(f"{name} is bound again")
        if value.kind in (CONSTANT, INDEX):
            value = Value(SIGNED, value.text)
        cells = self._expressions.cells
        kind, cell = cells.setdefault(name, (value.kind, ""))
        if kind != value.kind:
            raise Unsupported(f"{name} is {kind} and {value.kind}")
        if not cell:
            cell = self._writer.cell(kind)
            cells[name] = kind, cell
        self._writer.line(f"store {value.typed}, ptr {cell}")

    def _augment(self, node: ast.AugAssign) -> None:
        operator, expressions = type(node.op), self._expressions
        if isinstance(node.target, ast.Name):
            old = expressions.number(ast.copy_location(ast.Name(node.target.id, ast.Load()), node))
            self._bind(node.target.id, expressions.combine(operator, old, expressions.number(node.value)))
            return
        if not isinstance(node.target, ast.Subscript):
            raise Unsupported(f"line {node.lineno}: target")
        array, pointer = expressions.place(node.target)
        new = expressions.combine(operator, expressions.load(array, pointer), expressions.number(node.value))
        expressions.store(new, array, pointer)

    def _for(self, node: ast.For) -> None:
        """A loop that asks at its end; what runs no time at all goes round it."""
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise Unsupported(f"line {node.lineno}: a loop of another form")
        if node.target.id in self._expressions.cells or node.target.id in self._names:
            raise Unsupported(f"line {node.lineno}: {node.target.id} is bound again")
        start, stop = self._range(node.iter)
        unsigned = stop.kind == UNSIGNED
        writer = self._writer
        body, latch, done = writer.name(), writer.name(), writer.name()
        some = writer.new("bool", f"icmp {'ult' if unsigned else 'slt'} i64 {start.text}, {stop.text}")
        before = writer.block
        writer.end(f"br {some.typed}, label %{body}, label %{done}")
        writer.begin(body)
        following = f"%{writer.name()}"
        variable = writer.new(stop.kind, f"phi i64 [ {start.text}, %{before} ], [ {following}, %{latch} ]")
        with self._scope(), self._loop(done):
            self._names[node.target.id] = variable
            self._run(node.body)
        if not writer.open:
            raise Unsupported(f"line {node.lineno}: a loop that runs once")
        writer.begin(latch)
        writer.line(f"{following} = add nuw {'' if unsigned else 'nsw '}i64 {variable.text}, 1")
        again = writer.new("bool", f"icmp ne i64 {following}, {stop.text}")
        writer.module.loops.append(_wishes_vectors(node))
        writer.end(f"br {again.typed}, label %{body}, label %{done}, !llvm.loop !{len(writer.module.loops)}")
        writer.begin(done)

    @contextmanager
    def _loop(self, done: str) -> Iterator[None]:
        """Where a break leads to."""
        self._loops.append(done)
        yield
        self._loops.pop()

    def _while(self, node: ast.While) -> None:
        writer = self._writer
        head, body, done = writer.name(), writer.name(), writer.name()
        if node.orelse:
            raise Unsupported(f"line {node.lineno}: else")
        writer.begin(head)
        test = self._expressions.truth(node.test)
        writer.end(f"br {test.typed}, label %{body}, label %{done}")
        writer.begin(body)
        with self._scope(), self._loop(done):
            self._run(node.body)
        writer.jump(head)
        writer.begin(done)

    def _break(self, node: ast.Break) -> None:
        self._writer.jump(self._loops[-1])

    def _range(self, node: ast.expr) -> tuple[Value, Value]:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"):
            raise Unsupported(f"line {node.lineno}: a loop over something else")
        limits = [self._expressions.whole(argument) for argument in node.args]
        kinds = {limit.kind for limit in limits}
        if len(limits) not in (1, 2) or (len(kinds) > 1 and UNSIGNED in kinds):
            raise Unsupported(f"line {node.lineno}: a range of {sorted(kinds)}")
        if UNSIGNED in kinds:
            return Value(UNSIGNED, "0") if len(limits) == 1 else limits[0], limits[-1]
        start = Value(CONSTANT, "0") if len(limits) == 1 else limits[0]
        if start.kind not in (CONSTANT, INDEX) or start.text.startswith("-"):
            raise Unsupported(f"line {node.lineno}: a range from below 0")
        return start, Value(INDEX, limits[-1].text)

    def _if(self, node: ast.If) -> None:
        writer = self._writer
        test = self._expressions.truth(node.test)
        chosen, other, done = writer.name(), writer.name(), writer.name()
        writer.end(f"br {test.typed}, label %{chosen}, label %{other if node.orelse else done}")
        reached = not node.orelse
        for label, statements in ((chosen, node.body), (other, node.orelse)):
            if statements:
                writer.begin(label)
                with self._scope():
                    self._run(statements)
                reached |= writer.open
                writer.jump(done)
        if reached:
            writer.begin(done)

    def _return(self, node: ast.Return) -> None:
        if (node.value is None) != (self._result == "void"):
            raise Unsupported(f"line {node.lineno}: a return of something else")
        if node.value is None:
            self._writer.end("ret void")
            return
        value = self._expressions.number(node.value)
        if self._result == DOUBLE:
            value = self._expressions.as_double(value)
        elif self._result != "int64" or value.kind not in (CONSTANT, SIGNED, INDEX):
            raise Unsupported(f"line {node.lineno}: {value.kind} returned")
        self._writer.end(f"ret {value.typed}")

    def _effect(self, node: ast.Expr) -> None:
        """A docstring, or a call of a part."""
        if isinstance(node.value, ast.Constant):
            return
        call = node.value
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in self._callees):
            raise Unsupported(f"line {node.lineno}: a call of something unknown")
        callee = self._callees[call.func.id]
        if call.keywords or len(callee.parameters) != len(call.args):
            raise Unsupported(f"line {node.lineno}: {len(call.args)} arguments for {call.func.id}")
        pairs = zip(call.args, callee.parameters, strict=True)
        given = ", ".join(self._argument(argument, parameter).typed for argument, parameter in pairs)
        self._writer.line(f"call void @{callee.symbol}({given})")

    def _argument(self, node: ast.expr, parameter: Parameter) -> Value | Array:
        if parameter.dimensions == 0:
            value = self._expressions.whole(node)
            if parameter.item != SIGNED or value.kind == UNSIGNED:
                raise Unsupported(f"line {node.lineno}: {value.kind} for {parameter.item}")
            return value
        array = self._expressions.array(node)
        kind = (array.item, len(array.lengths), array.writeable or not parameter.writeable)
        if kind != (parameter.item, parameter.dimensions, True):
            raise Unsupported(f"line {node.lineno}: an array of {array.item} for {parameter}")
        return array

    def _room(self, node: ast.Call) -> Array:
        """A short array of the function's own, of a length that the text says."""
        length = self._expressions.whole(node.args[0])
        if len(node.args) != 1 or node.keywords or length.kind != CONSTANT or not 0 < int(length.text) <= MOST_ROOM:
            raise Unsupported(f"line {node.lineno}: an array of one's own")
        return Array(DOUBLE, self._writer.room(int(length.text)), (length.text,))

    def _array_at(self, name: str, arguments: Sequence[ast.expr]) -> Array:
        """The array of which a table tells address and lengths: see `kernels.memory`."""
        table, place = self._expressions.array(arguments[0]), self._expressions.whole(arguments[1])
        if table.item != SIGNED or place.kind not in (CONSTANT, SIGNED, UNSIGNED):
            raise Unsupported(f"{name}: the table of {table.item}, the place of {place.kind}")
        item, dimensions = name.rsplit("_", 1)
        found = []
        for k in range(1 + int(dimensions)):
            first = self._writer.new(SIGNED, f"getelementptr inbounds i64, ptr {table.data}, {place.typed}")
            cell = self._writer.new(SIGNED, f"getelementptr inbounds i64, ptr {first.text}, i64 {k}")
            found.append(self._writer.new(SIGNED, f"load i64, ptr {cell.text}"))
        data = self._writer.new(SIGNED, f"inttoptr {found[0].typed} to ptr")
        return Array(item, data.text, tuple(length.text for length in found[1:]))


def _wishes_vectors(node: ast.For) -> bool:
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value == IN_VECTORS


_ARRAYS = tuple(f"{item}_{dimensions}" for item in ("float64", "uint32", "uint64") for dimensions in (1, 2))
_RULES: dict[type[ast.AST], Callable[[_Statements, Any], None]] = {
    ast.Assign: _Statements._assign,
    ast.AugAssign: _Statements._augment,
    ast.AnnAssign: _Statements._annotated,
    ast.For: _Statements._for,
    ast.While: _Statements._while,
    ast.Break: _Statements._break,
    ast.If: _Statements._if,
    ast.Return: _Statements._return,
    ast.Expr: _Statements._effect,
}
