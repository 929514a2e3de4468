"""Locks of files, and what is said where a file system knows none."""

from __future__ import annotations

import errno
import fcntl
import tempfile
from pathlib import Path

from finnmake.errors import StoreError

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What the kernel answers: for network file systems without a lock manager, and for those that have not this kind."""


def knows_no_locks(error: OSError) -> bool:
    """True where a lock was refused because there is no such lock there, not because somebody has it."""
    return error.errno in _NO_LOCKS


def lock_file(descriptor: int, folder: Path) -> None:
    """Holds a file of a workspace's ``.finnmake`` for as long as its descriptor is open.

    Args:
        descriptor: of the file.
        folder: that it lies in, for the message.

    Raises:
        StoreError: its file system knows no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if not knows_no_locks(error):
            raise
        raise _refusal(folder, error) from error


def require_record_locks(folder: Path) -> None:
    """Tries what SQLite locks with. It would take their absence for another process that it waits for.

    Args:
        folder: one of a workspace; it is there.

    Raises:
        StoreError: its file system knows no locks.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX)
        except OSError as error:
            if not knows_no_locks(error):
                raise
            raise _refusal(folder, error) from error


def _refusal(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the file system knows no locks, which builds at once need: {error}",
        where=str(folder),
        remedy="move the workspace to another file system, or mount this one with locks (NFS: without nolock)",
    )
