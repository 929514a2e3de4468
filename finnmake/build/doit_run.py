"""``doit run``: engine tasks with threads, expanding tasks first."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from doit.action import PythonAction
from doit.cmd_run import Run as DoitRun
from doit.control import TaskControl
from doit.exceptions import InvalidCommand
from doit.runner import MThreadRunner, Runner
from doit.task import Stream

from finnmake.build.engine_command import EngineCommand
from finnmake.build.expanding import beside, closure, next_to_expand, with_expanding
from finnmake.build.expanding_runner import ExpandingDispatcher, ExpandingRunner
from finnmake.build.ordering import longest_way_first
from finnmake.build.reporter import EngineReporter, summary_line
from finnmake.build.stamp import SECONDS, answer
from finnmake.build.stamp_writer import StampWriter

if TYPE_CHECKING:
    from finnmake.build.profile import Profile


class Run(EngineCommand, DoitRun):  # type: ignore[misc] # doit is untyped
    """``doit run``: engine tasks with threads, expanding tasks first."""

    name = "run"
    may_run_functions = True
    cmd_options = (
        *DoitRun.cmd_options,
        {
            "name": "profile",
            "short": "",
            "long": "profile",
            "type": str,
            "default": None,
            "help": "write when which action did what to this file, in Chrome's trace format",
        },
    )
    profile: Profile | None = None
    may_run = True
    """For programs: False takes results from the stores only."""
    stamp: StampWriter | None = None
    """Takes down what is looked at, and knows which tasks need not be."""

    def begin(self, params: Any) -> None:
        """The profile begins before the tasks are loaded."""
        if params["profile"]:
            from finnmake.build.profile import Profile

            # Absolute: loading a build file changes to its folder.
            self.profile = self.session.profile = Profile(Path(params["profile"]).absolute())

    def _span(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.profile is None else self.profile.span(name)

    def execute(self, params: Any, args: list[str]) -> int:
        """Answer from the stamp if this is a command line that had nothing to do, or build."""
        if self.bin_name != "doit" or params["profile"]:
            return super().execute(params, args)
        started = time.time_ns()
        arguments = ["doit", *sys.argv[1:]]
        said = answer(".", arguments)
        if said is not None:
            sys.stdout.write(said.replace(SECONDS, f"{(time.time_ns() - started) / 1e9:.2f}"))
            return 0
        stamp = self.stamp = StampWriter(arguments, started)
        status = super().execute(params, args)
        if status == 0:
            stamp.take(self.session)
            stamp.write(f"{summary_line(self.session.counts(), SECONDS)}\n")
        return status

    def _execute(
        self,
        outfile: IO[str] | str,
        verbosity: int | None = None,
        always: bool = False,
        continue_: bool = False,
        reporter: Any = "console",
        num_process: int = 0,
        par_type: str = "process",
        single: bool = False,
        auto_delayed_regex: bool = False,
        force_verbosity: bool = False,
        failure_verbosity: int = 0,
        pdb: bool = False,
        profile: str | None = None,
    ) -> int:
        if self.profile is not None:
            self.profile.began("load")
        if not self.adopt():
            stock: Callable[..., int] = super()._execute
            return stock(
                outfile, verbosity, always, continue_, reporter, num_process, par_type, single, auto_delayed_regex,
                force_verbosity, failure_verbosity, pdb,
            )  # fmt: skip
        PythonAction.pm_pdb = pdb
        if self.stamp is not None:
            self.stamp.footprint.loaded()
        self.session.always = always
        self.session.may_run = self.may_run
        self._single = single
        self._continue = continue_
        self._parallel = num_process > 1
        if self._parallel:
            self.session.limit(num_process)
        self._auto_delayed_regex = auto_delayed_regex
        stream = Stream(verbosity, force_verbosity)
        outstream: IO[str] = open(outfile, "w", encoding="utf-8") if isinstance(outfile, str) else outfile  # noqa: PTH123, SIM115
        self.outstream = outstream
        try:
            options = {"failure_verbosity": failure_verbosity}
            engine_reporter: EngineReporter | None = None
            report: Any = None
            if reporter == "console":
                report = engine_reporter = EngineReporter(self.session, outstream, options)
            elif isinstance(reporter, str):
                report = self.reporters[reporter](outstream, options)
            else:
                report = reporter(outstream, options) if isinstance(reporter, type) else reporter

            def runner(parallel: type[MThreadRunner] = MThreadRunner) -> Any:
                arguments = (self.dep_manager, report, continue_, always, stream)
                return parallel(*arguments, num_process) if self._parallel else Runner(*arguments)

            with self._span("open state"):
                self.session.begin_build()
            interrupted = True
            try:
                status = self._build(runner, report)
                self.session.wait()
                interrupted = False
                return status
            finally:
                with self._span("end of build"):
                    self.session.end_build(interrupted=interrupted)
                if engine_reporter is not None:
                    engine_reporter.summary()
                if self.profile is not None:
                    self._write_profile(self.profile)
        finally:
            if isinstance(outfile, str):
                outstream.close()

    def _write_profile(self, profile: Profile) -> None:
        path = profile.write({name: outcome.outcome for name, outcome in self.session.found()})
        self.outstream.write(f"{path.line()}\n")
        self.outstream.flush()

    def _build(self, runner: Callable[..., Any], report: Any) -> int:
        """Expanding tasks first, as long as there are new ones, then what is selected."""
        expanded: set[str] = set()
        unaffected: frozenset[str] = frozenset()
        while True:
            control = TaskControl(self.task_list, auto_delayed_regex=self._auto_delayed_regex)
            unknown: InvalidCommand | None = None
            try:
                control.process(self.sel_tasks)
                needed = with_expanding(control, self._expanding(), closure(control, control.selected_tasks))
            except InvalidCommand as error:
                # Perhaps a task that an expanding task has yet to bring forth.
                unknown = error
                needed = set(self._expanding())
            if not expanded and not self._single:
                # What is needed in the end, as far as it is known: said now, not when actions have run for an hour.
                self.session.require_tools(needed)
            if self.stamp is not None and not expanded and not self._single:
                unaffected = self.stamp.footprint.unaffected(self.session, control.tasks, needed)
            status, changed = self._expand(control, needed - unaffected, expanded, runner, always=unknown is not None)
            if status:
                return status
            if not changed:
                break
            # As when they were loaded first: the next action to run starts the collector again.
            gc.disable()
            with self._span("load"):
                if self.stamp is not None:
                    self.stamp.footprint.spoilt()
                self.task_list = self.loader.load_tasks(cmd=self, pos_args=self.pos_args)
            self.adopt()
            self.session.open_all()
        if unknown is not None:
            raise unknown
        if self._single:
            _drop_dependencies(control)
            needed = closure(control, control.selected_tasks)
        self.session.require_tools(needed)
        self._want(control, needed)
        if unaffected:
            for name in self.session.tasks:
                if name in unaffected:
                    report.skip_uptodate(control.tasks[name])
            _drop(control, unaffected)
        self.control = control
        control.selected_tasks = self._in_order(control, control.selected_tasks)
        return self._finish(runner().run_all(control.task_dispatcher()))

    def _expand(
        self, control: TaskControl, needed: set[str], expanded: set[str], runner: Callable[..., Any], *, always: bool
    ) -> tuple[int, bool]:
        """Bring expanding tasks up to date until one has run.

        Args:
            control: of all tasks.
            needed: tasks to look at.
            expanded: those that have had their turn; more are added.
            runner: makes what runs them.
            always: what has been up to date counts as run, too.

        Returns:
            The status of what was run, and whether the tasks may be others now.
        """
        while True:
            todo = next_to_expand(control, self._expanding(), needed, expanded)
            if not todo:
                return 0, False
            # A control of its own: process() takes the tasks' options, and can take them only once.
            first = TaskControl(self.task_list)
            others = self._beside(control, needed, expanded)
            expanded.update(todo)
            found = closure(first, [*todo, *others])
            self.session.require_tools(found)
            self._want(first, found)
            dispatcher = ExpandingDispatcher(first, todo, self._in_order(first, others))
            status = self._finish(runner(ExpandingRunner).run_all(dispatcher))
            if status or always or any(self.session.has_executed(name) for name in todo):
                return status, True

    def _beside(self, control: TaskControl, needed: set[str], expanded: set[str]) -> list[str]:
        """What may run while an expanding task keeps not all workers busy."""
        # With --continue a failure of one of them would be told twice; with --single nothing else is wanted.
        if self._continue or self._single:
            return []
        waiting = {name for name in self._expanding() if name not in expanded}
        return beside(control, waiting, needed, self.session.tasks)

    def _in_order(self, control: TaskControl, names: Sequence[str]) -> Sequence[str]:
        """Tasks in the order in which they are to be begun; as asked for where they run one after the other."""
        if not self._parallel:
            return names
        return longest_way_first(control, names, self.session.noted_seconds())

    def _expanding(self) -> list[str]:
        return [name for name, action in self.session.tasks.items() if action.expanding]

    def _want(self, control: TaskControl, needed: Iterable[str]) -> None:
        """Tell the session which outputs must be here where a remote engine runs the actions."""
        if not self.session.leaves_outputs:
            return
        engine = self.session.tasks
        read: set[str] = set()
        # Named on the command line; doit selects everything where nothing is named.
        wanted = set(self.sel_tasks or ())
        for name in needed:
            task = control.tasks[name]
            if name in engine:
                read.update(task.task_dep)
            elif not task.has_subtask:
                # A task of doit's own: it reads files.
                wanted.update(task.task_dep)
        wanted.update(name for name, action in engine.items() if action.expanding or action.final or name not in read)
        self.session.wanted = frozenset(wanted)

    def _finish(self, status: int) -> int:
        # doit says 2 for "could not even try"; for its users a failed build is a failed build.
        return 1 if status and self.session.failures else status


def _drop(control: TaskControl, names: frozenset[str]) -> None:
    """Take tasks that are up to date out of what is to be done."""
    control.selected_tasks = [name for name in control.selected_tasks if name not in names]
    for task in control.tasks.values():
        if not names.isdisjoint(task.task_dep):
            task.task_dep = [name for name in task.task_dep if name not in names]


def _drop_dependencies(control: TaskControl) -> None:
    for name in control.selected_tasks:
        task = control.tasks[name]
        for each in [control.tasks[sub] for sub in task.task_dep] if task.has_subtask else [task]:
            each.task_dep = []
