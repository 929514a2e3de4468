"""Compression of the remote execution API: as offered, each way, and nothing believed that comes out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressionParameters, ZstdCompressor

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.remote.cache import TransientError, WrongBlobError
from finnmake.build.remote.compression import LARGEST_WINDOW
from finnmake.build.remote.grpc_cache import GrpcCache as Client
from tests.build.remote.conftest import digest_of
from tests.build.remote.test_remote_cache import targets, written
from tests.build.remote.test_sharing import project, tasks
from tests.support.grpc_cache import GrpcCache, grpc_cache

TEXT = b"assign out = in;\n" * 20_000
"""340 KB that compress well, more than fits into a batch."""
LINE = TEXT[:10_000]
OFFERED = GrpcCache(offers=True, offers_updates=True, batch=100_000)


@pytest.fixture(scope="module")
def listening() -> Iterator[GrpcCache]:
    with grpc_cache() as found:
        yield found


@pytest.fixture
def cache(listening: GrpcCache) -> GrpcCache:
    """A cache that offers compression, and is empty."""
    vars(listening).update(vars(replace(OFFERED, url=listening.url, sent=[], blobs={}, results={})))
    return listening


@pytest.fixture
def client(cache: GrpcCache) -> Iterator[Client]:
    with closing(new_client(cache)) as found:
        yield found


def new_client(cache: GrpcCache) -> Client:
    return Client(RemoteConfiguration(cache.url, "read-write", retries=1))


def given_blobs(cache: GrpcCache, *contents: bytes) -> list[Digest]:
    """Blobs that the cache has."""
    digests = [digest_of(data) for data in contents]
    cache.blobs.update((digest.sha256, data) for digest, data in zip(digests, contents, strict=True))
    return digests


def read(client: Client, folder: Path, digests: list[Digest]) -> list[bytes]:
    places = targets(folder, digests)
    assert client.download(places) == set(digests)
    return [places[digest].read_bytes() for digest in digests]


@pytest.mark.parametrize("contents", [[TEXT], [LINE, LINE[1:]]], ids=["stream", "batch"])
def test_less_is_sent_each_way(cache: GrpcCache, client: Client, tmp_path: Path, contents: list[bytes]) -> None:
    client.upload(written(tmp_path / "from", *contents))
    assert set(cache.blobs.values()) == set(contents)
    assert read(client, tmp_path / "to", [digest_of(data) for data in contents]) == contents
    assert len(cache.sent) == 2 * len(contents)
    assert {how.lower() for _, how, _ in cache.sent} == {"zstd"}
    assert all(size < len(contents[0]) / 50 for _, _, size in cache.sent)


def test_nothing_is_compressed_that_is_not_offered(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    cache.offers = cache.offers_updates = False
    contents = [TEXT, LINE, LINE[1:]]
    client.upload(written(tmp_path / "from", *contents))
    assert read(client, tmp_path / "to", [digest_of(data) for data in contents]) == contents
    assert {how for _, how, _ in cache.sent} == {"blobs", "IDENTITY"}


def test_what_does_not_get_smaller_goes_as_it_is(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    client.upload(written(tmp_path / "from", os.urandom(2000), os.urandom(3000), b"short"))
    assert cache.sent == [("update", "IDENTITY", size) for size in (5, 2000, 3000)]


def test_batches_may_be_answered_plain(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    cache.answers_with = reapi.Compressor.IDENTITY
    assert read(client, tmp_path, given_blobs(cache, LINE, LINE[1:])) == [LINE, LINE[1:]]
    assert {how for _, how, _ in cache.sent} == {"IDENTITY"}


def test_frames_may_follow_each_other(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    def in_pieces(data: bytes) -> bytes:
        return b"".join(ZstdCompressor().compress(data[start : start + 999]) for start in range(0, len(data), 999))

    cache.compress = in_pieces
    contents = [TEXT, LINE, LINE[1:]]
    assert read(client, tmp_path, given_blobs(cache, *contents)) == contents
    assert {how.lower() for _, how, _ in cache.sent} == {"zstd"}


def with_window(data: bytes) -> bytes:
    """A frame that wants twice the memory that it may."""
    parameters = ZstdCompressionParameters(window_log=LARGEST_WINDOW.bit_length())
    compressor = ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("contents", [[TEXT], [LINE, LINE[1:]]], ids=["stream", "batch"])
@pytest.mark.parametrize(
    "compress",
    [
        pytest.param(lambda data: b"no frame" + data, id="no frame"),
        pytest.param(lambda data: ZstdCompressor().compress(data) + b"no frame", id="more behind it"),
        pytest.param(with_window, id="a window that is too large"),
    ],
)
def test_what_cannot_be_decompressed_is_read_plain(
    cache: GrpcCache, client: Client, tmp_path: Path, compress: Callable[[bytes], bytes], contents: list[bytes]
) -> None:
    cache.compress = compress
    assert read(client, tmp_path / "first", given_blobs(cache, *contents)) == contents
    assert {how for _, how, _ in cache.sent[-len(contents) :]} <= {"blobs", "IDENTITY"}
    asked = len(cache.sent)
    assert read(client, tmp_path / "again", given_blobs(cache, *contents)) == contents
    assert {how for _, how, _ in cache.sent[asked:]} <= {"blobs", "IDENTITY"}, "it is not tried again"


def test_another_compressor_than_asked_for(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    cache.answers_with = reapi.Compressor.DEFLATE
    assert read(client, tmp_path, given_blobs(cache, LINE, LINE[1:])) == [LINE, LINE[1:]]


def bomb(data: bytes) -> bytes:
    """A gigabyte in 32 KB."""
    compressor = ZstdCompressor().compressobj()
    return b"".join([*(compressor.compress(bytes(1 << 24)) for _ in range(64)), compressor.flush()])


@pytest.mark.parametrize("contents", [[TEXT], [LINE, LINE[1:]]], ids=["stream", "batch"])
@pytest.mark.parametrize(
    "compress",
    [
        pytest.param(lambda data: ZstdCompressor().compress(data)[:-9], id="truncated"),
        pytest.param(lambda data: b"", id="nothing"),
        pytest.param(lambda data: ZstdCompressor().compress(data[:-1]), id="shorter"),
        pytest.param(lambda data: ZstdCompressor().compress(data + b"more"), id="longer"),
        pytest.param(lambda data: ZstdCompressor().compress(data[:-1] + b"x"), id="another"),
        pytest.param(bomb, id="a bomb"),
    ],
)
def test_wrong_bytes_are_noticed(
    cache: GrpcCache, client: Client, tmp_path: Path, compress: Callable[[bytes], bytes], contents: list[bytes]
) -> None:
    cache.compress = compress
    digests = given_blobs(cache, *contents)
    with pytest.raises(WrongBlobError):
        client.download(targets(tmp_path, digests))
    assert all(path.stat().st_size <= len(contents[0]) for path in tmp_path.iterdir())


def test_any_flipped_bit_is_noticed_or_changes_nothing(cache: GrpcCache, tmp_path: Path) -> None:
    line = LINE[:600] + os.urandom(40)
    digests = given_blobs(cache, line)
    frame = bytearray(ZstdCompressor().compress(line))
    cache.compress = lambda data: bytes(frame)
    for bit in range(len(frame) * 8):
        frame[bit // 8] ^= 1 << bit % 8
        with closing(new_client(cache)) as client, suppress(WrongBlobError):
            assert read(client, tmp_path, digests) == [line]
        frame[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize(
    "committed", [lambda sent, size: sent, lambda sent, size: size, lambda sent, size: -1], ids=["sent", "size", "-1"]
)
def test_what_servers_say_of_an_upload(
    cache: GrpcCache, client: Client, tmp_path: Path, committed: Callable[[int, int], int]
) -> None:
    cache.committed = committed
    client.upload(written(tmp_path, TEXT))
    assert cache.blobs == {digest_of(TEXT).sha256: TEXT}


def test_an_upload_that_was_not_taken_whole(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    cache.committed = lambda sent, size: sent - 1
    with pytest.raises(TransientError):
        client.upload(written(tmp_path, TEXT))


def test_a_server_may_stop_reading_what_it_has(cache: GrpcCache, client: Client, tmp_path: Path) -> None:
    cache.stops_reading = True
    data = os.urandom(1 << 22)
    given_blobs(cache, data)
    client.upload(written(tmp_path, data))
    assert cache.sent == []


pieces = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda data, times: data * times, st.binary(min_size=1, max_size=50), st.integers(1, 8000)),
)


@settings(max_examples=40, deadline=None)
@given(contents=st.lists(pieces, max_size=8), offers=st.booleans(), updates=st.booleans(), limit=st.integers(0, 60_000))
def test_any_blobs_come_back(
    listening: GrpcCache,
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[bytes],
    offers: bool,
    updates: bool,
    limit: int,
) -> None:
    server = replace(OFFERED, url=listening.url, offers=offers, offers_updates=updates, batch=limit, blobs={}, sent=[])
    vars(listening).update(vars(server))
    folder = tmp_path_factory.mktemp("blobs")
    sources = written(folder / "from", *contents)
    with closing(new_client(listening)) as client:
        client.upload(sources)
        assert {*listening.blobs.values()} == {*contents}
        assert read(client, folder / "to", list(sources)) == [path.read_bytes() for path in sources.values()]


def test_a_build_is_shared(cache: GrpcCache, tmp_path: Path) -> None:
    cache.batch = 1
    first = project(tmp_path / "first", cache.url)
    first.write("a.txt", "one\n" * 1000)
    assert first.build(tasks()) == {"double": "run"}
    other = project(tmp_path / "other", cache.url, "read")
    other.write("a.txt", "one\n" * 1000)
    assert other.build(tasks()) == {"double": "remote"}
    assert other.read("build/two.txt") == "one\n" * 2000
    assert "zstd" in {how for _, how, _ in cache.sent}
