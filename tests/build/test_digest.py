"""Remembered digests are never wrong, whatever the file system's clock says."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finnmake.build import digest
from finnmake.build.digest import CHUNK, SMALL, DigestMemo, digest_of_bytes, files_below, hash_file
from finnmake.build.files import copy_file
from finnmake.build.state import State
from finnmake.errors import BuildFileError


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state" / "state.sqlite")
    yield state
    state.shut()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that have really been read."""
    seen: list[str] = []

    def spy(path: Path | str) -> str:
        seen.append(Path(path).name)
        return hash_file(path)

    monkeypatch.setattr(digest, "hash_file", spy)
    return seen


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + int(seconds * 1e9))


def test_a_file_at_rest_is_read_once(
    tmp_path: Path, state: State, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    later(monkeypatch, 3)
    memo = DigestMemo(tmp_path, state)
    assert memo.file(path).digest == digest_of_bytes(b"x")
    assert memo.file(path).digest == digest_of_bytes(b"x")
    state.shut()
    again = State(state.path)
    assert DigestMemo(tmp_path, again).file(path).digest == digest_of_bytes(b"x")
    again.shut()
    assert reads == ["a"]


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path, state: State, reads: list[str]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    memo = DigestMemo(tmp_path, state)
    memo.file(path)
    memo.file(path)
    assert reads == ["a", "a"]


def test_a_clock_that_jumps_back_makes_no_digest_trusted(
    tmp_path: Path, state: State, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    later(monkeypatch, -100_000)
    memo = DigestMemo(tmp_path, state)
    memo.file(path)
    memo.file(path)
    assert reads == ["a", "a"]


@pytest.mark.parametrize("change", ["size", "bytes", "mtime", "replaced", "mode"])
def test_any_change_is_seen(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.utime(path, (1000, 1000))
    later(monkeypatch, 3)
    memo = DigestMemo(tmp_path, state)
    memo.file(path)
    if change == "size":
        path.write_bytes(b"longer")
    elif change in ("bytes", "mtime"):
        path.write_bytes(b"new")
    elif change == "replaced":
        (tmp_path / "b").write_bytes(b"new")
        (tmp_path / "b").rename(path)
    elif change == "mode":
        path.chmod(0o755)
    if change != "mtime":
        # Restored, as `cp -p`, `tar` and `git restore-mtime` do.
        os.utime(path, (1000, 1000))
    assert memo.file(path).sha256 == hash_file(path)
    assert memo.file(path).executable == (change == "mode")


def test_a_name_that_cannot_be_recorded_is_refused(tmp_path: Path, state: State) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "a").write_text("a")
    with pytest.raises(BuildFileError, match=r"caf\\udce9/a': has a name that is not UTF-8"):
        DigestMemo(tmp_path, state).file(folder / "a")
    # What lies above a workspace is not recorded.
    assert DigestMemo(folder, state).file(folder / "a").size == 1
    state.end_build([])


def test_files_that_are_none(tmp_path: Path, state: State) -> None:
    memo = DigestMemo(tmp_path, state)
    with pytest.raises(FileNotFoundError):
        memo.file(tmp_path / "none")
    with pytest.raises(BuildFileError, match="not a regular file"):
        memo.file(tmp_path)


def test_files_below_are_sorted_and_without_byte_code(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a/__pycache__/x.pyc", "a/c/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, _ in files_below(tmp_path)] == ["a/c/d", "a/z", "b"]


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, SMALL + CHUNK, 2 * CHUNK + SMALL + 3])
def test_files_of_all_sizes_are_copied_and_hashed(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "a").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert hash_file(tmp_path / "a") == sha256
    assert copy_file(tmp_path / "a", tmp_path / "b") == sha256
    assert (tmp_path / "b").read_bytes() == data
    assert copy_file(tmp_path / "a", str(tmp_path / "c"), executable=True, sync=True) == sha256
    assert (tmp_path / "c").read_bytes() == data
    assert os.access(tmp_path / "c", os.X_OK)


def test_a_copy_replaces_nothing_and_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "a", tmp_path / "b")
    for source, error in ((tmp_path / "none", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(error):
            copy_file(source, tmp_path / "c")
        with pytest.raises(error):
            hash_file(source)
    assert (tmp_path / "b").read_text() == "b"
    assert not (tmp_path / "c").exists()
