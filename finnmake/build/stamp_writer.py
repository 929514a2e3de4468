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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from finnmake.build.digest import RACY_NS
from finnmake.build.files import write_atomically
from finnmake.build.footprint import UNKNOWN
from finnmake.build.footprint_keeper import FootprintKeeper
from finnmake.build.load_watch import LoadWatch
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.session import Session
from finnmake.build.stamp import FOLDER, encode, name_of, question, states
from finnmake.build.surroundings import RacyError, look_at, surroundings

_KEPT = 32
"""Stamps in a workspace: of other arguments and other shells."""


class StampWriter:
    """Takes down what one build looked at, and leaves a stamp if it had nothing to do.

    Args:
        arguments: of the command line, with the command's name.
        started: when the process began (ns since the epoch).

    Attributes:
        watch: notes what the build opens.
        footprint: left by every build that succeeds.
    """

    def __init__(self, arguments: list[str], started: int) -> None:
        self.watch = LoadWatch()
        self._asked = question(arguments)
        self._started = started
        self._clock = time.time_ns() - time.monotonic_ns()
        self._taken: tuple[Path, dict[str, bytes], list[str]] | None = None
        self.footprint = FootprintKeeper(self._asked, started, self.watch)

    def take(self, session: Session) -> None:
        """Takes down what a session that is closed has looked at, if it found everything up to date."""
        self.watch.stop()
        self.footprint.take(session)
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
        with suppress(OSError, OverflowError, RacyError):
            root = rebuilder.workspace.root
            seen, absent = self._seen(rebuilder)
            # Closed, or its last writing would come when the process ends.
            rebuilder.state.shut()
            state = rebuilder.state.path
            # Another build that is running has the file open, and may be writing.
            absent.append(f"{state}-wal")
            if not any(map(os.path.lexists, absent)):
                self._taken = (root, seen | {str(state): states([str(state)])}, absent)

    def _seen(self, rebuilder: Rebuilder) -> tuple[dict[str, bytes], list[str]]:
        """Files and folders with their states, and paths at which there is nothing.

        Raises:
            RacyError: a state that could hide a change.
        """
        if self.footprint.shortened:
            # Not all files have been looked at in this build.
            footprint = self.footprint.taken
            if footprint is None or UNKNOWN in footprint.files.values():
                raise RacyError
            return {**footprint.fixed, **footprint.files}, [*footprint.absent]
        seen = dict(_digested(rebuilder))
        found = look_at(
            surroundings(rebuilder, self.watch.files, self.watch.folders, [*seen]), self._started, known=seen
        )
        return seen | found.present, found.absent

    def write(self, said: str) -> None:
        """Leaves the stamp, if there is one to leave.

        Args:
            said: what the build printed, with ``stamp.SECONDS`` in place of its duration.
        """
        self.footprint.write()
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


def _digested(rebuilder: Rebuilder) -> Iterator[tuple[str, bytes]]:
    for path in sorted(rebuilder.digests.looked):
        row = rebuilder.digests.row(path)
        if row is None or row.recorded_ns - max(row.mtime_ns, row.ctime_ns) < RACY_NS:
            raise RacyError
        yield path, b"".join(n.to_bytes(8, sys.byteorder) for n in (row.inode, row.size, row.mtime_ns, row.ctime_ns))


def _prune(folder: Path) -> None:
    found = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder)]
    for _, path in sorted(found)[:-_KEPT]:
        Path(path).unlink(missing_ok=True)
