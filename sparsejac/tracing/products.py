"""Products that sum: dot, matmul, einsum and their kin, and constant sparse matrices times traced arrays."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from kernels.address import Address
from sparsejac.addressing import broadcast, composed, contiguous, permuted, reboxed, recognised
from sparsejac.tracing.array import all_plain, as_value, plain, wrap
from sparsejac.tracing.elementwise import _add, _subtract, constant_number, is_complex
from sparsejac.tracing.reals import Real, Value, Vector
from sparsejac.tracing.registry import UFUNC_METHODS, traces
from sparsejac.tracing.structural import as_array
from sparsejac.tracing.trace import Trace


def contract(trace: Trace, labels: list[str], result: str, values: list[Value]) -> Value:
    """Einstein's summation: `labels` name the axes of each value, those that are not in `result` are summed."""
    if is_complex(*values):
        return _contract_complex(trace, labels, result, values)
    return Value(_contract_real(trace, labels, result, [value.real for value in values]))


def _contract_complex(trace: Trace, labels: list[str], result: str, values: list[Value]) -> Value:
    """Complex operands, two at a time: four real contractions."""
    if len(values) == 1:
        parts = [_contract_real(trace, labels, result, [part]) for part in values[0].parts]
        return Value(parts[0], parts[1], "c")
    if len(values) > 2:
        rest = set(result).union(*labels[2:])
        middle = "".join(sorted(set(labels[0] + labels[1]) & rest))
        first = contract(trace, labels[:2], middle, values[:2])
        return contract(trace, [middle, *labels[2:]], result, [first, *values[2:]])

    def of(a: Real, b: Real) -> Value:
        return Value(_contract_real(trace, labels, result, [a, b]))

    a, b = values
    if b.imag is None:
        return Value(of(a.real, b.real).real, of(a.imag or 0.0, b.real).real, "c")
    if a.imag is None:
        return Value(of(a.real, b.real).real, of(a.real, b.imag).real, "c")
    real = _subtract(trace, of(a.real, b.real), of(a.imag, b.imag)).real
    return Value(real, _add(trace, of(a.real, b.imag), of(a.imag, b.real)).real, "c")


def _contract_real(trace: Trace, labels: list[str], result: str, parts: list[Real]) -> Real:
    summed = "".join(sorted(set("".join(labels)) - set(result)))
    vectors = [_diagonal(trace.vector(part), names) for part, names in zip(parts, labels, strict=True)]
    names = ["".join(dict.fromkeys(label)) for label in labels]
    lengths: dict[str, int] = {}
    for vector, label in zip(vectors, names, strict=True):
        for name, length in zip(label, vector.address.box, strict=True):
            if lengths.setdefault(name, length) != length:
                if 1 not in (length, lengths[name]):
                    raise ValueError(f"operands have different lengths {lengths[name]} and {length} along {name!r}")
                lengths[name] = max(length, lengths[name])
    order = result + summed
    box = tuple(lengths[name] for name in order)
    spread = [_spread(vector, label, order, box) for vector, label in zip(vectors, names, strict=True)]
    if len(spread) == 2 and summed:
        sparse = _sparse_contraction(trace, spread, box, len(result))
        if sparse is not None:
            return sparse
    product = spread[0]
    for factor in spread[1:]:
        multiplied = trace.apply("multiply", product, factor)
        assert isinstance(multiplied, Vector)
        product = multiplied
    if not summed:
        return product
    node = trace.graph.sum(box, product.load, reduced=len(summed))
    return Vector(node, contiguous(box[: len(result)]))


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


def _sparse_contraction(trace: Trace, factors: list[Vector], box: tuple[int, ...], rows: int) -> Real | None:
    """A product with a constant that has zeros: only the others are summed, so that the pattern is sharp."""
    for factor, other in (factors, factors[::-1]):
        if factor.node.kind != "constant" or not other.node.active or constant_number(trace, factor) is not None:
            continue
        numbers = trace.graph.constants[factor.node.slot]
        if numbers.all() or prod(box) > 64 * numbers.size + 1_000_000:
            continue
        nonzero = np.flatnonzero(numbers[factor.address.table()])
        row = nonzero // max(prod(box[rows:]), 1)
        indptr = np.searchsorted(row, np.arange(prod(box[:rows]) + 1))
        points = recognised(nonzero)
        pair = [Vector(v.node, composed(v.address, points)) for v in (factor, other)]
        return _ragged(trace, pair[0], pair[1], indptr, box[:rows])
    return None


