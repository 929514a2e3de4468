"""A REAPI cache that misbehaves in ways that good servers cannot be made to: builds end right, with one warning."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from finnmake.build.reapi import bytestream_pb2 as bytestream
from finnmake.build.reapi import remote_execution_pb2 as reapi
from tests.build.remote.test_sharing import project, tasks

RIGHT = "one\none\n"
_V2 = "/build.bazel.remote.execution.v2."


@dataclass
class GrpcCache:
    """A cache in memory.

    Attributes:
        status: what every call is answered with, None to answer.
        hangs: no call is answered until this is set; None to answer.
        spoil: what becomes of a blob on its way out; None for a blob that is not there.
    """

    url: str = ""
    status: grpc.StatusCode | None = None
    hangs: threading.Event | None = None
    spoil: Callable[[bytes], bytes | None] = lambda data: data
    blobs: dict[str, bytes] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)

    def answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self.hangs is not None:
            self.hangs.wait(20)
        if self.status is not None:
            context.abort(self.status, "no")
        name = method.removeprefix(_V2)
        reply: Any = reapi.ServerCapabilities()
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
                self.blobs[each.digest.hash] = each.data
                reply.responses.add(digest=each.digest)
        elif name == "ContentAddressableStorage/BatchReadBlobs":
            reply = reapi.BatchReadBlobsResponse()
            for digest in reapi.BatchReadBlobsRequest.FromString(request).digests:
                data = self.spoil(self.blobs[digest.hash])
                response = reply.responses.add(digest=digest, data=data or b"")
                response.status.code = 5 if data is None else 0
        return bytes(reply.SerializeToString())

    def read(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        name = bytestream.ReadRequest.FromString(request).resource_name.split("/")[-2]
        data = self.spoil(self.blobs[name])
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "")
        yield bytestream.ReadResponse(data=data).SerializeToString()

    def write(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        parts = [bytestream.WriteRequest.FromString(request) for request in requests]
        data = b"".join(part.data for part in parts)
        self.blobs[parts[0].resource_name.split("/")[-2]] = data
        return bytes(bytestream.WriteResponse(committed_size=len(data)).SerializeToString())


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


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[GrpcCache]:
    """A cache that has the result of the build in ``tmp_path / "first"``."""
    found = GrpcCache()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[_Handler(found)])
    found.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    assert project(tmp_path / "first", found.url).build(tasks()) == {"double": "run"}
    assert len(found.results) == 1
    yield found
    if found.hangs is not None:
        found.hangs.set()
    server.stop(0).wait()


def build_beside(cache: GrpcCache, tmp_path: Path) -> tuple[str, str]:
    other = project(tmp_path / "other", cache.url, "read")
    return other.build(tasks())["double"], other.read("build/two.txt")


def test_it_is_a_cache(cache: GrpcCache, tmp_path: Path) -> None:
    assert build_beside(cache, tmp_path) == ("remote", RIGHT)


@pytest.mark.parametrize("status", ["INTERNAL", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED", "UNKNOWN"])
def test_a_server_that_only_says_no(
    cache: GrpcCache, tmp_path: Path, status: str, capfd: pytest.CaptureFixture[str]
) -> None:
    cache.status = grpc.StatusCode[status]
    assert build_beside(cache, tmp_path) == ("run", RIGHT)
    said = capfd.readouterr().err
    assert said.count("goes on without the remote cache") == 1
    assert status in said


def test_a_server_that_hangs(cache: GrpcCache, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cache.hangs = threading.Event()
    assert build_beside(cache, tmp_path) == ("run", RIGHT)
    assert capfd.readouterr().err.count("goes on without the remote cache") == 1


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: None, id="missing"),
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda data: data + b"more", id="longer"),
        pytest.param(lambda data: b"wrong"[: len(data)], id="another"),
        pytest.param(lambda data: bytes([data[0] ^ 1]) + data[1:], id="a flipped bit"),
    ],
)
def test_blobs_that_are_wrong(cache: GrpcCache, tmp_path: Path, spoil: Callable[[bytes], bytes | None]) -> None:
    cache.spoil = spoil
    assert build_beside(cache, tmp_path) == ("run", RIGHT)


@pytest.mark.parametrize("data", [b"", b"x\n", b"\xff" * 100], ids=["empty", "no message", "noise"])
def test_a_result_that_is_none(cache: GrpcCache, tmp_path: Path, data: bytes) -> None:
    cache.results = dict.fromkeys(cache.results, data)
    assert build_beside(cache, tmp_path) == ("run", RIGHT)
