"""Care of a local store: how large it is, removing what has not been used for longest, checking every byte."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finnmake.build.digest import CHUNK, Digest
from finnmake.build.files import remove_tree, temporary_name, write_atomically
from finnmake.build.result import decode
from finnmake.build.store import LocalStore
from finnmake.build.store_use import collection_lock, oldest_use
from finnmake.errors import StoreError

_BATCH = 256
"""Entries that are removed while the lock is held; builds wait that long."""
_ABANDONED_SECONDS = 24 * 3600
"""Age at which a temporary file belongs to no build any more."""
_COUNT = "size"
_TARGET = 0.9
"""Part of the limit that a collection leaves, so that not every build has to collect."""


@dataclass(frozen=True)
class Statistics:
    """What a store holds.

    Attributes:
        blobs: number of files in ``cas``.
        results: number of files in ``ac``.
        size: bytes of both.
        unused_since: the oldest time of use of an entry, seconds since the epoch; None for an empty store.
        builds: whether a build uses it now.
    """

    blobs: int
    results: int
    size: int
    unused_since: float | None
    builds: bool


@dataclass(frozen=True)
class Collection:
    """What a collection did.

    Attributes:
        removed: entries.
        freed: bytes.
        size: bytes that are left.
        in_use: bytes beyond the limit that had to stay because a living build has used them.
    """

    removed: int
    freed: int
    size: int
    in_use: int


@dataclass(frozen=True)
class Verification:
    """What a check of every byte found.

    Attributes:
        blobs: checked.
        results: checked.
        corrupt: names of blobs and results whose bytes were wrong; they have been dropped.
        incomplete: names of results that name a missing blob; they have been dropped.
    """

    blobs: int
    results: int
    corrupt: tuple[str, ...]
    incomplete: tuple[str, ...]


class _Entry(NamedTuple):
    used: int
    size: int
    path: str


def _entries(folder: Path, kind: str) -> Iterator[_Entry]:
    with suppress(FileNotFoundError):
        for part in os.scandir(folder / kind):
            if not part.is_dir(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):
                for entry in os.scandir(part.path):
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield _Entry(status.st_atime_ns, status.st_size, entry.path)


def _exists(store: LocalStore) -> bool:
    return (store.folder / "version").exists()


def statistics(store: LocalStore) -> Statistics:
    """Counts what is there."""
    with store.errors():
        blobs, results = list(_entries(store.folder, "cas")), list(_entries(store.folder, "ac"))
        used = [entry.used for entry in (*blobs, *results)]
        builds = False
        if _exists(store) and os.access(store.folder, os.W_OK):
            with collection_lock(store.folder, exclusive=True):
                builds = oldest_use(store.folder) is not None
    return Statistics(
        len(blobs),
        len(results),
        sum(entry.size for entry in (*blobs, *results)),
        min(used) / 1e9 if used else None,
        builds,
    )


def collect(store: LocalStore, limit: int) -> Collection:
    """Removes what has not been used for longest until nine tenths of the limit are left.

    Nothing that a living build has used since it began is removed.

    Args:
        store: local.
        limit: bytes; a store that is not larger stays as it is.
    """
    with store.errors():
        entries = sorted([*_entries(store.folder, "cas"), *_entries(store.folder, "ac")])
        size = before = sum(entry.size for entry in entries)
        removed = in_use = 0
        if _exists(store):
            _remove_abandoned(store.folder)
        wanted = int(limit * _TARGET) if before > limit else before
        position = 0
        while size > wanted and position < len(entries):
            with collection_lock(store.folder, exclusive=True):
                began = oldest_use(store.folder)
                for entry in entries[position : position + _BATCH]:
                    if size <= wanted:
                        break
                    if _remove(entry, began):
                        removed, size = removed + 1, size - entry.size
                    else:
                        in_use += entry.size
            position += _BATCH
    return Collection(removed, before - size, size, min(in_use, max(0, size - wanted)))


def collect_after_build(store: LocalStore, limit: int) -> Collection | None:
    """Collects if what builds have put since the last count makes the store larger than the limit.

    The count of bytes is kept in the store's folder, so that a build does not have to list every blob.

    Args:
        store: local; what it has received since this was last called is added to the count.
        limit: bytes; 0: no limit.
    """
    received = store.take_received()
    if not received or not limit:
        return None
    with store.errors():
        size = _add_to_count(store.folder, received)
        if size is not None and size <= limit:
            return None
    collection = collect(store, limit)
    with store.errors():
        write_atomically(store.folder / _COUNT, b"%d\n" % collection.size)
    return collection


def _add_to_count(folder: Path, received: int) -> int | None:
    """The new count; None where there is none yet."""
    with collection_lock(folder, exclusive=True):
        try:
            text = (folder / _COUNT).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        if not text.isdigit():
            return None
        size = int(text) + received
        write_atomically(folder / _COUNT, b"%d\n" % size)
    return size


def _remove(entry: _Entry, began: int | None) -> bool:
    """Removes an entry if it has not been used since it was listed, nor by a living build."""
    try:
        used = os.stat(entry.path).st_atime_ns  # noqa: PTH116
        if used != entry.used or (began is not None and used >= began):
            return False
        os.unlink(entry.path)  # noqa: PTH108
    except FileNotFoundError:
        pass
    return True


def _remove_abandoned(folder: Path) -> None:
    oldest = time.time() - _ABANDONED_SECONDS
    for entry in (folder / "tmp").iterdir() if (folder / "tmp").is_dir() else ():
        with suppress(OSError):
            if entry.stat().st_mtime < oldest:
                remove_tree(entry) if entry.is_dir() else entry.unlink()


def verify(store: LocalStore) -> Verification:
    """Reads every byte; drops what is corrupt, and results that name what is missing.

    That is no use: what would be collected first stays what would be collected first.
    """
    corrupt: list[str] = []
    incomplete: list[str] = []
    blobs = results = 0
    with store.errors():
        for entry in _entries(store.folder, "cas"):
            name = Path(entry.path).name
            blobs += 1
            with suppress(FileNotFoundError):
                if not re.fullmatch("[0-9a-f]{64}", name) or _sha256(entry.path) != name:
                    corrupt.append(name)
                    Path(entry.path).unlink()
        for entry in _entries(store.folder, "ac"):
            key = Path(entry.path).name
            results += 1
            with suppress(FileNotFoundError):
                data = b"".join(_read(entry.path))
                whole = hashlib.sha256(data[32:]).digest() == data[:32]
                if not whole or not _complete(store, data[32:]):
                    (incomplete if whole else corrupt).append(key)
                    Path(entry.path).unlink()
    return Verification(blobs, results, tuple(sorted(corrupt)), tuple(sorted(incomplete)))


def _read(path: str) -> Iterator[bytes]:
    """A file's bytes in pieces, without setting its access time where that can be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME)
    except PermissionError:
        # Only who owns a file may say so.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123
        while piece := file.read(CHUNK):
            yield piece


def _sha256(path: str) -> str:
    state = hashlib.sha256()
    for piece in _read(path):
        state.update(piece)
    return state.hexdigest()


def _complete(store: LocalStore, data: bytes) -> bool:
    """Whether every blob that a result names is there; the bytes of those have been checked."""

    def tree(digest: Digest) -> bytes:
        return b"".join(_read(str(store.blob_path(digest))))

    try:
        files = decode(data, tree).files
        return all(store.blob_path(file.digest).stat().st_size == file.size for _, file in files)
    except (StoreError, FileNotFoundError):
        return False


def clear(store: LocalStore) -> int:
    """Removes everything; returns the bytes freed.

    Raises:
        StoreError: a build uses the store.
    """
    if not _exists(store):
        return 0
    with store.errors():
        size = statistics(store).size
        with collection_lock(store.folder, exclusive=True):
            if oldest_use(store.folder) is not None:
                raise StoreError("a build is using the store", where=str(store.folder), remedy="wait until it is done")
            doomed = temporary_name(store.folder / "tmp")
            doomed.mkdir()
            for kind in ("cas", "ac"):
                with suppress(FileNotFoundError):
                    (store.folder / kind).rename(doomed / kind)
        remove_tree(doomed)
    return size
