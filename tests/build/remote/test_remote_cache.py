"""Both protocols against real servers: what is given comes back, and nothing else is believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finnmake.build.digest import Digest
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.remote.cache import RemoteCache, WrongBlobError
from tests.build.remote.conftest import digest_of
from tests.support.cache_servers import Server

MIB = 1 << 20


def written(folder: Path, *contents: bytes) -> dict[Digest, Path]:
    folder.mkdir(exist_ok=True)
    found = {}
    for data in contents:
        digest = digest_of(data)
        (folder / digest.sha256).write_bytes(data)
        found[digest] = folder / digest.sha256
    return found


def targets(folder: Path, digests: object) -> dict[Digest, Path]:
    folder.mkdir(exist_ok=True)
    return {digest: folder / digest.sha256 for digest in digests}  # type: ignore[attr-defined]


def test_blobs_of_all_sizes_come_back(remote: RemoteCache, tmp_path: Path) -> None:
    sizes = (0, 1, 1000, MIB, 4 * MIB - 1, 4 * MIB, 9 * MIB + 7)
    sources = written(tmp_path / "from", *(os.urandom(size) for size in sizes))
    assert remote.missing(sources) >= {digest for digest in sources if digest.size}
    remote.upload(sources)
    assert remote.missing(sources) == set()
    found = remote.download(targets(tmp_path / "to", sources))
    assert found == set(sources)
    for digest, source in sources.items():
        assert (tmp_path / "to" / digest.sha256).read_bytes() == source.read_bytes()


def test_many_small_blobs(remote: RemoteCache, tmp_path: Path) -> None:
    sources = written(tmp_path / "from", *(b"%d " % number * 1000 + os.urandom(8) for number in range(300)))
    remote.upload(sources)
    assert remote.download(targets(tmp_path / "to", sources)) == set(sources)


def test_what_is_not_there_is_missing(remote: RemoteCache, tmp_path: Path) -> None:
    there = written(tmp_path / "from", os.urandom(100))
    remote.upload(there)
    absent = {digest_of(os.urandom(100)), digest_of(os.urandom(5 * MIB))}
    assert remote.missing([*there, *absent]) == absent
    assert remote.download(targets(tmp_path / "to", [*there, *absent])) == set(there)
    assert remote.get_result(digest_of(os.urandom(10))) is None


def test_results_come_back(remote: RemoteCache, tmp_path: Path) -> None:
    sources = written(tmp_path / "from", os.urandom(10))
    remote.upload(sources)
    (digest,) = sources
    message = reapi.ActionResult()
    message.output_files.add(path="a/b", digest=reapi.Digest(hash=digest.sha256, size_bytes=digest.size))
    data = message.SerializeToString(deterministic=True)
    action = digest_of(os.urandom(10))
    remote.put_result(action, data)
    found = remote.get_result(action)
    assert found is not None
    assert reapi.ActionResult.FromString(found).output_files == message.output_files


@pytest.mark.parametrize("size", [500, 5 * MIB])
def test_a_flipped_bit_on_the_server_is_noticed(server: Server, remote: RemoteCache, tmp_path: Path, size: int) -> None:
    sources = written(tmp_path / "from", os.urandom(size))
    remote.upload(sources)
    (digest,) = sources
    kept = server.blob(digest.sha256)
    kept.chmod(0o644)
    data = bytearray(kept.read_bytes())
    data[size // 2] ^= 0x10
    kept.write_bytes(bytes(data))
    with pytest.raises(WrongBlobError, match=digest.sha256):
        remote.download(targets(tmp_path / "to", sources))
