"""Questions about who needs whom."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.build.task_graph import TaskGraph
from finnmake.errors import BuildFileError

#   a <- b <- d
#     <- c <-'   e
NEEDS = {"n:d": ["n:b", "n:c"], "n:b": ["n:a"], "n:c": ["n:a"], "n:a": [], "other:e": []}
GRAPH = TaskGraph(NEEDS, {"n": ["n:d", "n:b", "n:c", "n:a"]}, unexpanded=["n:a"])


def test_dependencies_come_before_what_needs_them() -> None:
    assert GRAPH.dependencies("n:d") == ["n:a", "n:b", "n:c", "n:d"]
    assert GRAPH.dependencies("n:b") == ["n:a", "n:b"]
    assert GRAPH.dependencies("n") == ["n:a", "n:b", "n:c", "n:d"]
    assert GRAPH.dependents("n:a") == ["n:a", "n:b", "n:c", "n:d"]
    assert GRAPH.dependents("n:c") == ["n:c", "n:d"]
    assert GRAPH.dependents("other:e") == ["other:e"]


def test_depth_counts_steps() -> None:
    assert GRAPH.dependencies("n:d", 0) == ["n:d"]
    assert GRAPH.dependencies("n:d", 1) == ["n:b", "n:c", "n:d"]
    assert GRAPH.dependents("n:a", 1) == ["n:a", "n:b", "n:c"]


def test_the_shortest_path() -> None:
    assert GRAPH.path("n:d", "n:a") == ["n:d", "n:b", "n:a"]
    assert GRAPH.path("n:a", "n:a") == ["n:a"]
    assert GRAPH.path("n:a", "n:d") == []
    assert TaskGraph({"a": ["b", "c"], "b": ["c"], "c": []}).path("a", "c") == ["a", "c"]


def test_unknown_names_say_what_is_near_and_what_is_not_known_yet() -> None:
    with pytest.raises(BuildFileError, match=r"'n:f'\n  Near: n:d.*More tasks are known when n:a has been built"):
        GRAPH.members("n:f")
    with pytest.raises(BuildFileError, match=r"'zzzzzz'\n  `doit list --all` names them all\.$"):
        GRAPH.members("zzzzzz")


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_random_graphs(edges: list[tuple[int, int]]) -> None:
    """Against the plain definition: the closure of the relation, found by repeating it."""
    needs: dict[str, list[str]] = {f"t{number}": [] for number in range(12)}
    for one, two in edges:
        if one != two:
            needs[f"t{max(one, two)}"].append(f"t{min(one, two)}")
    graph = TaskGraph(needs)
    assert all(graph.order[low] < graph.order[name] for name, lows in needs.items() for low in lows)
    closure = {name: {name} for name in needs}
    for name in sorted(needs, key=lambda name: int(name[1:])):
        for low in needs[name]:
            closure[name] |= closure[low]
    for name in needs:
        assert set(graph.dependencies(name)) == closure[name]
        assert set(graph.dependents(name)) == {other for other in needs if name in closure[other]}
        for other in needs:
            chain = graph.path(name, other)
            assert bool(chain) == (other in closure[name])
            assert all(after in needs[before] for before, after in pairwise(chain))
