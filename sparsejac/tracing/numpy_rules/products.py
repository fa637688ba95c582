"""Products that sum: dot, matmul, einsum and their kin, and constant sparse matrices times traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from kernels.address import Address
from sparsejac.primitives.arithmetic import PRODUCTS
from sparsejac.programs.addressing import broadcast, composed, contiguous, permuted, reboxed, recognised
from sparsejac.tracing.base import all_plain, is_traced, plain
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import array_value, as_array, as_value, delivered, kept_whole, wrap
from sparsejac.tracing.reals import Real, Value, Vector
from sparsejac.tracing.registry import UFUNCS, traces
from sparsejac.tracing.trace import Trace


def contract(trace: Trace, labels: list[str], result: str, values: list[Value]) -> Value:
    """Einstein's summation: `labels` name the axes of each value, those that are not in `result` are summed.

    Complex products are multiplied out point by point, so that real and imaginary part are one sum each.
    """
    if all(value.kind == "b" for value in values):
        raise trace.refusal(
            "a product of truth values that depend on x",
            "NumPy would give truth values, not counts",
            "write mask.astype(float)",
        )
    summed = "".join(sorted(set("".join(labels)) - set(result)))
    order = result + summed
    factors = [_undoubled(trace, value, label) for value, label in zip(values, labels, strict=True)]
    names = [_once(label) for label in labels]
    lengths = _lengths(factors, names)
    box = tuple(lengths[name] for name in order)
    spread = [
        _with_parts(trace, value, partial(_spread, label=name, order=order, box=box))
        for value, name in zip(factors, names, strict=True)
    ]
    indptr = None
    if len(spread) == 2 and summed:
        spread, indptr = _without_zeros(trace, spread, box, len(result))
    product, *others = _leading_product(trace, spread)
    for factor in others:
        product = UFUNCS[np.multiply](trace, product, factor)
    return product if not summed else _summed(trace, product, box[: len(result)], len(summed), indptr)


def _leading_product(trace: Trace, factors: list[Value]) -> list[Value]:
    """The factors, the first ones as one product if they are several times the same: with one partial derivative."""
    reads = [f.real.load.key if f.kind == "f" and isinstance(f.real, Vector) else None for f in factors]
    others = (k for k, key in enumerate(reads) if key is None or key != reads[0])
    count = min(next(others, len(factors)), max(PRODUCTS))
    if count not in PRODUCTS:
        return factors
    made = trace.apply(f"product_{count}", *(factor.real for factor in factors[:count]))
    return [Value(made), *factors[count:]]


def _with_parts(trace: Trace, value: Value, change: Callable[[Vector], Vector]) -> Value:
    """The number with each part as a changed vector; of a complex one, a part that is zero stays the number zero."""
    if value.kind != "c":
        return Value(change(trace.vector(value.real)))

    def changed(part: Real) -> Real:
        return 0.0 if isinstance(part, float) and part == 0.0 else change(trace.vector(part))

    return value.each(changed)


def _summed(
    trace: Trace, product: Value, rows: tuple[int, ...], reduced: int, indptr: npt.NDArray[np.int64] | None
) -> Value:
    def total(vector: Vector) -> Vector:
        if indptr is not None:
            node = trace.graph.sum(vector.address.box, vector.load, indptr=indptr)
        else:
            node = trace.graph.sum(vector.address.box, vector.load, reduced=reduced)
        return Vector(node, contiguous(rows))

    return _with_parts(trace, product, total)


def _once(label: str) -> str:
    """The labels of a diagonal: doubled ones come once, at the end."""
    while len(set(label)) != len(label):
        double = next(c for k, c in enumerate(label) if c in label[k + 1 :])
        second = label.index(double, label.index(double) + 1)
        first = label.index(double)
        label = "".join(c for k, c in enumerate(label) if k not in (first, second)) + double
    return label


def _undoubled(trace: Trace, value: Value, label: str) -> Value:
    return _with_parts(trace, value, lambda vector: _diagonal(vector, label))


def _lengths(values: list[Value], names: list[str]) -> dict[str, int]:
    """The length of each label's axis."""
    lengths: dict[str, int] = {}
    for value, label in zip(values, names, strict=True):
        for name, length in zip(label, value.shape, strict=True):
            known = lengths.setdefault(name, length)
            if known != length and 1 not in (known, length):
                raise ValueError(f"operands have different lengths {known} and {length} along {name!r}")
            lengths[name] = length if known == 1 else known
    return lengths


