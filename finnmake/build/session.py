"""One command's view of the engine tasks: their status, their execution, what became of each."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit.exceptions import BaseFail, TaskFailed
from doit.task import Task

from finnmake.build.action import Action
from finnmake.build.configuration import execution_of
from finnmake.build.deferred import NotHereError
from finnmake.build.doit_tasks import EngineAction, engine_action_of
from finnmake.build.executor import with_task
from finnmake.build.outcome import Mark, NotStoredError, Outcome, Status, unmarked
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace
from finnmake.errors import FinnmakeError, StoreError

if TYPE_CHECKING:
    # Loaded by who asks for a profile; other builds do not pay for it.
    from finnmake.build.profile import Profile

OUTCOMES = ("run", "up_to_date", "store", "remote", "failed")


@dataclass
class TaskOutcome:
    """What became of a task: one of ``OUTCOMES``, and how long it took."""

    outcome: str
    seconds: float = 0.0


@dataclass
class Session:
    """The engine side of one doit command.

    Attributes:
        tasks: engine actions by task name, of the task list that is loaded now.
        outcomes: by task name, of everything that this command has looked at for a build.
        failures: messages by task name.
        may_run: whether actions may run; results of those that may not are taken from a store.
        missing: tasks whose result was in no store.
        profile: records when what was done; None for no record.
        remote_execution: address of the engine that actions run on; "" for that of the configuration, None for none.
        wanted: tasks whose outputs are to be here even if a remote engine has made them; None for all.
        use_slurm: whether tools run as Slurm jobs.
        only_engine_tasks: False as soon as another task was looked at for a build.
    """

    tasks: dict[str, EngineAction] = field(default_factory=dict)
    outcomes: dict[str, TaskOutcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    only_engine_tasks: bool = True
    always: bool = False
    use_bubblewrap: bool = True
    may_run: bool = True
    missing: list[str] = field(default_factory=list)
    profile: Profile | None = None
    remote_execution: str | None = None
    wanted: frozenset[str] | None = None
    use_slurm: bool = False
    _rebuilders: dict[Path, Rebuilder] = field(default_factory=dict)
    _by_workspace: dict[int, tuple[Workspace, Rebuilder]] = field(default_factory=dict)
    """The same by identity, of a workspace object for each load: asked several times a task."""
    _reasons: dict[str, str] = field(default_factory=dict)
    _settled: dict[str, Action] = field(default_factory=dict)
    """What is up to date since this command looked: expanding tasks are looked at twice."""
    _failed: dict[str, Action] = field(default_factory=dict)
    """What has failed: a task that ran beside expanding ones is asked for again."""
    _running: dict[str, threading.Event] = field(default_factory=dict)
    _slots: AbstractContextManager[Any] = field(default_factory=nullcontext)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def adopt(self, task_list: Iterable[Task]) -> None:
        """Take over the engine tasks of a task list."""
        tasks: dict[str, EngineAction] = {}
        task_list = list(task_list)
        if self.profile is not None:
            self.profile.adopt(task_list)
        for task in task_list:
            action = engine_action_of(task)
            if action is not None:
                action.performer = self
                tasks[task.name] = action
        # At once: actions of the former list may still run.
        self.tasks = tasks

    def rebuilder(self, name: str) -> Rebuilder:
        """The rebuilder of a task's workspace; opens its state."""
        workspace = self.tasks[name].workspace
        known = self._by_workspace.get(id(workspace))
        if known is not None:
            return known[1]
        with self._lock:
            rebuilder = self._rebuilders.get(workspace.root)
            if rebuilder is None or not _same(rebuilder.workspace.tools, workspace.tools):
                if rebuilder is not None:
                    raise FinnmakeError(
                        "two build files name different tools for one workspace", where=str(workspace.root)
                    )
                execution = None
                if self.remote_execution is not None:
                    execution = execution_of(workspace.configuration, self.remote_execution)
                rebuilder = Rebuilder(
                    workspace, use_bubblewrap=self.use_bubblewrap, execution=execution, use_slurm=self.use_slurm
                )
                self._rebuilders[workspace.root] = rebuilder
            # With the workspace, or another could come to lie at its address.
            self._by_workspace[id(workspace)] = (workspace, rebuilder)
            return rebuilder

    @property
    def rebuilders(self) -> tuple[Rebuilder, ...]:
        """Those that are open."""
        return tuple(self._rebuilders.values())

    def open_all(self) -> None:
        """Open every workspace that a task lies in."""
        for name in self.tasks:
            self.rebuilder(name)

    def begin_build(self) -> None:
        """Number this build in each of its workspaces."""
        self.open_all()
        for rebuilder in self.rebuilders:
            rebuilder.state.begin_build()

    def forget_files(self) -> None:
        """Look at files again: a task that is none of the engine's is about to run."""
        self.only_engine_tasks = False
        for rebuilder in self.rebuilders:
            rebuilder.digests.forget()

    def require_tools(self, names: Iterable[str]) -> None:
        """Find the tools of these tasks.

        Raises:
            ToolError: some are missing.
        """
        by_root: dict[Path, list[str]] = {}
        for name in names:
            action = self.tasks.get(name)
            if action is not None:
                by_root.setdefault(action.workspace.root, []).extend(action.action.tools)
        for root, tools in by_root.items():
            self._rebuilders[root].toolbox.require(tools)

    def status(self, name: str, *, may_run: bool) -> Status:
        """Whether a task is up to date."""
        if self._settled.get(name) == self.tasks[name].action:
            return Status(True)
        if name in self._running:
            return Status(False, self._reasons.get(name, ""))
        rebuilder, action, wanted = self.rebuilder(name), self.tasks[name].action, self._wants(name)
        if self.profile is None:
            status = rebuilder.status(name, action, may_run=may_run, wanted=wanted)
        else:
            with self.profile.span(f"status {name}"):
                status = rebuilder.status(name, action, may_run=may_run, wanted=wanted)
        self._reasons[name] = status.reason
        return status

    @property
    def leaves_outputs(self) -> bool:
        """Whether outputs that nobody needs here may stay with a remote engine."""
        if self.remote_execution is None:
            return False
        found = {action.workspace.root: action.workspace.configuration for action in self.tasks.values()}
        return all(
            execution_of(configuration, self.remote_execution).download == "final" for configuration in found.values()
        )

    def perform(self, name: str) -> BaseFail | None:
        """Bring a task up to date; called from doit's threads. Waits for one that is at it already."""
        done = threading.Event()
        before = self._running.setdefault(name, done)
        if before is not done:
            before.wait()
            return self._perform(name, unmarked)
        try:
            with self._slots:
                if self.profile is None:
                    return self._perform(name, unmarked)
                with self.profile.action(name) as mark:
                    return self._perform(name, mark)
        finally:
            del self._running[name]
            done.set()

    def limit(self, jobs: int) -> None:
        """So many actions run at once, whoever asks for them."""
        self._slots = threading.BoundedSemaphore(jobs)

    def wait(self) -> None:
        """Until nothing runs any more."""
        for running in list(self._running.values()):
            running.wait()

    def _perform(self, name: str, mark: Mark) -> BaseFail | None:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        action = self.tasks[name].action
        if self._settled.get(name) == action:
            return None
        if self._failed.get(name) == action:
            return TaskFailed(self.failures[name])
        try:
            reason = self._reasons.get(name, "")
            outcome = self._execute(name, reason, mark, always=self.always, wanted=self._wants(name))
        except NotStoredError as error:
            self.missing.append(name)
            return self._fail(name, action, error)
        except FinnmakeError as error:
            return self._fail(name, action, error)
        except OSError as error:
            remedy = "check that the disk is not full and that the folder can be written"
            return self._fail(name, action, StoreError(f"the build folder cannot be used: {error}", remedy=remedy))
        self._settle(name, action)
        self.outcomes[name] = TaskOutcome(outcome.how, outcome.seconds)
        return None

    def _execute(self, name: str, reason: str, mark: Mark, *, always: bool, wanted: bool) -> Outcome:
        """Execute a task, and first bring here what lies with a remote engine and is needed here."""
        brought: set[str] = set()
        while True:
            try:
                return self.rebuilder(name).execute(
                    name,
                    self.tasks[name].action,
                    reason,
                    always=always,
                    may_run=self.may_run,
                    wanted=wanted,
                    mark=mark,
                )
            except NotHereError as error:
                if not brought.isdisjoint(error.tasks) or not self.tasks.keys() >= set(error.tasks):
                    raise
                brought.update(error.tasks)
                for task in error.tasks:
                    self._execute(task, "its outputs are needed here", mark, always=False, wanted=True)

    def _wants(self, name: str) -> bool:
        return self.wanted is None or name in self.wanted

    def _settle(self, name: str, action: Action) -> None:
        # What was left with a remote engine may be wanted later in this build.
        if self._wants(name):
            self._settled[name] = action

    def _fail(self, name: str, action: Action, error: FinnmakeError) -> TaskFailed:
        self._failed[name] = action
        return TaskFailed(self.failed(name, error))

    def failed(self, name: str, error: FinnmakeError) -> str:
        """Note that a task failed; returns its message."""
        text = with_task(error, name)
        self.outcomes[name] = TaskOutcome("failed")
        self.failures[name] = text
        return text

    def found_up_to_date(self, name: str) -> bool:
        """Note that a task is up to date; False when this is known or the task has just been brought up to date."""
        if name in self.outcomes:
            return False
        self.outcomes[name] = TaskOutcome("up_to_date")
        self._settle(name, self.tasks[name].action)
        return True

    def has_executed(self, name: str) -> bool:
        """Whether this command has executed a task, from the store or by running it."""
        outcome = self.outcomes.get(name)
        return outcome is not None and outcome.outcome not in ("up_to_date", "failed")

    def noted_seconds(self) -> dict[str, float]:
        """What actions took when they last ran, of those that took long."""
        return {name: seconds for each in self.rebuilders for name, seconds in each.noted_seconds().items()}

    def found(self) -> list[tuple[str, TaskOutcome]]:
        """The outcomes so far; a copy, as the threads of an interrupted build may still be adding to them."""
        return list(self.outcomes.items())

    def counts(self) -> dict[str, int]:
        """How many tasks came to each of ``OUTCOMES``."""
        found = [outcome.outcome for _, outcome in self.found()]
        return {outcome: found.count(outcome) for outcome in OUTCOMES}

    def outputs(self) -> Mapping[str, Path]:
        """Output files and directories of the tasks that are up to date now: ``task/scratch path`` -> absolute path."""
        return _Paths(
            {
                f"{name}/{scratch}": f"{self.tasks[name].workspace.root}/{place}"
                for name, outcome in self.found()
                if outcome.outcome != "failed" and name in self.tasks and self._is_here(name)
                for scratch, place in self.tasks[name].action.outputs.items()
            }
        )

    def _is_here(self, name: str) -> bool:
        rebuilder = self.rebuilder(name)
        record = rebuilder.state.tasks.get(name)
        return self.wanted is None or record is None or not rebuilder.is_deferred(record)

    def stop(self) -> None:
        """Kill what is running."""
        for rebuilder in self.rebuilders:
            rebuilder.stop()

    def end_build(self, *, interrupted: bool) -> None:
        """Write down what was up to date. What an interrupted build leaves over is swept by the next one."""
        if interrupted:
            self.stop()
        for rebuilder in self.rebuilders:
            root = rebuilder.workspace.root
            names = [
                name
                for name, outcome in self.found()
                if outcome.outcome == "up_to_date" and name in self.tasks and self.tasks[name].workspace.root == root
            ]
            rebuilder.end_build(names, sweep=not interrupted)

    def close(self) -> None:
        """End workers, remove scratch directories, write the states."""
        for rebuilder in self.rebuilders:
            rebuilder.close()


