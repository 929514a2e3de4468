"""A REAPI cache in memory that can be made to misbehave in ways that good servers cannot."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from zstandard import ZstdCompressor, ZstdDecompressor

from finnmake.build.reapi import bytestream_pb2 as bytestream
from finnmake.build.reapi import remote_execution_pb2 as reapi

_V2 = "/build.bazel.remote.execution.v2."


ZSTD = reapi.Compressor.ZSTD


@dataclass
class GrpcCache:
    """A cache in memory.

    Attributes:
        status: what every call is answered with, None to answer.
        hangs: no call is answered until this is set; None to answer.
        spoil: what becomes of a blob on its way out; None for a blob that is not there.
        offers: that it takes and gives compressed blobs.
        offers_updates: that it takes them in batches.
        batch: bytes of a batch, 0 to name no limit.
        compress: how it compresses a blob on its way out.
        answers_with: compressor of batches, where it is asked for zstd.
        committed: from the bytes that a compressed upload had on its way and those of its blob to what it says.
        stops_reading: an upload of a blob that is there is answered at its first message.
        sent: a line for each blob on its way: where, how, how many bytes.
    """

    url: str = ""
    status: grpc.StatusCode | None = None
    hangs: threading.Event | None = None
    spoil: Callable[[bytes], bytes | None] = lambda data: data
    offers: bool = False
    offers_updates: bool = False
    batch: int = 0
    compress: Callable[[bytes], bytes] = lambda data: ZstdCompressor().compress(data)
    answers_with: int = ZSTD
    committed: Callable[[int, int], int] = lambda sent, size: sent
    stops_reading: bool = False
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)

    def answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self.hangs is not None:
            self.hangs.wait(20)
        if self.status is not None:
            context.abort(self.status, "no")
        name = method.removeprefix(_V2)
        reply: Any = reapi.ServerCapabilities()
        reply.cache_capabilities.max_batch_total_size_bytes = self.batch
        reply.cache_capabilities.supported_compressors.extend([ZSTD] if self.offers else [])
        reply.cache_capabilities.supported_batch_update_compressors.extend([ZSTD] if self.offers_updates else [])
        if name == "ActionCache/GetActionResult":
            key = reapi.GetActionResultRequest.FromString(request).action_digest.hash
            if key not in self.results:
                context.abort(grpc.StatusCode.NOT_FOUND, "")
            return self.results[key]
        if name == "ActionCache/UpdateActionResult":
            update = reapi.UpdateActionResultRequest.FromString(request)
            self.results[update.action_digest.hash] = update.action_result.SerializeToString()
            reply = update.action_result
        elif name == "ContentAddressableStorage/FindMissingBlobs":
            digests = reapi.FindMissingBlobsRequest.FromString(request).blob_digests
            missing = [digest for digest in digests if digest.hash not in self.blobs]
            reply = reapi.FindMissingBlobsResponse(missing_blob_digests=missing)
        elif name == "ContentAddressableStorage/BatchUpdateBlobs":
            reply = reapi.BatchUpdateBlobsResponse()
            for each in reapi.BatchUpdateBlobsRequest.FromString(request).requests:
                self.sent.append(("update", reapi.Compressor.Value.Name(each.compressor), len(each.data)))
                self.blobs[each.digest.hash] = decompressed(each.data) if each.compressor == ZSTD else each.data
                reply.responses.add(digest=each.digest)
        elif name == "ContentAddressableStorage/BatchReadBlobs":
            reply = reapi.BatchReadBlobsResponse()
            asked = reapi.BatchReadBlobsRequest.FromString(request)
            how = self.answers_with if ZSTD in asked.acceptable_compressors else reapi.Compressor.IDENTITY
            for digest in asked.digests:
                data = self.spoil(self.blobs[digest.hash])
                response = reply.responses.add(digest=digest, data=data or b"", compressor=how)
                if how == ZSTD and data is not None:
                    response.data = self.compress(data)
                response.status.code = 5 if data is None else 0
                self.sent.append(("batch", reapi.Compressor.Value.Name(how), len(response.data)))
        return bytes(reply.SerializeToString())

    def read(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        *_, how, name, _ = bytestream.ReadRequest.FromString(request).resource_name.split("/")
        data = self.spoil(self.blobs[name])
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "")
            return
        if how == "zstd":
            data = self.compress(data)
        self.sent.append(("read", how, len(data)))
        for start in range(0, len(data), 1 << 20):
            yield bytestream.ReadResponse(data=data[start : start + (1 << 20)]).SerializeToString()

    def write(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        first = bytestream.WriteRequest.FromString(next(requests))
        *_, how, name, _ = first.resource_name.split("/")
        if self.stops_reading and name in self.blobs:
            return bytes(bytestream.WriteResponse(committed_size=-1).SerializeToString())
        received = bytearray(first.data)
        for request in requests:
            part = bytestream.WriteRequest.FromString(request)
            assert part.write_offset == len(received)
            received += part.data
        data = bytes(received)
        self.sent.append(("write", how, len(data)))
        self.blobs[name] = decompressed(data) if how == "zstd" else data
        size = self.committed(len(data), len(self.blobs[name])) if how == "zstd" else len(data)
        return bytes(bytestream.WriteResponse(committed_size=size).SerializeToString())


def decompressed(data: bytes) -> bytes:
    """All frames of a stream."""
    with ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        return reader.read()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc is untyped
    def __init__(self, cache: GrpcCache) -> None:
        self._cache = cache

    def service(self, details: Any) -> Any:
        method = details.method
        if method.endswith("ByteStream/Read"):
            return grpc.unary_stream_rpc_method_handler(self._cache.read)
        if method.endswith("ByteStream/Write"):
            return grpc.stream_unary_rpc_method_handler(self._cache.write)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._cache.answer(method, request, context)
        )


@contextmanager
def grpc_cache() -> Iterator[GrpcCache]:
    """A cache that listens on loopback."""
    found = GrpcCache()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[_Handler(found)])
    found.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield found
    finally:
        if found.hangs is not None:
            found.hangs.set()
        server.stop(0).wait()
