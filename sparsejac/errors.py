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


class DeviceError(SparsejacError, RuntimeError):
    """A GPU cannot be used: no driver, no CuPy or one for another CUDA, no room, a step that only the host can do."""


class ConvergenceError(SparsejacError, ArithmeticError):
    """Equations were not solved: the message tells the residual, the iterations, and what to do."""


class SingularError(SparsejacError, ArithmeticError):
    """A derivative does not exist: equations do not determine their unknowns, at this point or anywhere."""


class PurityWarning(UserWarning):
    """f did something else when it was followed a second time: a plan holds what it read at the first."""


class VariantWarning(UserWarning):
    """A plan meets ever new ways through f, each of which is followed and set up anew."""


class WrongJacobianError(SparsejacError, AssertionError):
    """A Jacobian is not what differences of f give; the message is the report of `check_jacobian`."""