class _Paths(Mapping[str, Path]):
    """Paths that are made when they are asked for: of ten thousand, few are."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, name: str) -> Path:
        return Path(self._texts[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _same(tools: Mapping[str, Tool], others: Mapping[str, Tool]) -> bool:
    return tools is others or dict(tools) == dict(others)


class EngineDependencies:
    """Replaces doit's dependency manager: engine tasks are answered by their keys, all others by doit's own.

    Args:
        session: knows the engine tasks.
        stock: doit's dependency manager, made when the first task needs it.
        may_run: whether asking for a status may run canonical inputs' functions.
    """

    def __init__(self, session: Session, stock: Any, *, may_run: bool) -> None:
        self._session = session
        self._make_stock = stock
        self._stock: Any = None
        self._may_run = may_run

    @property
    def stock(self) -> Any:
        """Doit's own dependency manager."""
        if self._stock is None:
            self._stock = self._make_stock()
        return self._stock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stock, name)

    def get_status(self, task: Task, tasks_dict: Mapping[str, Task] | None, get_log: bool = False) -> Any:
        """``up-to-date``, ``run`` or ``error`` with the reason."""
        from doit.dependency import DependencyStatus

        if self._is_group(task):
            return DependencyStatus(get_log)
        if task.name not in self._session.tasks:
            self._session.forget_files()
            return self.stock.get_status(task, tasks_dict, get_log)
        result = DependencyStatus(get_log)
        try:
            status = self._session.status(task.name, may_run=self._may_run)
        except FinnmakeError as error:
            result.status = "error"
            result.error_reason = self._session.failed(task.name, error)
            result.reasons["finnmake"].append(error.text)
            return result
        if not status.up_to_date:
            result.status = "run"
            result.reasons["finnmake"].append(status.reason)
        return result

    def _is_group(self, task: Task) -> bool:
        # Only groups of engine tasks: doit's own rules hold for everything else.
        return bool(
            task.has_subtask and not task._actions and any(name in self._session.tasks for name in task.task_dep)
        )

    def save_success(self, task: Task, result_hash: Any = None) -> None:
        """Engine tasks have been committed by the rebuilder."""
        if task.name not in self._session.tasks and not self._is_group(task):
            self.stock.save_success(task, result_hash)

    def remove_success(self, task: Task) -> None:
        """An engine task that fails leaves its last success as it is."""
        if task.name not in self._session.tasks and not self._is_group(task):
            self.stock.remove_success(task)

    def get_values(self, name: str) -> dict[str, Any]:
        """Engine tasks have no values."""
        if name in self._session.tasks or self._stock is None:
            return {}
        values: dict[str, Any] = self._stock.get_values(name)
        return values

    def status_is_ignore(self, task: Task) -> bool:
        """Engine tasks cannot be ignored: what depends on them would be wrong."""
        if task.name in self._session.tasks or self._is_group(task):
            return False
        return bool(self.stock.status_is_ignore(task))

    def remove(self, name: str) -> None:
        """Forget a task."""
        if name in self._session.tasks:
            self._session.rebuilder(name).state.forget_task(name)
        elif self._stock is not None or not self._session.tasks:
            self.stock.remove(name)

    def remove_all(self) -> None:
        """Forget all tasks."""
        for name in self._session.tasks:
            self.remove(name)
        self.stock.remove_all()

    def close(self) -> None:
        """Write doit's own database, if it was used. The session is closed by its command."""
        if self._stock is not None:
            self._stock.close()
