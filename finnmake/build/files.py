"""Copying files: reflinks where the file system has them, atomic replacement, never a hard link."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from finnmake.build.digest import CHUNK
from finnmake.errors import BuildFileError

_FICLONE = 0x40049409
"""ioctl of Linux that makes a file share another's blocks, copied on write (btrfs, XFS)."""


def copy_file(source: Path | str, target: Path, *, executable: bool = False, sync: bool = False) -> str:
    """Copy a file to a new file and return the SHA-256 of the bytes that arrived.

    Raises:
        OSError: as open, read and write do; ``FileExistsError`` when ``target`` is there.
    """
    mode = 0o755 if executable else 0o644
    with open(source, "rb", buffering=0) as reader:  # noqa: PTH123
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "r+b", buffering=0) as writer:  # noqa: PTH123
            with suppress(OSError):
                fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
                # The reader's bytes may have changed between an earlier look and the clone: hash what arrived.
                writer.seek(0)
                sha256 = hashlib.file_digest(writer, "sha256").hexdigest()
                if sync:
                    os.fsync(writer.fileno())
                return sha256
            writer.seek(0)
            state = hashlib.sha256()
            while chunk := reader.read(CHUNK):
                state.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[writer.write(view) :]
            if sync:
                os.fsync(writer.fileno())
    return state.hexdigest()


def expanded(path: Path) -> Path:
    """A path with ``~`` replaced.

    Raises:
        BuildFileError: nobody says where the user's home is, as in a container without HOME and passwd entry.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BuildFileError(f"{path}: this user has no home folder", remedy="set HOME") from error


def temporary_name(folder: Path) -> Path:
    """A name in ``folder`` that no other process uses."""
    return Path(tempfile.mktemp(prefix=".tmp-", dir=folder))


def write_atomically(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file so that readers, and a crash at any moment, see the old bytes or the new ones.

    Args:
        path: of the file.
        data: its bytes.
        sync: wait until they are on the disk; without it a crash of the machine may leave other bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path.parent)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Remove a folder and everything in it, also what a tool has made read-only."""
    import shutil

    def make_writable(function: object, path: str, error: object) -> None:
        with suppress(OSError):
            os.chmod(Path(path).parent, 0o700)  # noqa: PTH101
            Path(path).unlink()

    shutil.rmtree(folder, onerror=make_writable)
    shutil.rmtree(folder, ignore_errors=True)


def prune_empty_parents(path: Path, root: Path) -> None:
    """Remove the folders above ``path`` that are empty, up to but without ``root``."""
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            return
        try:
            folder.rmdir()
        except OSError:
            return
