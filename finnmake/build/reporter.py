"""One line for each engine task: what became of it, how long it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Any

from doit.exceptions import BaseFail, UnmetDependency
from doit.reporter import ConsoleReporter
from doit.task import Task

from finnmake.build.session import Session

_WORDS = {"run": "run", "store": "store", "up_to_date": "up to date", "failed": "FAILED", "remote": "remote"}


class EngineReporter(ConsoleReporter):  # type: ignore[misc] # doit is untyped
    """Reports engine tasks; other tasks as doit's console reporter does.

    Args:
        session: knows what became of the tasks.
        outstream: where to.
        options: doit's.
    """

    desc = "finnmake: outcome and seconds of each action"

    def __init__(self, session: Session, outstream: IO[str], options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._session = session
        self._started = time.monotonic()
        self._reported: set[str] = set()

    def _line(self, word: str, seconds: float | None, name: str) -> None:
        took = f"{seconds:8.2f} s" if seconds is not None else " " * 10
        self.write(f"{_WORDS[word]:<10} {took}  {name}\n")
        if word != "up_to_date":
            self.outstream.flush()

    def _is_group(self, task: Task) -> bool:
        return not task._actions

    def execute_task(self, task: Task) -> None:
        """Engine tasks are reported when they are done: only then it is known whether they ran."""
        if task.name not in self._session.tasks:
            super().execute_task(task)

    def add_success(self, task: Task) -> None:
        """A task has been executed."""
        if task.name in self._session.tasks and task.name not in self._reported:
            self._reported.add(task.name)
            outcome = self._session.outcomes[task.name]
            self._line(outcome.outcome, outcome.seconds, task.name)

    def skip_uptodate(self, task: Task) -> None:
        """A task is up to date."""
        if task.name in self._session.tasks:
            if self._session.found_up_to_date(task.name):
                self._line("up_to_date", None, task.name)
            elif self._session.has_executed(task.name):
                # It ran beside an expanding task, when nobody waited for it.
                self.add_success(task)
        elif not self._is_group(task):
            super().skip_uptodate(task)

    def add_failure(self, task: Task, fail: BaseFail) -> None:
        """A task has failed, or one that it needs has."""
        if isinstance(fail, UnmetDependency):
            if task.name in self._session.tasks:
                self.write(f"{'not done':<10} {'':10}  {task.name}\n")
            return
        if task.name not in self._session.tasks:
            super().add_failure(task, fail)
            return
        self._line("failed", None, task.name)
        self.write(f"{self._session.failures.get(task.name, fail.get_msg())}\n")
        self.outstream.flush()

    def summary(self) -> None:
        """The last line of a build."""
        self.write(f"{summary_line(self._session.counts(), f'{time.monotonic() - self._started:.2f}')}\n")
        self.outstream.flush()


def summary_line(counts: Mapping[str, int], seconds: str) -> str:
    """How many actions came to what, in how many seconds."""
    parts = [f"{counts[word]} {text.lower()}" for word, text in _WORDS.items() if counts[word] or word != "remote"]
    return f"{', '.join(parts)} in {seconds} s"
