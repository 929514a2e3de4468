"""Writes the whole-graph stamp of a build that found everything up to date.

A stamp is only as good as its list. On it are: every file whose digest the build asked for (inputs, outputs, sources of
Python actions) with the state that its digest belongs to; every module that is loaded, every file that the build file
opened and every folder that it listed; the folders in which another file of a name would be found first (of the build
file, of all these files, of ``PATH`` and ``sys.path``); the programs of the tools; the state file. Nothing is written
where one of them changed so lately that its times could not show the next change.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from finnmake.build.configuration import CONFIGURATION
from finnmake.build.digest import RACY_NS
from finnmake.build.files import write_atomically
from finnmake.build.load_watch import LoadWatch
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.session import Session
from finnmake.build.stamp import FOLDER, encode, name_of, question, states

_QUIET_NS = 2 * RACY_NS
"""How long before the start of the build a file must have changed last whose digest is not known: modules were loaded a
little before."""
_KEPT = 32
"""Stamps in a workspace: of other arguments and other shells."""


class StampWriter:
    """Takes down what one build looked at, and leaves a stamp if it had nothing to do.

    Args:
        arguments: of the command line, with the command's name.
        started: when the process began (ns since the epoch).
    """

    def __init__(self, arguments: list[str], started: int) -> None:
        self.watch = LoadWatch()
        self._asked = question(arguments)
        self._started = started
        self._clock = time.time_ns() - time.monotonic_ns()
        self._taken: tuple[Path, dict[str, bytes], list[str]] | None = None

    def take(self, session: Session) -> None:
        """Takes down what a session that is closed has looked at, if it found everything up to date."""
        self.watch.stop()
        rebuilders = session.rebuilders
        counts = session.counts()
        # Uploads that are still to be done, actions that ran: the next build is not the same as this one.
        if len(rebuilders) != 1 or counts["up_to_date"] != sum(counts.values()) or not session.only_engine_tasks:
            return
        rebuilder = rebuilders[0]
        if (
            self.watch.foreign
            or not rebuilder.settled
            or abs(time.time_ns() - time.monotonic_ns() - self._clock) > RACY_NS
        ):
            return
        with suppress(OSError, OverflowError, _RacyError):
            root = rebuilder.workspace.root
            seen = dict(_digested(rebuilder))
            absent: list[str] = []
            for path in self._others(rebuilder, [*seen]):
                if path in seen:
                    continue
                try:
                    status = os.stat(path)  # noqa: PTH116
                except (FileNotFoundError, NotADirectoryError):
                    absent.append(path)
                    continue
                if max(status.st_mtime_ns, status.st_ctime_ns) > self._started - _QUIET_NS:
                    raise _RacyError
                seen[path] = states([path])
            # Closed, or its last writing would come when the process ends.
            rebuilder.state.shut()
            state = rebuilder.state.path
            # Another build that is running has the file open, and may be writing.
            absent.append(f"{state}-wal")
            if not any(map(os.path.lexists, absent)):
                self._taken = (root, seen | {str(state): states([str(state)])}, absent)

    def write(self, said: str) -> None:
        """Leaves the stamp, if there is one to leave.

        Args:
            said: what the build printed, with ``stamp.SECONDS`` in place of its duration.
        """
        if self._taken is None:
            return
        root, seen, absent = self._taken
        # Short paths are found sooner.
        here = f"{os.getcwd()}/"  # noqa: PTH109
        paths = [path.removeprefix(here) for path in seen]
        folder = root / FOLDER
        with suppress(OSError):
            content = encode(self._asked, said, paths, absent, b"".join(seen.values()))
            write_atomically(folder / name_of(self._asked), content)
            _prune(folder)

    def _others(self, rebuilder: Rebuilder, digested: Iterable[str]) -> Iterator[str]:
        """Everything besides files with digests, there or not. Python's own files are known by their folders."""
        python = tuple(f"{os.path.realpath(prefix)}/" for prefix in (sys.base_prefix, sys.prefix))
        modules = [os.path.abspath(file) for file in map(_file_of, list(sys.modules.values())) if file]  # noqa: PTH100
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
        loaded = [path for path in modules if path.startswith(f"{package}/") or not path.startswith(python)]
        known = ("/dev/", *python)
        opened = [path for path in self.watch.files if "/__pycache__/" not in path and not path.startswith(known)]
        yield from (path for path in self.watch.folders if not f"{path}/".startswith(known))
        files = dict.fromkeys((*loaded, *opened, str(rebuilder.workspace.build_file)))
        yield from files
        yield from dict.fromkeys(
            folder
            for folder in map(os.path.dirname, (*files, *digested))
            if not folder.startswith(str(rebuilder.workspace.state_folder))
        )
        yield from (os.path.abspath(entry) for entry in (*sys.path, *os.get_exec_path()))  # noqa: PTH100
        yield from (str(tool.path) for tool in rebuilder.toolbox.found)
        above = rebuilder.workspace.build_file
        for folder in (above, *above.parents):
            yield str(folder / CONFIGURATION)
            if folder == rebuilder.workspace.root:
                break


def _file_of(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or "")


class _RacyError(Exception):
    """Something changed too lately."""


def _digested(rebuilder: Rebuilder) -> Iterator[tuple[str, bytes]]:
    for path in sorted(rebuilder.digests.looked):
        row = rebuilder.digests.row(path)
        if row is None or row.recorded_ns - max(row.mtime_ns, row.ctime_ns) < RACY_NS:
            raise _RacyError
        yield path, b"".join(n.to_bytes(8, sys.byteorder) for n in (row.inode, row.size, row.mtime_ns, row.ctime_ns))


def _prune(folder: Path) -> None:
    found = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder)]
    for _, path in sorted(found)[:-_KEPT]:
        Path(path).unlink(missing_ok=True)
