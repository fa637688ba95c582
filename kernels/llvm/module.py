"""The text of a module for LLVM: a generated function, what it calls, and a way into it."""

from __future__ import annotations

import ast
import hashlib
from functools import cache, lru_cache

from kernels.lazy import load
from kernels.llvm.function import Callee, write_function
from kernels.llvm.library import WRITTEN, written
from kernels.llvm.value import DOUBLE, LLVM, Array, Parameter, Unsupported, parse_signature
from kernels.llvm.writer import ModuleText, Request
from kernels.source import Source

MOST_INLINED = 60
"""Calls of elementary functions in one function up to which they are copied into it, to be vectorised with the loop
around them. The text of more would take long to compile."""


def symbol_of(source: Source) -> str:
    """The name of the machine code, which no other source has."""
    return f"{source.name}_{hashlib.blake2b(source.whole.encode(), digest_size=10).hexdigest()}"


def print_module(source: Source) -> str:
    """The text for LLVM.

    Raises
    ------
    Unsupported
        If the source goes beyond the language.
    """
    result, parameters = parse_signature(source.signature)
    module, symbol = ModuleText(), symbol_of(source)
    callees = {f"part{k}": callee_of(part) for k, part in enumerate(source.parts)}
    head = f"define {'void' if result == 'void' else 'i64'} @{symbol}({_heads(parameters, source)}) nounwind"
    node = _function(source.text, source.name)
    body = write_function(node, parameters, result, module, head=head, callees=callees)
    declared = {f"declare void @{c.symbol}({_types(c.parameters)}) nounwind" for c in callees.values()}
    definitions = _definitions(module)
    texts = [*sorted(declared), *sorted(set(module.declarations.values())), *definitions, body]
    return "\n".join([*texts, _unpacking(symbol, result, parameters)])


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


def unpacking_of(symbol: str) -> str:
    """The name of the function that takes its arguments from an array."""
    return f"{symbol}_packed"


@lru_cache(maxsize=1000)
def callee_of(source: Source) -> Callee:
    """What another function has to know to call this one."""
    result, parameters = parse_signature(source.signature)
    if result != "void":
        raise Unsupported("a part with a result")
    return Callee(symbol_of(source), parameters)


def _function(text: str, name: str) -> ast.FunctionDef:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise Unsupported(f"no function {name}")


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
    return ", ".join(
        ", ".join(["ptr", *["i64"] * p.dimensions]) if p.dimensions else LLVM[p.item] for p in parameters
    )


def _definitions(module: ModuleText) -> list[str]:
    """The text of the functions that were asked for; they may ask for more declarations."""
    texts: dict[str, str] = {}
    inlined = sum(module.requests.values()) <= MOST_INLINED
    for request in list(module.requests):
        if request.name in WRITTEN:
            texts[request.symbol] = _written(request, module)
        else:
            texts.update(_elementary(request.name, request.arity, inlined))
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
    node = _function(text, WRITTEN[request.name].__name__)
    return write_function(node, parameters, DOUBLE, module, head=head, callees={})


@cache
def _elementary(name: str, arity: int, inlined: bool) -> dict[str, str]:
    """The text of an elementary function with what it needs, by symbol."""
    return load("kernels.llvm.elementary").definitions(name.removeprefix("elementary."), arity, inlined)  # type: ignore[no-any-return]
