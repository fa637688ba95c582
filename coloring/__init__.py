"""Colorings of sparsity patterns: index arrays in, colors out.

Columns of one color share no row, so that one product with their sum yields all their entries; likewise for rows.
`color` finds such a coloring, `best_of` tries several orders, `check` says what is wrong with one, `lower_bound` how
few colors there can be. `compress` multiplies a matrix by the seeds of a coloring, and a `decompression_plan` brings
its entries back.

Examples
--------
>>> import numpy as np
>>> import coloring
>>> pattern = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=bool)
>>> coloring.color(pattern)
<column coloring of 4 columns (...): 2 colors, optimal (row 0 is the fullest)>
"""

from __future__ import annotations

from time import time_ns as _time_ns

from coloring.bounds import Bound as Bound
from coloring.bounds import lower_bound as lower_bound
from coloring.checker import Conflict as Conflict
from coloring.checker import check as check
from coloring.decompression import DecompressionPlan as DecompressionPlan
from coloring.decompression import compress as compress
from coloring.decompression import decompression_plan as decompression_plan
from coloring.decompression import seed_matrix as seed_matrix
from coloring.drawing import draw as draw
from coloring.drawing import spy as spy
from coloring.exact import exact as exact
from coloring.improvement import recolor as recolor
from coloring.incremental import Update as Update
from coloring.incremental import update as update
from coloring.interchange import from_networkx as from_networkx
from coloring.interchange import to_networkx as to_networkx
from coloring.orders import ORDERS as ORDERS
from coloring.orders import OrderName as OrderName
from coloring.pattern import Pattern as Pattern
from coloring.pattern import PatternLike as PatternLike
from coloring.pattern import as_pattern as as_pattern
from coloring.pattern import from_columns as from_columns
from coloring.pattern import from_coordinates as from_coordinates
from coloring.pattern import from_edges as from_edges
from coloring.pipeline import adopt as adopt
from coloring.pipeline import best_of as best_of
from coloring.pipeline import color as color
from coloring.problems import PROBLEMS as PROBLEMS
from coloring.problems import ProblemName as ProblemName
from coloring.result import Coloring as Coloring
from coloring.storage import load as load
from coloring.storage import save as save

_loaded = _time_ns()  # for whoever keeps colorings: what changes on the disk later may not be what runs
