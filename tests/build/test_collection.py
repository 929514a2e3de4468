"""A store's size is bounded; what a build in progress uses is never removed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from finnmake.build.collection import clear, collect, collect_after_build, statistics, verify
from finnmake.build.digest import Digest, FileDigest
from finnmake.build.result import ActionResult
from finnmake.build.store import LocalStore
from finnmake.errors import StoreError

KEY = "ab" * 32
SIZE = 1000


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> LocalStore:
    return LocalStore(tmp_path / "store", warnings.append)


def fill(store: LocalStore, count: int = 10) -> list[Digest]:
    """Blobs of which the first has not been used for longest; no build uses them any more."""
    digests = [store.put_bytes(b"%d" % number * SIZE) for number in range(count)]
    for age, digest in enumerate(reversed(digests)):
        used = time.time_ns() - (age + 1) * 3600 * 10**9
        os.utime(blob(store, digest), ns=(used, used))
    store.close()
    return digests


def blob(store: LocalStore, digest: Digest) -> Path:
    return store.folder / "cas" / digest.sha256[:2] / digest.sha256


def there(store: LocalStore, digests: list[Digest]) -> list[bool]:
    return [blob(store, digest).exists() for digest in digests]


def test_the_oldest_go_first(store: LocalStore) -> None:
    digests = fill(store)
    done = collect(LocalStore(store.folder), 8 * SIZE)
    assert there(store, digests) == [False] * 3 + [True] * 7
    assert (done.removed, done.freed, done.size, done.in_use) == (3, 3 * SIZE, 7 * SIZE, 0)


def test_a_store_below_its_limit_stays_as_it_is(store: LocalStore) -> None:
    digests = fill(store)
    assert collect(LocalStore(store.folder), 10 * SIZE).removed == 0
    assert all(there(store, digests))


def test_reading_counts_as_use(store: LocalStore, tmp_path: Path) -> None:
    digests = fill(store)
    user = LocalStore(store.folder)
    assert user.get_bytes(digests[0])
    assert user.get_file(FileDigest(*digests[1], False), tmp_path / "copy")
    user.close()
    collect(LocalStore(store.folder), 5 * SIZE)
    assert there(store, digests) == [True, True] + [False] * 6 + [True] * 2


def test_a_result_that_is_found_keeps_its_blobs_while_the_build_lives(store: LocalStore) -> None:
    digests = fill(store, 4)
    store.put_result(KEY, ActionResult((("a", FileDigest(*digests[0], False)),)))
    store.close()
    old = time.time_ns() - 10**13
    os.utime(blob(store, digests[0]), ns=(old, old))
    build = LocalStore(store.folder)
    assert build.get_result(KEY) is not None
    done = collect(LocalStore(store.folder), 0)
    assert there(store, digests) == [True, False, False, False]
    assert done.in_use == done.size > SIZE
    build.close()
    collect(LocalStore(store.folder), 0)
    assert there(store, digests) == [False] * 4


def test_asking_for_a_blob_keeps_it(store: LocalStore) -> None:
    digests = fill(store)
    build = LocalStore(store.folder)
    assert build.contains(digests[0])
    collect(LocalStore(store.folder), 0)
    assert there(store, digests) == [True] + [False] * 9


def test_an_output_with_an_old_access_time_is_not_collected(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "output"
    source.write_bytes(b"made by cp -p")
    os.utime(source, ns=(0, 0))
    digest = store.put_file(source)
    collect(LocalStore(store.folder), 0)
    assert there(store, [digest]) == [True]


def test_a_clock_that_is_set_back_does_not_uncover_what_a_build_uses(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = fill(store, 2)
    build = LocalStore(store.folder)
    assert build.contains(digests[1])
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 10**15)
    assert build.contains(digests[0])
    collect(LocalStore(store.folder), 0)
    assert there(store, digests) == [True, True]


def _build(folder: Path, digest: Digest, ready: Event) -> None:
    store = LocalStore(folder)
    assert store.contains(digest)
    ready.set()
    signal.pause()


def test_a_killed_build_protects_nothing(store: LocalStore) -> None:
    digests = fill(store)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_build, args=(store.folder, digests[0], ready))
    process.start()
    assert ready.wait(60)
    assert statistics(store).builds
    collect(LocalStore(store.folder), 0)
    assert there(store, digests) == [True] + [False] * 9
    process.kill()
    process.join()
    assert not statistics(store).builds
    assert list((store.folder / "builds").iterdir()) == []
    collect(LocalStore(store.folder), 0)
    assert not any(there(store, digests))


def _use_for_a_while(folder: Path, seed: int, rounds: int) -> None:
    """What a build does: look a result up, make it where it is not there, use its blobs."""
    store = LocalStore(folder)
    for number in range(rounds):
        name = b"%d" % ((number * 7 + seed) % 40)
        key = name.hex().rjust(64, "0")
        result = store.get_result(key)
        if result is None:
            digest = store.put_bytes(name * 500)
            result = ActionResult((("a", FileDigest(*digest, False)),))
            store.put_result(key, result)
        for _, file in result.files:
            assert store.get_bytes(file.digest) == name * 500, "a blob in use was removed"
        if number % 13 == 0:
            store.close()  # the next build begins


def test_eight_builds_at_once_under_permanent_collection(store: LocalStore) -> None:
    store.put_bytes(b"makes the folder")
    store.close()
    context = multiprocessing.get_context("fork")
    builds = [context.Process(target=_use_for_a_while, args=(store.folder, seed, 150)) for seed in range(8)]
    for process in builds:
        process.start()
    removed = 0
    while any(process.is_alive() for process in builds):
        removed += collect(LocalStore(store.folder), 2000).removed
    for process in builds:
        process.join()
    assert [process.exitcode for process in builds] == [0] * 8
    assert removed > 0


def test_a_build_collects_what_it_made_too_large(store: LocalStore) -> None:
    digests = fill(store)
    build = LocalStore(store.folder)
    assert collect_after_build(build, 5 * SIZE) is None, "it has put nothing"
    new = build.put_bytes(b"new" * SIZE)
    done = collect_after_build(build, 5 * SIZE)
    assert done is not None
    assert there(store, [new]) == [True]
    assert sum(there(store, digests)) == 1
    # From now on the count says when: no listing of the folder below the limit.
    build.put_bytes(b"more")
    assert collect_after_build(build, 5 * SIZE) is None
    build.put_bytes(b"x" * 2 * SIZE)
    assert collect_after_build(build, 5 * SIZE) is not None


def test_verify_drops_what_is_corrupt_and_what_is_incomplete(store: LocalStore, warnings: list[str]) -> None:
    digests = fill(store, 3)
    for number, digest in enumerate(digests):
        store.put_result(f"{number:064x}", ActionResult((("a", FileDigest(*digest, False)),)))
    flipped, missing = blob(store, digests[0]), blob(store, digests[1])
    flipped.chmod(0o644)
    data = bytearray(flipped.read_bytes())
    data[17] ^= 4
    flipped.write_bytes(bytes(data))
    missing.unlink()
    found = verify(LocalStore(store.folder, warnings.append))
    assert found.blobs == 2
    assert found.results == 3
    assert found.corrupt == (digests[0].sha256,)
    assert found.incomplete == (f"{0:064x}", f"{1:064x}")
    again = verify(LocalStore(store.folder, warnings.append))
    assert (again.blobs, again.results, again.corrupt, again.incomplete) == (1, 1, (), ())


def test_verify_is_no_use(store: LocalStore) -> None:
    digests = fill(store, 3)
    result = ActionResult((("a", FileDigest(*digests[0], False)), ("d/b", FileDigest(*digests[1], False))), ("d/",))
    store.put_result(KEY, result)
    store.close()
    files = [path for kind in ("cas", "ac") for path in (store.folder / kind).rglob("*") if path.is_file()]
    assert len(files) == 5
    for number, path in enumerate(files):
        os.utime(path, ns=(10**9 * number, path.stat().st_mtime_ns))
    found = verify(LocalStore(store.folder))
    assert (found.blobs, found.results, found.corrupt, found.incomplete) == (4, 1, (), ())
    assert [path.stat().st_atime_ns for path in files] == [10**9 * number for number in range(5)]
    assert not statistics(store).builds


def test_verify_finds_a_result_whose_folder_is_missing(store: LocalStore) -> None:
    (digest,) = fill(store, 1)
    store.put_result(KEY, ActionResult((("d/b", FileDigest(*digest, False)),), ("d/",)))
    (tree,) = (path for path in (store.folder / "cas").rglob("*") if path.is_file() and path.name != digest.sha256)
    tree.unlink()
    assert verify(LocalStore(store.folder)).incomplete == (KEY,)
    assert not (store.folder / "ac" / KEY[:2] / KEY).exists()


def test_clear_waits_for_nobody(store: LocalStore) -> None:
    digests = fill(store)
    build = LocalStore(store.folder)
    assert build.contains(digests[0])
    with pytest.raises(StoreError, match="a build is using the store"):
        clear(LocalStore(store.folder))
    assert all(there(store, digests))
    build.close()
    assert clear(LocalStore(store.folder)) == 10 * SIZE
    assert statistics(store).blobs == 0
    assert list((store.folder / "tmp").iterdir()) == []


def test_care_of_a_store_that_is_not_there(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "none")
    assert statistics(store).size == 0
    assert collect(store, 0).removed == 0
    assert verify(store).blobs == 0
    assert clear(store) == 0
    assert not store.folder.exists()


def test_what_killed_builds_left_in_tmp_goes(store: LocalStore) -> None:
    fill(store)
    left = store.folder / "tmp" / ".tmp-old"
    left.write_bytes(b"half a blob")
    os.utime(left, (0, 0))
    fresh = store.folder / "tmp" / ".tmp-new"
    fresh.write_bytes(b"being written")
    collect(LocalStore(store.folder), 10**9)
    assert not left.exists()
    assert fresh.exists()
