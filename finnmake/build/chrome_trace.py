"""The records of a build as a trace in Chrome's format, which Perfetto and chrome://tracing show. Pure functions.

Format: "Trace Event Format" of the Chromium project. Only complete events (``"ph": "X"``) and names (``"M"``) are used.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

BUILD, QUEUE = 1, 2
"""Process numbers of the trace: what is done (a row for each job), and what waits for a free job."""

CATEGORIES = {
    "key": "key",
    "wait": "queue",
    "fetch local": "fetch",
    "fetch remote": "fetch",
    "inputs": "run",
    "run": "run",
    "put": "store",
    "publish": "store",
    "record": "store",
}
"""What a phase of an action counts as."""


@dataclass(frozen=True)
class Span:
    """Something that took from ``began`` to ``ended`` (ns)."""

    name: str
    began: int
    ended: int


@dataclass(frozen=True)
class ActionSpan:
    """An action in the row ``slot``, from 1; its phases follow each other without a gap."""

    name: str
    slot: int
    began: int
    ended: int
    phases: tuple[Span, ...]

    @property
    def duration(self) -> int:
        """Wall time in ns, without the time in the queue."""
        return self.ended - self.began


@dataclass(frozen=True)
class CriticalPath:
    """The chain of actions, each needing the one before it, with the largest sum of wall times.

    Attributes:
        steps: (task, ns).
    """

    steps: tuple[tuple[str, int], ...]

    @property
    def duration(self) -> int:
        """Of all steps, in ns."""
        return sum(duration for _, duration in self.steps)

    def line(self) -> str:
        """For the summary of a build: its length, and the three longest of its actions."""
        if not self.steps:
            return "critical path 0.00 s"
        longest = sorted(self.steps, key=lambda step: -step[1])[:3]
        shown = ", ".join(f"{name} {duration / 1e9:.2f} s" for name, duration in longest)
        count = "1 action" if len(self.steps) == 1 else f"{len(self.steps)} actions"
        return f"critical path {self.duration / 1e9:.2f} s ({count}; longest: {shown})"


def _order(names: Iterable[str], dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """Every task after those that it needs."""
    graph: dict[str, Sequence[str]] = dict.fromkeys(names, ()) | dict(dependencies)
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        # doit has refused these tasks: nothing of them ran in an order.
        return list(graph)


def critical_path(actions: Sequence[ActionSpan], dependencies: Mapping[str, Sequence[str]]) -> CriticalPath:
    """The critical path of what ran; tasks that were up to date, and groups, take no time."""
    durations: dict[str, int] = {}
    for action in actions:
        durations[action.name] = durations.get(action.name, 0) + action.duration
    lengths: dict[str, int] = {}
    before: dict[str, str | None] = {}
    for name in _order(durations, dependencies):
        needed = [dependency for dependency in dependencies.get(name, ()) if dependency in lengths]
        last = max(needed, key=lambda dependency: lengths[dependency], default=None)
        before[name] = last
        lengths[name] = durations.get(name, 0) + (lengths[last] if last is not None else 0)
    step = max(lengths, key=lambda name: lengths[name], default=None)
    steps = []
    while step is not None:
        if step in durations:
            steps.append((step, durations[step]))
        step = before[step]
    return CriticalPath(tuple(reversed(steps)))


def _ready(actions: Sequence[ActionSpan], dependencies: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """When all that an action needs was done (ns); 0 where it needed nothing that ran."""
    ended: dict[str, int] = {}
    for action in actions:
        ended[action.name] = max(action.ended, ended.get(action.name, 0))
    ready: dict[str, int] = {}
    available: dict[str, int] = {}
    for name in _order(ended, dependencies):
        ready[name] = max((available.get(dependency, 0) for dependency in dependencies.get(name, ())), default=0)
        available[name] = ended.get(name, ready[name])
    return ready


def trace(
    spans: Sequence[Span],
    actions: Sequence[ActionSpan],
    dependencies: Mapping[str, Sequence[str]],
    outcomes: Mapping[str, str],
    path: CriticalPath,
) -> dict[str, Any]:
    """The trace as what ``json.dumps`` takes.

    Args:
        spans: of the scheduler (loading, status of tasks): row 0.
        actions: that began.
        dependencies: of tasks and groups, by name.
        outcomes: of tasks, by name.
        path: critical path of the actions.
    """
    ready = _ready(actions, dependencies)
    critical = {name for name, _ in path.steps}
    events = [_event(span.name, "scheduler", BUILD, 0, span.began, span.ended) for span in spans]
    waiting: list[Span] = []
    for action in actions:
        since = min(ready.get(action.name, 0), action.began)
        waiting.append(Span(action.name, since, action.began))
        said = {
            "outcome": outcomes.get(action.name, "interrupted"),
            "queue_us": (action.began - since) / 1000,
            "critical": action.name in critical,
        }
        events.append(_event(action.name, "action", BUILD, action.slot, action.began, action.ended, said))
        for phase in action.phases:
            category = CATEGORIES.get(phase.name, "run")
            said = {"task": action.name}
            events.append(_event(phase.name, category, BUILD, action.slot, phase.began, phase.ended, said))
    rows = _rows(waiting)
    events.extend(_event(span.name, "queue", QUEUE, row, span.began, span.ended) for span, row in rows)
    # An event before those inside it: viewers nest events of one row by their order.
    events.sort(key=lambda event: (event["pid"], event["tid"], event["ts"], -event["dur"]))
    names = [_named("process_name", BUILD, 0, "build"), _named("process_name", QUEUE, 0, "queue")]
    names.append(_named("thread_name", BUILD, 0, "scheduler"))
    slots = sorted({action.slot for action in actions})
    names.extend(_named("thread_name", BUILD, slot, f"job {slot}") for slot in slots)
    return {
        "displayTimeUnit": "ms",
        "otherData": {
            "critical_path_us": path.duration / 1000,
            "critical_path": [name for name, _ in path.steps],
        },
        "traceEvents": [*names, *events],
    }


def _rows(spans: Iterable[Span]) -> list[tuple[Span, int]]:
    """As few rows as can show spans that overlap."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    placed = []
    for span in sorted(spans, key=lambda span: (span.began, span.ended)):
        if span.ended == span.began:
            continue
        while busy and busy[0][0] <= span.began:
            heapq.heappush(free, heapq.heappop(busy)[1])
        row = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (span.ended, row))
        placed.append((span, row))
    return placed


def _event(
    name: str, category: str, process: int, row: int, began: int, ended: int, said: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "ts": began / 1000,
        "dur": (ended - began) / 1000,
        "pid": process,
        "tid": row,
        "args": dict(said or {}),
    }


def _named(kind: str, process: int, row: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": row, "args": {"name": name}}