def _ragged(trace: Trace, left: Vector, right: Vector, indptr: npt.NDArray[Any], shape: tuple[int, ...]) -> Vector:
    product = trace.apply("multiply", left, right)
    assert isinstance(product, Vector)
    node = trace.graph.sum(product.address.box, product.load, indptr=np.asarray(indptr, dtype=np.int64))
    return Vector(node, contiguous(shape))


def sparse_product(trace: Trace, matrix: Any, other: Any) -> Any:
    """A constant scipy.sparse matrix times a traced vector or matrix."""
    value = as_value(trace, other)
    csr = sp.csr_array(matrix)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    if not value.shape or value.shape[0] != csr.shape[1] or len(value.shape) > 2:
        raise ValueError(f"matmul: dimension mismatch of {matrix.shape} and {value.shape}")
    if np.iscomplexobj(csr.data):
        data = Value(_constant(trace, csr.data.real), _constant(trace, csr.data.imag), "c")
    else:
        data = Value(_constant(trace, csr.data))
    a, b = data, value
    if not is_complex(a, b):
        return wrap(trace, Value(_sparse_real(trace, csr, a.real, b.real)), scalar=False)

    def of(left: Real | None, right: Real | None) -> Real:
        return 0.0 if left is None or right is None else _sparse_real(trace, csr, left, right)

    real = trace.apply("subtract", of(a.real, b.real), of(a.imag, b.imag)) if a.imag and b.imag else of(a.real, b.real)
    crossed = [of(left, right) for left, right in ((a.real, b.imag), (a.imag, b.real)) if left and right]
    imag = crossed[0] if len(crossed) == 1 else trace.apply("add", *crossed)
    return wrap(trace, Value(real, imag, "c"), scalar=False)


def _constant(trace: Trace, data: npt.NDArray[Any]) -> Vector:
    return Vector(trace.constant(data), contiguous(data.shape))


def _sparse_real(trace: Trace, csr: Any, data: Real, other: Real) -> Vector:
    """Row by row sums of entries times elements (for a matrix: column after column in each row)."""
    right, left = trace.vector(other), trace.vector(data)
    columns = right.address.box[1] if len(right.address.box) == 2 else 1
    shape = (csr.shape[0], *right.address.box[1:])
    if columns == 1:
        entries: Address = contiguous((csr.nnz,))
        places = csr.indices.astype(np.int64)
        indptr = csr.indptr
    else:
        lengths = np.repeat(np.diff(csr.indptr), columns)
        indptr = np.append(0, np.cumsum(lengths))
        starts = np.repeat(csr.indptr[:-1], columns) - indptr[:-1]
        entry = np.arange(indptr[-1]) + np.repeat(starts, lengths)
        column = np.repeat(np.tile(np.arange(columns), csr.shape[0]), lengths)
        entries, places = recognised(entry), csr.indices[entry].astype(np.int64) * columns + column
    right = Vector(right.node, composed(right.address, recognised(places)))
    return _ragged(trace, Vector(left.node, composed(left.address, entries)), right, indptr, shape)


@traces(np.matmul)
def matmul(trace: Trace, a: Any, b: Any, out: Any = None) -> Any:
    """As `np.matmul`, for sparse constants as well."""
    if sp.issparse(a):
        return sparse_product(trace, a, b)
    if sp.issparse(b):
        transposed = sparse_product(trace, b.T, as_array(trace, a).T)
        return transposed.T
    if all_plain((a, b)):
        return np.matmul(plain(a), plain(b))
    trace.begin()
    left, right = as_value(trace, a), as_value(trace, b)
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
    return wrap(trace, contract(trace, [label_a, label_b], result, [left, right]))


