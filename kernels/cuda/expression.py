"""Expressions of kernels, which operations bring along as Python text, as C.

The language is that of `kernels.llvm.expression`, as far as operations use it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence
from functools import cache

from kernels.kernel import Kernel
from kernels.llvm.library import CONSTANTS, EXTERNAL, INTRINSIC, WRITTEN, written

PREFIX = "sparsejac_"
"""Of all functions that a source defines for its steps."""

CALLED = "called_"
"""Of the names of functions whose code is not copied to where they are called."""

_OPERATORS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_LONG: dict[type[ast.AST], str] = {ast.Mod: "%", ast.FloorDiv: "//"}
_TESTS: dict[type[ast.AST], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="
}  # fmt: skip
_SPECIAL = {
    "math.isinf": "(fabs({0}) == INFINITE)",
    "math.isfinite": "(fabs({0}) < INFINITE)",
    "math.isnan": "({0} != {0})",
    "np.float64": "{0}",
    "np.float32": "((double)(float){0})",
    "np.fmod": "fmod({0}, {1})",
    "math.fmod": "fmod({0}, {1})",
}
_NAMES = {"%": "remainder", "//": "floor_divide"}


class UnsupportedError(Exception):
    """An operation's text is not in the language."""


def literal(number: float) -> str:
    """A double as C text, exactly.

    >>> literal(0.1), literal(-2.0), literal(float("inf"))
    ('0.1', '-2.0', 'INFINITE')
    """
    if math.isnan(number):
        return "NOT_A_NUMBER"
    if math.isinf(number):
        return "INFINITE" if number > 0 else "-INFINITE"
    return repr(float(number))


def expression(code: str, operands: Sequence[str]) -> tuple[str, frozenset[str]]:
    """C text of an operation, and the functions that it needs: names for `function`.

    Parameters
    ----------
    code : str
        As of `Operation.code`.
    operands : sequence of str
        What stands for ``{0}``, ``{1}``, ...: names, or literals in parentheses.

    Raises
    ------
    UnsupportedError
        If the text is not in the language.

    Examples
    --------
    >>> expression("{0} if {0} > {1} else -{1}", ["a", "b"])
    ('((a > b) ? a : (-b))', frozenset())
    """
    template, needed = _translated(code, len(operands))
    return template.format(*operands), needed


@cache
def _translated(code: str, arity: int) -> tuple[str, frozenset[str]]:
    """The same with fields for the operands."""
    names = [f"operand{k}" for k in range(arity)]
    needed: set[str] = set()
    tree = ast.parse(code.format(*names), mode="eval")
    text = _Translator(needed).text(tree.body)
    for k, name in enumerate(names):
        text = text.replace(name, f"{{{k}}}")
    return text, frozenset(needed)


COPIED = 24
"""Most calls of functions in a step whose code is copied there: more of them take long to compile."""


def operation_lines(kernel: Kernel, outputs: tuple[int, ...]) -> tuple[list[str], list[int], frozenset[str]]:
    """Statements ``const double v7 = ...;`` that the outputs need; the loads that they need; and functions.

    The functions are names for `function` or `definitions`, behind `CALLED` where there are so many calls that their
    code is not copied.
    """
    needed = set(outputs)
    for t in range(len(kernel.instructions) - 1, -1, -1):
        if kernel.loads + t in needed:
            needed.update(kernel.instructions[t].operands)
    lines: list[str] = []
    functions: set[str] = set()
    for t, i in enumerate(kernel.instructions, start=kernel.loads):
        if t not in needed:
            continue
        if i.operation is None:
            text = literal(i.literal)
        else:
            text, more = expression(i.operation.code, [f"v{o}" for o in i.operands])
            functions |= more
        lines.append(f"const double v{t} = {_bare(text)};")
    if sum(line.count(PREFIX) for line in lines) > COPIED:
        lines = [line.replace(PREFIX, CALLED + PREFIX) for line in lines]
        functions = {CALLED + name for name in functions}
    return lines, [k for k in range(kernel.loads) if k in needed], frozenset(functions)


