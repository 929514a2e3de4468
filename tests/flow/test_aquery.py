"""``finnmake aquery``: the same text for the same action wherever it is; the one line that differs is named."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest

from tests.support.project import Project
from tests.support.small_build import SmallBuild


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallBuild, SmallBuild]:
    """Two checkouts, built."""
    folder = tmp_path_factory.mktemp("aquery")
    builds = SmallBuild.create(folder / "one"), SmallBuild.create(folder / "elsewhere" / "two")
    for build in builds:
        build.build()
    return builds


def test_two_checkouts_say_the_same(pair: tuple[SmallBuild, SmallBuild]) -> None:
    one, two = (build.finnmake("aquery", "net") for build in pair)
    assert one.returncode == two.returncode == 0
    assert one.stdout == two.stdout
    assert one.stdout.count("action net:") == 4
    for build in pair:
        assert str(build.folder) not in one.stdout
    assert "/" not in one.stdout.replace("bin/", "")
    assert socket.gethostname() not in one.stdout
    assert f'"{getpass.getuser()}"' not in one.stdout


def test_the_ingredients_are_all_there(pair: tuple[SmallBuild, SmallBuild]) -> None:
    done = pair[0].json("aquery", "net:a")
    action = done["actions"]["net:a"]
    assert len(action["key"]) == 64
    names = set(action["ingredients"])
    assert names >= {"argument 0", "argument 2", "environment MODE", "input part", "input list", "output o", "tool sh"}
    assert done["unknown"] == {}


def test_an_edit_of_one_input_is_one_line(pair: tuple[SmallBuild, SmallBuild], tmp_path: Path) -> None:
    one, two = pair
    before = one.finnmake("aquery", "net:a").stdout
    (tmp_path / "theirs.txt").write_text(before)
    assert two.finnmake("aquery", "net:a", "--diff", str(tmp_path / "theirs.txt")).returncode == 0
    part = two.folder / "part"
    part.write_text("edited\n")
    try:
        after = two.finnmake("aquery", "net:a").stdout
        (tmp_path / "mine.txt").write_text(after)
        differ = [[old, new] for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
        assert [old.split()[:2] for old, _ in differ] == [["key", differ[0][0].split()[1]], ["input", "part"]]
        done = two.finnmake("aquery", "--diff", str(tmp_path / "theirs.txt"), str(tmp_path / "mine.txt"))
        assert done.returncode == 1
        assert done.stdout.splitlines()[0] == "net:a"
        assert len(done.stdout.splitlines()) == 2
        assert done.stdout.splitlines()[1].startswith("  input part: ")
        again = two.finnmake("aquery", "net:a", "--diff", str(tmp_path / "theirs.txt"))
        assert (again.returncode, again.stdout) == (1, done.stdout)
        content = two.json("aquery", "net:a", "--diff", str(tmp_path / "theirs.txt"), status=1)
        assert list(content["differences"]) == ["net:a"]
    finally:
        part.write_text("part\n")


def test_a_key_is_that_of_the_build(pair: tuple[SmallBuild, SmallBuild]) -> None:
    results = {path.name for path in (pair[0].folder / ".finnmake/store/ac").rglob("*") if path.is_file()}
    actions = pair[0].json("aquery", "net")["actions"].values()
    assert {action["key"] for action in actions} == results


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 1, "no task is named"),
        (("plain",), 1, "not a task with an action key"),
        (("net:x",), 1, "there is no task or target 'net:x'"),
        (("--diff", "part"), 2, "--diff has 1 files"),
        (("--diff", "part", "model"), 2, "line 1 is not one of a text of `finnmake aquery`"),
        (("--diff", "none.txt", "model"), 2, "none.txt: cannot be read"),
    ],
)
def test_mistakes(pair: tuple[SmallBuild, SmallBuild], arguments: tuple[str, ...], status: int, said: str) -> None:
    done = pair[0].finnmake("aquery", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_inputs_that_have_not_been_built(tmp_path: Path) -> None:
    build = SmallBuild.create(tmp_path)
    build.build()
    (tmp_path / "out/a").unlink()
    done = build.finnmake("aquery", "net")
    assert done.returncode == 1
    assert "action net:b\n" in done.stdout
    assert "action net:all\n" not in done.stdout
    assert "net:all: its key is not known yet" in done.stderr


def test_of_an_accelerator(project: Project, tmp_path: Path) -> None:
    project.build("--until", "layers")
    other = project.copied(tmp_path / "another" / "place")
    texts = [
        build.finnmake("aquery", "net:import", "net:ApplyFolding", "net:layers").stdout for build in (project, other)
    ]
    assert texts[0] == texts[1]
    assert texts[0].count("action net:") == 3
    assert "  source finnmake/frontend/actions.py = " in texts[0]
    assert str(tmp_path) not in texts[0]
    assert str(project.installation.site) not in texts[0]
    (tmp_path / "theirs.txt").write_text(texts[0])
    other.write_folding({"Thresholding_0": {"PE": 8}})
    done = other.finnmake("aquery", "net:ApplyFolding", "net:import", "--diff", str(tmp_path / "theirs.txt"))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "net:ApplyFolding"
    assert len(lines) == 2, done.stdout
