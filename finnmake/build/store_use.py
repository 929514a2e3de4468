"""Who uses a store's folder, and the lock between builds that use blobs and the collection that removes them.

A build registers itself (``builds/<name>``, held with an exclusive lock for as long as the process lives) and looks
blobs up under a shared lock, setting their access time. The collection removes under the exclusive one, looks at the
access time again, and leaves what was used since the oldest living build began. A killed build's registration is
unlocked by the kernel, so that nothing has to be cleaned up by hand.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_REGISTRATIONS = "builds"
_LOCK = "collection"


@contextmanager
def collection_lock(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Holds the lock of a store's folder: shared to use blobs, exclusive to remove them."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


class StoreUse:
    """That this process uses a store.

    Args:
        folder: of the store; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._descriptor = -1
        self._path = folder / _REGISTRATIONS / uuid4().hex
        self._began = 0

    @contextmanager
    def using(self) -> Iterator[None]:
        """Nothing is collected meanwhile; what is touched in it stays until this process ends or ``end`` is called.

        A store that may only be read cannot be collected from here, and is used without ado.
        """
        try:
            lock = collection_lock(self._folder, exclusive=False)
            lock.__enter__()
        except OSError:
            yield
            return
        try:
            self._register()
            yield
        finally:
            lock.__exit__(None, None, None)

    def touch(self, path: str, status: os.stat_result | None = None) -> None:
        """Note that a blob or a result is used. Raises FileNotFoundError where it is not there.

        Args:
            path: of the blob or the result.
            status: what the file system has just said of it.
        """
        if status is None:
            status = os.stat(path)  # noqa: PTH116
        now = time.time_ns()
        if now < self._began:
            # The clock was set back: what is used from now on must still count as used by this build.
            self._write(now)
        # relatime and noatime mounts do not keep access times: set it, and leave mtime (the time of making) alone.
        with suppress(PermissionError, OSError):
            os.utime(path, ns=(now, status.st_mtime_ns))

    def end(self) -> None:
        """This process has done with the store."""
        with self._lock:
            if self._descriptor >= 0:
                with suppress(OSError):
                    self._path.unlink()
                os.close(self._descriptor)
                self._descriptor = -1

    def _register(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                return
            with suppress(OSError):
                self._path.parent.mkdir(exist_ok=True)
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._descriptor = descriptor
        self._write(time.time_ns())

    def _write(self, began: int) -> None:
        self._began = began
        if self._descriptor >= 0:
            # One write of a fixed length: a reader sees the old number or the new one.
            with suppress(OSError):
                os.pwrite(self._descriptor, b"%020d" % began, 0)


def oldest_use(folder: Path) -> int | None:
    """When the oldest living build began to use a store (ns since the epoch), None where there is none.

    Must be called under the exclusive lock. Removes what killed builds have left.
    """
    began: list[int] = []
    try:
        entries = list(os.scandir(folder / _REGISTRATIONS))
    except FileNotFoundError:
        return None
    for entry in entries:
        try:
            descriptor = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 20, 0)
            began.append(int(text) if text.isdigit() else 0)
        else:
            with suppress(FileNotFoundError):
                Path(entry.path).unlink()
        finally:
            os.close(descriptor)
    return min(began, default=None)
