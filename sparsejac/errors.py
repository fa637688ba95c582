"""The errors of sparsejac: each names the call, what came, where in the user's file, and the cure."""

from __future__ import annotations


class SparsejacError(Exception):
    """Base class of the errors that sparsejac raises on its own account."""


class UntraceableError(SparsejacError, TypeError):
    """f uses an operation that cannot be followed. Nothing was guessed and no derivative was dropped."""


class InputError(SparsejacError, ValueError):
    """An argument has a wrong value: shape, option, pattern, coloring."""


class InputTypeError(SparsejacError, TypeError):
    """An argument has a wrong type: f not callable, x of objects, f returning text or None."""
