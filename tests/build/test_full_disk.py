"""Disks that are full or may only be read, real ones: a build says so in one message, and leaves no wrong artefact."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finnmake.build.executor import ActionFailedError
from finnmake.build.rebuilder import Rebuilder
from finnmake.errors import FinnmakeError, StoreError
from tests.build.conftest import Project, call, shell

DOUBLE = shell("cat a.txt a.txt > two.txt", {"a.txt": Path("a.txt")}, {"two.txt": "build/two.txt"})
UPPER = call("upper", {"a": Path("a.txt")}, {"b": "build/b.txt"}, source="a", target="b")


@contextmanager
def mounted(folder: Path, size: str = "2m") -> Iterator[Path]:
    """A small file system of its own."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "finnmake-test", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as folder:
        yield folder


def fill(disk: Path) -> Path:
    """Take the last byte of a disk; the file that has taken it."""
    path = disk / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return path


def open_rebuilder(project: Project) -> Rebuilder:
    return Rebuilder(project.workspace(), use_bubblewrap=False)


def close(rebuilder: Rebuilder) -> None:
    rebuilder.close()
    rebuilder.state.shut()


def failure(work: Callable[[], object]) -> str:
    with pytest.raises((FinnmakeError, OSError)) as caught:
        work()
    return str(caught.value)


@pytest.mark.parametrize("name", ["tool", "python"])
def test_a_workspace_on_a_full_disk(disk: Path, userpackage: Path, name: str) -> None:
    action = {"tool": DOUBLE, "python": UPPER}[name]
    project = Project(disk / "workspace")
    project.write("a.txt", "one\n" * 2000)
    rebuilder = open_rebuilder(project)
    try:
        filler = fill(disk)
        said = failure(lambda: rebuilder.execute("t:a", action))
        assert "full" in said or "No space left on device" in said
        assert list(project.store_files("ac")) == []
        filler.unlink()
        assert rebuilder.execute("t:a", action).how == "run"
    finally:
        close(rebuilder)
    assert project.build({"t:a": action}) == {"t:a": "up_to_date"}


def test_a_python_action_that_fills_the_disk_says_so(disk: Path, userpackage: Path) -> None:
    (userpackage / "functions.py").write_text(
        "def large(target: str) -> None:\n    open(target, 'wb').write(bytes(64 << 20))\n"
    )
    project = Project(disk / "workspace")
    rebuilder = open_rebuilder(project)
    try:
        with pytest.raises(StoreError, match="the disk is full"):
            rebuilder.execute("t:a", call("large", {}, {"b": "b"}, target="b"))
    finally:
        close(rebuilder)
    assert not (project.root / "b").exists()


@pytest.mark.parametrize("text", ["head -c 64M /dev/zero > b", "head -c 64M /dev/zero > b 2>/dev/null"])
def test_a_tool_that_fills_the_disk_says_so(disk: Path, text: str) -> None:
    project = Project(disk / "workspace")
    rebuilder = open_rebuilder(project)
    try:
        with pytest.raises(ActionFailedError, match="the disk is full"):
            rebuilder.execute("t:a", shell(text, {}, {"b": "b"}))
        with pytest.raises(ActionFailedError) as caught:
            rebuilder.execute("t:a", shell("false", {}, {"b": "b"}))
        assert "full log" in str(caught.value)
        assert "disk is full" not in str(caught.value)
    finally:
        close(rebuilder)


def test_a_python_action_whose_log_has_no_room_says_so(disk: Path, userpackage: Path) -> None:
    (userpackage / "functions.py").write_text(
        "def talk(target: str) -> None:\n    open(target, 'w').write('x')\n    print('x' * (64 << 20))\n"
    )
    project = Project(disk / "workspace")
    rebuilder = open_rebuilder(project)
    try:
        with pytest.raises(StoreError, match="the disk is full"):
            rebuilder.execute("t:a", call("talk", {}, {"b": "b"}, target="b"))
    finally:
        close(rebuilder)
    assert list(project.store_files("ac")) == []


def test_a_store_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "workspace", store=disk / "store")
    project.write("a.txt", "one\n" * 2000)
    project.build({"t:first": shell("echo x > b", {}, {"b": "b"})})
    filler = fill(disk)
    with pytest.raises(StoreError, match="the disk is full"):
        project.build({"t:a": DOUBLE})
    assert not (project.root / "build" / "two.txt").exists()
    filler.unlink()
    assert project.build({"t:a": DOUBLE}) == {"t:a": "run"}
    assert project.read("build/two.txt") == "one\n" * 4000


def test_a_state_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    project = Project(disk / "workspace", store=tmp_path / "store")
    project.write("a.txt", "one\n")
    rebuilder = open_rebuilder(project)
    filler = fill(disk)

    def write() -> None:
        for number in range(1000):
            rebuilder.state.record_memo("kind", str(number), "", "x" * 1000)

    with pytest.raises(StoreError, match="full"):
        write()
    filler.unlink()
    close(rebuilder)
    assert project.build({"t:a": DOUBLE}) == {"t:a": "run"}
    assert project.build({"t:a": DOUBLE}) == {"t:a": "up_to_date"}


def test_a_store_on_a_disk_that_may_only_be_read(disk: Path, tmp_path: Path) -> None:
    first = Project(tmp_path / "first", store=disk / "store")
    first.write("a.txt", "one\n")
    assert first.build({"t:a": DOUBLE}) == {"t:a": "run"}
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    second = Project(tmp_path / "second", store=disk / "store")
    second.write("a.txt", "one\n")
    assert second.build({"t:a": DOUBLE}) == {"t:a": "store"}
    assert second.read("build/two.txt") == "one\none\n"
    second.write("a.txt", "two\n")
    with pytest.raises(StoreError, match="Read-only file system"):
        second.build({"t:a": DOUBLE})
    # What was there is there still.
    assert second.read("build/two.txt") == "one\none\n"


def test_a_workspace_on_a_disk_that_may_only_be_read(disk: Path) -> None:
    project = Project(disk / "workspace")
    project.write("a.txt", "one\n")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StoreError, match="the build state cannot be used"):
        project.build({"t:a": DOUBLE})
