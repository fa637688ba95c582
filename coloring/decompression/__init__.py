"""Decompression: the entries of a matrix from its products with the seeds of a coloring.

`seed_matrix` and `compress` make the products, `decompression_plan` finds once where each entry stands in them, and
the plan's `decompress` reads them off, as often as wanted.
"""

from __future__ import annotations

from coloring.decompression.plan import DecompressionPlan as DecompressionPlan
from coloring.decompression.plan import Triangle as Triangle
from coloring.decompression.plan import decompression_plan as decompression_plan
from coloring.decompression.seeds import compress as compress
from coloring.decompression.seeds import seed_matrix as seed_matrix
