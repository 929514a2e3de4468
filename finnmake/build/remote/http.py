"""Bazel's HTTP cache protocol: ``GET``, ``HEAD`` and ``PUT`` of ``/ac/<key>`` and ``/cas/<sha256>``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import urllib3
from urllib3.exceptions import HTTPError

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import CHUNK, Digest
from finnmake.build.remote.cache import CheckedWriter, RemoteError, TransientError, read_credentials, with_retries

_CONNECTIONS = 8
_LARGEST_RESULT = 16 << 20
"""Bytes of an action result; a server that sends more is not a cache."""
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class HttpCache:
    """A remote cache that speaks HTTP, such as bazel-remote or nginx with WebDAV.

    Args:
        configuration: its address, credentials and patience.

    Raises:
        RemoteError: credentials or certificates cannot be read.
    """

    def __init__(self, configuration: RemoteConfiguration) -> None:
        self._configuration = configuration
        self._url = configuration.url.rstrip("/")
        authorization = read_credentials(configuration)
        ca_file = configuration.ca_file
        if ca_file is not None and not ca_file.is_file():
            raise RemoteError("there is no such file", where=f"ca_file {ca_file}")
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            block=True,
            headers={"Authorization": authorization} if authorization else None,
            timeout=urllib3.Timeout(connect=min(5.0, configuration.timeout), read=configuration.timeout),
            retries=False,
            ca_certs=str(ca_file) if ca_file else None,
        )
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "finnmake-http")

    def get_result(self, action: Digest) -> bytes | None:
        """The serialised ``ActionResult`` of an action."""
        return with_retries(self._configuration, partial(self._get_result, action.sha256))

    def _get_result(self, key: str) -> bytes | None:
        with self._request("GET", f"ac/{key}") as response:
            if response is None:
                return None
            data: bytes = response.read(_LARGEST_RESULT + 1)
        if len(data) > _LARGEST_RESULT:
            raise RemoteError("an action result is larger than 16 MiB", where=self._url)
        return data

    def put_result(self, action: Digest, data: bytes) -> None:
        """Gives an action's result."""
        with_retries(self._configuration, partial(self._put, f"ac/{action.sha256}", data))

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those blobs that the server does not have: one ``HEAD`` each."""
        wanted = list(digests)
        found = self._threads.map(lambda digest: with_retries(self._configuration, partial(self._head, digest)), wanted)
        return {digest for digest, is_there in zip(wanted, found, strict=True) if not is_there}

    def _head(self, digest: Digest) -> bool:
        with self._request("HEAD", f"cas/{digest.sha256}") as response:
            return response is not None

    def download(self, targets: Mapping[Digest, Path]) -> set[Digest]:
        """Writes blobs to new files."""
        found = self._threads.map(
            lambda item: with_retries(self._configuration, partial(self._download, *item)), targets.items()
        )
        return {digest for digest, is_there in zip(targets, found, strict=True) if is_there}

    def _download(self, digest: Digest, target: Path) -> bool:
        with self._request("GET", f"cas/{digest.sha256}") as response:
            if response is None:
                return False
            with target.open("wb") as file:
                writer = CheckedWriter(file, digest)
                for chunk in response.stream(CHUNK, decode_content=True):
                    writer.write(chunk)
                writer.finish()
        return True

    def upload(self, sources: Mapping[Digest, Path]) -> None:
        """Gives blobs."""
        for _ in self._threads.map(
            lambda item: with_retries(self._configuration, partial(self._upload, *item)), sources.items()
        ):
            pass

    def _upload(self, digest: Digest, source: Path) -> None:
        with source.open("rb") as file:
            self._put(f"cas/{digest.sha256}", file, digest.size)

    def _put(self, path: str, body: bytes | IO[bytes], size: int | None = None) -> None:
        length = len(body) if isinstance(body, bytes) else size
        with self._request("PUT", path, body, {"Content-Length": str(length)}) as response:
            if response is None:
                raise RemoteError("does not take what is put (HTTP status 404)", where=f"{self._url}/{path}")

    @contextmanager
    def _request(
        self, method: str, path: str, body: bytes | IO[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse | None]:
        """The response, None for status 404."""
        url = f"{self._url}/{path}"
        everything = {**self._pool.headers, **(headers or {})}
        try:
            response = self._pool.request(
                method, url, body=body, headers=everything, preload_content=False, redirect=False
            )
            try:
                yield self._checked(response, url)
            finally:
                # What has not been read would be the next answer on this connection.
                response.drain_conn() if response.length_remaining in (0, None) else response.close()
                response.release_conn()
        except HTTPError as error:
            raise TransientError(f"the remote cache does not answer: {_reason(error)}", where=self._url) from None

    def _checked(self, response: urllib3.BaseHTTPResponse, url: str) -> urllib3.BaseHTTPResponse | None:
        if 200 <= response.status < 300:
            return response
        if response.status == 404:
            return None
        what = f"answers with HTTP status {response.status}"
        if response.status in _TRANSIENT:
            raise TransientError(what, where=url)
        remedy = ""
        if response.status in (401, 403, 405):
            remedy = "check [remote] credentials and role: this user may not do that"
        raise RemoteError(what, where=url, remedy=remedy)

    def close(self) -> None:
        """Closes connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.clear()


def _reason(error: HTTPError) -> str:
    # urllib3 puts addresses of objects into its messages.
    text = str(error.args[-1] if error.args else error)
    return text.rpartition(">: ")[2].splitlines()[0] if text else type(error).__name__
