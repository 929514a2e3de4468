"""Tools are found, their versions remembered; a missing one is one clear line."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from finnmake.build.state import State
from finnmake.build.tools import Tool, Toolbox
from finnmake.errors import BuildFileError, ToolError


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_version_of_an_executable_is_asked_once(path_folder: Path, tmp_path: Path) -> None:
    path = script(path_folder, "mytool", f"echo asked >> {tmp_path}/asked; echo 'MyTool version 1.2.3 (x)'")
    tool = Tool("t", candidates=("none", "mytool"), version_pattern=r"version (\S+)")
    for _ in range(2):
        state = State(tmp_path / "state.sqlite")
        found = Toolbox({"t": tool}, state).find("t")
        state.shut()
        assert (found.version, found.path) == ("mytool 1.2.3", path)
    assert (tmp_path / "asked").read_text() == "asked\n"
    script(path_folder, "mytool", "echo 'MyTool version 1.2.4'")
    state = State(tmp_path / "state.sqlite")
    assert Toolbox({"t": tool}, state).find("t").version == "mytool 1.2.4"
    state.shut()


def test_first_candidate_wins(path_folder: Path) -> None:
    script(path_folder, "second", "echo 2.0")
    tool = Tool("t", candidates=("first", "second"))
    assert Toolbox({"t": tool}).find("t").version == "second 2.0"
    script(path_folder, "first", "echo 1.0")
    assert Toolbox({"t": tool}).find("t").version == "first 1.0"


def test_python_packages() -> None:
    found = Toolbox({"t": Tool("t", package="xxhash")}).find("t")
    assert found.version == f"xxhash {version('xxhash')}"
    assert found.path.name == "xxhash"
    # Its executable lies beside the running Python: the version comes from the metadata, nothing is run.
    tool = Tool("t", candidates=("doit",), package="doit", version_argument="this would fail")
    assert Toolbox({"t": tool}).find("t").version == f"doit {version('doit')}"


def test_python_is_the_one_that_runs() -> None:
    found = Toolbox({"python": Tool("python", candidates=("python3",))}).find("python")
    assert found.path == Path(sys.executable)
    assert found.version == f"cpython {sys.version.split()[0]}"


def test_a_path_goes_through_no_other_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = Path(sys.executable)
    (tmp_path / "elsewhere").symlink_to(python.parent.parent / "lib")
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/elsewhere/../{python.parent.name}/{python.name}")
    tools = {"python": Tool("python"), "doit": Tool("doit", candidates=("doit",), package="doit")}
    for name in tools:
        assert Toolbox(tools).find(name).path == python.parent.resolve() / (python.name if name == "python" else name)


def test_missing_tools_are_one_line_each() -> None:
    tools = {
        "a": Tool("a", candidates=("nosuch",), why="lint", get="apt install a"),
        "b": Tool("b", package="nosuchpackage"),
    }
    with pytest.raises(ToolError) as caught:
        Toolbox(tools).require(["a", "python", "b", "a"])
    assert caught.value.what == "a is not installed, needed for lint; get it: apt install a\nb is not installed"


def test_a_tool_without_a_version_is_an_error(path_folder: Path) -> None:
    script(path_folder, "mytool", "echo none")
    with pytest.raises(ToolError, match="says no version"):
        Toolbox({"t": Tool("t", candidates=("mytool",))}).find("t")
    script(path_folder, "mytool", "echo 1.2; exit 1")
    with pytest.raises(ToolError, match="exit status 1"):
        Toolbox({"t": Tool("t", candidates=("mytool",))}).find("t")


def test_doctor(path_folder: Path) -> None:
    path = script(path_folder, "mytool", "echo 1.0")
    tools = {
        "t": Tool("t", candidates=("mytool",), why="x"),
        "u": Tool("u", candidates=("nosuch",), why="y", skipped="z", get="g"),
    }
    rows = {row.name: row for row in Toolbox(tools).doctor()}
    assert (rows["t"].found, rows["t"].version, rows["t"].where) == (True, "mytool 1.0", str(path))
    assert (rows["u"].found, rows["u"].skipped, rows["u"].get) == (False, "z", "g")
    assert rows["python"].found


def test_caches_are_outside_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    tool = Tool("t", package="xxhash", cache_variable="X_CACHE", cache_directory="X")
    found = Toolbox({"t": tool}).find("t")
    assert found.caches == {"X_CACHE": Path("/cache/X")}
    assert "cache" not in found.version


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "~")  # what expanduser() leaves where nobody knows better
    found = Toolbox({"t": Tool("t", package="xxhash", cache_variable="X_CACHE", cache_directory="X")}).find("t")
    with pytest.raises(BuildFileError, match="no home folder"):
        _ = found.caches
