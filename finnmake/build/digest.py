"""SHA-256 of files, remembered by what the file system says of them; XXH3 where only "did it change here?" is asked."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finnmake.build.state import DigestRow, State
from finnmake.errors import BuildFileError

RACY_NS = 2_000_000_000
"""A file that changed less than two seconds before it was hashed may change again without its times showing it."""

CHUNK = 1 << 20
SMALL = 1 << 16
"""Bytes of a piece of a file: of the first one, and of those behind it."""


class Digest(NamedTuple):
    """A blob's name: SHA-256 (64 hex digits) and size in bytes."""

    sha256: str
    size: int


class FileDigest(NamedTuple):
    """A file's bytes and whether its owner may execute it."""

    sha256: str
    size: int
    executable: bool

    @property
    def digest(self) -> Digest:
        """Name of the blob."""
        return Digest(self.sha256, self.size)


def digest_of_bytes(data: bytes) -> Digest:
    """Name of a blob that is in memory."""
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can write a path: the state and REAPI have texts, file systems have bytes."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def hash_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, without looking into any memory."""
    # Not file_digest: it makes room for 256 KiB first, and most files are small.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        state = hashlib.sha256()
        for chunk in chunks(descriptor):
            state.update(chunk)
        return state.hexdigest()
    finally:
        os.close(descriptor)


def chunks(descriptor: int) -> Iterator[bytes]:
    """What is left to read of a file, in pieces; without room for a large piece where a small one is enough."""
    size = SMALL
    while chunk := os.read(descriptor, size):
        yield chunk
        # Behind a short piece comes the end.
        size = SMALL if len(chunk) < size else CHUNK


def change_stamp(text: str) -> str:
    """XXH3-128 of a text: for "did this change here?", never for a name that leaves the machine."""
    import xxhash

    return xxhash.xxh3_128_hexdigest(text.encode())


class DigestMemo:
    """Digests of files, remembered in the state by (path, inode, size, mtime, ctime).

    Args:
        root: the workspace; files below it are remembered by their relative path, so that a moved workspace is still
            known.
        state: where they are remembered.

    Attributes:
        known: what ``look`` has said of a path since ``forget``; None where it was not asked.
    """

    def __init__(self, root: Path, state: State) -> None:
        self._prefix = f"{root}{os.sep}"
        self._state = state
        self._looked: dict[str, FileDigest] = {}
        self.known = self._looked.get
        self._first: dict[str, DigestRow] = {}

    def look(self, path: Path | str) -> FileDigest:
        """Digest of a regular file, as it was when this was first asked since ``forget``: most are asked for often.

        Raises:
            FileNotFoundError, BuildFileError: as ``file``.
        """
        text = str(path)
        known = self._looked.get(text)
        if known is None:
            known = self._looked[text] = self.file(text)
        return known

    def look_no_link(self, path: str) -> FileDigest | None:
        """As ``look``, but None for a symbolic link."""
        # Asked of the system with one question, which answers both.
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return None
        known = self._looked.get(path)
        if known is None:
            known = self._looked[path] = self._file(path, status)
        return known

    def forget(self) -> None:
        """Look at all files again: something runs, and files may be others after it."""
        self._looked.clear()

    def row(self, path: str) -> DigestRow | None:
        """What is remembered of a file."""
        return self._state.digests.get(self._name(path))

    def steady(self, path: str) -> DigestRow | None:
        """The state in which this process has always seen a file, if its times would show another change."""
        name = self._name(path)
        row = self._first.get(name)
        if row is None or row is not self._state.digests.get(name):
            return None
        return row if row.recorded_ns - max(row.mtime_ns, row.ctime_ns) >= RACY_NS else None

    def has_seen(self, path: str) -> bool:
        """Whether this process has looked at a file."""
        return self._name(path) in self._first

    @property
    def looked(self) -> frozenset[str]:
        """Paths of the files that ``look`` was asked for."""
        return frozenset(self._looked)

    def _name(self, path: str) -> str:
        return path[len(self._prefix) :] if path.startswith(self._prefix) else path

    def file(self, path: Path | str) -> FileDigest:
        """Digest of a regular file.

        Raises:
            FileNotFoundError: there is no such file.
            BuildFileError: it is something else, or may not be read.
        """
        text = str(path)
        return self._file(text, os.stat(text))  # noqa: PTH116 (the null build is made of this call)

    def _file(self, text: str, status: os.stat_result) -> FileDigest:
        if not stat.S_ISREG(status.st_mode):
            raise BuildFileError("is not a regular file", where=text)
        executable = bool(status.st_mode & stat.S_IXUSR)
        name = self._name(text)
        row = self._state.digests.get(name)
        if (
            row is not None
            and row.inode == status.st_ino
            and row.size == status.st_size
            and row.mtime_ns == status.st_mtime_ns
            and row.ctime_ns == status.st_ctime_ns
            and row.recorded_ns - max(row.mtime_ns, row.ctime_ns) >= RACY_NS
        ):
            self._first.setdefault(name, row)
            return FileDigest(row.sha256, row.size, executable)
        if not is_utf8(name):
            raise BuildFileError("has a name that is not UTF-8", where=repr(text), remedy="Rename it.")
        # Taken before the file is read: a change during or after reading then counts as racy.
        recorded = time.time_ns()
        try:
            sha256 = hash_file(text)
        except PermissionError as error:
            raise BuildFileError("may not be read", where=text) from error
        row = DigestRow(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, recorded, sha256)
        self._first.setdefault(name, row)
        self._state.record_digest(name, row)
        return FileDigest(sha256, status.st_size, executable)


def files_below(folder: Path, listed: set[str] | None = None) -> Iterator[tuple[str, Path]]:
    """Relative POSIX path and path of every file below a folder, in the order of their names; byte code is left out.

    Args:
        folder: the folder.
        listed: takes the paths of the folders.
    """
    if listed is not None:
        listed.add(str(folder))
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                for name, path in files_below(Path(entry.path), listed):
                    yield f"{entry.name}/{name}", path
        else:
            yield entry.name, Path(entry.path)
