"""What the cost model takes operations to cost: as shipped, or as calibrated on this machine.

Nanoseconds on one core, with compiled kernels. Those that begin with "far" are added in full where the arrays of a
strategy are much larger than the caches, and not at all where they fit.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import sys
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from kernels.cache import cache_directory, read_bundle, write_bundle
from kernels.forks import process_lock
from kernels.records import dataclass

FORMAT = 1
"""Goes up with every change of what a rate means: files of another format are not read."""

_FILE = "rates.json"
_FACTOR = 100.0
"""Rates that differ from the shipped ones by more than this are no measurements."""


@dataclass(frozen=True)
class Rates:
    """Nanoseconds of each operation.

    Parameters
    ----------
    call : float
        One evaluation, whatever it does.
    kept : float
        One evaluation whose constant entries are looked up and copied: what it takes more.
    launch : float
        One compiled function called by another one.
    apart : float
        One compiled function called by Python, where an evaluation is no single call.
    weight : float
        One addition's worth of a launch.
    partial : float
        One local partial, stored and read again.
    product : float
        One pair of slots: read, multiplied, added.
    entry : float
        One entry gathered.
    seeded : float
        One local partial met by seeds: the part that does not grow with their number.
    seed : float
        One local partial met by one seed.
    adjoint : float
        One adjoint of one number set to zero.
    copied : float
        One constant entry copied.
    swept : float
        One addition's worth of a sweep.
    tabled : float
        One number read by a sweep from the place that a table names.
    stored : float
        One term stored by a sweep.
    added : float
        One term added to another one at its place.
    far_copied, far_entry, far_product, far_tangent, far_stored, far_line : float
        One constant entry copied and added to, one entry gathered, one product, one local partial met by one seed, one
        term stored, one cache line waited for.
    """

    call: float = 600.0
    kept: float = 500.0
    launch: float = 30.0
    apart: float = 2500.0
    weight: float = 0.1
    partial: float = 0.2
    product: float = 0.4
    entry: float = 0.2
    seeded: float = 0.9
    seed: float = 0.09
    adjoint: float = 0.5
    copied: float = 0.15
    swept: float = 0.025
    tabled: float = 0.2
    stored: float = 0.07
    added: float = 0.4
    far_copied: float = 5.0
    far_entry: float = 3.0
    far_product: float = 2.6
    far_tangent: float = 1.0
    far_stored: float = 0.3
    far_line: float = 3.1


SHIPPED = Rates()

_lock = process_lock()
_current: Rates | None = None


def rates() -> Rates:
    """Those of this machine, if they were calibrated and their file is whole; otherwise those that are shipped."""
    global _current
    if _current is None:
        with _lock:
            _current = _current or _read() or SHIPPED
    return _current


def keep(found: Rates) -> bool:
    """Use rates from now on, in this process and in those to come; tells whether a file now holds them."""
    global _current
    with _lock:
        _current = found
    return write_bundle(_key(), {_FILE: json.dumps({"format": FORMAT, "rates": asdict(found)}).encode()})


def forget() -> None:
    """Look for a file again when rates are needed next."""
    global _current
    with _lock:
        _current = None


NEAR_BYTES = 6e6
FAR_BYTES = 6e7
"""Arrays of fewer bytes fit into the caches; of more, hardly anything is found there."""

NEAR_LINES = 1e5
NEAR_SWEPT = 3e6
"""The same for numbers that are read here and there, which miss smaller caches; sweeps read little beside them."""


def distance(size: float, near: float = NEAR_BYTES) -> float:
    """How far away in memory arrays lie: 0.0 where they fit into the caches, 1.0 where they are much larger.

    >>> distance(1e4), distance(1e9)
    (0.0, 1.0)
    """
    if size <= near:
        return 0.0
    return min(math.log(size / near) / math.log(FAR_BYTES / near), 1.0)


def _read() -> Rates | None:
    """The rates of a file that is whole, of this format, and makes sense."""
    bundle = None if cache_directory() is None else read_bundle(_key())
    if bundle is None or _FILE not in bundle:
        return None
    try:
        content = json.loads(bundle[_FILE])
        found = Rates(**{name: float(value) for name, value in content["rates"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if content.get("format") == FORMAT and _makes_sense(found) else None


def _makes_sense(found: Rates) -> bool:
    pairs = [(getattr(found, field.name), getattr(SHIPPED, field.name)) for field in fields(Rates)]
    return all(shipped / _FACTOR <= rate <= shipped * _FACTOR for rate, shipped in pairs)


def _key() -> str:
    """One file for each kind of machine: a home directory may be shared by several."""
    parts = (FORMAT, asdict(SHIPPED), platform.machine(), _processor(), sys.version_info[:2], np.__version__)
    return f"rates-{hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
