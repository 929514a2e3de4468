"""Records when each action of a build was ready, began, did what, and ended. Imported only for a build with a profile.

What is made of the records is in ``chrome_trace``.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finnmake.build.chrome_trace import ActionSpan, CriticalPath, Span, critical_path, trace
from finnmake.build.files import write_atomically
from finnmake.errors import BuildFileError

FIRST_PHASE = "key"
"""Every action begins with looking its inputs up."""


@dataclass
class _Open:
    """An action that runs: where each of its phases began."""

    name: str
    slot: int
    began: int
    phases: list[tuple[str, int]] = field(default_factory=list)


class Profile:
    """The recorder of one build. Its methods may be called from any thread.

    Times are nanoseconds since the recorder was made.

    Args:
        path: of the trace, written by ``write``.

    Raises:
        BuildFileError: there is no such folder, or ``path`` is one.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir() or path.is_dir():
            raise BuildFileError(
                "the profile cannot be written there", where=str(path), remedy="name a file in a folder that exists"
            )
        self.path = path
        self._zero = time.monotonic_ns()
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._actions: list[ActionSpan] = []
        self._open: dict[int, _Open] = {}
        self._tasks: tuple[Any, ...] = ()

    def _now(self) -> int:
        return time.monotonic_ns() - self._zero

    def adopt(self, tasks: Iterable[Any]) -> None:
        """Take over doit's tasks: what they depend on is read when the trace is written."""
        self._tasks = tuple(tasks)

    def began(self, name: str) -> None:
        """Note a span of the scheduler that lasted from the making of the recorder until now."""
        self._add(Span(name, 0, self._now()))

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Something that the scheduler does, between the actions. Spans do not nest."""
        began = self._now()
        try:
            yield
        finally:
            self._add(Span(name, began, self._now()))

    def _add(self, span: Span) -> None:
        with self._lock:
            self._spans.append(span)

    @contextmanager
    def action(self, name: str) -> Iterator[Callable[[str], None]]:
        """An action; what it yields ends a phase and begins the next one, so that phases add up to the action."""
        with self._lock:
            slot = next(number for number in range(1, len(self._open) + 2) if number not in self._open)
            now = self._now()
            entry = self._open[slot] = _Open(name, slot, now, [(FIRST_PHASE, now)])

        def mark(phase: str) -> None:
            entry.phases.append((phase, self._now()))

        try:
            yield mark
        finally:
            with self._lock:
                self._actions.append(_closed(entry, self._now()))
                self._open.pop(slot, None)

    def _recorded(self) -> list[ActionSpan]:
        """What is done, and what an interrupt left running, up to now."""
        with self._lock:
            now = self._now()
            return [*self._actions, *(_closed(entry, now) for entry in self._open.values())]

    def _dependencies(self) -> dict[str, tuple[str, ...]]:
        return {task.name: (*task.task_dep, *task.setup_tasks) for task in self._tasks}

    def write(self, outcomes: Mapping[str, str]) -> CriticalPath:
        """Write the trace; where it cannot be written this is said, and the build is what it was.

        Args:
            outcomes: what became of the actions, by task; those that are not there were interrupted.

        Returns:
            The chain of actions that the build could not have been faster than.
        """
        actions, dependencies = self._recorded(), self._dependencies()
        path = critical_path(actions, dependencies)
        content = trace(self._spans, actions, dependencies, outcomes, path)
        try:
            write_atomically(self.path, json.dumps(content).encode())
        except OSError as error:
            print(f"finnmake: the profile cannot be written: {self.path}: {error.strerror}", file=sys.stderr)
        return path


def _closed(entry: _Open, end: int) -> ActionSpan:
    starts = list(entry.phases)
    ends = [*(start for _, start in starts[1:]), end]
    # A phase that took no time is none: two marks in a row, or one at the very end.
    phases = tuple(Span(name, start, stop) for (name, start), stop in zip(starts, ends, strict=True) if stop > start)
    return ActionSpan(entry.name, entry.slot, entry.began, end, phases)
