"""The table of calls as a page of Markdown."""

from __future__ import annotations

import platform
from collections import Counter

import numpy as np
import scipy

from sparsejac.coverage.table import MODULES, Call, calls

_TITLES = {"numpy.ndarray": "methods of numpy.ndarray", "numpy.ufunc": "methods of ufuncs"}

_HEAD = """# Calls

Which functions of NumPy, `math` and SciPy are followed if a value that they get depends on x. The table is printed
from the tables of the tracer by `python -m sparsejac.coverage`, and a test fails when this page is stale. Each call
that is called supported has one example at least whose value and Jacobian are compared with NumPy and with
differences. What is refused raises `UntraceableError`, which names the call, your file and line, and the cure. With
values that do not depend on x, all calls do what they always do.

`same as` marks other names of one function, which are not counted again. A remark on a supported call says what its
derivative is where mathematics leaves a choice; [conventions](conventions.md) has more. "The indices are a decision"
means: a plan checks them at each evaluation.
"""


def versions() -> str:
    """The versions that the page is for: other ones have other functions."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"NumPy {np.__version__}, SciPy {scipy.__version__}, Python {python}"


def as_markdown() -> str:
    """The whole page."""
    parts = [_HEAD, f"For {versions()}.\n", _counts(calls())]
    parts += [_section(module, [call for call in calls() if call.module == module]) for module in MODULES]
    return "\n".join(parts)


def _counts(rows: tuple[Call, ...]) -> str:
    lines = ["| module | supported | other names of these | refused | takes no values |", "|---|---|---|---|---|"]
    total: Counter[str] = Counter()
    for module in MODULES:
        found = Counter(_kind(row) for row in rows if row.module == module)
        total += found
        lines.append(_count_line(_TITLES.get(module, f"`{module}`"), found))
    return "\n".join([*lines, _count_line("**all**", total)]) + "\n"


def _kind(row: Call) -> str:
    return "name" if row.same_as and row.status == "supported" else row.status


def _count_line(title: str, found: Counter[str]) -> str:
    return f"| {title} | {found['supported']} | {found['name']} | {found['refused']} | {found['no values']} |"


def _section(module: str, rows: list[Call]) -> str:
    title = _TITLES.get(module, module)
    supported = [row for row in rows if row.status == "supported"]
    lines = [
        f"## {title[0].upper() + title[1:] if module in _TITLES else title}",
        "",
        "| supported | remark |",
        "|---|---|",
    ]
    bare = [row.name for row in supported if not _remark(row)]
    lines += [f"| `{row.name}` | {_remark(row)} |" for row in supported if _remark(row)]
    lines += [f"| {_names(bare)} | |"] if bare else []
    return "\n".join([*lines, "", *_groups("refused", rows), *_groups("no values", rows)])


def _remark(row: Call) -> str:
    same = f"same as `{row.same_as}`" if row.same_as else ""
    return _escaped("; ".join(part for part in (same, row.remark) if part))


def _groups(status: str, rows: list[Call]) -> list[str]:
    """Names with one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.status == status:
            reasons.setdefault(row.remark, []).append(row.name)
    if not reasons:
        return []
    head = "refused" if status == "refused" else "takes no values"
    return [f"| {head} | why |", "|---|---|", *(f"| {_names(n)} | {_escaped(r)} |" for r, n in reasons.items()), ""]


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("**", "\\*\\*")
