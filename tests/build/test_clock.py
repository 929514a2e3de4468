"""A clock that jumps, between builds and in the middle of one: what has changed is seen, and nothing else runs."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from tests.build.conftest import Project, shell

YEARS = 3 * 365 * 24 * 3600
TASKS = {
    "t:double": shell("cat a.txt a.txt > two.txt", {"a.txt": Path("a.txt")}, {"two.txt": "two.txt"}),
    "t:count": shell("wc -c < two.txt > n.txt; cat two.txt >> n.txt", {"two.txt": Path("two.txt")}, {"n.txt": "n.txt"}),
}


def jump(monkeypatch: pytest.MonkeyPatch, *seconds: int) -> None:
    """From now on the clock is off by these amounts, by turns at each look at it."""
    real, real_ns, turns = time.time, time.time_ns, itertools.cycle(seconds)
    monkeypatch.setattr(time, "time", lambda: real() + next(turns))
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + next(turns) * 10**9)


def edit_unnoticeably(path: Path, text: str) -> None:
    """Other bytes of the same number, with the time of the old ones."""
    before = path.stat()
    path.write_text(text)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("seconds", [(YEARS,), (-YEARS,), (0, YEARS, -YEARS)], ids=["forward", "back", "to and fro"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_edit_is_seen_whatever_the_clock_says(
    project: Project, monkeypatch: pytest.MonkeyPatch, seconds: tuple[int, ...], when: str
) -> None:
    source = project.write("a.txt", "one\n")
    with monkeypatch.context() as first:
        if when == "before":
            jump(first, *seconds)
        assert set(project.build(TASKS).values()) == {"run"}
    if when == "after":
        jump(monkeypatch, *seconds)
    assert set(project.build(TASKS).values()) == {"up_to_date"}
    edit_unnoticeably(source, "two\n")
    assert set(project.build(TASKS).values()) == {"run"}
    assert project.read("n.txt") == "8\ntwo\ntwo\n"
    edit_unnoticeably(project.root / "two.txt", "bad\nbad\n")
    assert project.build(TASKS) == {"t:double": "store", "t:count": "up_to_date"}
    assert project.read("two.txt") == "two\ntwo\n"


@pytest.mark.parametrize("seconds", [YEARS, -YEARS])
def test_files_from_another_time_are_like_any_other(project: Project, seconds: int) -> None:
    """As from an archive, or from a machine whose clock is wrong."""
    source = project.write("a.txt", "one\n")
    for text, expected in (("one\n", "4"), ("two\n", "4"), ("three\n", "6")):
        source.write_text(text)
        os.utime(source, (time.time() + seconds, time.time() + seconds))
        project.build(TASKS)
        assert project.read("n.txt") == f"{2 * int(expected)}\n{text}{text}"
        assert set(project.build(TASKS).values()) == {"up_to_date"}
