"""Decides what is out of date and brings it up to date: from the store if it can, by running the action if it must."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finnmake.build.action import Action, Canonical, PythonCommand
from finnmake.build.canonical import CanonicalInputs, CanonicalUnknownError
from finnmake.build.cleaning import remove_leftovers
from finnmake.build.collection import collect_after_build
from finnmake.build.configuration import ExecutionConfiguration
from finnmake.build.deferred import Deferred, NotHereError
from finnmake.build.digest import Digest, DigestMemo, FileDigest, change_stamp
from finnmake.build.executor import Executor, MachineLostError, ToolRunner
from finnmake.build.key import ReapiAction, Resolved, reapi_action
from finnmake.build.looked import Looked, Lookup, Originals, input_file
from finnmake.build.outcome import Mark, NotStoredError, Outcome, Status, unmarked
from finnmake.build.publish import place_of, publish
from finnmake.build.result import ActionResult
from finnmake.build.sandbox import Bubblewrap, InputChangedError, Scratch, ScratchFolder
from finnmake.build.sources import SourceIndex
from finnmake.build.state import OutputRecord, State, TaskRecord
from finnmake.build.store import LocalStore
from finnmake.build.tools import Toolbox
from finnmake.build.worker import WorkerPool
from finnmake.build.workspace import Workspace
from finnmake.errors import BuildFileError

if TYPE_CHECKING:
    from finnmake.build.remote.execution import RemoteExecutor
    from finnmake.build.remote.sharing import Sharing

SECONDS = "seconds"
"""Kind of the memos that say what actions took when they last ran, if it was worth a note."""
_NOTED_SECONDS = 0.1

UPLOAD = "upload"
"""Kind of the memos that name results which are still to be uploaded."""
_UPLOAD_SECONDS = 10.0
"""How long a build that is done waits for uploads; the rest goes with the next build."""


_LIVES = 3
"""How often an action is run whose machine gets lost."""


class Rebuilder:
    """The rebuilder of one workspace. Its methods may be called from any thread.

    Args:
        workspace: where everything is.
        use_bubblewrap: False runs tools without it even where it works.
        execution: remote engine that actions run on; None to run them here.
        use_slurm: run tools as Slurm jobs.

    Attributes:
        settled: nothing is left to do for the next build, such as uploads.
        judged: the input files, with their digests, that each task was last asked about or executed with.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        use_bubblewrap: bool = True,
        execution: ExecutionConfiguration | None = None,
        use_slurm: bool = False,
    ) -> None:
        self.workspace = workspace
        self._root = str(workspace.root)
        folder = workspace.state_folder
        self.state = State(folder / "state.sqlite")
        self.digests = DigestMemo(workspace.root, self.state)
        self.toolbox = Toolbox(workspace.tools, self.state)
        self.sources = SourceIndex(self.digests, self.state)
        self.store = LocalStore(workspace.store)
        self.sharing = self._open_sharing()
        self._remote_executor = self._open_executor(execution)
        self._deferred = Deferred(workspace.root, self.state, usable=execution is not None)
        self._slurm = self._open_slurm(bubblewrap=use_bubblewrap) if use_slurm else None
        # Actions that wait for a remote engine or for Slurm may be more than this machine could run by itself.
        slots = len(os.sched_getaffinity(0))
        elsewhere = execution is not None or use_slurm
        self._local_slots = threading.Semaphore(slots) if elsewhere else nullcontext()
        self._scratch = ScratchFolder(folder / "scratch")
        self._pool = WorkerPool(folder / "logs" / "workers.log")
        self._executor = Executor(self.toolbox, self._pool, Bubblewrap() if use_bubblewrap else None, self._slurm)
        self._canonical = CanonicalInputs(
            workspace.root,
            self.state,
            self.sources,
            self.store,
            self._scratch,
            self._pool,
            self.log_path("canonical"),
            partial(input_file, self.digests, self._deferred),
        )
        self._lookup = Lookup(
            workspace.root, self.state, self.digests, self.toolbox, self.sources, self._deferred, self._canonical
        )
        self.judged: dict[str, Originals] = {}
        self.settled = True
        self._keys: dict[str, threading.Lock] = {}
        self._keys_lock = threading.Lock()

    def _open_sharing(self) -> Sharing | None:
        configuration = self.workspace.configuration.remote
        if configuration is None:
            return None
        from finnmake.build.remote.cache import open_remote
        from finnmake.build.remote.sharing import Sharing

        pending = self.state.memos(UPLOAD)
        return Sharing(
            self.store,
            open_remote(configuration),
            writes=configuration.writes,
            pending=[Digest(sha256, int(size)) for sha256, size in pending.items()],
            remember=lambda action: self.state.record_memo(UPLOAD, action.sha256, "", str(action.size)),
            forget=lambda action: self.state.remove_memo(UPLOAD, action.sha256),
        )

    def _open_executor(self, configuration: ExecutionConfiguration | None) -> RemoteExecutor | None:
        if configuration is None:
            return None
        from finnmake.build.remote.execution import RemoteExecutor

        return RemoteExecutor(configuration, self.store)

    def _open_slurm(self, *, bubblewrap: bool) -> ToolRunner:
        from finnmake.build.slurm.runner import SlurmRunner

        slurm = self.workspace.configuration.slurm
        folder = self.workspace.state_folder / "slurm"
        return SlurmRunner(slurm, self.workspace.tools, folder, bubblewrap=bubblewrap)

    def resolved(self, action: Action) -> Resolved:
        """An action with everything that its key is made of, as it is now.

        Raises:
            FinnmakeError: an input or a tool is missing.
        """
        return self._lookup.look(action, may_run=True).resolved

    # Status

    def status(self, name: str, action: Action, *, may_run: bool, wanted: bool = True) -> Status:
        """Whether a task is up to date.

        Args:
            name: of the task.
            action: of the task.
            may_run: allows canonical inputs' functions to be run; without it such a task counts as out of date.
            wanted: the task's outputs are to be here, not only with a remote engine.

        Raises:
            FinnmakeError: an input or a tool is missing.
        """
        record = self.state.tasks.get(name)
        try:
            looked = self._lookup.look(action, may_run=may_run)
        except (CanonicalUnknownError, NotHereError) as error:
            return Status(False, error.what)
        resolved = looked.resolved
        self.judged[name] = looked.originals
        if record is None:
            return Status(False, "first build")
        if not record.fingerprint:
            return Status(False, "forgotten")
        if record.fingerprint != change_stamp(resolved.fingerprint_text()):
            return Status(False, self._changes(name, resolved))
        if any(place_of(output.scratch, action.outputs) != output.path for output in record.outputs):
            return Status(False, "outputs go to another place")
        if wanted and self.is_deferred(record):
            return Status(False, "its outputs lie with the remote engine")
        changed = tuple(output.path for output in record.outputs if not self._is(output))
        if changed:
            return Status(False, f"output edited: {', '.join(changed)}", changed)
        return Status(True)

    def _changes(self, name: str, resolved: Resolved) -> str:
        before, _ = self.state.ingredients(name)
        now = resolved.ingredients()
        names = sorted(key for key in {*now, *(before or {})} if now.get(key) != (before or {}).get(key))
        return f"changed: {', '.join(names)}"

    def _is(self, output: OutputRecord) -> bool:
        file = f"{self._root}/{output.path}"
        try:
            return self.digests.look_no_link(file) == output[2:]
        except (OSError, BuildFileError):
            return self._deferred.find(file) == output[2:]

    def is_deferred(self, record: TaskRecord) -> bool:
        """Whether outputs of a task lie with a remote engine only."""
        return bool(self._deferred) and any(self._deferred.find(f"{self._root}/{o.path}") for o in record.outputs)

    # Execution

    def execute(
        self,
        name: str,
        action: Action,
        reason: str = "",
        *,
        always: bool = False,
        may_run: bool = True,
        wanted: bool = True,
        mark: Mark = unmarked,
    ) -> Outcome:
        """Bring a task up to date and commit it to the state.

        Args:
            name: of the task.
            action: of the task.
            reason: why, as ``status`` said.
            always: run the action even if the store knows its result.
            may_run: False takes the result from the store or the remote cache or not at all.
            wanted: False leaves the outputs with the remote engine, if it runs the action.
            mark: records phases.

        Raises:
            NotStoredError: the action would have to run and must not.
            NotHereError: bytes are needed that lie with the remote engine only.
            FinnmakeError: the action failed; the store and the state are as before.
        """
        started = time.monotonic()
        self.digests.forget()
        looked = self._lookup.look(action, may_run=True)
        self.judged[name] = looked.originals
        message = reapi_action(looked.resolved)
        key = message.key
        mark("wait")
        with self._single_flight(key):
            how = "store"
            mark("fetch local")
            result = None if always else self._stored(key, action)
            deferring = not wanted and self._remote_executor is not None and self._remote_executor.takes(message)
            if result is None and not always and self.sharing is not None and not deferring:
                mark("fetch remote")
                if self.sharing.fetch(message.digest):
                    how = "remote"
                    result = self._stored(key, action)
            mark("publish")
            here = result is not None and publish(self.workspace.root, self.digests, self.store, action.outputs, result)
            if result is None or not here:
                if not may_run:
                    raise NotStoredError("its result is neither in the store nor in the remote cache", where=key)
                how, result, here = self._run(name, looked, message, mark, always=always, download=wanted)
                mark("publish")
                if here:
                    self._keep(message, action, result)
        mark("record")
        seconds = time.monotonic() - started
        self._record(name, looked.resolved, key, result, how, reason, seconds, here=here)
        if how == "run" and seconds >= _NOTED_SECONDS:
            self.state.record_memo(SECONDS, name, "", f"{seconds:.3f}")
        # What another thread has seen of this action's outputs before they were there.
        self.digests.forget()
        return Outcome(how, seconds)

    def noted_seconds(self) -> dict[str, float]:
        """What actions took when they last ran, of those that took long."""
        return {name: float(seconds) for name, seconds in self.state.memos(SECONDS).items()}

    def _stored(self, key: str, action: Action) -> ActionResult | None:
        result = self.store.get_result(key)
        if result is None:
            return None
        return result if result.has(action.outputs) else None

    def _keep(self, message: ReapiAction, action: Action, result: ActionResult) -> None:
        """Take a result, whose blobs the store has, into store, workspace and remote cache."""
        self.store.put_result(message.key, result)
        if self.sharing is not None:
            self.sharing.offer(message.digest)
        if not publish(self.workspace.root, self.digests, self.store, action.outputs, result):
            raise BuildFileError("the store lost what was just put into it", where=str(self.store.folder))

    def _run(
        self, name: str, looked: Looked, message: ReapiAction, mark: Mark, *, always: bool, download: bool
    ) -> tuple[str, ActionResult, bool]:
        """Run an action, remotely if it can be.

        Returns:
            ``run``, or ``remote`` where an engine knew the result; the result; whether the store has its blobs.
        """
        if self._remote_executor is not None and self._remote_executor.takes(message):
            mark("run")
            executed = self._remote_executor.run(
                message,
                looked.blobs(self.store),
                self.log_path(name),
                always=always,
                download=download,
                lost=lambda blobs: self._deferred.require(looked.places_of(blobs)),
            )
            self._check_again(looked)
            if executed is not None and executed.result.has(looked.resolved.action.outputs):
                return "remote" if executed.cached else "run", executed.result, download
        self._deferred.require(path for path in looked.paths.values() if path is not None)
        mark("wait")
        is_tool = not isinstance(looked.resolved.action.command, PythonCommand)
        with nullcontext() if self._slurm is not None and is_tool else self._local_slots:
            for _ in range(_LIVES - 1):
                with suppress(MachineLostError):
                    return "run", self._run_here(name, looked, mark), True
            return "run", self._run_here(name, looked, mark), True

    def _run_here(self, name: str, looked: Looked, mark: Mark) -> ActionResult:
        action = looked.resolved.action
        mark("inputs")
        with self._scratch.scratch() as scratch:
            self._fill(scratch, looked)
            mark("run")
            self._executor.run(looked.resolved, scratch, self.log_path(name))
            mark("put")
            found = scratch.collect(tuple(action.outputs))
            self._check_again(looked)
            files = []
            for path, file in sorted(found.items()):
                executable = bool(os.stat(file).st_mode & 0o100) and os.access(file, os.X_OK)  # noqa: PTH116
                digest = self.store.put_file(file)
                files.append((path, FileDigest(digest.sha256, digest.size, executable)))
        directories = tuple(sorted(path for path in action.outputs if path.endswith("/")))
        return ActionResult(tuple(files), directories)

    def _fill(self, scratch: Scratch, looked: Looked) -> None:
        for path, file in looked.resolved.inputs.items():
            source = looked.paths[path]
            if source is not None:
                scratch.add(path, source, file)
                continue
            target = scratch.box / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not self.store.get_file(file, target):
                original = looked.resolved.action.inputs[path]
                assert isinstance(original, Canonical)
                self._canonical.restore(path, original)
                if not self.store.get_file(file, target):
                    raise InputChangedError(
                        "is not what it was when the build started", where=path, remedy="build again"
                    )

    def _check_again(self, looked: Looked) -> None:
        for path, file in looked.originals:
            try:
                same = self.digests.file(path) == file
            except (OSError, BuildFileError):
                same = self._deferred.find(path) == file
            if not same:
                raise InputChangedError("was edited while its action ran", where=str(path), remedy="build again")
        sources = looked.resolved.sources
        if sources is not None and not self.sources.unchanged(sources):
            raise InputChangedError("finnmake's own sources were edited while the build ran", remedy="build again")

    def _record(
        self,
        name: str,
        resolved: Resolved,
        key: str,
        result: ActionResult,
        how: str,
        reason: str,
        seconds: float,
        *,
        here: bool,
    ) -> None:
        outputs = tuple(
            OutputRecord(scratch, place_of(scratch, resolved.action.outputs), *file) for scratch, file in result.files
        )
        fingerprint = change_stamp(resolved.fingerprint_text())
        before = self.state.tasks.get(name)
        places = {output.path for output in outputs}
        earlier = before.outputs if before else ()
        # An action that now writes elsewhere leaves nothing over: the other place is the result of another build.
        moved = any(place_of(output.scratch, resolved.action.outputs) not in ("", output.path) for output in earlier)
        for output in earlier:
            if output.path not in places and not moved:
                self.state.record_memo("leftover", output.path, "", output.sha256)
        record = TaskRecord(
            name, self.workspace.origin, fingerprint, key, outputs, self.state.build_id, how, reason, seconds
        )
        if not here:
            # Read by the next action, other bytes would be those of this one.
            self._deferred.clear(output for output in outputs if not self._is(output))
        self.state.record_task(record, resolved.ingredients())
        if here:
            self._deferred.arrived(name)
        else:
            self._deferred.defer(name, key, outputs)

    @property
    def listed(self) -> frozenset[str]:
        """Paths of the folders that were listed because they, or folders above them, are inputs."""
        return frozenset(self._lookup.listed)

    @contextmanager
    def _single_flight(self, key: str) -> Iterator[None]:
        with self._keys_lock:
            lock = self._keys.setdefault(key, threading.Lock())
        with lock, self.store.lock(key):
            yield

    # The rest

    def log_path(self, name: str) -> Path:
        """Where a task's log is."""
        return self.workspace.state_folder / "logs" / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.log"

    def end_build(self, up_to_date: Iterable[str], *, sweep: bool = True) -> None:
        """Write down which tasks were up to date, and sweep if no task runs any more."""
        if sweep:
            remove_leftovers(self.workspace.root, self.state)
        self.state.end_build(up_to_date)
        if self.sharing is not None:
            left = self.sharing.finish(_UPLOAD_SECONDS)
            self.settled = left == 0
            if left:
                print(
                    f"finnmake: {left} results are still to be uploaded: the next build does it, "
                    "or `finnmake cache push`",
                    file=sys.stderr,
                )
        if self._deferred:
            # The next build may have to ask an engine for them.
            self.settled = False
        # Only what a build has put makes a store larger: a build that runs nothing does not look.
        collect_after_build(self.store, self.workspace.configuration.store_size)

    def stop(self) -> None:
        """Kill what is running."""
        self._executor.stop()
        if self._remote_executor is not None:
            self._remote_executor.stop()

    def close(self) -> None:
        """End workers, remove scratch directories, write the state."""
        self._executor.close()
        if self._remote_executor is not None:
            self._remote_executor.close()
        self._scratch.close()
        if self.sharing is not None:
            self.sharing.close()
        self.store.close()
        self.state.close()
