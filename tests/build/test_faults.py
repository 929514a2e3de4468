"""Builds that are killed, and builds that run beside each other, end in the same bytes as an undisturbed one."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finnmake.build.collection import statistics, verify
from finnmake.build.store import LocalStore
from tests.build.test_doit_commands import COMMANDS, ROOT

DODO = """
from pathlib import Path

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.doit_tasks import action_task
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

WORKSPACE = Workspace.of(__file__, {"sh": Tool("sh", candidates=("bash",))})


class Net:
    def create_doit_tasks(self):
        for lane in range(3):
            before = {"in": Path("model")}
            for step in range(3):
                place = f"out/{lane}.{step}"
                script = f"sleep 0.03; (cat in; echo {lane} {step}) | sha256sum > o; sleep 0.03; seq 2000 >> o"
                yield action_task(
                    f"net:{lane}.{step}", Action("X", ToolCommand(("sh", "-c", script)), before, {"o": place}),
                    workspace=WORKSPACE,
                )
                before = {"in": Path(place)}
        inputs = {f"i{lane}": Path(f"out/{lane}.2") for lane in range(3)}
        yield action_task(
            "net:stitch", Action("Y", ToolCommand(("sh", "-c", "cat i* | sha256sum > o")), inputs, {"o": "out/all"}),
            workspace=WORKSPACE,
        )


net = Net()
"""


def prepare(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "doit.cfg").write_text(COMMANDS)
    (folder / "dodo.py").write_text(DODO)
    (folder / "model").write_text("model\n")
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "doit", "-n", "2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[bytes]) -> str:
    output, _ = process.communicate(timeout=60)
    text = output.decode()
    assert process.returncode == 0, text
    return text


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "out").iterdir())}


def results(folder: Path) -> int:
    """Actions whose result has reached the store."""
    return sum(path.is_file() for path in (folder / ".finnmake" / "store" / "ac").rglob("*"))


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.nightly)])
def test_killed_at_random_points(tmp_path: Path, kills: int) -> None:
    whole = prepare(tmp_path / "whole")
    finish(start(whole))
    expected = digests(whole)
    assert len(expected) == 10
    folder = prepare(tmp_path / "killed")
    chance = random.Random(2)
    for number in range(kills):
        # Another model every other time: a build that goes on after a kill, and one that starts anew.
        (folder / "model").write_text(f"model {number // 2}\n")
        enough = results(folder) + chance.randrange(0, 4)
        process = start(folder)
        while process.poll() is None and results(folder) < enough:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert process.returncode == -9
    (folder / "model").write_text("model\n")
    finish(start(folder))
    assert digests(folder) == expected
    assert " 10 up to date" in finish(start(folder))
    assert list((folder / ".finnmake" / "scratch").iterdir()) == []


def test_a_killed_build_loses_only_what_ran(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "killed")
    process = start(folder)
    deadline = time.monotonic() + 60
    while not (folder / "out" / "1.2").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    text = finish(start(folder))
    # Two lanes of three were done but for what the second thread was at and the commit of 1.2 itself.
    assert text.count("up to date  ") + text.count("store  ") >= 4, text


@pytest.mark.parametrize("shared", ["workspace", "store"])
def test_two_builds_at_once(tmp_path: Path, shared: str) -> None:
    folders = [prepare(tmp_path / "one")]
    folders.append(folders[0] if shared == "workspace" else prepare(tmp_path / "two"))
    if shared == "store":
        for folder in folders:
            (folder / "finnmake.toml").write_text(f'[store]\npath = "{tmp_path / "store"}"\n')
    texts = [finish(process) for process in [start(folder) for folder in folders]]
    assert digests(folders[0]) == digests(folders[1])
    # Each of the ten actions ran once; the other build took it from the store or found it done.
    assert sum(text.count("\nrun  ") + text.startswith("run  ") for text in texts) == 10
    assert " 10 up to date" in finish(start(folders[1]))


@pytest.mark.parametrize("limit", ["20 GiB", "3 kB"])
def test_eight_builds_at_once(tmp_path: Path, limit: str) -> None:
    """Four workspaces with two builds each share a store, which may have room for all or be collected all the time."""
    store = LocalStore(tmp_path / "store")
    folders = [prepare(tmp_path / str(number)) for number in range(4)]
    for folder in folders:
        (folder / "finnmake.toml").write_text(f'[store]\npath = "{store.folder}"\nmax_size = "{limit}"\n')
    texts = [finish(process) for process in [start(folder) for folder in folders * 2]]
    assert all(digests(folder) == digests(folders[0]) for folder in folders)
    assert len(digests(folders[0])) == 10
    ran = sum(text.count("\nrun  ") + text.startswith("run  ") for text in texts)
    assert ran == 10 if limit == "20 GiB" else ran >= 10
    assert not any("corrupt" in text for text in texts)
    assert not statistics(store).builds
    found = verify(store)
    assert (found.corrupt, found.incomplete) == ((), ())
    assert list((store.folder / "tmp").iterdir()) == []
