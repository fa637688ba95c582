"""From ten thousand to ten million entries: do evaluation and set-up grow as the matrix does?"""

from __future__ import annotations

from typing import Any

from bench.cases.case import Case, Settings
from bench.launcher import MeasurementError
from bench.result import Cell, Figure, Outcome, Table, failed

BAR = 1.5
ENTRIES = (10_000, 100_000, 1_000_000, 10_000_000)
PER_UNKNOWN = {"broyden": 3, "bratu": 5, "finite_elements": 7}
COLUMNS = ("family", "entries", "limit µs", "values µs", "values / limit", "auto is", "f µs", "set-up s", "set-up / f")


def run(settings: Settings) -> Outcome:
    """Measure each size in a process of its own."""
    entries = (1_000, 4_000) if settings.quick else ENTRIES
    families = settings.families or tuple(PER_UNKNOWN)
    tasks = [(family, count) for family in families for count in entries]
    found = settings.each(tasks, lambda alone, task: _measured(alone, *task), jobs=1)
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for family in families:
        mine = [one for (of, _), one in zip(tasks, found, strict=True) if of == family]
        rows += [_row(family, one) for one in mine if not isinstance(one, str)]
        figures += _figures(family, mine)
    return Outcome(tuple(figures), (Table("Growth", COLUMNS, tuple(rows)),))


def _measured(settings: Settings, family: str, entries: int) -> dict[str, Any] | str:
    n = entries // PER_UNKNOWN.get(family, 5)
    try:
        return settings.launcher.run(
            "bench.measurement:measure", family=family, peer="auto", n=n, budget=settings.budget / 2
        ).result
    except MeasurementError as error:
        return str(error)


def _figures(family: str, found: list[dict[str, Any] | str]) -> list[Figure]:
    evaluation, setup = f"{family}: evaluation over the limit", f"{family}: set-up over f"
    names = f"{evaluation}, most / least", f"{setup}, most / least", f"{setup}, most that it rises"
    wrong = [one for one in found if isinstance(one, str)]
    if wrong:
        return [failed(name, wrong[0], BAR) for name in names]
    over, setups = zip(*map(_ratios, found), strict=True)
    values = max(over) / min(over), max(setups) / min(setups), rise(setups)
    return [
        Figure(name, value, "", BAR, "<=", ", ".join(f"{ratio:.3g}" for ratio in ratios))
        for name, value, ratios in zip(names, values, (over, setups, setups), strict=True)
    ]


def rise(ratios: tuple[float, ...]) -> float:
    """How many times a ratio of some size is that of a smaller one, at most; 1 if they only fall."""
    return max(later / before for at, before in enumerate(ratios) for later in ratios[at:])


def _ratios(found: Any) -> tuple[float, float]:
    seconds = found["seconds"]
    return seconds["values"] / seconds["limit"], found["setup"] / seconds["f"]


def over_copies(name: str, found: list[dict[str, Any] | str], call: str, count: str, each: str) -> Figure:
    """How much more one call grows with the size than a plain copy of as many numbers, which memory slows down, too.

    Parameters
    ----------
    name : str
        Of the figure.
    found : list
        What was measured at growing sizes: seconds of the call and of "copy", numbers, "setup" and "peak"; or why not.
    call : str
        Whose seconds.
    count : str
        What has the number of numbers.
    each : str
        What one of them is.
    """
    mine = [one for one in found if isinstance(one, dict)]
    if len(mine) < len(found):
        return failed(name, next(one for one in found if isinstance(one, str)), BAR)
    over = [one["seconds"][call] / one["seconds"]["copy"] for one in mine]
    shown = {
        f"ns {each}": [1e9 * one["seconds"][call] / one[count] for one in mine],
        "over a copy": over,
        "set-up s": [one["setup"] for one in mine],
        f"B {each}": [one["peak"] / one[count] for one in mine],
    }
    note = "; ".join(f"{what}: {', '.join(f'{number:.3g}' for number in row)}" for what, row in shown.items())
    return Figure(name, over[-1] / over[0], "", BAR, "<=", note)


def _row(family: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    seconds, (over, setup) = found["seconds"], _ratios(found)
    micro = {name: 1e6 * value for name, value in seconds.items()}
    return (
        family,
        found["nnz"],
        micro["limit"],
        micro["values"],
        over,
        found["chosen"],
        micro["f"],
        found["setup"],
        setup,
    )


CASE = Case("growth", "from 1e4 to 1e7 entries: evaluation over the limit, set-up over f", run, tuple(PER_UNKNOWN))
