"""Runs tool actions as Slurm jobs: submits each with ``sbatch``, asks for all of them together with ``squeue``."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import finnmake.errors
from finnmake.build.configuration import SlurmConfiguration
from finnmake.build.executor import ActionFailedError, MachineLostError
from finnmake.build.files import write_atomically
from finnmake.build.key import Resolved
from finnmake.build.launcher import UnfitError
from finnmake.build.locks import lock_file
from finnmake.build.sandbox import Scratch
from finnmake.build.slurm.commands import (
    JobState,
    Slurm,
    UnreachableError,
    Verdict,
    job_script,
    remedy,
    submission,
    verdict,
)
from finnmake.build.slurm.job import JOB, OUTCOME, job_file
from finnmake.build.tools import Tool
from finnmake.errors import FinnmakeError, ToolError

_FIRST_PAUSE = 0.1
_GROWTH = 1.3
_SHOWN_LINES = 20
_UNREACHABLE_SECONDS = 600.0
"""How long Slurm may not answer before its jobs are given up."""
_END_SECONDS = 5.0
"""How long a build that ends waits for its cancelled jobs to be gone."""


def _warn(message: str) -> None:
    print(f"finnmake: {message}", file=sys.stderr)


@dataclass
class _Job:
    """A job that somebody waits for.

    Attributes:
        problem: why it has no outcome; None as long as it may have one.
        ended_at: when it was first seen to have ended.
    """

    number: int
    outcome: Path
    done: threading.Event = field(default_factory=threading.Event)
    problem: FinnmakeError | None = None
    ended_at: float | None = None


class SlurmRunner:
    """Runs tool actions, any number at a time, each from its own thread.

    A build's jobs have one name, which a lock file stands for: when the build is gone without having cancelled them,
    the next one does.

    Args:
        configuration: of Slurm.
        tools: what the rules say of tools.
        folder: for the lock files, on the file system that builds of the workspace share.
        bubblewrap: False runs tools without it even where a node has it.
        settle: seconds that a job's result may take to be seen here after Slurm says that the job has ended: shared
            file systems show other machines' new files late.
        warn: told when Slurm does not answer.

    Raises:
        ToolError: Slurm's commands are not on PATH.
    """

    def __init__(
        self,
        configuration: SlurmConfiguration,
        tools: Mapping[str, Tool],
        folder: Path,
        *,
        bubblewrap: bool = True,
        settle: float = 30.0,
        warn: Callable[[str], None] = _warn,
    ) -> None:
        self._configuration = configuration
        self._tools = tools
        self._folder = folder
        self._bubblewrap = bubblewrap
        self._settle = settle
        self._warn = warn
        self._slurm = Slurm(os.environ)
        self._slots = threading.Semaphore(configuration.max_jobs)
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._fresh = False
        self._stopped = False
        self._watcher: threading.Thread | None = None
        self._name = ""
        self._lock_descriptor = -1
        self._silent_since: float | None = None

    def run(self, resolved: Resolved, scratch: Scratch, log: Path) -> None:
        """Run a tool action whose inputs are in the scratch directory.

        Raises:
            MachineLostError: its node is gone; the scratch directory is of no use any more.
            FinnmakeError: it failed, as from ``Executor.run``; or Slurm lost or refused the job.
        """
        content = job_file(resolved, self._tools, log, bubblewrap=self._bubblewrap)
        write_atomically(scratch.folder / JOB, content)
        with self._slots:
            job = self._submit(resolved, scratch)
            job.done.wait()
        if job.problem is not None:
            raise job.problem
        _judge(job)

    def _submit(self, resolved: Resolved, scratch: Scratch) -> _Job:
        action = resolved.action
        with self._changed:
            self._begin()
        arguments = submission(self._configuration, self._name, scratch.folder, action.mnemonic, action.licence)
        script = job_script(Path(sys.executable), scratch.folder / JOB)
        job = _Job(self._slurm.submit(arguments, script), scratch.folder / OUTCOME)
        with self._changed:
            self._jobs.append(job)
            self._fresh = True
            self._changed.notify_all()
            stopped = self._stopped
        if stopped:
            self._cancel(str(job.number))
            raise ToolError("the build is being stopped")
        return job

    def _begin(self) -> None:
        if self._stopped:
            raise ToolError("the build is being stopped")
        if self._watcher is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._end_others()
        self._name = f"finnmake-{secrets.token_hex(8)}"
        self._lock_descriptor = os.open(self._folder / self._name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # Says that this build lives; the system takes it away when the process ends, however it ends.
        lock_file(self._lock_descriptor, self._folder)
        self._watcher = threading.Thread(target=self._watch, name="slurm", daemon=True)
        self._watcher.start()

    def _end_others(self) -> None:
        """Cancel the jobs of builds that were killed."""
        for path in self._folder.glob("finnmake-*"):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._slurm.cancel(f"--name={path.name}")
                path.unlink()

    # -- waiting -----------------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._changed:
                while not self._jobs and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                if self._fresh:
                    pause, self._fresh = _FIRST_PAUSE, False
                self._changed.wait(pause)
            pause = min(pause * _GROWTH, self._configuration.poll)
            self._look()

    def _look(self) -> None:
        with self._changed:
            jobs = list(self._jobs)
        jobs = [job for job in jobs if not self._has_outcome(job)]
        if not jobs:
            return
        try:
            states = self._slurm.states(self._name)
        except UnreachableError as error:
            self._unreachable(error)
            return
        self._silent_since = None
        for job in jobs:
            # Asked again: it may have come while squeue ran.
            if not self._has_outcome(job):
                self._decide(job, states.get(job.number))

    def _has_outcome(self, job: _Job) -> bool:
        if not job.outcome.exists():
            return False
        self._end(job, None)
        return True

    def _decide(self, job: _Job, state: JobState | None) -> None:
        said = state.state if state else "unknown"
        found = verdict(state)
        if found is Verdict.LOST:
            self._end(job, MachineLostError(f"Slurm job {job.number} has lost its node ({said})", remedy="build again"))
        elif found is Verdict.FAILED:
            self._cancel(str(job.number))
            reason = f", {state.reason}" if state is not None and state.reason != "None" else ""
            self._end(job, ToolError(f"Slurm job {job.number} was not completed: {said}{reason}", remedy=remedy(state)))
        elif found is Verdict.ENDED:
            job.ended_at = job.ended_at or time.monotonic()
            if time.monotonic() - job.ended_at > self._settle:
                lines = _lines(job.outcome.with_name("slurm.out"))
                what = f"{lines}Slurm job {job.number} ended ({said}) and left no result"
                self._end(job, ToolError(what, remedy="check that nodes see the build folder and Python as here"))

    def _unreachable(self, error: UnreachableError) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
            self._warn(f"{error.what}; asking again")
        elif now - self._silent_since > _UNREACHABLE_SECONDS:
            with self._changed:
                jobs = list(self._jobs)
            for job in jobs:
                self._end(job, ToolError(f"Slurm job {job.number}: {error.what}", remedy="see that slurmctld runs"))

    def _end(self, job: _Job, problem: FinnmakeError | None) -> None:
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                job.problem = problem
                self._fresh = True
        job.done.set()

    # -- ending ------------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Cancel every job, and submit no more."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            jobs = list(self._jobs)
            self._changed.notify_all()
        if jobs:
            self._cancel(f"--name={self._name}")
        for job in jobs:
            self._end(job, ToolError("the build is being stopped"))
        if jobs:
            self._wait_until_gone()

    def close(self) -> None:
        """Cancel what runs, and give the name back."""
        self.stop()
        if self._lock_descriptor >= 0:
            with suppress(OSError):
                (self._folder / self._name).unlink()
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    def _cancel(self, which: str) -> None:
        try:
            self._slurm.cancel(which)
        except UnreachableError as error:
            self._warn(f"{error.what}: its jobs may go on; `scancel {which}` ends them")

    def _wait_until_gone(self) -> None:
        """So that no job writes into a scratch directory while it is removed."""
        deadline = time.monotonic() + _END_SECONDS
        with suppress(UnreachableError):
            while time.monotonic() < deadline:
                states = self._slurm.states(self._name).values()
                if all(state.state != "COMPLETING" and verdict(state) is not Verdict.GOES_ON for state in states):
                    return
                time.sleep(_FIRST_PAUSE)


def _judge(job: _Job) -> None:
    """Raises what the outcome says."""
    try:
        said = json.loads(job.outcome.read_bytes())
        kind, what, where, advice = (str(said[name]) for name in ("kind", "what", "where", "remedy"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"the outcome of Slurm job {job.number} cannot be read: {error}") from error
    if not kind:
        return
    known = {"ActionFailedError": ActionFailedError, "MachineLostError": MachineLostError, "UnfitError": UnfitError}
    found = known.get(kind, getattr(finnmake.errors, kind, ToolError))
    if not (isinstance(found, type) and issubclass(found, FinnmakeError)):
        found = ToolError
    raise found(what, where=where, remedy=advice)


def _lines(path: Path) -> str:
    """The end of what a job has printed, each line with its line feed."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(f"{line}\n" for line in text.splitlines()[-_SHOWN_LINES:])
