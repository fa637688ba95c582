"""Arithmetic that recorded steps need beside that of their kernels; the names are those of the primitives."""

from __future__ import annotations

import numpy as np

from kernels.operation import Operation

ADD = Operation("add", 2, np.add, "{0} + {1}")
SUBTRACT = Operation("subtract", 2, np.subtract, "{0} - {1}")
MULTIPLY = Operation("multiply", 2, np.multiply, "{0} * {1}")
