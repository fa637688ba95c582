"""Seeds of what is drawn at random."""

from __future__ import annotations

import operator


def as_seed(seed: int, call: str) -> int:
    """Check a seed.

    Examples
    --------
    >>> as_seed(3, "color")
    3
    """
    try:
        return int(operator.index(seed))
    except TypeError:
        raise ValueError(f"{call}: got seed {seed!r}; pass an integer") from None
