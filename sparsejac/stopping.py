"""What f's author says about derivatives inside f."""

from __future__ import annotations

from typing import Any

from sparsejac.tracing.base import all_plain, owner
from sparsejac.tracing.calls import stopped


def stop_gradient(x: Any) -> Any:
    """The value of x as a constant: no derivative passes through it, and no entry of the pattern.

    Parameters
    ----------
    x : array_like, or list, tuple or dict of them
        Anything inside a function that is being differentiated. Outside, or if it does not depend on the unknowns, it
        is given back as it is.

    Returns
    -------
    array_like
        The same numbers. They still follow the unknowns: a plan computes them anew at each x.

    Notes
    -----
    Where the stopped value decides something (an index, an integer, a branch), the outcome is checked at each x as
    any other decision.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import sparse_jacobian, stop_gradient
    >>> x = np.array([1.5, 2.5])
    >>> sparse_jacobian(lambda x: x * stop_gradient(x), x).toarray()
    array([[1.5, 0. ],
           [0. , 2.5]])

    A table is looked up at whole numbers, which have no derivative:

    >>> table = np.array([10.0, 20.0, 30.0])
    >>> sparse_jacobian(lambda x: x * table[stop_gradient(x).astype(int)], x).toarray()
    array([[20.,  0.],
           [ 0., 30.]])
    """
    if all_plain(x):
        return x
    if type(x) is dict:
        return {key: stop_gradient(value) for key, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)(stop_gradient(value) for value in x)
    trace = owner(x)
    assert trace is not None
    trace.begin()
    return stopped(trace, x)
