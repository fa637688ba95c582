"""Address maps applied to NumPy buffers: read, write and add, with or without a trailing axis of seeds."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table

FloatArray = npt.NDArray[np.float64]


class AffineView:
    """The places of an affine map as a strided view; NumPy checks that they lie inside the buffer."""

    def __init__(self, address: Affine) -> None:
        self.address = address
        self.empty = address.points == 0

    def read(self, buffer: FloatArray) -> FloatArray:
        """Get the values at all places: shape (*box,) or (*box, seeds)."""
        return self._view(buffer)

    def write(self, buffer: FloatArray, value: FloatArray) -> None:
        """Store `value` at all places."""
        self._view(buffer)[...] = value

    def add(self, buffer: FloatArray, value: FloatArray) -> None:
        """Add `value` (full shape) at all places; places met several times get the sum."""
        address = self.address
        if not self._distinct:
            self._scatter.add(buffer, value)
            return
        still = tuple(axis for axis, stride in enumerate(address.strides) if stride == 0)
        if still and not self.empty:
            value = value.sum(axis=still, keepdims=True)
            moving = tuple(1 if stride == 0 else n for n, stride in zip(address.box, address.strides, strict=True))
            address = Affine(moving, address.offset, address.strides)
        view = AffineView(address)._view(buffer)
        view += value

    @cached_property
    def _distinct(self) -> bool:
        """Whether no two points that differ along axes of non-zero stride share a place (sufficient test)."""
        reach = 0
        for stride, length in sorted((abs(s), n) for s, n in zip(self.address.strides, self.address.box, strict=True)):
            if stride == 0 or length <= 1:
                continue
            if stride <= reach:
                return False
            reach += stride * (length - 1)
        return True

    @cached_property
    def _scatter(self) -> TableView:
        return TableView(Table(self.address.box, self.address.table()))

    def _view(self, buffer: FloatArray) -> FloatArray:
        address = self.address
        seeds = buffer.shape[1:]
        if self.empty:
            return np.empty(address.box + seeds)
        unit = 8 * (seeds[0] if seeds else 1)
        strides = [unit * stride for stride in address.strides]
        if seeds:
            strides.append(8)
        return np.ndarray(address.box + seeds, np.float64, buffer, unit * address.offset, strides)


class TableView:
    """The places of an index table."""

    def __init__(self, address: Table) -> None:
        self.address = address

    def read(self, buffer: FloatArray) -> FloatArray:
        """Get the values at all places: shape (*box,) or (*box, seeds)."""
        return buffer.take(self.address.places, axis=0).reshape(self.address.box + buffer.shape[1:])

    def write(self, buffer: FloatArray, value: FloatArray) -> None:
        """Store `value` at all places."""
        shape = self.address.box + buffer.shape[1:]
        buffer[self.address.places] = np.broadcast_to(value, shape).reshape(self.address.points, *buffer.shape[1:])

    def add(self, buffer: FloatArray, value: FloatArray) -> None:
        """Add `value` (full shape) at all places; places met several times get the sum."""
        order, starts, places = self._groups
        if not len(order):
            return
        points = value.reshape(self.address.points, *buffer.shape[1:])
        buffer[places] += np.add.reduceat(points[order], starts, axis=0)

    @cached_property
    def _groups(self) -> tuple[Index, Index, Index]:
        """Points sorted by place, where each place begins, and the places."""
        order = np.argsort(self.address.places, kind="stable")
        ordered = self.address.places[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        return order, starts, ordered[starts]


View = AffineView | TableView


def view_of(address: Address) -> View:
    """How NumPy reaches the places of an address map."""
    return AffineView(address) if isinstance(address, Affine) else TableView(address)
