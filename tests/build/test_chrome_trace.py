"""What is made of a build's records: queue times, rows, the critical path."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from finnmake.build.chrome_trace import QUEUE, ActionSpan, Span, critical_path, trace

MS = 1_000_000


def action(name: str, slot: int, began: int, ended: int) -> ActionSpan:
    return ActionSpan(name, slot, began * MS, ended * MS, (Span("run", began * MS, ended * MS),))


#   a --- group --- c        up (up to date) --- d
#   b --'
ACTIONS = [action("a", 1, 10, 20), action("b", 2, 10, 40), action("c", 1, 45, 50), action("d", 2, 60, 61)]
DEPENDENCIES = {"a": (), "b": (), "group": ("a", "b"), "c": ("group",), "up": ("a",), "d": ("up",)}


def made(outcomes: dict[str, str]) -> list[dict[str, Any]]:
    path = critical_path(ACTIONS, DEPENDENCIES)
    events: list[dict[str, Any]] = trace([], ACTIONS, DEPENDENCIES, outcomes, path)["traceEvents"]
    return events


def test_the_critical_path_goes_through_groups_and_tasks_that_were_up_to_date() -> None:
    path = critical_path(ACTIONS, DEPENDENCIES)
    assert path.steps == (("b", 30 * MS), ("c", 5 * MS))
    assert path.line() == "critical path 0.04 s (2 actions; longest: b 0.03 s, c 0.01 s)"
    assert critical_path(ACTIONS[3:], DEPENDENCIES).steps == (("d", MS),)
    assert critical_path([], DEPENDENCIES).line() == "critical path 0.00 s"


def test_a_cycle_or_a_deep_chain_is_no_traceback() -> None:
    assert critical_path(ACTIONS, {"a": ("b",), "b": ("a",)}).duration > 0
    chain = {f"t{number}": (f"t{number - 1}",) for number in range(1, 5000)}
    assert critical_path([action("t0", 1, 0, 1), action("t4999", 1, 2, 3)], chain).duration == 2 * MS


def test_an_action_waits_from_when_its_last_dependency_was_done() -> None:
    waits = {event["name"]: event["args"]["queue_us"] for event in made({}) if event.get("cat") == "action"}
    assert waits == {"a": 10_000, "b": 10_000, "c": 5_000, "d": 40_000}


def test_what_waits_at_the_same_time_has_rows_of_its_own() -> None:
    rows: dict[int, list[tuple[float, float]]] = {}
    for event in made({}):
        if event["pid"] == QUEUE and event["ph"] == "X":
            rows.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(rows) == 2
    for spans in rows.values():
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_what_has_no_outcome_was_interrupted() -> None:
    said = {event["name"]: event["args"] for event in made({"a": "run"}) if event.get("cat") == "action"}
    assert said["a"]["outcome"] == "run"
    assert said["b"]["outcome"] == "interrupted"
    assert [name for name, arguments in said.items() if arguments["critical"]] == ["c", "b"]
