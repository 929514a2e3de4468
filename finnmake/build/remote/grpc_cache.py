"""REAPI v2 over gRPC: ContentAddressableStorage with batches and ByteStream, ActionCache, Capabilities.

Blobs go compressed where the server offers zstd, each way.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import grpc

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.reapi import bytestream_pb2 as bytestream
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.remote.cache import (
    CheckedWriter,
    RemoteError,
    TransientError,
    read_credentials,
    with_retries,
)
from finnmake.build.remote.compression import CompressionError, DecompressingWriter, compressed, compressed_parts

Answer = TypeVar("Answer")

_SERVICES = "build.bazel.remote.execution.v2"
_DEFAULT_BATCH = 4 << 20
"""Bytes of a batch where the server names no limit: what gRPC takes by default."""
_OVERHEAD = 1024
"""Bytes of a batch that are kept free for digests and framing, per blob and once more."""
_QUERY = 10_000
"""Digests of one FindMissingBlobs: 720 KB."""
_CHUNK = 1 << 18
_WORTHWHILE = 512
"""Bytes below which a blob is not worth compressing."""
_ZSTD = reapi.Compressor.ZSTD
TRANSIENT = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
)
"""What may be well a moment later."""


@dataclass(frozen=True)
class _Offer:
    """What a server says of itself.

    Attributes:
        batch: bytes that a message may have.
        streams: it takes and gives compressed blobs, in streams and in answers.
        updates: it takes them in batches.
    """

    batch: int
    streams: bool
    updates: bool


class GrpcCache:
    """A remote cache that speaks REAPI v2, such as buildbox-casd, BuildGrid, bazel-remote, Buildbarn.

    Args:
        configuration: its address, credentials and patience.

    Raises:
        RemoteError: credentials or certificates cannot be read.
    """

    def __init__(self, configuration: RemoteConfiguration) -> None:
        self._configuration = configuration
        authorization = read_credentials(configuration)
        self.metadata = (("authorization", authorization),) if authorization else ()
        self.channel = _channel(configuration)
        self._lock = threading.Lock()
        self._offered: _Offer | None = None
        self._decompresses = True

    # -- what a cache does -----------------------------------------------------------------------------------------
    def get_result(self, action: Digest) -> bytes | None:
        """The serialised ``ActionResult`` of an action."""
        request = reapi.GetActionResultRequest(
            instance_name=self._configuration.instance, action_digest=_digest(action)
        )
        answer = self._call("ActionCache/GetActionResult", request, reapi.ActionResult, missing_is_none=True)
        return None if answer is None else bytes(answer.SerializeToString(deterministic=True))

    def put_result(self, action: Digest, data: bytes) -> None:
        """Gives an action's result."""
        request = reapi.UpdateActionResultRequest(
            instance_name=self._configuration.instance,
            action_digest=_digest(action),
            action_result=reapi.ActionResult.FromString(data),
        )
        self._call("ActionCache/UpdateActionResult", request, reapi.ActionResult)

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those blobs that the server does not have."""
        wanted = list(digests)
        found: set[Digest] = set()
        for start in range(0, len(wanted), _QUERY):
            request = reapi.FindMissingBlobsRequest(
                instance_name=self._configuration.instance,
                blob_digests=[_digest(digest) for digest in wanted[start : start + _QUERY]],
            )
            answer = self._call("ContentAddressableStorage/FindMissingBlobs", request, reapi.FindMissingBlobsResponse)
            found |= {Digest(digest.hash, digest.size_bytes) for digest in answer.missing_blob_digests}
        return found & set(wanted)

    def download(self, targets: Mapping[Digest, Path]) -> set[Digest]:
        """Writes blobs to new files: small ones in batches, large ones as streams."""
        found: set[Digest] = set()
        for batch in self._batches(targets):
            if len(batch) == 1:
                read = self._read(partial(self._read_stream, batch[0], targets[batch[0]]))
                found |= set(batch) if read else set()
            else:
                found |= self._read(partial(self._read_batch, batch, targets))
        return found

    def upload(self, sources: Mapping[Digest, Path]) -> None:
        """Gives blobs: small ones in batches, large ones as streams."""
        for batch in self._batches(sources):
            if len(batch) == 1:
                self._retry(partial(self._write_stream, batch[0], sources[batch[0]]))
            else:
                self._write_batch(batch, sources)

    def close(self) -> None:
        """Closes the connection."""
        self.channel.close()

    # -- blobs -----------------------------------------------------------------------------------------------------
    def _batches(self, digests: Iterable[Digest]) -> Iterator[list[Digest]]:
        """Blobs that fit into one message each; a blob that is alone goes as a stream."""
        limit = self._offer().batch - _OVERHEAD
        batch: list[Digest] = []
        size = 0
        for digest in sorted(digests, key=lambda digest: digest.size):
            if batch and size + digest.size + _OVERHEAD > limit:
                yield batch
                batch, size = [], 0
            batch.append(digest)
            size += digest.size + _OVERHEAD
        if batch:
            yield batch

    def _offer(self) -> _Offer:
        with self._lock:
            if self._offered is None:
                request = reapi.GetCapabilitiesRequest(instance_name=self._configuration.instance)
                answer = self._call("Capabilities/GetCapabilities", request, reapi.ServerCapabilities)
                cache = answer.cache_capabilities
                if cache.digest_functions and reapi.DigestFunction.SHA256 not in cache.digest_functions:
                    raise RemoteError("does not name blobs by their SHA-256", where=self._configuration.url)
                said = int(cache.max_batch_total_size_bytes)
                self._offered = _Offer(
                    # Larger messages than gRPC's default would be refused on the way back.
                    min(said, _DEFAULT_BATCH) if said > 0 else _DEFAULT_BATCH,
                    _ZSTD in cache.supported_compressors,
                    _ZSTD in cache.supported_batch_update_compressors,
                )
            return self._offered

    def _read(self, read: Callable[[bool], Answer]) -> Answer:
        """Reads compressed where the server offers it; plain from the first time on that this gives what it should not.

        Args:
            read: told whether to ask for compressed bytes.
        """
        if self._decompresses and self._offer().streams:
            try:
                return read(True)
            except CompressionError:
                self._decompresses = False
        return read(False)

    def _read_batch(self, batch: list[Digest], targets: Mapping[Digest, Path], compress: bool) -> set[Digest]:
        request = reapi.BatchReadBlobsRequest(
            instance_name=self._configuration.instance,
            digests=[_digest(digest) for digest in batch],
            acceptable_compressors=[_ZSTD] if compress else [],
        )
        answer = self._call("ContentAddressableStorage/BatchReadBlobs", request, reapi.BatchReadBlobsResponse)
        found: set[Digest] = set()
        for response in answer.responses:
            digest = Digest(response.digest.hash, response.digest.size_bytes)
            if digest not in targets or response.status.code != 0:
                continue  # not there, or lost: a miss either way
            if response.compressor not in (reapi.Compressor.IDENTITY, *request.acceptable_compressors):
                raise CompressionError("gives compressed what was not asked for so", where=self._configuration.url)
            with targets[digest].open("wb") as file:
                writer = _writer(file, digest, response.compressor == _ZSTD)
                writer.write(response.data)
                writer.finish()
            found.add(digest)
        return found

    def _read_stream(self, digest: Digest, target: Path, compress: bool) -> bool:
        return self._retry(partial(self._read_stream_once, digest, target, compress))

    def _read_stream_once(self, digest: Digest, target: Path, compress: bool) -> bool:
        compress = compress and digest.size >= _WORTHWHILE
        name = f"{self._prefix()}{_kind(compress)}/{digest.sha256}/{digest.size}"
        call = self.channel.unary_stream(
            "/google.bytestream.ByteStream/Read",
            request_serializer=bytestream.ReadRequest.SerializeToString,
            response_deserializer=bytestream.ReadResponse.FromString,
        )
        try:
            with target.open("wb") as file:
                writer = _writer(file, digest, compress)
                request = bytestream.ReadRequest(resource_name=name)
                for response in call(request, timeout=self._patience(digest.size), metadata=self.metadata):
                    writer.write(response.data)
                writer.finish()
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return False
            raise self._error(error) from None
        return True

    def _write_batch(self, batch: list[Digest], sources: Mapping[Digest, Path]) -> None:
        compress = self._offer().updates
        request = reapi.BatchUpdateBlobsRequest(
            instance_name=self._configuration.instance,
            requests=[_update(digest, sources[digest].read_bytes(), compress) for digest in batch],
        )
        answer = self._call("ContentAddressableStorage/BatchUpdateBlobs", request, reapi.BatchUpdateBlobsResponse)
        for response in answer.responses:
            if response.status.code != 0:
                raise RemoteError(
                    f"does not take blob {response.digest.hash}: {response.status.message}",
                    where=self._configuration.url,
                )

    def _write_stream(self, digest: Digest, source: Path) -> None:
        compress = self._offer().streams and digest.size >= _WORTHWHILE
        name = f"{self._prefix()}uploads/{uuid.uuid4()}/{_kind(compress)}/{digest.sha256}/{digest.size}"
        call = self.channel.stream_unary(
            "/google.bytestream.ByteStream/Write",
            request_serializer=bytestream.WriteRequest.SerializeToString,
            response_deserializer=bytestream.WriteResponse.FromString,
        )
        try:
            parts = compressed_parts(source, _CHUNK) if compress else _plain_parts(source)
            upload = _Upload(name, parts)
            answer = call(upload.requests(), timeout=self._patience(digest.size), metadata=self.metadata)
        except grpc.RpcError as error:
            raise self._error(error) from None
        # A server that has the blob already may stop reading, and says its whole size; -1 where it was compressed. Of
        # compressed blobs that it has read some servers say how many bytes came, others how many the blob has.
        if answer.committed_size not in (digest.size, -1, *([upload.sent] if compress else [])):
            raise TransientError(f"took {answer.committed_size} of {digest.size} bytes", where=self._configuration.url)

    def _prefix(self) -> str:
        return f"{self._configuration.instance}/" if self._configuration.instance else ""

    def _patience(self, size: int) -> float:
        """Seconds for a stream: the timeout, and what 1 MB a second takes."""
        return self._configuration.timeout + size / 1e6

    # -- calls -----------------------------------------------------------------------------------------------------
    def _retry(self, request: Callable[[], Answer]) -> Answer:
        return with_retries(self._configuration, request)

    def _call(self, method: str, request: Any, answer: Any, *, missing_is_none: bool = False) -> Any:
        call = self.channel.unary_unary(
            f"/{_SERVICES}.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )

        def once() -> Any:
            try:
                return call(request, timeout=self._configuration.timeout, metadata=self.metadata)
            except grpc.RpcError as error:
                if missing_is_none and error.code() == grpc.StatusCode.NOT_FOUND:
                    return None
                raise self._error(error) from None

        return self._retry(once)

    def _error(self, error: grpc.RpcError) -> RemoteError:
        code, url = error.code(), self._configuration.url
        details = (error.details() or "").splitlines()
        what = f"the remote cache answers {code.name}" + (f": {details[0]}" if details else "")
        if code in TRANSIENT:
            return TransientError(what, where=url)
        remedy = ""
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            remedy = "check [remote] credentials and role: this user may not do that"
        elif code == grpc.StatusCode.UNIMPLEMENTED:
            remedy = "check that the address is that of a REAPI cache, and [remote] instance"
        return RemoteError(what, where=url, remedy=remedy)


def _channel(configuration: RemoteConfiguration) -> grpc.Channel:
    parts = urlsplit(configuration.url)
    options = (
        ("grpc.enable_retries", 0),  # with_retries does that
        ("grpc.max_receive_message_length", _DEFAULT_BATCH + (1 << 20)),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # A window that grows with what the line could hold has us hold tens of megabytes of a large blob. A fixed one
        # of 4 MiB is enough for 80 MiB a second at a round trip of 50 ms.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 4 << 20),
        # A stream that waits for an action of hours must notice that the machine at its other end is gone. Servers
        # hang up on who asks more often.
        ("grpc.keepalive_time_ms", 330_000),
        # Proxies of the environment are for web pages.
        ("grpc.enable_http_proxy", 0),
    )
    if parts.scheme == "grpc":
        return grpc.insecure_channel(parts.netloc, options)
    roots = None
    if configuration.ca_file is not None:
        try:
            roots = configuration.ca_file.read_bytes()
        except OSError as error:
            raise RemoteError(f"cannot be read: {error.strerror}", where=f"ca_file {configuration.ca_file}") from None
    return grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(roots), options)


def _digest(digest: Digest) -> reapi.Digest:
    return reapi.Digest(hash=digest.sha256, size_bytes=digest.size)


def _kind(compress: bool) -> str:
    """How resource names call blobs."""
    return "compressed-blobs/zstd" if compress else "blobs"


def _writer(file: IO[bytes], digest: Digest, decompress: bool) -> CheckedWriter | DecompressingWriter:
    writer = CheckedWriter(file, digest)
    return DecompressingWriter(writer) if decompress else writer


def _update(digest: Digest, data: bytes, compress: bool) -> reapi.BatchUpdateBlobsRequest.Request:
    if compress and digest.size >= _WORTHWHILE:
        smaller = compressed(data)
        if len(smaller) < len(data):
            return reapi.BatchUpdateBlobsRequest.Request(digest=_digest(digest), data=smaller, compressor=_ZSTD)
    return reapi.BatchUpdateBlobsRequest.Request(digest=_digest(digest), data=data)


def _plain_parts(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data


class _Upload:
    """The messages of one upload.

    Args:
        name: of the resource.
        parts: of the bytes as they are sent.

    Attributes:
        sent: bytes so far.
    """

    def __init__(self, name: str, parts: Iterator[bytes]) -> None:
        self._name = name
        self._parts = parts
        self.sent = 0

    def requests(self) -> Iterator[bytestream.WriteRequest]:
        """The messages, made when they are sent."""
        data: bytes | None = next(self._parts, b"")
        # The name only once: it belongs to the whole stream.
        name = self._name
        while data is not None:
            following = next(self._parts, None)
            offset, self.sent = self.sent, self.sent + len(data)
            yield bytestream.WriteRequest(
                resource_name=name, write_offset=offset, data=data, finish_write=following is None
            )
            name, data = "", following
