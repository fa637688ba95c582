"""Shortest ways through a schedule, against a graph of all places that networkx searches."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from cases import Case
from catalogue import CASES
from kernels.step import Call, Schedule
from sparsejac.patterns.zeros import fact_of, live_partials
from sparsejac.reports.reach import Search, is_live
from sparsejac.schedules.fusion import unfused
from sparsejac.tracing import run


def graph_of(schedule: Schedule, live: Any, *, masked: bool) -> nx.DiGraph:
    """An edge from each place that is read with a derivative to the place that is stored."""
    graph = nx.DiGraph()
    for launch, mask in zip(schedule.launches, live, strict=True):
        stored = launch.store.address.table()
        for point, row in enumerate(launch.row_of_point.tolist()):
            for j, k in enumerate(launch.active):
                if masked and mask is not None and not mask[point, j]:
                    continue
                load = launch.loads[k]
                source = (load.buffer, int(load.address.table()[point]))
                graph.add_edge(source, (launch.store.buffer, int(stored[row])))
    return graph


def searched(case: Case) -> tuple[Schedule, Any]:
    traced = run(case.f, [case.point(), *case.args], 0)
    schedule, nodes = unfused(traced.program)
    assert len(nodes) == len(schedule.launches)
    first = len(traced.program.input_sizes)
    known = {first + k: fact_of(values) for k, values in enumerate(traced.constants)}
    return schedule, live_partials(schedule, known)


CHOSEN = [case for case in CASES if 0 < np.prod(case.shape) <= 12][::4]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
@pytest.mark.parametrize("follow", ["live", "active"])
def test_ways_are_as_short_as_those_of_networkx(case: Case, follow: Any) -> None:
    schedule, live = searched(case)
    graph = graph_of(schedule, live, masked=follow == "live")
    random = np.random.default_rng(0)
    for row in random.permutation(schedule.sizes[schedule.output])[:4].tolist():
        search = Search(schedule, live, follow, schedule.output, np.array([row]))
        target = (schedule.output, row)
        lengths = nx.single_source_shortest_path_length(graph.reverse(), target) if target in graph else {}
        for unknown in range(schedule.sizes[schedule.x]):
            links = search.way_from(unknown)
            assert (None if links is None else len(links)) == lengths.get((schedule.x, unknown))


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_each_link_reads_what_the_one_before_stores(case: Case) -> None:
    schedule, live = searched(case)
    for row in range(min(schedule.sizes[schedule.output], 3)):
        search = Search(schedule, live, "live", schedule.output, np.array([row]))
        for unknown in range(schedule.sizes[schedule.x]):
            links = search.way_from(unknown) or ()
            buffer, place = schedule.x, unknown
            for link in links:
                assert not isinstance(link.step, Call)
                load = link.step.loads[link.load]
                assert (load.buffer, int(load.address.table()[link.point])) == (buffer, place)
                assert is_live(live, schedule, link)
                buffer, place = link.step.store.buffer, link.place
                assert int(link.step.store.address.table()[link.step.row_of_point[link.point]]) == place
            if links:
                assert (buffer, place) == (schedule.output, row)


def test_a_long_recurrence_is_searched_without_recursion() -> None:
    def f(x: Any) -> Any:
        y = x[0]
        for _ in range(3000):
            y = np.sin(y) + x[1]
        return np.array([y, x[2]])

    traced = run(f, [np.array([0.1, 0.2, 0.3])], 0)
    schedule, _ = unfused(traced.program)
    search = Search(schedule, (None,) * len(schedule.launches), "active", schedule.output, np.array([0]))
    links = search.way_from(0)
    # 3000 times sine and sum, and the place in the result
    assert links is not None
    assert len(links) == 6001
    near = search.way_from(1)
    assert near is not None
    assert len(near) == 2
    assert search.way_from(2) is None