def _diagonal(vector: Vector, label: str) -> Vector:
    """Read the diagonal where a label comes twice."""
    address = vector.address
    while len(set(label)) != len(label):
        first = next(k for k, name in enumerate(label) if name in label[k + 1 :])
        second = label.index(label[first], first + 1)
        places = np.arange(address.points).reshape(address.box)
        address = composed(address, recognised(np.ascontiguousarray(np.diagonal(places, 0, first, second))))
        label = "".join(c for k, c in enumerate(label) if k not in (first, second)) + label[first]
    return Vector(vector.node, address)


def _spread(vector: Vector, label: str, order: str, box: tuple[int, ...]) -> Vector:
    """The vector over the box of all labels."""
    axes = tuple(sorted(range(len(label)), key=lambda k: order.index(label[k])))
    address = permuted(vector.address, axes)
    present = iter(address.box)
    shape = tuple(next(present) if name in label else 1 for name in order)
    return Vector(vector.node, broadcast(reboxed(address, shape), box))


def _without_zeros(
    trace: Trace, factors: list[Value], box: tuple[int, ...], rows: int
) -> tuple[list[Value], npt.NDArray[np.int64] | None]:
    """A product with a constant that has zeros: only the other points are summed, so that the pattern is sharp."""
    for factor, other in (factors, factors[::-1]):
        parts = [part for part in factor.parts if isinstance(part, Vector)]
        if any(part.node.kind != "constant" for part in parts) or not _is_active(other):
            continue
        numbers = [trace.graph.constants[part.node.slot] for part in parts]
        if any(values.all() for values in numbers) or prod(box) > 64 * numbers[0].size + 1_000_000:
            continue
        present = [values[part.address.table()] != 0.0 for part, values in zip(parts, numbers, strict=True)]
        nonzero = np.flatnonzero(np.logical_or.reduce(present))
        row = nonzero // max(prod(box[rows:]), 1)
        points = recognised(nonzero)
        kept = [_at(trace, value, points) for value in factors]
        return kept, np.searchsorted(row, np.arange(prod(box[:rows]) + 1)).astype(np.int64)
    return factors, None


def _at(trace: Trace, value: Value, points: Address) -> Value:
    """The elements of a value at some points of its box."""
    return _with_parts(trace, value, lambda vector: Vector(vector.node, composed(vector.address, points)))


def _is_active(value: Value) -> bool:
    return any(part.node.active for part in value.parts if isinstance(part, Vector))


def check_is_matrix(trace: Trace, dimensions: int) -> None:
    """Refuse sparse arrays of one dimension, whose shapes and products are other ones than those of matrices."""
    if dimensions != 2:
        raise trace.refusal(
            f"a sparse array of {dimensions} dimension{'s' * (dimensions != 1)}",
            "sparse matrices have two",
            "write it dense, as A.toarray(), or as a matrix of one row: csr_array(a[None, :])",
        )


def sparse_product(trace: Trace, matrix: Any, other: Any) -> Any:
    """A constant scipy.sparse matrix times a traced vector or matrix."""
    value = as_value(trace, other)
    check_is_matrix(trace, matrix.ndim)
    csr = sp.csr_array(matrix)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    data = array_value(trace, csr.data if csr.nnz else csr.data.astype(np.float64))
    return product_of_entries(trace, csr, data, value)


def product_of_entries(trace: Trace, csr: Any, data: Value, value: Value) -> Any:
    """A sparse matrix whose entries are the elements of `data`, traced or not, times a vector or matrix.

    Of `csr`, in canonical format, only the shape and the index arrays are used.
    """
    if not value.shape or value.shape[0] != csr.shape[1] or len(value.shape) > 2:
        raise ValueError(f"matmul: dimension mismatch of {csr.shape} and {value.shape}")
    entries, places, indptr = _points(csr, value.shape[1:])
    product = UFUNCS[np.multiply](trace, _at(trace, data, entries), _at(trace, value, places))
    return wrap(trace, _summed(trace, product, (csr.shape[0], *value.shape[1:]), 0, indptr), scalar=False)


def _transposed(matrix: Any) -> Any:
    return matrix.T


