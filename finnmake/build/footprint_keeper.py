"""Takes down a build's footprint while it is made, and says by the last one which tasks need not be asked."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from doit.task import Task

from finnmake.build.digest import RACY_NS
from finnmake.build.footprint import FOLDER, UNKNOWN, Footprint, affected, read, records_of, write
from finnmake.build.load_watch import LoadWatch
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.session import Session
from finnmake.build.stamp import name_of
from finnmake.build.surroundings import RacyError, look_at, surroundings


class FootprintKeeper:
    """The footprint of one build, and that of the build before with the same question.

    Args:
        asked: the question (``stamp.question``).
        started: when the process began (ns since the epoch).
        watch: notes what the build file opens.
    """

    def __init__(self, asked: bytes, started: int, watch: LoadWatch) -> None:
        self._asked = asked
        self._started = started
        self._clock = time.time_ns() - time.monotonic_ns()
        self._watch = watch
        self._opened: frozenset[str] = frozenset()
        self._listed: frozenset[str] = frozenset()
        self._usable = False
        self._before: Footprint | None = None
        self._changed: frozenset[str] = frozenset()
        self._taken: tuple[Path, Footprint] | None = None

    @property
    def shortened(self) -> bool:
        """Whether there are tasks that this build has not asked."""
        return self._before is not None

    @property
    def taken(self) -> Footprint | None:
        """The footprint of this build, where one has been taken."""
        return None if self._taken is None else self._taken[1]

    def loaded(self) -> None:
        """The build file has been loaded, and nothing else been looked at yet."""
        self._opened, self._listed = frozenset(self._watch.files), frozenset(self._watch.folders)
        self._usable = not self._watch.foreign

    def spoilt(self) -> None:
        """The build file has been loaded again: what that read this build has made."""
        self._usable = False

    def unaffected(self, session: Session, tasks: Mapping[str, Task], needed: set[str]) -> frozenset[str]:
        """The tasks that are known to be up to date without being asked.

        Args:
            session: that is building.
            tasks: all tasks, by name.
            needed: names of those that are to be brought up to date, groups among them.
        """
        rebuilder = self._rebuilder(session)
        if rebuilder is None or session.always or not session.may_run:
            return frozenset()
        before = read(self._path(rebuilder), self._asked)
        names = needed & session.tasks.keys()
        if before is None or names != before.tasks.keys() or records_of(rebuilder.state) != before.records:
            return frozenset()
        changed = before.changed_files()
        if changed is None:
            return frozenset()

        def outputs(name: str) -> list[str]:
            record = rebuilder.state.tasks.get(name)
            return _short(f"{rebuilder.workspace.root}/{output.path}" for output in record.outputs) if record else []

        needs = ((name, tasks[name]) for name in needed)
        comes_after = {name: [*task.task_dep, *task.setup_tasks, *task.calc_dep] for name, task in needs}
        asked = affected(before, changed, comes_after, outputs)
        if any(session.tasks[name].expanding for name in asked & names):
            return frozenset()
        self._before, self._changed = before, changed
        return frozenset(names - asked)

    def take(self, session: Session) -> None:
        """Takes down the footprint of a build that has left everything up to date and is closed."""
        rebuilder = self._rebuilder(session)
        if rebuilder is None or session.counts()["failed"] or not session.only_engine_tasks:
            return
        if abs(time.time_ns() - time.monotonic_ns() - self._clock) > RACY_NS:
            return
        with suppress(OSError, OverflowError, RacyError, KeyError):
            found = self._footprint(session, rebuilder)
            self._taken = (self._path(rebuilder), found)

    def write(self) -> None:
        """Leaves the footprint, if one has been taken."""
        if self._taken is not None:
            path, footprint = self._taken
            with suppress(OSError):
                write(path, self._asked, footprint)

    def _path(self, rebuilder: Rebuilder) -> Path:
        return rebuilder.workspace.root / FOLDER / name_of(self._asked)

    def _rebuilder(self, session: Session) -> Rebuilder | None:
        """The one rebuilder of a build whose footprint can be known."""
        rebuilders = session.rebuilders
        if not self._usable or len(rebuilders) != 1 or session.remote_execution is not None or session.use_slurm:
            return None
        return rebuilders[0]

    def _footprint(self, session: Session, rebuilder: Rebuilder) -> Footprint:
        root, before = rebuilder.workspace.root, self._before
        sources = rebuilder.sources.files
        listed = self._listed | rebuilder.listed
        seen = look_at([*sources, *surroundings(rebuilder, self._opened, listed, sources)], self._started)
        fixed = seen.present if before is None else {**before.fixed, **seen.present}
        absent = seen.absent if before is None else [*before.absent, *seen.absent]
        tasks: dict[str, tuple[str, ...]] = {}
        earlier = {} if before is None else before.tasks
        for name in session.outcomes:
            judged = rebuilder.judged.get(name)
            if judged is None:
                tasks[name] = earlier[name]
                continue
            outputs = rebuilder.state.tasks[name].outputs
            places = [*(str(path) for path, _ in judged), *(f"{root}/{output.path}" for output in outputs)]
            tasks[name] = tuple(_short(path for path in places if path not in fixed))
        files = dict.fromkeys(path for paths in tasks.values() for path in paths)
        here = f"{os.getcwd()}/"  # noqa: PTH109
        states = {path: self._state_of(path, here, rebuilder) for path in files}
        return Footprint(fixed, tuple(dict.fromkeys(absent)), states, tasks, records_of(rebuilder.state))

    def _state_of(self, short: str, here: str, rebuilder: Rebuilder) -> bytes:
        """The state that belongs to what was said of a file, in this build and in those that asked before."""
        path = short if short.startswith("/") else here + short
        earlier = None if self._before is None else self._before.files.get(short)
        if not rebuilder.digests.has_seen(path):
            return earlier or UNKNOWN
        row = rebuilder.digests.steady(path)
        now = UNKNOWN if row is None else array("Q", row[:4]).tobytes()
        # One that changed while this build ran: tasks that were not asked have not seen it so.
        return now if earlier is None or short in self._changed or earlier == now else UNKNOWN


def _short(paths: Iterable[str]) -> list[str]:
    """Paths as they are remembered: what lies in the current directory is found sooner without its name."""
    here = f"{os.getcwd()}/"  # noqa: PTH109
    return [path.removeprefix(here) for path in paths]
