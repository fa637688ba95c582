"""The table of calls: which functions of NumPy, math and SciPy are followed, which are refused, and why.

It is made from the tables of the tracer, so that it cannot promise more than these hold; what takes no values that
could depend on x is listed in `plain_calls` and `library_calls`. ``python -m sparsejac.coverage`` prints it.
"""

from __future__ import annotations

from sparsejac.coverage.table import Call as Call
from sparsejac.coverage.table import calls as calls
from sparsejac.coverage.table import public_names as public_names
from sparsejac.coverage.text import as_markdown as as_markdown

__all__ = ["Call", "as_markdown", "calls", "public_names"]
