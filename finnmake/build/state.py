"""What a workspace remembers between builds: one SQLite file in WAL mode, committed per task.

``kill -9`` loses at most the action that ran. Two builds may share the file: every write is one short transaction,
and nothing read at the start of a build is trusted without being compared with the files it speaks of.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from finnmake.build.locks import require_record_locks
from finnmake.errors import StoreError

FORMAT_VERSION = 1
BUSY_SECONDS = 60

_SCHEMA = """
create table if not exists digest (
  path text primary key, inode int, size int, mtime_ns int, ctime_ns int, recorded_ns int, sha256 text) without rowid;
create table if not exists task (
  name text primary key, origin text, fingerprint text, key text, ingredients text, previous text, outputs text,
  build int, outcome text, reason text, seconds real) without rowid;
create table if not exists build (id integer primary key, started real, seconds real, up_to_date text);
create table if not exists memo (kind text, name text, stamp text, value text, primary key (kind, name)) without rowid;
"""
_FORMAT = f"insert or ignore into memo values ('format', 'state', '', '{FORMAT_VERSION}');"

_MAYBE_DAMAGE = (sqlite3.DatabaseError, ValueError, TypeError)
"""What is raised where a page, or the JSON in a text, is not what was written; see ``_is_damage``."""

_Read = TypeVar("_Read")


class DigestRow(NamedTuple):
    """A file's digest and the file's state when it was taken (times in ns since the epoch)."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    recorded_ns: int
    sha256: str


class OutputRecord(NamedTuple):
    """One file that a task produced: where in the scratch directory, where in the workspace, which bytes."""

    scratch: str
    path: str
    sha256: str
    size: int
    executable: bool


@dataclass(frozen=True)
class TaskRecord:
    """The last successful execution of a task.

    Attributes:
        origin: workspace-relative path of the build file that defined the task.
        fingerprint: XXH3 of the ingredients; "" when the task has been forgotten.
        key: the action's key, 64 hex digits.
        build: id of the build that executed it.
        outcome: ``run`` or ``store``.
        reason: why it was executed when no ingredient changed, e.g. "output edited: a.v"; "" otherwise.
    """

    name: str
    origin: str
    fingerprint: str
    key: str
    outputs: tuple[OutputRecord, ...]
    build: int
    outcome: str
    reason: str
    seconds: float


