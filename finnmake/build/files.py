"""Copying files: reflinks where the file system has them, atomic replacement, never a hard link."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from contextlib import suppress
from itertools import chain
from pathlib import Path

from finnmake.build.digest import SMALL, chunks
from finnmake.errors import BuildFileError

_FICLONE = 0x40049409
"""ioctl of Linux that makes a file share another's blocks, copied on write (btrfs, XFS)."""


def copy_file(source: Path | str, target: Path | str, *, executable: bool = False, sync: bool = False) -> str:
    """Copy a file to a new file and return the SHA-256 of the bytes that arrived.

    Raises:
        OSError: as open, read and write do; ``FileExistsError`` when ``target`` is there.
    """
    # Descriptors, not file objects: an action has up to a thousand inputs, most of them small.
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        first = os.read(reader, SMALL)
        mode = 0o755 if executable else 0o644
        writer = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            sha256 = _clone(reader, writer) if len(first) == SMALL else None
            if sha256 is None:
                sha256 = _copy(first, reader, writer)
            if sync:
                os.fsync(writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    return sha256


def _clone(reader: int, writer: int) -> str | None:
    with suppress(OSError):
        fcntl.ioctl(writer, _FICLONE, reader)
        # The reader's bytes may have changed between an earlier look and the clone: hash what arrived.
        with open(writer, "rb", buffering=0, closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def _copy(first: bytes, reader: int, writer: int) -> str:
    os.lseek(writer, 0, os.SEEK_SET)
    state = hashlib.sha256()
    for chunk in chain([first], chunks(reader)):
        state.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(writer, view) :]
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
    return Path(f"{folder}/.tmp-{secrets.token_hex(12)}")


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
