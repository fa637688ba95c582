"""The sections: what is measured, and the bar of each figure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from bench.colorings.patterns import families, file_of, load, sizes
from bench.colorings.tools import TOOLS
from bench.launcher import Launcher, MeasurementError
from bench.result import Cell, Figure, Outcome, Table, failed

TASKS = "bench.colorings.measure"
PROBLEMS = ("column", "row", "star", "acyclic", "star_bicoloring")
# Seconds to make a pattern: the largest meshes take half a minute on a calm machine.
MAKING = 600.0
DATA = Path(__file__).resolve().parents[2] / "tests" / "coloring" / "data"


@dataclass(frozen=True)
class Settings:
    """How to run.

    Parameters
    ----------
    launcher : Launcher
    folder : str
        Where patterns are kept.
    quick : bool
        Small sizes; the bars then mean nothing.
    most : int
        Entries of the largest patterns.
    matrices : tuple of str
        Matrix Market files.
    """

    launcher: Launcher
    folder: str
    quick: bool = False
    most: int = 10**7
    matrices: tuple[str, ...] = ()

    def ask(self, task: str, **arguments: Any) -> dict[str, Any]:
        """Run a task of `measure` in a process of its own; make its pattern before, which has a limit of its own."""
        preload = ("numpy", "coloring") if task == "small" else ("numpy", "scipy.sparse")
        matrix = str(arguments.get("matrix", ""))
        if matrix.partition(":")[2] and not file_of(matrix, self.folder).exists():
            maker = replace(self.launcher, seconds=max(MAKING, self.launcher.seconds))
            maker.run(f"{TASKS}:prepare", preload=preload, folder=self.folder, matrix=matrix)
        return self.launcher.run(f"{TASKS}:{task}", preload=preload, folder=self.folder, **arguments).result

    def sizes(self, least: float) -> list[int]:
        """Powers of ten from `least` on."""
        return [10**4] if self.quick else sizes(least, self.most)


@dataclass(frozen=True)
class Section:
    """Something to measure."""

    name: str
    summary: str
    run: Callable[[Settings], Outcome]


def counts(settings: Settings) -> Outcome:
    """Compare the numbers of colors on the patterns of the tests."""
    names = list(families().MATRICES)[:: 9 if settings.quick else 1]
    figures, rows = [], []
    notes: list[str] = []
    for problem in PROBLEMS:
        found = _counts(settings, problem, names, notes)
        ours = found.pop("coloring", {})
        peers = {m: min(f[m] for f in found.values() if m in f) for m in names if any(m in f for f in found.values())}
        worse = [name for name, number in peers.items() if ours.get(name, 2**31) > number]
        better = sum(ours.get(name, 2**31) < number for name, number in peers.items())
        note = f"{len(peers)} patterns, fewer colors on {better}; more on: {', '.join(worse[:6]) or 'none'}"
        figures.append(Figure(f"{problem}: patterns with more colors than the best tool", len(worse), "", 0, "=", note))
        columns = [ours, *(found.get(tool, {}) for tool in list(TOOLS)[1:])]
        differ = [name for name, number in peers.items() if ours.get(name) != number]
        rows += [(problem, name, *(c.get(name) for c in columns)) for name in differ]
        optimum = _optimum(problem)
        known = {name: value for name, value in optimum.items() if name in ours}
        if known:
            met = sum(ours[name] == value for name, value in known.items()) / len(known)
            figures.append(Figure(f"{problem}: known optimum met", met, "", 0.97, ">=", f"{len(known)} patterns"))
    title = "Colors where they differ: default effort, and the best of all orders of each tool"
    table = Table(title, ("problem", "pattern", *TOOLS), tuple(rows), "; ".join(notes))
    return Outcome(tuple(figures), (table,))


def _counts(settings: Settings, problem: str, names: list[str], notes: list[str]) -> dict[str, dict[str, int]]:
    found = {}
    for name, tool in TOOLS.items():
        if problem not in tool.problems:
            continue
        if tool.missing:
            notes.append(f"{name} skipped: {tool.missing}")
            continue
        try:
            answer = settings.ask("counts", tool=name, problem=problem, matrices=names)
        except MeasurementError as error:
            notes.append(f"{name}, {problem}: {error}")
            continue
        found[name] = answer["best"]
        notes += [f"{name}, {problem}, {what}" for what in answer["wrong"][:3]]
        if name == "coloring" and answer["wrong"]:
            raise AssertionError(f"colorings of our own that are not valid: {answer['wrong']}")
    return found


def _optimum(problem: str) -> dict[str, int]:
    """Read the known optima that stand beside the tests."""
    result = {}
    for file in sorted(DATA.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row.get("problem") == problem and row.get("matrix") and row.get("optimum"):
                    result[row["matrix"]] = int(row["optimum"])
    return result


# Family, problem and its optimum at any size (with sides of 3 and more). A band of half width 3 needs 7 star colors on
# 10 vertices already, as a search over all colorings shows. In a bicoloring a full part of r rows and c columns needs r
# row colors or c column colors: with borders of 2 lines around blocks of 4, parts of 2 x n, n x 2 and 6 x 6 need 2 + 6.
OPTIMA: tuple[tuple[str, str, int], ...] = (
    ("five_point", "column", 5),
    ("nine_point", "column", 9),
    ("seven_point", "column", 7),
    ("box_27", "column", 27),
    ("band", "column", 7),
    ("blocks", "column", 4),
    ("five_point", "acyclic", 3),
    ("seven_point", "acyclic", 4),
    ("nine_point", "acyclic", 5),
    ("box_27", "acyclic", 14),
    ("band", "star", 7),
    ("band", "acyclic", 4),
    ("blocks", "star", 4),
    ("blocks", "acyclic", 4),
    ("arrowhead", "star", 2),
    ("arrowhead", "acyclic", 2),
    ("seven_point", "star", 6),
    ("nine_point", "star", 8),
    ("five_point", "star_bicoloring", 5),
    ("arrowhead", "star_bicoloring", 3),
    ("bordered", "star_bicoloring", 8),
)
PER_COLUMN = {"five_point": 5, "nine_point": 9, "seven_point": 7, "box_27": 27, "band": 7, "blocks": 4, "arrowhead": 3}


def optimum(settings: Settings) -> Outcome:
    """Reach the optimum of regular families within the time of a greedy pass."""
    columns = 10**3 if settings.quick else 10**6
    figures = []
    for family, problem, best in OPTIMA:
        matrix = f"{family}:{columns * PER_COLUMN.get(family, 8)}"
        name = f"{problem}, {family}"
        try:
            ours, greedy = (
                settings.ask(
                    "seconds", tool="coloring", problem=problem, method="", order=order, matrix=matrix, repeat=3
                )
                for order in ("default", "natural")
            )
        except MeasurementError as error:
            figures.append(failed(f"{name}: colors", error, best))
            continue
        value = ours["colors"] if ours["valid"] else None
        ratio = ours["seconds"] / greedy["seconds"]
        note = f"greedy in natural order {greedy['colors']}; {1e9 * ours['seconds'] / ours['nnz']:.1f} ns an entry"
        figures.append(Figure(f"{name}: colors", value, "", best, "<=", note))
        figures.append(Figure(f"{name}: time over one greedy pass", ratio, "", 1.0, "<="))
    return Outcome(tuple(figures))


@dataclass(frozen=True)
class Race:
    """Ours against one way of another tool."""

    name: str
    problem: str
    order: str
    tool: str
    method: str
    tool_order: str
    bar: float
    families: tuple[str, ...]
    fewest: bool = True


RACES = (
    Race(
        "column, natural, over SciPy",
        "column",
        "natural",
        "SciPy",
        "group_columns",
        "natural",
        1.0,
        ("five_point", "box_27", "band", "random", "triangles", "power_law"),
    ),
    Race(
        "column, smallest last, over ColPack",
        "column",
        "smallest_last",
        "ColPack",
        "column",
        "smallest_last",
        0.15,
        ("five_point", "box_27", "random", "triangles"),
    ),
    Race(
        "star, natural, over ColPack's restricted star",
        "star",
        "natural",
        "ColPack",
        "restricted_star",
        "natural",
        1.0,
        ("five_point", "box_27", "power_law", "triangles"),
    ),
    Race(
        "acyclic, natural, over ColPack",
        "acyclic",
        "natural",
        "ColPack",
        "acyclic",
        "natural",
        0.4,
        ("five_point", "box_27", "power_law", "triangles"),
    ),
    Race(
        "star bicoloring over ColPack's implicit, dynamic largest first",
        "star_bicoloring",
        "dynamic_largest_first",
        "ColPack",
        "star_bicoloring",
        "dynamic_largest_first",
        0.25,
        ("five_point", "kkt", "random", "power_law"),
    ),
)


# Seconds of a tool from which on it is not asked for ten times as many entries.
SLOW = 10.0


def time(settings: Settings) -> Outcome:
    """Compare times on one thread."""
    figures, rows = [], []
    for race in RACES:
        missing = TOOLS[race.tool].missing
        ratios, extra = [], []
        slow: set[str] = set()
        for family, size in ((family, size) for size in settings.sizes(1e5) for family in race.families):
            matrix = f"{family}:{size}"
            ours = _try(settings, "coloring", race.problem, "", race.order, matrix)
            theirs = missing or _theirs(settings, race, family, matrix, slow)
            rows.append((race.name, matrix, *_cells(ours), *_cells(theirs)))
            if isinstance(ours, dict) and isinstance(theirs, dict):
                ratios.append(ours["seconds"] / theirs["seconds"])
                extra.append(ours["colors"] - theirs["colors"])
        if missing:
            figures.append(Figure(race.name, None, note=f"skipped: {missing}"))
            continue
        value = geometric_mean(ratios) if ratios else None
        spread = f"{min(ratios):.2f} ... {max(ratios):.2f}; " if ratios else ""
        difference = f"colors {sum(extra):+d} in all, {max(extra, default=0):+d} at most"
        note = f"geometric mean of {len(ratios)}, {spread}{difference}"
        figures.append(Figure(race.name, value, "", race.bar, "<=", note))
    headings = ("race", "pattern", "ours: ns an entry", "colors", "theirs: ns an entry", "their colors")
    return Outcome(tuple(figures), (Table("Time on one thread", headings, tuple(rows)),))


def _theirs(settings: Settings, race: Race, family: str, matrix: str, slow: set[str]) -> dict[str, Any] | str:
    """Time the other tool, unless a tenth of the pattern took it too long already; then note that in `slow`."""
    if family in slow:
        return f"a tenth of it took more than {SLOW:g} s"
    found = _try(settings, race.tool, race.problem, race.method, race.tool_order, matrix)
    if isinstance(found, str) or found["seconds"] > SLOW:
        slow.add(family)
    return found


def _try(settings: Settings, tool: str, problem: str, method: str, order: str, matrix: str) -> dict[str, Any] | str:
    entries = int(matrix.partition(":")[2])
    repeat = 5 if entries <= 10**5 else 3 if tool == "coloring" else 1
    try:
        return settings.ask(
            "seconds", tool=tool, problem=problem, method=method, order=order, matrix=matrix, repeat=repeat
        )
    except MeasurementError as error:
        return str(error)


def _cells(found: dict[str, Any] | str) -> tuple[Cell, Cell]:
    if isinstance(found, str):
        return found[:60], None
    return 1e9 * found["seconds"] / found["nnz"], found["colors"] if found["valid"] else "not valid"


def threads(settings: Settings) -> Outcome:
    """Compare one thread and two."""
    figures = []
    for family in ("five_point", "box_27", "band", "triangles", "random", "power_law"):
        name = f"{family}: two threads, times one"
        try:
            found = settings.ask(
                "threads", matrix=f"{family}:{settings.sizes(settings.most)[-1]}", numbers=[1, 2, 3, 8]
            )
        except MeasurementError as error:
            figures.append(failed(name, error, 1.6))
            continue
        taken = found["seconds"]
        gain, at_best = taken["1"] / taken["2"], taken["loops"] / taken["shared loops"]
        note = (
            f"transposed and colored in natural order, {1e3 * taken['2']:.0f} ms against {1e3 * taken['1']:.0f} ms of "
            f"one thread; that is {100 * gain / at_best:.0f} % of what the machine allows: two independent plain loops "
            f"with the same accesses, side by side, gain {at_best:.2f}"
        )
        figures.append(Figure(name, gain, "", 1.6, ">=", note))
        right = float(found["same"] and found["valid"] and found["greedy"])
        figures.append(Figure(f"{family}: the greedy colors for 1, 2, 3, 8 threads", right, "", 1.0, "="))
    return Outcome(tuple(figures))


def memory(settings: Settings) -> Outcome:
    """Bytes beyond the input."""
    figures = []
    size = settings.sizes(settings.most)[-1]
    cases = [("column", "natural"), ("column", "smallest_last"), *((p, "default") for p in PROBLEMS)]
    for problem, order in cases:
        for family in ("random", "five_point") if problem in ("column", "row") else ("kkt", "five_point"):
            name = f"{problem}, {order}, {family}: bytes per (entries + rows + columns)"
            try:
                value = settings.ask("peak", problem=problem, order=order, matrix=f"{family}:{size}")["bytes"]
            except MeasurementError as error:
                figures.append(failed(name, error, 24))
            else:
                figures.append(Figure(name, value, "", 24, "<="))
    return Outcome(tuple(figures))


def growth(settings: Settings) -> Outcome:
    """Compare the growth of time with that of a plain loop."""
    figures, rows = [], []
    for family in ("five_point", "box_27", "random"):
        ratios = []
        for size in settings.sizes(1e4):
            try:
                found = settings.ask("growth", matrix=f"{family}:{size}")
            except MeasurementError as error:
                rows.append((family, size, str(error), None, None))
                continue
            ratios.append(found["ours"] / found["plain"])
            ns = [1e9 * found[key] / found["nnz"] for key in ("ours", "plain")]
            rows.append((family, size, *ns, ratios[-1]))
        value = max(ratios) / min(ratios) if ratios else None
        figures.append(Figure(f"{family}: largest over smallest ratio", value, "", 1.5, "<="))
    headings = ("family", "entries", "ours: ns an entry", "plain loop", "ratio")
    return Outcome(tuple(figures), (Table("Growth, column coloring in natural order", headings, tuple(rows)),))


def small(settings: Settings) -> Outcome:
    """Color 100 columns in a fresh process."""
    figures = []
    for problem, matrix in _small_cases():
        name = f"{problem}, {matrix.partition(':')[0]}, about 100 columns"
        try:
            runs = [settings.ask("small", problem=problem, matrix=matrix) for _ in range(1 if settings.quick else 7)]
        except MeasurementError as error:
            figures.append(failed(name, error, 5, "ms"))
            continue
        if not all(run["valid"] for run in runs):
            raise AssertionError(f"{name}: a coloring of our own that is not valid")
        # The least of the processor's time: on a busy machine the others hold what other processes take.
        taken = sorted(1e3 * run["seconds"] for run in runs)
        imported = any(run["numba"] for run in runs)
        half = f"the least of {len(runs)}, half of them within {taken[len(runs) // 2]:.1f} ms"
        note = "numba was imported" if imported else half
        figures.append(Figure(name, None if imported else taken[0], "ms", 5, "<", note))
    return Outcome(tuple(figures))


def _small_cases() -> Iterable[tuple[str, str]]:
    for problem in (*PROBLEMS, "acyclic_bicoloring"):
        for matrix in (
            ("five_point:500", "triangles:700") if problem in ("star", "acyclic") else ("random:500", "kkt:600")
        ):
            yield problem, matrix


def files(settings: Settings) -> Outcome:
    """Color Matrix Market files in every order, beside the published counts."""
    import coloring

    published = _published()
    rows: list[tuple[Cell, ...]] = []
    for file in settings.matrices:
        triple = load(file, settings.folder)
        known = {key[1:]: value for key, value in published.items() if key[0] == Path(file).stem}
        problems = [*PROBLEMS] if triple[2][0] == triple[2][1] else ["column", "row", "star_bicoloring"]
        for problem in problems:
            for order in ("default", *coloring.ORDERS):
                try:
                    found: dict[str, Any] | str = settings.ask(
                        "seconds", tool="coloring", problem=problem, method="", order=order, matrix=file, repeat=1
                    )
                except MeasurementError as error:
                    found = str(error)
                of_papers = "; ".join(known.get((problem, order), []))
                rows.append((Path(file).name, problem, order, *_cells(found), of_papers))
    headings = ("matrix", "problem", "order", "ns an entry", "colors", "published")
    return Outcome((), (Table("Matrix Market files", headings, tuple(rows)),) if rows else ())


def _published() -> dict[tuple[str, str, str], list[str]]:
    """Read the counts of papers, by matrix (without its group), problem and order."""
    result: dict[tuple[str, str, str], list[str]] = {}
    with (DATA / "published.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            key = (row["matrix"].rpartition("/")[2], row["problem"], row["order"])
            result.setdefault(key, []).append(f"{row['colors']} ({row['algorithm']})")
    return result


SECTIONS = {
    section.name: section
    for section in (
        Section("counts", "numbers of colors, beside five tools, on the patterns of the tests", counts),
        Section("optimum", "regular families at a million columns: the optimum, in the time of a greedy pass", optimum),
        Section("time", "one thread, from the pattern to the colors, input conversion and compilation left out", time),
        Section("threads", "two threads against one", threads),
        Section("memory", "memory beyond the input", memory),
        Section("growth", "time from 1e4 entries on over a plain loop with the same memory accesses", growth),
        Section("small", "a hundred columns in a fresh process, after import", small),
        Section("files", "Matrix Market files (--matrix)", files),
    )
}