class State:
    """The state file of one workspace.

    Args:
        path: of the SQLite file; made with its directory when it is not there.

    Raises:
        StoreError: it can be neither opened nor made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.build_id = 0
        self._lock = threading.RLock()
        self._pending_digests: dict[str, DigestRow] = {}
        self._started = time.time()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                require_record_locks(path.parent)
            try:
                self._open()
            except _MAYBE_DAMAGE as error:
                if not _is_damage(error):
                    raise
                self._put_aside()
                self._open()
        except (OSError, sqlite3.Error) as error:
            raise _state_error(path, error) from error

    def _put_aside(self) -> None:
        """Makes room for a new file: the state only saves work, all that a damaged one held is asked of the store."""
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{self.path}.damaged{suffix}")
        print(f"finnmake: {self.path.name} was damaged and is kept as {self.path.name}.damaged", file=sys.stderr)

    def _open(self) -> None:
        self._connection = self._connect()
        try:
            self._load()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        # isolation_level None: no implicit transactions; the few that are needed are written down.
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(connection)
            # In WAL mode NORMAL survives kill -9; after a power cut the last tasks are asked of the store again.
            connection.execute("pragma synchronous=normal")
            if not connection.execute("select 1 from sqlite_master where name='memo'").fetchone():
                # One transaction: nobody finds the tables without the format.
                connection.executescript(f"begin immediate;{_SCHEMA}{_FORMAT}commit;")
            row = connection.execute("select value from memo where kind='format'").fetchone()
            if row != (str(FORMAT_VERSION),):
                raise StoreError(
                    f"format version {row} is not {FORMAT_VERSION}", where=str(self.path), remedy="delete the file"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _load(self) -> None:
        """Reads all but what few builds ask for."""
        connection = self._connection
        self.digests = {
            row[0]: DigestRow._make(row[1:])
            for row in connection.execute(
                "select path, inode, size, mtime_ns, ctime_ns, recorded_ns, sha256 from digest"
            )
        }
        self._memos: dict[tuple[str, str], tuple[str, str]] = {
            (kind, name): (stamp, value)
            for kind, name, stamp, value in connection.execute("select kind, name, stamp, value from memo")
        }
        self.tasks = {record.name: record for record in _read_tasks(connection)}

    def _row(self, read: Callable[[tuple[Any, ...]], _Read], query: str, *values: Any) -> _Read | None:
        """What is read of the first row of a query; None where there is none, or the file turns out to be damaged."""
        with self._lock:
            try:
                row = self._connection.execute(query, values).fetchone()
                return None if row is None else read(row)
            except _MAYBE_DAMAGE as error:
                if not _is_damage(error):
                    raise _state_error(self.path, error) from error
                # What has been loaded was sound, and this build goes on with it.
                self._connection.close()
                self._put_aside()
                self._connection = self._connect()
                if self.build_id:
                    self._execute(("insert into build (id, started) values (?,?)", (self.build_id, self._started)))
                return None

    def _execute(self, *statements: tuple[str, Iterable[Any]]) -> None:
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    self._write_digests()
                    for text, values in statements:
                        self._connection.execute(text, tuple(values))
                except BaseException:
                    self._connection.execute("rollback")
                    raise
                self._connection.execute("commit")
            except sqlite3.Error as error:
                raise _state_error(self.path, error) from error
            self._pending_digests.clear()

    def _write_digests(self) -> None:
        self._connection.executemany(
            "insert or replace into digest values (?,?,?,?,?,?,?)",
            [
                (path, row.inode, row.size, row.mtime_ns, row.ctime_ns, row.recorded_ns, row.sha256)
                for path, row in self._pending_digests.items()
            ],
        )

    def begin_build(self) -> int:
        """Take a number for this build."""
        with self._lock:
            try:
                cursor = self._connection.execute("insert into build (started) values (?)", (self._started,))
            except sqlite3.Error as error:
                raise _state_error(self.path, error) from error
            self.build_id = cursor.lastrowid or 0
        return self.build_id

    def end_build(self, up_to_date: Iterable[str]) -> None:
        """Write down how long this build took and what it found up to date; keep the last hundred builds."""
        self._execute(
            (
                "update build set seconds=?, up_to_date=? where id=?",
                (time.time() - self._started, json.dumps(sorted(up_to_date)), self.build_id),
            ),
            ("delete from build where id <= ?", (self.build_id - 100,)),
        )

    def last_build(self) -> tuple[int, tuple[str, ...]]:
        """Number of the last build (0: none) and the names of the tasks that it found up to date."""
        query = "select id, up_to_date from build order by id desc limit 1"
        found = self._row(lambda row: (int(row[0]), tuple[str, ...](json.loads(row[1] or "[]"))), query)
        return found or (0, ())

    def record_digest(self, path: str, row: DigestRow) -> None:
        """Remember a file's digest; written with the next task or at the end."""
        with self._lock:
            self.digests[path] = row
            self._pending_digests[path] = row

    def memo(self, kind: str, name: str, stamp: str) -> str | None:
        """The text remembered under (kind, name), if it was remembered with the same stamp."""
        entry = self._memos.get((kind, name))
        return entry[1] if entry is not None and entry[0] == stamp else None

    def record_memo(self, kind: str, name: str, stamp: str, value: str) -> None:
        """Remember a text that stays true as long as ``stamp`` does."""
        with self._lock:
            self._memos[kind, name] = (stamp, value)
        self._execute(("insert or replace into memo values (?,?,?,?)", (kind, name, stamp, value)))

    def ingredients(self, name: str) -> tuple[dict[str, str] | None, dict[str, str] | None]:
        """A task's ingredients in its last execution and in the one before; None where there was none."""
        query = "select ingredients, previous from task where name=?"
        found = self._row(lambda row: (json.loads(row[0]), json.loads(row[1]) if row[1] else None), query, name)
        return found or (None, None)

    def memos(self, kind: str) -> dict[str, str]:
        """All texts of a kind by name."""
        with self._lock:
            return {name: value for (of_kind, name), (_, value) in self._memos.items() if of_kind == kind}

    def remove_memo(self, kind: str, name: str) -> None:
        """Forget a text."""
        with self._lock:
            self._memos.pop((kind, name), None)
        self._execute(("delete from memo where kind=? and name=?", (kind, name)))

    def record_task(self, record: TaskRecord, ingredients: Mapping[str, str]) -> None:
        """Commit a task's successful execution."""
        outputs = json.dumps([[o.scratch, o.path, o.sha256, o.size, o.executable] for o in record.outputs])
        with self._lock:
            self._execute(
                (
                    "insert into task values (?,?,?,?,?,null,?,?,?,?,?) on conflict (name) do update set "
                    "origin=excluded.origin, fingerprint=excluded.fingerprint, key=excluded.key, previous=ingredients, "
                    "ingredients=excluded.ingredients, outputs=excluded.outputs, build=excluded.build, "
                    "outcome=excluded.outcome, reason=excluded.reason, seconds=excluded.seconds",
                    (
                        record.name,
                        record.origin,
                        record.fingerprint,
                        record.key,
                        json.dumps(dict(ingredients), sort_keys=True),
                        outputs,
                        record.build,
                        record.outcome,
                        record.reason,
                        record.seconds,
                    ),
                )
            )
            self.tasks[record.name] = record

    def forget_task(self, name: str) -> None:
        """Make a task be asked again. What it produced stays known, so that ``clean`` finds it."""
        record = self.tasks.get(name)
        if record is not None:
            self._execute(("update task set fingerprint='' where name=?", (name,)))
            self.tasks[name] = replace(record, fingerprint="")

    def remove_task(self, name: str) -> None:
        """Drop all that is known of a task."""
        self._execute(("delete from task where name=?", (name,)))
        self.tasks.pop(name, None)

    def close(self) -> None:
        """Write what is pending. The connection itself is closed with the process: threads may still be using it."""
        # Pending are digests, which only save work: a disk that is full has been said elsewhere.
        with self._lock, suppress(StoreError):
            if self._pending_digests:
                self._execute()

    def shut(self) -> None:
        """Close the file."""
        with self._lock:
            self.close()
            self._connection.close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two builds that make the file at once both switch its journal, which SQLite does not wait for by itself."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            # The lower byte is the code, the rest says more of it.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)


def _read_tasks(connection: sqlite3.Connection) -> Iterable[TaskRecord]:
    query = "select name, origin, fingerprint, key, outputs, build, outcome, reason, seconds from task"
    for name, origin, fingerprint, key, outputs, build, outcome, reason, seconds in connection.execute(query):
        records = tuple(OutputRecord(*values) for values in json.loads(outputs))
        yield TaskRecord(name, origin, fingerprint, key, records, build, outcome, reason, seconds)


def _is_damage(error: Exception) -> bool:
    """Whether it is the file's content that cannot be read; Python says so of texts with an OperationalError."""
    other = isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError)
    return not other or "decode to UTF-8" in str(error)


def _state_error(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"the build state cannot be used: {error}",
        where=str(path),
        remedy="check that the disk is not full and that the file can be written",
    )