@traces(np.dot)
def _dot(trace: Trace, a: Any, b: Any, out: Any = None) -> Any:
    if sp.issparse(a) or sp.issparse(b):
        return matmul(trace, a, b)
    left, right = as_value(trace, a), as_value(trace, b)
    if not left.shape or not right.shape:
        return np.multiply(a, b)
    axis = -2 if len(right.shape) > 1 else -1
    return _tensordot(trace, a, b, ([len(left.shape) - 1], [len(right.shape) + axis]))


@traces(np.tensordot)
def _tensordot(trace: Trace, a: Any, b: Any, axes: Any = 2) -> Any:
    left, right = as_value(trace, a), as_value(trace, b)
    if isinstance(axes, int):
        axes = (list(range(len(left.shape) - axes, len(left.shape))), list(range(axes)))
    first, second = (np.atleast_1d(side).tolist() for side in axes)
    label_a = [chr(97 + k) for k in range(len(left.shape))]
    label_b = [chr(110 + k) for k in range(len(right.shape))]
    for p, q in zip(first, second, strict=True):
        if left.shape[p] != right.shape[q]:
            raise ValueError("shape-mismatch for sum")
        label_b[q] = label_a[p]
    shared = {label_a[p] for p in first}
    result = "".join(c for c in label_a + label_b if c not in shared)
    return wrap(trace, contract(trace, ["".join(label_a), "".join(label_b)], result, [left, right]))


@traces(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Any:
    left, right = as_value(trace, a), as_value(trace, b)
    if not left.shape or not right.shape:
        return np.multiply(a, b)
    return _tensordot(trace, a, b, ([len(left.shape) - 1], [len(right.shape) - 1]))


@traces(np.vdot)
def _vdot(trace: Trace, a: Any, b: Any) -> Any:
    return _dot(trace, np.conjugate(as_array(trace, a).ravel()), as_array(trace, b).ravel())


@traces(np.outer)
def _outer(trace: Trace, a: Any, b: Any, out: Any = None) -> Any:
    left, right = as_array(trace, a).ravel(), as_array(trace, b).ravel()
    return wrap(trace, contract(trace, ["a", "b"], "ab", [as_value(trace, left), as_value(trace, right)]))


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
def _trace_of(trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **kwargs: Any) -> Any:
    return np.sum(np.diagonal(as_array(trace, a), offset, axis1, axis2), axis=-1)


@traces(np.cross)
def _cross(trace: Trace, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    p, q = np.moveaxis(as_array(trace, a), axisa, -1), np.moveaxis(as_array(trace, b), axisb, -1)
    if p.shape[-1] != 3 or q.shape[-1] != 3:
        trace.refuse("np.cross of vectors that do not have three components", "there is no rule for it", "write it out")
    one, two, three = (
        p[..., k] * q[..., m] - p[..., m] * q[..., k] for k, m in ((1, 2), (2, 0), (0, 1))
    )
    return np.stack([one, two, three], axis=axisc)


@traces(np.einsum)
def _einsum(trace: Trace, *operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    if not isinstance(operands[0], str):
        trace.refuse("np.einsum without a subscripts string", "there is no rule for it", "give the subscripts as text")
    subscripts, *arrays = operands
    values = [as_value(trace, a) for a in arrays]
    labels, result = _parsed(subscripts, [len(value.shape) for value in values])
    return wrap(trace, contract(trace, labels, result, values))


def _parsed(subscripts: str, dimensions: list[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result; dots become capital letters from the end of the alphabet."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if len(labels) != len(dimensions):
        raise ValueError("more operands provided to einstein sum function than specified in the subscripts string")
    widest = max((d - len(s) + 3 for s, d in zip(labels, dimensions, strict=True) if "..." in s), default=0)
    dots = "ZYXWVUTS"[:widest][::-1]
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


def _outer_method(ufunc: Any) -> Any:
    def follow(trace: Trace, a: Any, b: Any) -> Any:
        left, right = as_array(trace, a), as_array(trace, b)
        return ufunc(left.reshape(left.shape + (1,) * right.ndim), right)

    return follow


for _ufunc in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power, np.hypot, np.arctan2):
    UFUNC_METHODS[(_ufunc, "outer")] = _outer_method(_ufunc)
