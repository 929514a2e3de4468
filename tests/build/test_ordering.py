"""The order in which tasks are begun: behind what they need, and the longest way to the end first."""

from __future__ import annotations

from doit.control import TaskControl
from doit.task import Task
from hypothesis import given
from hypothesis import strategies as st

from finnmake.build.ordering import longest_way_first

NEEDS: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"], "d": ["c"], "e": [], "all": ["b", "d", "e"]}


def control_of(needs: dict[str, list[str]]) -> TaskControl:
    return TaskControl([Task(name, [], task_dep=list(others)) for name, others in needs.items()])


def test_without_times_it_is_the_order_of_doit() -> None:
    assert longest_way_first(control_of(NEEDS), ["e", "all"], {}) == ["e", "a", "b", "c", "d", "all"]


def test_what_stands_before_a_long_task_comes_first() -> None:
    found = longest_way_first(control_of(NEEDS), ["b", "e", "d"], {"d": 9.0, "e": 3.0, "b": 1.0})
    assert found == ["a", "c", "d", "e", "b"]


def test_what_is_not_asked_for_does_not_count() -> None:
    assert longest_way_first(control_of(NEEDS), ["b", "c"], {"d": 9.0, "c": 1.0, "b": 2.0}) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.sets(st.integers(0, 19)), st.floats(0, 100)), min_size=1, max_size=20), st.data())
def test_each_task_stands_behind_what_it_needs(tasks: list[tuple[set[int], float]], data: st.DataObject) -> None:
    needs = {str(number): [str(n) for n in sorted(others) if n < number] for number, (others, _) in enumerate(tasks)}
    seconds = {str(number): time for number, (_, time) in enumerate(tasks)}
    asked = data.draw(st.lists(st.sampled_from(sorted(needs)), unique=True))
    found = longest_way_first(control_of(needs), asked, seconds)
    assert len(set(found)) == len(found)
    assert set(asked) <= set(found)
    place = {name: position for position, name in enumerate(found)}
    assert all(place[other] < place[name] for name in found for other in needs[name])
