"""The text of a module for LLVM: a generated function, what it calls, and a way into it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kernels.llvm.elementary import Way, definitions, vector_symbol
from kernels.llvm.function import Callee, write_function
from kernels.llvm.library import WRITTEN, written
from kernels.llvm.symbol import symbol_of, unpacking_of
from kernels.llvm.value import DOUBLE, LLVM, Array, Parameter, Unsupported, parse_signature
from kernels.llvm.writer import ModuleText, Request
from kernels.source import Source

LARGE = 5_000
"""Instructions up to which a function is vectorised. LLVM's vectoriser takes time in the square of the loop's length
(5,000 operations: 1.6 s); without it, time grows like the length."""

LONG = 100
"""Operations beyond which whole vectors leave the registers for the stack, where each is to lie in one cache line: LLVM
does not ask for it by itself, and loops took a quarter longer in three of four calls, as the caller's stack happened to
end. It costs the pointer of the frame, which shorter loops have better use for."""

MOST_COPIED = 24
"""Calls of elementary functions up to which these are copied into the loop, where they share what they have in common.
More are called for whole vectors: as fast, and the loop is a fifth as long."""


@dataclass(frozen=True)
class Module:
    """Text for LLVM, and whether it is so long that its loops are to stay as they are."""

    text: str
    is_large: bool


_ATTRIBUTES = "nounwind noinline"


def print_module(source: Source, width: int) -> Module:
    """The text for LLVM, which may use vectors of `width` doubles.

    Raises
    ------
    Unsupported
        If the source goes beyond the language.
    """
    result, parameters = parse_signature(source.signature)
    module, symbol = ModuleText(), symbol_of(source)
    callees = {f"part{k}": callee_of(part) for k, part in enumerate(source.parts)}
    kind = "void" if result == "void" else "i64"
    # Not to be compiled a second time in the function that takes its arguments from an array.
    head = f"define {kind} @{symbol}({_heads(parameters, source)}) {_ATTRIBUTES}"
    node, constants = _parse(source.text, source.name)
    body = write_function(node, parameters, result, module, head=head, callees=callees, constants=constants)
    declared = {f"declare void @{c.symbol}({_types(c.parameters)}) nounwind" for c in callees.values()}
    is_large, calls = body.count("\n") > LARGE, sum(module.requests.values())
    way: Way = "called" if is_large else "copied" if calls <= MOST_COPIED else "vectors"
    defined = _definitions(module, way, width)
    if body.count(" = f") > LONG:
        body = body.replace(_ATTRIBUTES, f"{_ATTRIBUTES} alignstack({8 * width})", 1)
    texts = [*sorted(declared), *sorted(set(module.declarations.values())), *defined, body]
    if way == "vectors":  # as long as those of the functions; asked of the loops, it makes LLVM print where it cannot
        body = body.replace(_ATTRIBUTES, f'{_ATTRIBUTES} "prefer-vector-width"="{64 * width}"', 1)
        texts[-1] = body
    # Nor is a wish to be told where functions of the C library are called: none of them takes a vector.
    are_vectors = all(name.startswith("llvm.") for name in module.declarations)
    marks = _loop_marks([is_wish and are_vectors for is_wish in module.loops], width)
    texts += [_unpacking(symbol, result, parameters), *marks]
    return Module("\n".join(texts), is_large)


def _loop_marks(loops: Sequence[bool], width: int) -> list[str]:
    """Loops told apart from each other, and which of them are to run by one vector after the other."""
    wish = f', !{{!"llvm.loop.vectorize.width", i32 {width}}}, !{{!"llvm.loop.interleave.count", i32 1}}'
    return [f"!{k} = distinct !{{!{k}{wish if is_wish else ''}}}" for k, is_wish in enumerate(loops, start=1)]


def _unpacking(symbol: str, result: str, parameters: tuple[Parameter, ...]) -> str:
    """A function that takes its arguments from an array: see `kernels.llvm.call`."""
    lines, place = [], 0
    for k, parameter in enumerate(parameters):
        argument = parameter.argument(k)
        typed = argument.typed.split(", ")
        for number in typed:
            kind, name = number.split()
            lines += [f"{name}at = getelementptr i64, ptr %packed, i64 {place}", f"{name} = load {kind}, ptr {name}at"]
            place += 1
    given = ", ".join(parameter.argument(k).typed for k, parameter in enumerate(parameters))
    if result == "void":
        lines += [f"call void @{symbol}({given})", "ret i64 0"]
    else:
        lines += [f"%outcome = call i64 @{symbol}({given})", "ret i64 %outcome"]
    body = "\n".join(f"  {line}" for line in lines)
    return f"define i64 @{unpacking_of(symbol)}(ptr noalias readonly %packed) nounwind {{\nentry:\n{body}\n}}\n"


@lru_cache(maxsize=1000)
def callee_of(source: Source) -> Callee:
    """What another function has to know to call this one."""
    result, parameters = parse_signature(source.signature)
    if result != "void":
        raise Unsupported("a part with a result")
    return Callee(symbol_of(source), parameters)


def _parse(text: str, name: str) -> tuple[ast.FunctionDef, dict[str, ast.expr]]:
    """The function, and the constants of its module."""
    found, constants = None, {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            found = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value
    if found is None:
        raise Unsupported(f"no function {name}")
    return found, constants


def _heads(parameters: tuple[Parameter, ...], source: Source) -> str:
    alone = "" if source.may_overlap else " noalias"
    found = []
    for k, parameter in enumerate(parameters):
        argument = parameter.argument(k)
        if isinstance(argument, Array):
            access = "" if parameter.writeable else " readonly"
            found.append(argument.typed.replace("ptr ", f"ptr{alone}{access} ", 1))
        else:
            found.append(argument.typed)
    return ", ".join(found)


def _types(parameters: tuple[Parameter, ...]) -> str:
    return ", ".join(", ".join(["ptr", *["i64"] * p.dimensions]) if p.dimensions else LLVM[p.item] for p in parameters)


def _definitions(module: ModuleText, way: Way, width: int) -> list[str]:
    """The text of the functions that were asked for; they may ask for more declarations."""
    texts: dict[str, str] = {}
    for request in list(module.requests):
        if request.name in WRITTEN:
            texts[request.symbol] = _written(request, module)
        else:
            texts.update(definitions(request.name.removeprefix("elementary."), request.arity, way, width))
    vectors = [
        f"ptr @{symbol}" for symbol in texts if symbol in {vector_symbol(r.symbol, width) for r in module.requests}
    ]
    if vectors:  # nothing calls them before loops are vectorised
        kept = f"[{len(vectors)} x ptr] [{', '.join(vectors)}]"
        texts["llvm.compiler.used"] = f'@llvm.compiler.used = appending global {kept}, section "llvm.metadata"'
    for symbol in texts:
        module.declarations.pop(symbol, None)
    return list(texts.values())


def _written(request: Request, module: ModuleText) -> str:
    text, arity = written(request.name)
    if arity != request.arity:
        raise Unsupported(f"{request.name} of {request.arity} numbers")
    parameters = tuple([Parameter(DOUBLE, 0)] * arity)
    types = ", ".join(f"double %p{k}" for k in range(arity))
    head = f"define internal double @{request.symbol}({types}) alwaysinline nounwind"
    node, _ = _parse(text, WRITTEN[request.name].__name__)
    return write_function(node, parameters, DOUBLE, module, head=head, callees={}, constants={})
