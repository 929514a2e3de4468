"""The store: blobs named by their content, action results named by their keys."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from finnmake.build.digest import Digest, FileDigest, digest_of_bytes, hash_file
from finnmake.build.files import copy_file, temporary_name
from finnmake.build.locks import knows_no_locks
from finnmake.build.result import ActionResult, decode, encode
from finnmake.build.store_use import StoreUse
from finnmake.errors import StoreError

FORMAT_VERSION = 1


def _warn(message: str) -> None:
    print(f"finnmake: {message}", file=sys.stderr)


class LocalStore:
    """A store in a folder: everything that it hands out has been hashed on the way, it may lose things but cannot lie.

    Layout: ``cas/ab/<sha256>`` (read-only files) and ``ac/ab/<sha256>``.

    Files appear by rename of a synced temporary file, so a crash leaves whole blobs or none, and any number of builds
    may use the folder at once. An ``ac`` file is the SHA-256 (32 bytes) of a serialised REAPI ``ActionResult`` and
    that message. Reading a blob updates its access time, for a later collection of what has not been used.

    Args:
        folder: of the store; made when something is put.
        warn: told of corrupt blobs.

    Raises:
        StoreError: the folder holds a store of another format; from every method: disk full, no permission, bad disk.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None] = _warn) -> None:
        self.folder = folder
        self._warn = warn
        self._lock = threading.Lock()
        self._ready = False
        self._received = 0
        self._temporary = folder / "tmp"
        self._use = StoreUse(folder)
        version = folder / "version"
        with self.errors():
            if version.exists():
                text = version.read_text().strip()
                if text != str(FORMAT_VERSION):
                    raise StoreError(
                        f"the store has format {text!r}, this finnmake reads {FORMAT_VERSION}",
                        where=str(folder),
                        remedy="name another folder in finnmake.toml ([store] path) or delete this one",
                    )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Makes what the file system refuses a message for the user.

        Raises:
            StoreError: for an OSError inside.
        """
        try:
            yield
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        remedy = "check the folder's permissions, or name another one in finnmake.toml ([store] path)"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full: free space, or name another folder in finnmake.toml ([store] path)"
        elif knows_no_locks(error):
            remedy = (
                "its file system knows no locks, which builds at once need: name a folder on another one in "
                "finnmake.toml ([store] path)"
            )
        raise StoreError(f"the store cannot be used: {error}", where=str(self.folder), remedy=remedy) from error

    def _prepare(self) -> None:
        with self._lock:
            if self._ready:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self._temporary.mkdir(exist_ok=True)
            version = self.folder / "version"
            if not version.exists():
                temporary = temporary_name(self._temporary)
                temporary.write_text(f"{FORMAT_VERSION}\n")
                temporary.replace(version)
            with self._use.using():
                self._ready = True

    def _path(self, kind: str, name: str) -> str:
        # A text: pathlib would take longer than the system does to look at the file.
        return f"{self.folder}/{kind}/{name[:2]}/{name}"

    def _drop(self, path: str, what: str) -> None:
        name = Path(path).name
        self._warn(f"{what} {name} in the store was corrupt and has been dropped; it is made again when needed")
        with suppress(OSError):
            Path(path).unlink()

    def blob_path(self, digest: Digest) -> Path:
        """Where a blob's bytes are, if it is there. To be read only."""
        return Path(self._path("cas", digest.sha256))

    def temporary_folder(self) -> Path:
        """A new folder on the store's file system; who asked for it removes it."""
        self._prepare()
        folder = temporary_name(self._temporary)
        folder.mkdir()
        return folder

    def contains(self, digest: Digest) -> bool:
        """Whether a blob of this name and size is there. One that is stays there while this process uses the store."""
        with self._use.using():
            return self._contains(digest)

    def _contains(self, digest: Digest) -> bool:
        path = self._path("cas", digest.sha256)
        try:
            status = os.stat(path)  # noqa: PTH116
            if status.st_size != digest.size:
                return False
            self._use.touch(path, status)
        except OSError:
            return False
        return True

    def _holds(self, digest: Digest) -> bool:
        """Whether a blob is there with all of its bytes right; it stays as ``contains`` says."""
        with self._use.using(), suppress(OSError):
            return self._contains(digest) and hash_file(self._path("cas", digest.sha256)) == digest.sha256
        return False

    def get_file(self, file: FileDigest, target: Path) -> bool:
        """Copy or reflink a blob to the new file ``target``, checked on the way."""
        path = self._path("cas", file.sha256)
        with self.errors(), self._use.using():
            try:
                sha256 = copy_file(path, target, executable=file.executable)
            except FileNotFoundError:
                if target.parent.is_dir():
                    return False
                raise
            if sha256 != file.sha256:
                target.unlink()
                self._drop(path, "blob")
                return False
            self._touch(path)
            return True

    def get_bytes(self, digest: Digest) -> bytes | None:
        """A blob's bytes, checked."""
        path = self._path("cas", digest.sha256)
        with self.errors(), self._use.using():
            try:
                data = Path(path).read_bytes()
            except FileNotFoundError:
                return None
            if digest_of_bytes(data).sha256 != digest.sha256:
                self._drop(path, "blob")
                return None
            self._touch(path)
            return data

    def put_file(self, source: Path, *, sync: bool = True) -> Digest:
        """Move a file into the store (copy it when it lies on another file system).

        Args:
            source: the file.
            sync: wait until its bytes are on the disk.
        """
        with self.errors():
            self._prepare()
            temporary = temporary_name(self._temporary)
            try:
                try:
                    os.rename(source, temporary)  # noqa: PTH104
                    # Hashed where no tool that still runs has a name for it.
                    sha256 = hash_file(temporary)
                    digest = Digest(sha256, os.stat(temporary).st_size)  # noqa: PTH116
                    # Waiting for the disk takes longer than reading what is there.
                    if self._holds(digest):
                        return digest
                    if sync:
                        with temporary.open("rb") as file:
                            os.fsync(file.fileno())
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    sha256 = copy_file(source, temporary, sync=sync)
                return self._publish(temporary, sha256)
            finally:
                temporary.unlink(missing_ok=True)

    def put_bytes(self, data: bytes) -> Digest:
        """Take a small blob."""
        digest = digest_of_bytes(data)
        if not self.contains(digest):
            with self.errors():
                self._prepare()
                self._write(self.blob_path(digest), data)
        return digest

    def _publish(self, temporary: Path, sha256: str) -> Digest:
        size = temporary.stat().st_size
        final = Path(self._path("cas", sha256))
        # Also over a blob that is there: its bytes are corrupt, these have just been hashed.
        temporary.chmod(0o444)
        # A tool may have given its output an old access time.
        self._touch(str(temporary))
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(final)
        self._count(size)
        return Digest(sha256, size)

    def _write(self, path: Path, data: bytes) -> None:
        temporary = temporary_name(self._temporary)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o444)
            # The kernel's own stamp is some milliseconds old: it may lie before this build began to use the store.
            self._touch(str(temporary))
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
            self._count(len(data))
        finally:
            temporary.unlink(missing_ok=True)

    def get_result(self, key: str) -> ActionResult | None:
        """The result of an action, if it and every blob that it names are there."""
        path = self._path("ac", key)
        with self.errors(), self._use.using():
            try:
                data = Path(path).read_bytes()
            except FileNotFoundError:
                return None
            if hashlib.sha256(data[32:]).digest() != data[:32]:
                self._drop(path, "action result")
                return None
            try:
                result = decode(data[32:], self._tree_bytes)
            except StoreError:
                return None
            if not all(self._contains(file.digest) for _, file in result.files):
                return None
            self._touch(path)
            return result

    def _tree_bytes(self, digest: Digest) -> bytes:
        data = self.get_bytes(digest)
        if data is None:
            raise StoreError(f"blob {digest.sha256} is missing", where=str(self.folder))
        return data

    def put_result(self, key: str, result: ActionResult) -> None:
        """Remember a result. Its blobs must be there already: a result never names what could still be lost."""
        with self.errors():
            self._prepare()
            data = encode(result, self.put_bytes)
            self._write(Path(self._path("ac", key)), hashlib.sha256(data).digest() + data)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the key against other processes that use this folder, so that equal actions run once."""
        import fcntl

        folder = self.folder / "lock"
        try:
            self._prepare()
            folder.mkdir(exist_ok=True)
            descriptor = os.open(folder / "actions", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                self._fail(error)
            # A store that may only be read still answers; who has to write to it will be told.
            yield
            return
        try:
            # A byte for each key: none waits for another's action, which may take hours. "Open file description" locks
            # hold between the threads of a process, too.
            byte = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, int(key[:15], 16), 1, 0)
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, byte)
            except OSError as error:
                self._fail(error)
            yield
        finally:
            os.close(descriptor)

    def _touch(self, path: str) -> None:
        with suppress(OSError):
            self._use.touch(path)

    def _count(self, size: int) -> None:
        with self._lock:
            self._received += size

    def take_received(self) -> int:
        """Bytes put since this was last asked."""
        with self._lock:
            received, self._received = self._received, 0
        return received

    def close(self) -> None:
        """This process has done with the store: what it has used may be collected."""
        self._use.end()
