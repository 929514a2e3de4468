"""Actions that cannot be are refused where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.build.action import Action, Canonical, DirectoryOf, PythonCommand, ToolCommand
from finnmake.errors import BuildFileError

COMMAND = ToolCommand(("cp",))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "./a", "a//b", "", "a\\b"])
def test_paths_that_leave_the_box(path: str) -> None:
    with pytest.raises(BuildFileError, match="plain relative path"):
        Action("X", COMMAND, {path: Path("a")}, {"b": "b"})
    with pytest.raises(BuildFileError, match="plain relative path"):
        Action("X", COMMAND, {}, {path: "b"})


def test_outputs_stay_in_the_workspace() -> None:
    for place in ("/tmp/x", "../x"):
        with pytest.raises(BuildFileError, match="plain relative path"):
            Action("X", COMMAND, {}, {"b": place})
    with pytest.raises(BuildFileError, match="no outputs"):
        Action("X", COMMAND, {}, {})


def test_directories_are_marked() -> None:
    with pytest.raises(BuildFileError, match="must end in"):
        Action("X", COMMAND, {"in": DirectoryOf("t:a", "out/")}, {"b": "b"})
    with pytest.raises(BuildFileError, match="is a file"):
        Action("X", COMMAND, {"in/": Canonical(Path("a"), "finnmake.errors:f")}, {"b": "b"})


def test_commands() -> None:
    with pytest.raises(BuildFileError, match="is a path"):
        ToolCommand(("/usr/bin/cp",))
    with pytest.raises(BuildFileError, match="non-empty"):
        ToolCommand(())
    with pytest.raises(BuildFileError, match=r"package\.module:function"):
        PythonCommand("finnmake.errors")
    with pytest.raises(BuildFileError, match="none of the packages finnmake"):
        PythonCommand("os:system")
    with pytest.raises(BuildFileError, match="not JSON"):
        PythonCommand("finnmake.errors:f", {"x": Path("a")})
    with pytest.raises(BuildFileError, match="not JSON"):
        PythonCommand("finnmake.errors:f", {"x": float("nan")})


def test_the_tool_of_the_command_is_a_tool_of_the_action() -> None:
    assert Action("X", COMMAND, {}, {"b": "b"}, ("g++",)).tools == ("g++", "cp")
    assert Action("X", PythonCommand("finnmake.errors:f"), {}, {"b": "b"}).tools == ("python",)


def test_arguments_do_not_change_behind_an_action() -> None:
    arguments: dict[str, object] = {"list": [1, 2]}
    command = PythonCommand("finnmake.errors:f", arguments)
    arguments["list"] = []
    assert command.arguments == {"list": [1, 2]}
