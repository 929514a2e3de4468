"""The local store may lose things; it never lies."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finnmake.build.digest import Digest, FileDigest, digest_of_bytes
from finnmake.build.result import ActionResult
from finnmake.build.store import LocalStore
from finnmake.errors import StoreError

KEY = "ab" * 32


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> LocalStore:
    return LocalStore(tmp_path / "store", warnings.append)


def put(store: LocalStore, folder: Path, data: bytes) -> FileDigest:
    source = folder / "source"
    source.write_bytes(data)
    digest = store.put_file(source)
    return FileDigest(*digest, False)


def blob(store: LocalStore, digest: Digest | FileDigest) -> Path:
    return store.folder / "cas" / digest.sha256[:2] / digest.sha256


def test_layout(store: LocalStore, tmp_path: Path) -> None:
    file = put(store, tmp_path, b"hello")
    assert file.sha256 == hashlib.sha256(b"hello").hexdigest()
    path = blob(store, file)
    assert path.read_bytes() == b"hello"
    assert path.stat().st_mode & 0o777 == 0o444
    store.put_result(KEY, ActionResult((("a", file),)))
    assert (store.folder / "ac" / "ab" / KEY).is_file()
    assert list((store.folder / "tmp").iterdir()) == []


def test_a_blob_that_is_there_stays(store: LocalStore, tmp_path: Path) -> None:
    path = blob(store, put(store, tmp_path, b"hello"))
    inode = path.stat().st_ino
    assert blob(store, put(store, tmp_path, b"hello")).stat().st_ino == inode
    assert list((store.folder / "tmp").iterdir()) == []


def test_round_trip_of_a_result_with_directories(store: LocalStore, tmp_path: Path) -> None:
    one, two = put(store, tmp_path, b"1"), put(store, tmp_path, b"2")
    result = ActionResult((("d/deep/y", two._replace(executable=True)), ("d/x", one), ("f", one)), ("d/", "empty/"))
    store.put_result(KEY, result)
    assert store.get_result(KEY) == result
    assert store.get_result("cd" * 32) is None


def test_a_corrupt_blob_is_replaced_by_one_that_is_put(store: LocalStore, tmp_path: Path) -> None:
    file = put(store, tmp_path, b"hello")
    path = blob(store, file)
    path.chmod(0o644)
    path.write_bytes(b"hullo")
    put(store, tmp_path, b"hello")
    assert store.get_bytes(file.digest) == b"hello"


def test_get_file_copies(store: LocalStore, tmp_path: Path) -> None:
    file = put(store, tmp_path, b"hello")._replace(executable=True)
    target = tmp_path / "target"
    assert store.get_file(file, target)
    assert target.read_bytes() == b"hello"
    assert os.access(target, os.X_OK)
    assert target.stat().st_ino != blob(store, file).stat().st_ino
    target.write_bytes(b"edited")
    assert store.get_bytes(file.digest) == b"hello"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(min_size=1, max_size=50), position=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_blob_is_found(
    store: LocalStore, tmp_path: Path, warnings: list[str], data: bytes, position: int, bit: int
) -> None:
    file = put(store, tmp_path, data)
    path = blob(store, file)
    broken = bytearray(data)
    broken[position % len(data)] ^= 1 << bit
    path.chmod(0o644)
    path.write_bytes(broken)
    assert not store.get_file(file, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert not path.exists()
    assert "corrupt" in warnings[-1]
    put(store, tmp_path, data)
    assert store.get_bytes(file.digest) == data
    path.unlink()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_result_is_found(store: LocalStore, tmp_path: Path, position: int, bit: int) -> None:
    store.put_result(KEY, ActionResult((("a", put(store, tmp_path, b"x")),)))
    path = store.folder / "ac" / "ab" / KEY
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.chmod(0o644)
    path.write_bytes(data)
    assert store.get_result(KEY) is None
    assert not path.exists()


@pytest.mark.parametrize("keep", [0, 1, 20, 40])
def test_truncated_result_is_a_miss(store: LocalStore, tmp_path: Path, keep: int) -> None:
    store.put_result(KEY, ActionResult((("a", put(store, tmp_path, b"x")),)))
    path = store.folder / "ac" / "ab" / KEY
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:keep])
    assert store.get_result(KEY) is None


def test_result_with_a_missing_blob_or_tree_is_a_miss(store: LocalStore, tmp_path: Path) -> None:
    file = put(store, tmp_path, b"x")
    store.put_result(KEY, ActionResult((("d/a", file),), ("d/",)))
    assert store.get_result(KEY) is not None
    tree = next(path for path in (store.folder / "cas").rglob("*") if path.is_file() and path.name != file.sha256)
    saved = tree.read_bytes()
    tree.unlink()
    assert store.get_result(KEY) is None
    store.put_bytes(saved)
    assert store.get_result(KEY) is not None
    blob(store, file).unlink()
    assert store.get_result(KEY) is None


def test_failed_or_empty_results_are_no_results(store: LocalStore) -> None:
    store.put_result(KEY, ActionResult(()))
    assert store.get_result(KEY) is None


def test_full_disk_is_one_clear_message(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="the disk is full"):
        put(store, tmp_path, b"x")
    with pytest.raises(StoreError, match="the disk is full"):
        store.put_result(KEY, ActionResult(()))
    assert list((store.folder / "tmp").iterdir()) == []


def test_unusable_folder_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = LocalStore(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match=r"finnmake\.toml"):
        put(store, tmp_path, b"x")


def test_a_store_that_may_only_be_read_still_answers(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_result(KEY, ActionResult((("a", put(store, tmp_path, b"x")),)))

    def read_only(*arguments: object, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    again = LocalStore(store.folder)
    monkeypatch.setattr(Path, "mkdir", read_only)
    monkeypatch.setattr(os, "utime", read_only)
    with again.lock(KEY):
        assert again.get_result(KEY) is not None
    with pytest.raises(StoreError, match="Read-only"):
        again.put_bytes(b"y")


def test_a_lock_holds_against_its_own_key_only(store: LocalStore) -> None:
    order: list[str] = []

    def hold(key: str) -> None:
        with LocalStore(store.folder).lock(key):
            order.append(key)

    other = KEY[:14] + "0" + KEY[15:]
    same_waits, other_does_not = (threading.Thread(target=hold, args=(key,)) for key in (KEY, other))
    with store.lock(KEY):
        same_waits.start()
        other_does_not.start()
        other_does_not.join()
        order.append("released")
    same_waits.join()
    assert order == [other, "released", KEY]


def test_other_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("99\n")
    with pytest.raises(StoreError, match="format '99'"):
        LocalStore(tmp_path)


def test_access_times_follow_use(store: LocalStore, tmp_path: Path) -> None:
    digest = put(store, tmp_path, b"x").digest
    os.utime(blob(store, digest), (1000, 1000))
    store.get_bytes(digest)
    status = blob(store, digest).stat()
    assert status.st_atime > 1_000_000
    assert status.st_mtime == 1000


def _hammer(folder: Path, number: int) -> None:
    store = LocalStore(folder)
    scratch = folder.parent / f"scratch{number}"
    scratch.mkdir()
    for round_ in range(30):
        data = str(round_).encode() * 1000
        file = put(store, scratch, data)
        store.put_result(hashlib.sha256(data).hexdigest(), ActionResult((("a", file),)))
        assert store.get_bytes(digest_of_bytes(data)) == data


def test_many_processes_share_a_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_hammer, args=(tmp_path / "store", number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
