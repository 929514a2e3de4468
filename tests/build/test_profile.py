"""``--profile``: a trace that viewers load, of every kind of end that a build can have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from finnmake.build.chrome_trace import BUILD, CATEGORIES

ROOT = Path(__file__).parents[2]

DODO = """
from pathlib import Path

from finnmake.build.action import Action, ToolCommand
from finnmake.build.doit_tasks import action_task
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

WORKSPACE = Workspace.of(__file__, {"sh": Tool("sh", candidates=("bash",))})


def task(name, script, *inputs, expanding=False):
    files = {path: Path("model") if path == "model" else Path("out", path) for path in inputs}
    action = Action("Shell", ToolCommand(("sh", "-c", script)), files, {"o": f"out/{name}"})
    return action_task(f"net:{name}", action, workspace=WORKSPACE, expanding=expanding)


class Net:
    def create_doit_tasks(self):
        yield task("list", "cat model > o", "model", expanding=True)
        listed = Path("out/list")
        words = listed.read_text().split() if listed.exists() else []
        for word in words:
            script = {"fail": "exit 3", "wait": "sleep 600; touch o"}.get(word, f"sleep 0.05; echo {word} > o")
            yield task(word, script, "list")
        if words:
            yield task("all", f"cat {' '.join(words)} > o", *words)


net = Net()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doit.cfg").write_text("[COMMAND]\nrun = finnmake.build.doit_commands:Run\n")
    (tmp_path / "dodo.py").write_text(DODO)
    (tmp_path / "model").write_text("a b c\n")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "doit", "run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def doit(folder: Path, *arguments: str) -> tuple[int, str]:
    process = start(folder, *arguments)
    text, _ = process.communicate(timeout=120)
    return process.returncode, text


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a trace, which is checked to be one that viewers load."""
    content = json.loads(path.read_text())
    assert set(content) == {"displayTimeUnit", "otherData", "traceEvents"}
    for event in content["traceEvents"]:
        assert event["ph"] in ("X", "M")
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["args"], dict)
        if event["ph"] == "X":
            assert isinstance(event["cat"], str)
            assert event["ts"] >= 0
            assert event["dur"] >= 0
    events = [event for event in content["traceEvents"] if event["ph"] == "X"]
    check_nesting(events)
    return events


def check_nesting(events: list[dict[str, Any]]) -> None:
    """Of two events in one row either one lies in the other, or they do not overlap."""
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events:
        began = round(event["ts"] * 1000)
        rows.setdefault((event["pid"], event["tid"]), []).append((began, began + round(event["dur"] * 1000)))
    for spans in rows.values():
        assert spans == sorted(spans, key=lambda span: (span[0], -span[1]))
        within: list[int] = []
        for began, ended in spans:
            while within and within[-1] <= began:
                within.pop()
            assert not within or ended <= within[-1]
            within.append(ended)


def actions_of(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in events if event["cat"] == "action"}


def phases_of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["pid"] == BUILD and event["args"].get("task") == name]


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_phases_add_up_to_their_action(folder: Path, jobs: str) -> None:
    status, text = doit(folder, "--profile", "profile.json", "-n", jobs)
    assert status == 0, text
    assert "critical path" in text
    events = events_of(folder / "profile.json")
    actions = actions_of(events)
    assert set(actions) == {"net:list", "net:a", "net:b", "net:c", "net:all"}
    for name, action in actions.items():
        phases = phases_of(events, name)
        assert sum(round(phase["dur"] * 1000) for phase in phases) == round(action["dur"] * 1000)
        assert phases[0]["ts"] == action["ts"]
        for before, after in pairwise(phases):
            assert round((before["ts"] + before["dur"]) * 1000) == round(after["ts"] * 1000)
        assert {phase["name"] for phase in phases} <= set(CATEGORIES)
        assert {phase["cat"] for phase in phases} >= {"key", "fetch", "run", "store"}
        assert action["args"]["outcome"] == "run"
        ran = [phase["dur"] for phase in phases if phase["name"] == "run"]
        assert len(ran) == 1
        assert ran[0] >= 50_000 or name in ("net:list", "net:all")
        assert action["args"]["queue_us"] >= 0
    rows = {action["tid"] for action in actions.values()}
    assert len(rows) == 1 if jobs == "1" else len(rows) > 1
    assert {"load", "open state", "end of build"} <= {event["name"] for event in events}
    said = json.loads((folder / "profile.json").read_text())["otherData"]
    assert said["critical_path"][0] == "net:list"
    assert said["critical_path"][-1] == "net:all"
    assert len(said["critical_path"]) == 3


def test_the_store_and_no_work_at_all(folder: Path) -> None:
    assert doit(folder)[0] == 0
    for path in (folder / "out").iterdir():
        path.unlink()
    assert doit(folder, "--profile", "profile.json")[0] == 0
    events = events_of(folder / "profile.json")
    assert {action["args"]["outcome"] for action in actions_of(events).values()} == {"store"}
    assert "run" not in {event["name"] for event in events}
    assert doit(folder, "--profile", "profile.json")[0] == 0
    events = events_of(folder / "profile.json")
    assert not actions_of(events)
    assert "status net:all" in {event["name"] for event in events}


def test_a_build_that_fails(folder: Path) -> None:
    (folder / "model").write_text("a fail\n")
    status, text = doit(folder, "--profile", "profile.json")
    assert status == 1, text
    actions = actions_of(events_of(folder / "profile.json"))
    assert {name: action["args"]["outcome"] for name, action in actions.items()} == {
        "net:list": "run",
        "net:a": "run",
        "net:fail": "failed",
    }


def test_a_build_that_is_interrupted(folder: Path) -> None:
    (folder / "model").write_text("wait\n")
    process = start(folder, "--profile", "profile.json", "-n", "2")
    log = folder / ".finnmake" / "logs" / "net_wait.log"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    actions = actions_of(events_of(folder / "profile.json"))
    assert actions["net:list"]["args"]["outcome"] == "run"
    assert actions["net:wait"]["args"]["outcome"] in ("interrupted", "failed")


def test_where_it_cannot_be_written(folder: Path) -> None:
    status, text = doit(folder, "--profile", "none/profile.json")
    assert status == 1
    assert "the profile cannot be written there" in text
    assert "Traceback" not in text
    assert not (folder / "out").exists()


def test_without_it_nothing_of_it_is_loaded(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from finnmake.build.api import build\n"
        "assert build(Path('dodo.py')).ok\n"
        "assert not {'finnmake.build.profile', 'finnmake.build.chrome_trace'} & set(sys.modules)\n"
        "assert build(Path('dodo.py'), profile=Path('profile.json')).ok\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "profile.json").exists()
