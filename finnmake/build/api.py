"""Builds for programs: the same commands that ``doit`` has, with a result instead of text."""

from __future__ import annotations

import importlib.util
import inspect
import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from doit.cmd_base import ModuleTaskLoader, NamespaceTaskLoader
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

from finnmake.build.doit_run import Run
from finnmake.build.engine_command import INTERRUPTED
from finnmake.build.stamp_writer import StampWriter
from finnmake.errors import BuildFileError, FinnmakeError


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    Attributes:
        ok: everything that was asked for is there.
        seconds: wall time.
        actions: ``run``, ``up_to_date``, ``store``, ``remote``, ``failed`` -> number of actions.
        ran: names of the tasks whose action ran.
        outputs: ``task/scratch path`` -> absolute path of every output that is up to date.
        failures: task -> message.
        interrupted: by Ctrl-C or SIGTERM.
        missing: names of the tasks whose result was in no store, in a build in which no action may run.
    """

    ok: bool
    seconds: float
    actions: Mapping[str, int]
    ran: tuple[str, ...]
    outputs: Mapping[str, Path]
    failures: Mapping[str, str]
    interrupted: bool = False
    missing: tuple[str, ...] = ()


class BuildFileLoader(NamespaceTaskLoader):  # type: ignore[misc] # doit is untyped
    """Loads a dodo.py as doit does (its folder becomes the working directory), any number of them in one process."""

    cmd_options = ()

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def setup(self, opt_values: Any) -> None:
        """Execute the build file.

        Raises:
            BuildFileError: it is not there, or raises something else than a FinnmakeError.
        """
        path = Path(os.path.abspath(self._path))  # noqa: PTH100 (links are kept)
        if not path.is_file():
            raise BuildFileError("there is no such build file", where=str(self._path))
        os.chdir(path.parent)
        sys.path.insert(0, str(path.parent))
        specification = importlib.util.spec_from_file_location("dodo", path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        # inspect finds a function's source by its module, and doit sorts task creators by their lines.
        sys.modules["dodo"] = module
        try:
            specification.loader.exec_module(module)
        except FinnmakeError:
            raise
        except Exception as error:
            trace = error.__traceback__
            line = 0
            while trace is not None:
                if trace.tb_frame.f_code.co_filename == str(path):
                    line = trace.tb_lineno
                trace = trace.tb_next
            line = getattr(error, "lineno", None) or line
            raise BuildFileError(f"{type(error).__name__}: {error}", where=f"{self._path}:{line}") from error
        self.namespace = dict(inspect.getmembers(module))


def build(
    source: Path | Mapping[str, Any],
    selection: Sequence[str] = (),
    *,
    jobs: int = 1,
    always: bool = False,
    keep_going: bool = False,
    may_run: bool = True,
    output: IO[str] | None = None,
    profile: Path | None = None,
    remote_execution: str | None = None,
    use_slurm: bool = False,
    stamp: StampWriter | None = None,
) -> BuildResult:
    """Bring tasks up to date.

    Args:
        source: a build file, or the names that one would define (objects with ``create_doit_tasks``).
        selection: tasks, groups or targets; empty for the default.
        jobs: actions at the same time.
        always: run actions whose result is known, too.
        keep_going: after a failure, build what does not need the failed task.
        may_run: False takes results from the stores only and runs no action.
        output: where the lines of the reporter go; nowhere by default.
        profile: file that a trace in Chrome's format is written to.
        remote_execution: address of the engine that actions run on; "" for that of ``finnmake.toml``, None to run them
            here.
        use_slurm: run tools as Slurm jobs.
        stamp: takes down what was looked at; the caller has made it before it looked at anything itself, and writes it.

    Raises:
        FinnmakeError: the build file cannot be used, a name is unknown, a tool is missing. Actions that fail do not
            raise.
    """
    started = time.monotonic()
    loader = BuildFileLoader(source) if isinstance(source, Path) else ModuleTaskLoader(dict(source))
    loader.config = {}
    command = Run(task_loader=loader, config={}, bin_name="finnmake", cmds={})
    command.raise_errors = True
    command.remote_execution = remote_execution
    command.use_slurm = use_slurm
    command.may_run = may_run
    command.stamp = stamp
    params, _ = command.cmdparser.parse([])
    # Set, not parsed: a value given here must win over the build file's DOIT_CONFIG.
    params["num_process"] = jobs
    params["always"] = always
    params["continue"] = keep_going
    params["profile"] = str(profile) if profile is not None else None
    params["outfile"] = io.StringIO() if output is None else output
    try:
        status = command.execute(params, list(selection))
    except InvalidCommand as error:
        name = error.not_found
        raise BuildFileError(
            f"there is no task or target {name!r}" if name else str(error), remedy="`doit list --all` names them"
        ) from error
    except (InvalidDodoFile, InvalidTask) as error:
        raise BuildFileError(str(error)) from error
    session = command.session
    if stamp is not None and status == 0:
        stamp.take(session)
    return BuildResult(
        ok=status == 0,
        seconds=time.monotonic() - started,
        actions=session.counts(),
        ran=tuple(sorted(name for name, outcome in session.found() if outcome.outcome == "run")),
        outputs=session.outputs(),
        failures=dict(session.failures),
        interrupted=status == INTERRUPTED,
        missing=tuple(sorted(session.missing)),
    )
