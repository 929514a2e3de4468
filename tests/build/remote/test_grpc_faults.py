"""A REAPI cache that misbehaves in ways that good servers cannot be made to: builds end right, with one warning."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.build.remote.test_sharing import project, tasks
from tests.support.grpc_cache import GrpcCache, grpc_cache

RIGHT = "one\none\n"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[GrpcCache]:
    """A cache that has the result of the build in ``tmp_path / "first"``."""
    with grpc_cache() as found:
        assert project(tmp_path / "first", found.url).build(tasks()) == {"double": "run"}
        assert len(found.results) == 1
        yield found


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