def _points(csr: Any, columns: tuple[int, ...]) -> tuple[Address, Address, npt.NDArray[np.int64]]:
    """For each product of a sparse matrix with a vector or matrix its entry and its element, row by row."""
    count = prod(columns)
    if count == 1:
        return contiguous((csr.nnz,)), recognised(csr.indices.astype(np.int64)), csr.indptr.astype(np.int64)
    lengths = np.repeat(np.diff(csr.indptr), count)
    indptr = np.append(0, np.cumsum(lengths)).astype(np.int64)
    entry = np.arange(indptr[-1]) + np.repeat(np.repeat(csr.indptr[:-1], count) - indptr[:-1], lengths)
    column = np.repeat(np.tile(np.arange(count), csr.shape[0]), lengths)
    return recognised(entry), recognised(csr.indices[entry].astype(np.int64) * count + column), indptr


@traces(np.matmul)
def matmul(trace: Trace, a: Any, b: Any, dtype: Any = None) -> Any:
    """As `np.matmul`, for sparse constants as well."""
    held: Any = b
    if is_traced(b) and sp.issparse(b):
        return held.__rmatmul__(a)
    if sp.issparse(a):
        return a @ b if is_traced(a) else sparse_product(trace, a, b)
    if sp.issparse(b):
        return sparse_product(trace, _transposed(b), as_array(trace, a).T).T
    if all_plain((a, b)):
        return np.matmul(plain(a), plain(b))
    trace.begin()
    left, right = (computed_in(trace, as_value(trace, factor), dtype) for factor in (a, b))
    if not left.shape or not right.shape:
        raise ValueError("matmul: Input operand does not have enough dimensions")
    batch = "defghij"[: max(len(left.shape), len(right.shape), 2) - 2]
    first = "a" * (len(left.shape) > 1) + "c"
    second = "c" + "b" * (len(right.shape) > 1)
    label_a = batch[len(batch) - max(len(left.shape) - 2, 0) :] + first
    label_b = batch[len(batch) - max(len(right.shape) - 2, 0) :] + second
    if left.shape[-1] != right.shape[-2 if len(right.shape) > 1 else 0]:
        raise ValueError(f"matmul: dimension mismatch of {left.shape} and {right.shape}")
    result = batch + "a" * (len(left.shape) > 1) + "b" * (len(right.shape) > 1)
    product = wrap(trace, contract(trace, [label_a, label_b], result, [left, right]))
    whole = dtype is None and {left.kind, right.kind} & {"b", "i"}
    return kept_whole(trace, product, a, b, computed="np.matmul") if whole else product


@traces(np.dot)
def _dot(trace: Trace, a: Any, b: Any, out: Any = None) -> Any:
    return delivered(trace, _dot_product(trace, a, b), out, "np.dot")


def _dot_product(trace: Trace, a: Any, b: Any) -> Any:
    if sp.issparse(a) or sp.issparse(b):
        return matmul(trace, a, b)
    left, right = as_value(trace, a), as_value(trace, b)
    if not left.shape or not right.shape:
        return np.multiply(a, b)
    axis = -2 if len(right.shape) > 1 else -1
    return _contracted(trace, left, right, ([len(left.shape) - 1], [len(right.shape) + axis]), scalar=True)


@traces(np.tensordot)
def _tensordot(trace: Trace, a: Any, b: Any, axes: Any = 2) -> Any:
    left, right = as_value(trace, a), as_value(trace, b)
    if isinstance(axes, int):
        axes = (list(range(len(left.shape) - axes, len(left.shape))), list(range(axes)))
    first, second = (np.atleast_1d(side).tolist() for side in axes)
    return _contracted(trace, left, right, (first, second), scalar=False)


def _contracted(trace: Trace, left: Value, right: Value, axes: tuple[list[int], list[int]], scalar: bool) -> Any:
    """The sums over pairs of axes."""
    first, second = axes
    label_a = [chr(97 + k) for k in range(len(left.shape))]
    label_b = [chr(110 + k) for k in range(len(right.shape))]
    for p, q in zip(first, second, strict=True):
        if left.shape[p] != right.shape[q]:
            raise ValueError("shape-mismatch for sum")
        label_b[q] = label_a[p]
    shared = {label_a[p] for p in first}
    result = "".join(c for c in label_a + label_b if c not in shared)
    product = contract(trace, ["".join(label_a), "".join(label_b)], result, [left, right])
    return wrap(trace, product, scalar=scalar)


