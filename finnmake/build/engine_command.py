"""What doit's commands with engine tasks share: the session, the dependency manager, errors without a traceback."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from doit.cmd_base import DoitCmdBase
from doit.dependency import Dependency
from doit.task import Task

from finnmake.build.session import EngineDependencies, Session
from finnmake.errors import FinnmakeError

INTERRUPTED = 130


class EngineCommand(DoitCmdBase):  # type: ignore[misc] # doit is untyped
    """What all commands share: the session, the dependency manager, errors without a traceback."""

    may_run_functions = False
    task_list: list[Task]
    sel_tasks: list[str] | None
    raise_errors = False
    """For programs: FinnmakeErrors of build files and planning are raised, not printed."""
    remote_execution: str | None = None
    use_slurm = False
    """Both as of ``Session``."""

    def execute(self, params: Any, args: list[str]) -> int:
        """Load the tasks and run the command."""
        self.session = Session(remote_execution=self.remote_execution, use_slurm=self.use_slurm)
        self.pos_args = args
        _ignore_classes(self.loader)

        def stock() -> Dependency:
            return Dependency(
                self._backends.get(params["backend"]),
                params["dep_file"],
                checker_cls=self.get_checker_cls(params["check_file_uptodate"]),
                codec_cls=self.get_codec_cls(params["codec_cls"]),
            )

        self.dep_manager = EngineDependencies(self.session, stock, may_run=self.may_run_functions)
        try:
            self.begin(params)
            with _terminated_as_interrupt(), _collector_paused():
                return super().execute(params, args) or 0
        except FinnmakeError as error:
            if self.raise_errors:
                raise
            sys.stderr.write(f"ERROR: {error.text}\n")
            return 1
        except KeyboardInterrupt:
            self.session.stop()
            sys.stderr.write("interrupted\n")
            return INTERRUPTED
        finally:
            self.session.close()

    def begin(self, params: Any) -> None:
        """What a command does before the tasks are loaded."""

    def adopt(self) -> bool:
        """Take over the engine tasks of the loaded task list; whether there are any."""
        self.session.adopt(self.task_list)
        return bool(self.session.tasks)


def _ignore_classes(loader: Any) -> None:
    """Keep doit from taking a class for a task creator because its objects are: build files import such classes."""
    setup = loader.setup

    def setup_without_classes(values: Any) -> None:
        setup(values)
        namespace = getattr(loader, "namespace", None)
        if namespace is not None:
            loader.namespace = {name: value for name, value in namespace.items() if not isinstance(value, type)}

    loader.setup = setup_without_classes


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a build like Ctrl-C: its tools are killed, its state is written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Loading and looking at ten thousand tasks makes no garbage, but the collector walks over them again and again.

    ``Session.perform`` starts it again: what runs may take hours.
    """
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:
            # All that is there now is as old as can be, or the first collection would walk over it once more.
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()
        else:
            gc.disable()