def _bare(text: str) -> str:
    """Without the parentheses around all of it."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if letter == ")" and place == len(text) - 1 and text[0] == "(" else text
    return text


@cache
def function(name: str) -> tuple[str, frozenset[str]]:
    """C text of a function of `kernels.llvm.library` that is written in the language, and the functions it needs."""
    source, _ = written(name)
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    needed: set[str] = set()
    translator = _Translator(needed)
    parameters = ", ".join(f"double {argument.arg}" for argument in tree.args.args)
    lines, known = [], set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            target = statement.targets[0].id
            lines.append(f"{'' if target in known else 'double '}{target} = {_bare(translator.text(statement.value))};")
            known.add(target)
        elif isinstance(statement, ast.Return) and statement.value is not None:
            lines.append(f"return {_bare(translator.text(statement.value))};")
        elif not isinstance(statement, ast.Expr):  # its docstring
            raise UnsupportedError(f"{name}: {type(statement).__name__}")
    body = "\n".join(f"    {line}" for line in lines)
    return f"INLINE double {symbol(name)}({parameters})\n{{\n{body}\n}}\n", frozenset(needed)


def called(name: str, text: str) -> str:
    """C text of a function that calls another one, whose text is given, and is not copied itself."""
    head = re.search(rf"\b{symbol(name)}\(([^)]*)\)", text)
    assert head is not None
    names = ", ".join(parameter.split()[-1] for parameter in head[1].split(","))
    return f"RARE double {CALLED}{symbol(name)}({head[1]})\n{{\n    return {symbol(name)}({names});\n}}\n"


def symbol(name: str) -> str:
    """What a function that the source defines is called in it.

    >>> symbol("elementary.exp"), symbol("np.logaddexp"), symbol("%")
    ('sparsejac_exp', 'sparsejac_logaddexp', 'sparsejac_remainder')
    """
    return PREFIX + _NAMES.get(name, name.rpartition(".")[2])


def called_name(name: str) -> str:
    """What is written where a function is called; `name` is one of those that `operation_lines` gives.

    >>> called_name("elementary.exp"), called_name("called_elementary.exp")
    ('sparsejac_exp', 'called_sparsejac_exp')
    """
    plain = name.removeprefix(CALLED)
    return symbol(plain) if plain == name else CALLED + symbol(plain)


class _Translator:
    """Python expressions of doubles and truth values, all parentheses written."""

    def __init__(self, needed: set[str]) -> None:
        self.needed = needed

    def text(self, node: ast.expr) -> str:
        rule = _RULES.get(type(node))
        if rule is None:
            raise UnsupportedError(type(node).__name__)
        return rule(self, node)

    def _name(self, node: ast.Name) -> str:
        return literal(CONSTANTS[node.id]) if node.id in CONSTANTS else node.id

    def _constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise UnsupportedError(repr(node.value))
        return literal(float(node.value))

    def _attribute(self, node: ast.Attribute) -> str:
        name = _dotted(node)
        if name not in CONSTANTS:
            raise UnsupportedError(name)
        return literal(CONSTANTS[name])

    def _binary(self, node: ast.BinOp) -> str:
        left, right, operator = self.text(node.left), self.text(node.right), type(node.op)
        if operator in _LONG:
            return self._define(_LONG[operator], left, right)
        if operator not in _OPERATORS:
            raise UnsupportedError(operator.__name__)
        return f"({left} {_OPERATORS[operator]} {right})"

    def _unary(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.USub):
            return f"(-{self.text(node.operand)})"
        if isinstance(node.op, ast.Not):
            return f"(!{self.text(node.operand)})"
        raise UnsupportedError(type(node.op).__name__)

    def _compare(self, node: ast.Compare) -> str:
        if len(node.ops) > 1 or type(node.ops[0]) not in _TESTS:
            raise UnsupportedError(ast.unparse(node))
        return f"({self.text(node.left)} {_TESTS[type(node.ops[0])]} {self.text(node.comparators[0])})"

    def _logic(self, node: ast.BoolOp) -> str:
        word = " && " if isinstance(node.op, ast.And) else " || "
        return f"({word.join(map(self.text, node.values))})"

    def _choice(self, node: ast.IfExp) -> str:
        return f"({self.text(node.test)} ? {self.text(node.body)} : {self.text(node.orelse)})"

    def _call(self, node: ast.Call) -> str:
        name, arguments = _dotted(node.func), [self.text(argument) for argument in node.args]
        if node.keywords:
            raise UnsupportedError(ast.unparse(node))
        if name in _SPECIAL:
            return _SPECIAL[name].format(*arguments)
        if name in WRITTEN or name.startswith("elementary."):
            return self._define(name, *arguments)
        known = INTRINSIC.get(name) or EXTERNAL.get(name)
        if known is None:
            raise UnsupportedError(name)
        return f"{known}({', '.join(arguments)})"

    def _define(self, name: str, *arguments: str) -> str:
        self.needed.add(name)
        return f"{symbol(name)}({', '.join(arguments)})"


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


_RULES: dict[type[ast.AST], Callable[..., str]] = {
    ast.Name: _Translator._name,
    ast.Constant: _Translator._constant,
    ast.Attribute: _Translator._attribute,
    ast.BinOp: _Translator._binary,
    ast.UnaryOp: _Translator._unary,
    ast.Compare: _Translator._compare,
    ast.BoolOp: _Translator._logic,
    ast.IfExp: _Translator._choice,
    ast.Call: _Translator._call,
}