@traces(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Any:
    left, right = as_value(trace, a), as_value(trace, b)
    if not left.shape or not right.shape:
        return np.multiply(a, b)
    return _contracted(trace, left, right, ([len(left.shape) - 1], [len(right.shape) - 1]), scalar=True)


@traces(np.vdot)
def _vdot(trace: Trace, a: Any, b: Any) -> Any:
    return _dot_product(trace, np.conjugate(as_array(trace, a).ravel()), as_array(trace, b).ravel())


@traces(np.outer)
def _outer(trace: Trace, a: Any, b: Any, out: Any = None) -> Any:
    left, right = as_array(trace, a).ravel(), as_array(trace, b).ravel()
    product = wrap(trace, contract(trace, ["a", "b"], "ab", [as_value(trace, left), as_value(trace, right)]))
    return delivered(trace, product, out, "np.outer")


@traces(np.kron)
def _kron(trace: Trace, a: Any, b: Any) -> Any:
    left, right = as_array(trace, a), as_array(trace, b)
    ndim = max(left.ndim, right.ndim)
    left = left.reshape((1,) * (ndim - left.ndim) + left.shape)
    right = right.reshape((1,) * (ndim - right.ndim) + right.shape)
    first, second = "abcdefgh"[:ndim], "mnopqrst"[:ndim]
    result = "".join(p + q for p, q in zip(first, second, strict=True))
    product = contract(trace, [first, second], result, [as_value(trace, left), as_value(trace, right)])
    return wrap(trace, product, scalar=False).reshape([m * n for m, n in zip(left.shape, right.shape, strict=True)])


@traces(np.trace)
def _trace_of(
    trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    diagonal = np.diagonal(as_array(trace, a), offset, axis1, axis2)
    return np.sum(diagonal, axis=-1, dtype=dtype, out=out)


@traces(np.einsum)
def _einsum(
    trace: Trace, *operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None, casting: Any = None,
    order: Any = None,
) -> Any:  # fmt: skip
    subscripts, *arrays = operands if isinstance(operands[0], str) else _spelled(operands)
    values = [computed_in(trace, as_value(trace, a), dtype) for a in arrays]
    labels, result = _parsed(subscripts, [len(value.shape) for value in values])
    if len(arrays) == 1 and result and set(labels[0]) == set(result) and dtype is None and out is None:
        array = as_array(trace, arrays[0])  # NumPy gives a view where it sums nothing
        return array.at_view(np.einsum(subscripts, array.window))
    return delivered(trace, wrap(trace, contract(trace, labels, result, values)), out, "np.einsum")


def _spelled(operands: tuple[Any, ...]) -> list[Any]:
    """The form with lists of axes, ``(a, [0, 1], b, [1, 2], [0, 2])``, as text and arrays."""
    pairs = len(operands) // 2
    lists = [*operands[1 : 2 * pairs : 2], *operands[2 * pairs :]]
    numbers = {axis for axes in lists for axis in axes if axis is not Ellipsis}
    letters = dict(zip(sorted(numbers), sorted(ascii_letters), strict=False))
    texts = ["".join("..." if axis is Ellipsis else letters[axis] for axis in axes) for axes in lists]
    subscripts = ",".join(texts[:pairs]) + "".join(f"->{text}" for text in texts[pairs:])
    return [subscripts, *operands[0 : 2 * pairs : 2]]


def _parsed(subscripts: str, dimensions: list[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result; dots become letters that are free."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if len(labels) != len(dimensions):
        raise ValueError("more operands provided to einstein sum function than specified in the subscripts string")
    widest = max((d - len(s) + 3 for s, d in zip(labels, dimensions, strict=True) if "..." in s), default=0)
    dots = "".join(c for c in reversed(ascii_letters) if c not in subscripts)[:widest][::-1]
    spelled = []
    for label, ndim in zip(labels, dimensions, strict=True):
        wanted = ndim - len(label.replace("...", ""))
        if wanted < 0 or (wanted and "..." not in label):
            raise ValueError(f"einstein sum subscripts {label!r} do not fit an operand with {ndim} dimensions")
        spelled.append(label.replace("...", dots[len(dots) - wanted :] if wanted else ""))
    if not arrow:
        joined = "".join(spelled)
        output = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots))
    return spelled, output.replace("...", dots)
