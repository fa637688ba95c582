"""The options of the public API over which tests run, read from its own annotations where they may grow."""

from __future__ import annotations

import typing
from typing import Any

import sparsejac

STRATEGIES: tuple[Any, ...] = ("forward", "reverse", "bidirectional", "identity", "elimination", "auto")
FORMATS = ("csr", "csc", "coo")


def literal_values(name: str) -> tuple[str, ...]:
    """Give the values that sparse_jacobian's annotation allows for an option; empty if there is no such option."""
    hint = typing.get_type_hints(sparsejac.sparse_jacobian).get(name)
    return tuple(value for value in _flatten(hint) if isinstance(value, str))


def _flatten(hint: object) -> list[object]:
    """Give the values of a Literal inside unions and aliases."""
    hint = getattr(hint, "__value__", hint)
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [value for part in typing.get_args(hint) for value in _flatten(part)]


def cpu_backends() -> tuple[str, ...]:
    """Give the backends that need no accelerator."""
    return tuple(name for name in literal_values("backend") if name not in ("cuda", "cupy", "gpu"))
