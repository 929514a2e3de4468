"""``finnmake cache`` on the local store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finnmake.flow.cache import size_text
from tests.support.small_build import ROOT, SmallBuild


@pytest.fixture
def built(tmp_path: Path) -> SmallBuild:
    build = SmallBuild.create(tmp_path)
    build.build()
    return build


def blobs(build: SmallBuild) -> list[Path]:
    return sorted(path for path in (build.folder / ".finnmake/store/cas").rglob("*") if path.is_file())


@contextmanager
def build_in_progress(build: SmallBuild) -> Iterator[None]:
    """A process that has used all results of the store, and lives."""
    program = (
        "import sys; from pathlib import Path; from finnmake.build.store import LocalStore\n"
        "store = LocalStore(Path('.finnmake/store'))\n"
        "for path in Path('.finnmake/store/ac').rglob('*'):\n"
        "    assert path.is_dir() or store.get_result(path.name)\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command,
        cwd=build.folder,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.communicate()
    assert process.returncode == 0


def test_stats(built: SmallBuild) -> None:
    said = built.json("cache", "stats")
    assert (said["blobs"], said["results"], said["in_use"]) == (4, 4, False)
    assert said["bytes"] > 0
    assert said["limit"] == 20 << 30
    assert isinstance(said["oldest_use"], float)
    text = built.finnmake("cache", "stats").stdout
    assert "blobs       4\n" in text
    assert "of 20.0 GiB\n" in text
    assert "in use      by no build\n" in text
    with build_in_progress(built):
        assert built.json("cache", "stats")["in_use"]


def test_a_build_file_is_not_needed(tmp_path: Path) -> None:
    build = SmallBuild.create(tmp_path, '[store]\npath = "shared"\nmax_size = "0"\n')
    (tmp_path / "dodo.py").unlink()
    said = build.json("cache", "stats")
    assert said == {
        "store": str(tmp_path / "shared"),
        "blobs": 0,
        "results": 0,
        "bytes": 0,
        "limit": None,
        "oldest_use": None,
        "in_use": False,
    }
    assert "of any size" in build.finnmake("cache", "stats").stdout
    done = build.finnmake("cache", "gc")
    assert (done.returncode, done.stderr) == (1, "finnmake: the store has no limit\n  Say --max-size SIZE.\n")
    assert build.finnmake("cache", "verify").stdout == "0 blobs and 0 results read, 0 dropped\n"
    (tmp_path / "finnmake.toml").unlink()
    assert build.json("cache", "stats")["store"] == str(tmp_path / ".finnmake/store")


def test_gc(built: SmallBuild) -> None:
    assert built.finnmake("cache", "gc").stdout.startswith("removed 0 files")
    with build_in_progress(built):
        done = built.json("cache", "gc", "--max-size", "0")
        assert (done["removed"], len(blobs(built))) == (0, 4)
        assert done["in_use"] == done["bytes"] > 0
        assert "stay: a build uses them" in built.finnmake("cache", "gc", "--max-size", "0").stdout
    assert built.json("cache", "gc", "--max-size", "0 MB")["removed"] == 8
    assert blobs(built) == []
    assert built.build() == {"up_to_date": 4}
    done = built.finnmake("cache", "gc", "--max-size", "much")
    assert done.returncode == 1
    assert "'much' is no size" in done.stderr


def test_verify_finds_one_flipped_bit(built: SmallBuild) -> None:
    assert built.finnmake("cache", "verify").stdout == "4 blobs and 4 results read, 0 dropped\n"
    victim = blobs(built)[0]
    victim.chmod(0o644)
    victim.write_bytes(bytes([victim.read_bytes()[0] ^ 1]) + victim.read_bytes()[1:])
    done = built.finnmake("cache", "verify")
    assert done.returncode == 1
    assert f"dropped, its bytes were wrong: {victim.name}\n" in done.stdout
    assert done.stdout.endswith("4 blobs and 4 results read, 2 dropped\n")
    said = built.json("cache", "verify")
    assert said == {"ok": True, "blobs": 3, "results": 3, "corrupt": [], "incomplete": []}


def test_clear(built: SmallBuild) -> None:
    done = built.finnmake("cache", "clear")
    assert (done.returncode, len(blobs(built))) == (1, 4)
    assert "Say --yes." in done.stderr
    with build_in_progress(built):
        done = built.finnmake("cache", "clear", "--yes")
        assert (done.returncode, len(blobs(built))) == (1, 4)
        assert "a build is using the store" in done.stderr
    assert built.json("cache", "clear", "--yes")["freed"] > 0
    assert blobs(built) == []
    (built.folder / "out/all").unlink()
    assert built.build() == {"up_to_date": 3, "run": 1}


@pytest.mark.parametrize(("typed", "left"), [(b"n\n", 4), (b"\x04", 4), (b"y\n", 0)])
def test_clear_asks_at_a_terminal(built: SmallBuild, typed: bytes, left: int) -> None:
    terminal, end = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "finnmake.cli", "-C", str(built.folder), "cache", "clear"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=end,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            os.write(terminal, typed)
            text, _ = process.communicate(timeout=60)
    finally:
        os.close(terminal)
        os.close(end)
    assert process.returncode == 0, text
    assert b"Remove everything from " in text
    assert (b"nothing removed" in text) == (left > 0)
    assert len(blobs(built)) == left


@pytest.mark.parametrize("arguments", [("push",), ("pull",), ("pull", "net:all")])
def test_without_a_remote_cache(built: SmallBuild, arguments: tuple[str, ...]) -> None:
    done = built.finnmake("cache", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no remote cache\n  Name one in it: [remote] url = " in done.stderr
    assert built.json("cache", *arguments, status=1)["ok"] is False


def test_sizes() -> None:
    assert [size_text(size) for size in (0, 1023, 1024, 1536, 5 << 30, 3 << 50)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "1.5 KiB",
        "5.0 GiB",
        "3072.0 TiB",
    ]
