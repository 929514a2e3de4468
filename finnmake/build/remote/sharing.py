"""Sharing results between the local store and a remote cache.

A result that the local store lacks is fetched with all its blobs, each of which has been hashed before the store takes
it. Results of actions that ran here are uploaded by a thread: no action waits for it. What has not been uploaded when
the build ends stays on a list and goes with the next build, or with ``finnmake cache push``.
"""

from __future__ import annotations

import hashlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from finnmake.build.digest import Digest, digest_of_bytes
from finnmake.build.files import remove_tree
from finnmake.build.remote.cache import RemoteCache, RemoteError, WrongBlobError
from finnmake.build.result import ActionResult, decode, directories_of, encode
from finnmake.build.store import LocalStore
from finnmake.errors import FinnmakeError, StoreError

_LARGEST_TREE = 64 << 20
"""Bytes of a directory listing; a remote result that names a larger one is not believed."""
_CHECK = b"finnmake "
"""Begin of ``stdout_raw`` of a shared result, followed by the SHA-256 of the result without it: no server checks what
it stores under a key."""


def _warn(message: str) -> None:
    print(f"finnmake: {message}", file=sys.stderr)


class Sharing:
    """A local store and a remote cache.

    Args:
        store: local.
        remote: cache.
        writes: whether results are given to the remote.
        pending: actions whose results earlier builds could not upload.
        remember: told of each result that is to be uploaded.
        forget: told of each that has been.
        warn: told once when the remote cannot be used.
    """

    def __init__(
        self,
        store: LocalStore,
        remote: RemoteCache,
        *,
        writes: bool,
        pending: Iterable[Digest] = (),
        remember: Callable[[Digest], None] = lambda action: None,
        forget: Callable[[Digest], None] = lambda action: None,
        warn: Callable[[str], None] = _warn,
    ) -> None:
        self._store = store
        self._remote = remote
        self._writes = writes
        self._remember, self._forget, self._warn = remember, forget, warn
        self._lock = threading.Lock()
        self._broken = False
        self._uploads: queue.SimpleQueue[Digest | None] = queue.SimpleQueue()
        self._open = 0
        self._drained = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        if writes:
            for action in pending:
                self._queue(action)

    # -- fetching ----------------------------------------------------------------------------------------------------
    def fetch(self, action: Digest) -> ActionResult | None:
        """A result that the local store does not have; afterwards it has it, with every blob.

        None where the remote does not have all of it, gives wrong bytes, or cannot be used.
        """
        if self._broken:
            return None
        try:
            data = self._remote.get_result(action)
            if data is None:
                return None
            return self._take(action, _checked(data))
        except WrongBlobError as error:
            self._warn(f"{error.what}; the action runs here")
        except StoreError as error:
            if error.where == str(self._store.folder):
                raise  # the disk is full: that is not the remote's doing
            self._warn(f"the remote cache gave a result that makes no sense ({error.what}); the action runs here")
        except RemoteError as error:
            self._give_up(error)
        return None

    def _take(self, action: Digest, data: bytes) -> ActionResult | None:
        result = decode(data, self._tree)
        lacking = {file.digest for _, file in result.files if not self._store.contains(file.digest)}
        if not self._download(lacking):
            return None
        self._store.put_result(action.sha256, result)
        return result

    def _tree(self, digest: Digest) -> bytes:
        data = self._store.get_bytes(digest)
        if data is None:
            if digest.size > _LARGEST_TREE or not self._download({digest}):
                raise StoreError("a directory of it is missing")
            data = self._store.get_bytes(digest)
        if data is None:
            raise StoreError("a directory of it is missing")
        return data

    def _download(self, digests: set[Digest]) -> bool:
        """Brings blobs into the local store; False where the remote lacks one."""
        if not digests:
            return True
        with self._store.errors():
            folder = self._store.temporary_folder()
        try:
            targets = {digest: folder / digest.sha256 for digest in digests}
            found = self._remote.download(targets)
            for digest in found:
                # A lost power supply may take it again: reading notices that, and it is downloaded anew.
                taken = self._store.put_file(targets[digest], sync=False)
                if taken != digest:
                    raise WrongBlobError(f"the remote cache gave wrong bytes for blob {digest.sha256}")
            return found >= digests
        except OSError as error:
            raise StoreError(f"the store cannot be used: {error}", where=str(self._store.folder)) from error
        finally:
            remove_tree(folder)

    # -- giving ------------------------------------------------------------------------------------------------------
    def offer(self, action: Digest) -> None:
        """Gives a result, which the local store has, to the remote: later, by another thread."""
        if not self._writes:
            return
        self._remember(action)
        self._queue(action)

    def _queue(self, action: Digest) -> None:
        with self._lock:
            if self._broken:
                return
            self._open += 1
            if self._thread is None:
                # A daemon: a server that hangs does not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="finnmake-upload", daemon=True)
                self._thread.start()
        self._uploads.put(action)

    def _run(self) -> None:
        while (action := self._uploads.get()) is not None:
            try:
                if not self._broken:
                    self.push(action)
                    self._forget(action)
            except RemoteError as error:
                self._give_up(error)
            except FinnmakeError as error:
                self._warn(f"a result is not uploaded: {error.text}")
            finally:
                with self._lock:
                    self._open -= 1
                    self._drained.notify_all()

    def push(self, action: Digest) -> bool:
        """Uploads a result with its blobs now; False where the local store does not have it (any more).

        Raises:
            RemoteError: the remote does not take it.
        """
        result = self._store.get_result(action.sha256)
        if result is None:
            return False
        trees: set[Digest] = set()

        def put_tree(data: bytes) -> Digest:
            tree = self._store.put_bytes(data)
            # Each directory of it as a blob too: buildbox-casd takes a result whose folders it does not have for lost.
            trees.update({tree, *map(self._store.put_bytes, directories_of(data))})
            return tree

        data = encode(result, put_tree)
        wanted = {*(file.digest for _, file in result.files), *trees}
        missing = self._remote.missing(wanted)
        self._remote.upload({digest: self._store.blob_path(digest) for digest in missing})
        self._remote.put_result(action, _with_check(data))
        return True

    def finish(self, seconds: float) -> int:
        """Waits for uploads, but not longer than that; returns how many are still to be done."""
        end = time.monotonic() + seconds
        with self._lock:
            while self._open and not self._broken and (rest := end - time.monotonic()) > 0:
                self._drained.wait(rest)
            return self._open

    def close(self) -> None:
        """Closes the connection to the remote."""
        self._uploads.put(None)
        with suppress(FinnmakeError):
            self._remote.close()

    def _give_up(self, error: RemoteError) -> None:
        with self._lock:
            first, self._broken = not self._broken, True
            self._drained.notify_all()
        if first:
            self._warn(f"the build goes on without the remote cache: {error.text}")


def _with_check(data: bytes) -> bytes:
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    message = reapi.ActionResult.FromString(data)
    message.stdout_raw = _CHECK + hashlib.sha256(data).hexdigest().encode()
    return bytes(message.SerializeToString(deterministic=True))


def _checked(data: bytes) -> bytes:
    """A remote result without its check.

    Raises:
        StoreError: the check says that it has been damaged.
    """
    from google.protobuf.message import DecodeError

    from finnmake.build.reapi import remote_execution_pb2 as reapi

    try:
        message = reapi.ActionResult.FromString(data)
    except DecodeError:
        raise StoreError("it cannot be read") from None
    check = message.stdout_raw
    if not check.startswith(_CHECK):
        return data  # written by another program, such as a remote execution service
    said = check[len(_CHECK) :].decode("ascii", "replace")
    message.ClearField("stdout_raw")
    # Servers may add who made it and when.
    message.ClearField("execution_metadata")
    bare = bytes(message.SerializeToString(deterministic=True))
    if digest_of_bytes(bare).sha256 != said:
        raise StoreError("its check is wrong")
    return bare
