"""What a remote cache can do, whatever its protocol."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Protocol, TypeVar

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.errors import FinnmakeError

Answer = TypeVar("Answer")

_FIRST_PAUSE = 0.2
"""Seconds before the first repetition of a request; each further pause is twice as long."""


class RemoteError(FinnmakeError):
    """The remote cache does not answer, or not as it should. The build goes on without it."""


class TransientError(RemoteError):
    """The same request may work a moment later: the server was busy, a connection broke."""


class WrongBlobError(RemoteError):
    """The remote gave other bytes than those asked for."""


class RemoteCache(Protocol):
    """A remote cache.

    What is not there is no error. Every method raises ``RemoteError`` when the server cannot be reached or breaks its
    protocol. Methods may be called from several threads at once.
    """

    def get_result(self, action: Digest) -> bytes | None:
        """The serialised REAPI ``ActionResult`` of an action."""

    def put_result(self, action: Digest, data: bytes) -> None:
        """Gives an action's result. The blobs that it names have been uploaded before."""

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those blobs that the remote does not have."""

    def download(self, targets: Mapping[Digest, Path]) -> set[Digest]:
        """Writes blobs to new files, each checked against its digest on the way; returns those that were there.

        Raises:
            WrongBlobError: the remote gave other bytes. The files are to be thrown away.
        """

    def upload(self, sources: Mapping[Digest, Path]) -> None:
        """Gives blobs. Large ones are streamed."""

    def close(self) -> None:
        """Closes connections."""


class CheckedWriter:
    """Writes a blob's bytes to a file and hashes them; more bytes than the blob has are refused at once.

    Args:
        file: to write to.
        digest: of the blob.
    """

    def __init__(self, file: IO[bytes], digest: Digest) -> None:
        self._file = file
        self._digest = digest
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            WrongBlobError: they are too many.
        """
        self._size += len(data)
        if self._size > self._digest.size:
            raise self._wrong()
        self._hash.update(data)
        self._file.write(data)

    def finish(self) -> None:
        """All bytes have been written.

        Raises:
            WrongBlobError: they are not those of the blob.
        """
        if self._size != self._digest.size or self._hash.hexdigest() != self._digest.sha256:
            raise self._wrong()

    def _wrong(self) -> WrongBlobError:
        return WrongBlobError(f"the remote cache gave wrong bytes for blob {self._digest.sha256}")


def read_credentials(configuration: RemoteConfiguration) -> str | None:
    """The value of an HTTP ``Authorization`` header, None where no credentials are named.

    Raises:
        RemoteError: the file or the variable is not there, or holds more than one line.
    """
    if configuration.credentials_file is not None:
        where = f"credentials_file {configuration.credentials_file}"
        try:
            text = configuration.credentials_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise RemoteError(f"the credentials cannot be read: {reason}", where=where) from None
    elif configuration.credentials_variable is not None:
        where = f"environment variable {configuration.credentials_variable}"
        text = os.environ.get(configuration.credentials_variable, "").strip()
    else:
        return None
    if not text or any(character < " " for character in text):
        raise RemoteError("holds no credentials", where=where, remedy="one line: user:password, or a bearer token")
    return f"Basic {base64.b64encode(text.encode()).decode()}" if ":" in text else f"Bearer {text}"


def with_retries(configuration: RemoteConfiguration, request: Callable[[], Answer]) -> Answer:
    """Makes a request, and again after a growing pause where it fails for a reason that may pass.

    Raises:
        RemoteError: it fails for good.
    """
    for attempt in range(configuration.retries):
        try:
            return request()
        except TransientError:
            time.sleep(_FIRST_PAUSE * 2**attempt)
    return request()


def open_remote(configuration: RemoteConfiguration) -> RemoteCache:
    """The remote cache of a configuration; connects when it is first asked.

    Raises:
        RemoteError: its credentials or certificates cannot be read.
    """
    # Imported here: what a build does not use it does not load.
    if configuration.url.startswith("http"):
        from finnmake.build.remote.http import HttpCache

        return HttpCache(configuration)
    from finnmake.build.remote.grpc_cache import GrpcCache

    return GrpcCache(configuration)
