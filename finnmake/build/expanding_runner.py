"""Runs expanding tasks, and others beside them; once the expanding ones are done, the build goes on."""

from __future__ import annotations

import queue
from collections.abc import Generator, Sequence
from typing import Any

from doit.control import ExecNode, TaskControl, TaskDispatcher
from doit.runner import MThreadRunner


class ExpandingDispatcher(TaskDispatcher):  # type: ignore[misc] # doit is untyped
    """Dispatches expanding tasks and what they need; others where these leave a worker idle, and until they are done.

    Args:
        control: of all tasks.
        expanding: tasks that are to be brought up to date.
        others: tasks that may be, too.
    """

    generator: Generator[Any, ExecNode | None, None]

    def __init__(self, control: TaskControl, expanding: Sequence[str], others: Sequence[str]) -> None:
        super().__init__(control.tasks, control.targets, [*expanding, *others])
        self._expanding = expanding
        self.generator = self._until_done(self.generator)

    def _until_done(self, dispatched: Generator[Any, ExecNode | None, None]) -> Generator[Any, ExecNode | None, None]:
        processed: ExecNode | None = None
        while not self.is_done:
            try:
                node = dispatched.send(processed)
            except StopIteration:
                return
            processed = yield node

    def _is_done(self, name: str) -> bool:
        node = self.nodes.get(name)
        return node is not None and node.run_status not in (None, "run")

    @property
    def is_done(self) -> bool:
        """Whether the expanding tasks are."""
        return all(self._is_done(name) for name in self._expanding)


class ExpandingRunner(MThreadRunner):  # type: ignore[misc] # doit is untyped
    """Returns as soon as the dispatcher's expanding tasks are done.

    What runs beside them then goes on in its thread. The session knows it, and takes its result when the task is
    dispatched again.
    """

    task_dispatcher: ExpandingDispatcher

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._queues: list[queue.Queue[Any]] = []

    def Queue(self) -> queue.Queue[Any]:  # noqa: N802 (doit's name)
        """Doit makes two: of results, and of jobs."""
        self._queues.append(queue.Queue())
        return self._queues[-1]

    def get_next_job(self, completed: ExecNode | None) -> Any:
        """The next job for a thread; None where there is none."""
        job = super().get_next_job(completed)
        if job is None and not self._stop_running and self.task_dispatcher.is_done:
            raise _ExpandedError
        return job

    def run_tasks(self, task_dispatcher: ExpandingDispatcher) -> None:
        """Runs until the expanding tasks are done, or something has failed."""
        try:
            super().run_tasks(task_dispatcher)
        except _ExpandedError:
            # Each thread ends when it has done what it is at.
            for _ in range(self.num_process):
                self._queues[-1].put(None)


class _ExpandedError(Exception):
    """Not an error: leaves doit's loop."""
