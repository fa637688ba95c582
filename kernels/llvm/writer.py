"""LLVM's text of one function, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernels.llvm.value import LLVM, Value

PREFIX = "sparsejac_elementary_"


@dataclass(frozen=True)
class Request:
    """A function of doubles: its name in the text (``elementary.sin``, ``%``), and how many it takes."""

    name: str
    arity: int

    @property
    def symbol(self) -> str:
        """What it is called in the module."""
        return PREFIX + "".join(c if c.isalnum() or c == "_" else f"_{ord(c)}_" for c in self.name.split(".")[-1])


@dataclass
class ModuleText:
    """What the functions of a module declare and ask for.

    Parameters
    ----------
    declarations : dict
        Text by name.
    requests : dict
        How often each function is called.
    loops : list of bool
        For each loop whether vectors are wished for (`kernels.source.IN_VECTORS`); each has a mark of its number.
    """

    declarations: dict[str, str] = field(default_factory=dict)
    requests: dict[Request, int] = field(default_factory=dict)
    loops: list[bool] = field(default_factory=list)


class Writer:
    """Lines of a function, fresh names, and what the module has to declare for them.

    Parameters
    ----------
    module : ModuleText
        What all functions of a module need.
    """

    def __init__(self, module: ModuleText) -> None:
        self.module = module
        self.lines: list[str] = []
        self.cells: list[str] = []
        self.block = "entry"
        self.open = True
        self._count = 0

    def name(self) -> str:
        """A fresh name, for a value or a block."""
        self._count += 1
        return f"t{self._count}"

    def line(self, text: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(text)

    def new(self, kind: str, instruction: str) -> Value:
        """Append an instruction; its result."""
        self._count += 1
        name = f"%t{self._count}"
        self.lines.append(f"{name} = {instruction}")
        return Value(kind, name)

    def cell(self, kind: str) -> str:
        """Room for a variable that changes."""
        name = f"%{self.name()}"
        self.cells.append(f"{name} = alloca {LLVM[kind]}")
        return name

    def room(self, length: int) -> str:
        """Room for doubles."""
        name = f"%{self.name()}"
        self.cells.append(f"{name} = alloca [{length} x double], align 64")
        return name

    def begin(self, block: str) -> None:
        """Go on in another block, which the open one falls through to."""
        self.jump(block)
        self.lines.append(f"{block}:")
        self.block, self.open = block, True

    def jump(self, block: str) -> None:
        """End the open block by a jump."""
        self.end(f"br label %{block}")

    def end(self, instruction: str) -> None:
        """End the open block."""
        if self.open:
            self.lines.append(instruction)
            self.open = False

    def call(self, name: str, *arguments: Value, result: str = "double") -> Value:
        """A call of a function without side effects, of doubles to a double; declared if need be."""
        kinds = ", ".join(LLVM[a.kind] for a in arguments)
        # LLVM knows what its own intrinsics do.
        known = "" if name.startswith("llvm.") else " nounwind willreturn memory(none)"
        self.module.declarations.setdefault(name, f"declare {result} @{name}({kinds}){known}")
        return self.new("float64", f"call {result} @{name}({', '.join(a.typed for a in arguments)})")

    def request(self, name: str, *arguments: Value) -> Value:
        """A call of a function of doubles that the module has to define (see `Request`)."""
        request = Request(name, len(arguments))
        self.module.requests[request] = self.module.requests.get(request, 0) + 1
        return self.new("float64", f"call double @{request.symbol}({', '.join(a.typed for a in arguments)})")

    def text(self, head: str) -> str:
        """The whole function."""
        self.end("unreachable")
        body = "\n".join(f"  {line}" if not line.endswith(":") else line for line in [*self.cells, *self.lines])
        return f"{head} {{\nentry:\n{body}\n}}\n"
