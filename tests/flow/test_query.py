"""``finnmake query``, and ``finnmake why --now``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_build import SmallBuild


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SmallBuild:
    build = SmallBuild.create(tmp_path_factory.mktemp("query"))
    build.build()
    return build


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (("deps", "net:all"), ["net:list", "net:a", "net:b", "net:all"]),
        (("deps", "net:all", "--depth", "1"), ["net:a", "net:b", "net:all"]),
        (("deps", "plain"), ["net:list", "net:a", "net:b", "net:all", "plain"]),
        (("rdeps", "net:b"), ["net:b", "net:all", "plain"]),
        (("path", "plain", "net:list"), ["plain", "net:all", "net:a", "net:list"]),
        (("outputs", "net"), ["out/list", "out/a", "out/b", "out/all"]),
        (("outputs", "plain"), ["plain"]),
    ],
)
def test_answers_are_one_a_line(built: SmallBuild, arguments: tuple[str, ...], lines: list[str]) -> None:
    done = built.finnmake("query", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == lines


def test_json(built: SmallBuild) -> None:
    assert built.json("query", "rdeps", "net:b") == {"tasks": ["net:b", "net:all", "plain"], "unexpanded": []}
    assert built.json("query", "outputs", "net:a") == {"outputs": ["out/a"], "unexpanded": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deps", "net:al"), "Near: net:all"),
        (("path", "net:list", "net:all"), "net:all needs net:list: swap them"),
        (("deps", "net:a", "--depth", "-1"), "Say 0 or more"),
    ],
)
def test_what_makes_no_sense_is_said(built: SmallBuild, arguments: tuple[str, ...], said: str) -> None:
    done = built.finnmake("query", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_before_the_first_build(tmp_path: Path) -> None:
    build = SmallBuild.create(tmp_path)
    done = build.finnmake("query", "deps", "net")
    assert done.returncode == 0
    assert done.stdout == "net:list\n"
    assert "more tasks of its group are known when net:list has been built" in done.stderr
    assert build.json("query", "deps", "net")["unexpanded"] == ["net:list"]
    (tmp_path / "dodo.py").unlink()
    done = build.finnmake("query", "deps", "net")
    assert done.returncode == 1
    assert "there is no dodo.py" in done.stderr


def test_why_now(tmp_path: Path) -> None:
    build = SmallBuild.create(tmp_path)
    assert build.finnmake("why", "--now").stdout == "net:list: out of date\n  first build\n0 up to date\n"
    build.build()
    assert build.finnmake("why", "--now").stdout == "4 up to date\n"
    (tmp_path / "part").write_text("another part\n")
    (tmp_path / "out/all").unlink()
    lines = build.finnmake("why", "--now", "net:a", "net:all", "net:list").stdout.splitlines()
    assert lines[0] == "net:a: out of date"
    assert lines[1].startswith("  input part: ")
    assert lines[2:] == ["net:all: out of date", "  output edited: out/all", "1 up to date"]
    (tmp_path / "out/a").unlink()
    assert "net:all: cannot be built yet\n  " in build.finnmake("why", "--now", "net:all").stdout
