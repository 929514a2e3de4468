"""Tasks that decide which tasks there are, one behind another: each sees what the one before has brought forth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.build.test_doit_commands import COMMANDS, doit, outcomes

DODO = '''
import json
from pathlib import Path

from finnmake.build.action import Action, ToolCommand
from finnmake.build.doit_tasks import action_task
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

WORKSPACE = Workspace.of(__file__, {"sh": Tool("sh", candidates=("bash",))})


def task(name, script, *inputs, expanding=False, after=()):
    files = {path: Path("out", path) if path != "model" else Path(path) for path in inputs}
    action = Action("Shell", ToolCommand(("sh", "-c", script)), files, {"o": f"out/{name}"})
    return action_task(f"net:{name}", action, task_dep=after, workspace=WORKSPACE, expanding=expanding)


def words(path):
    return Path(path).read_text().split() if Path(path).exists() else []


class Net:
    """The words of a file are measured; each length of a word that there is has a task."""

    def create_doit_tasks(self):
        yield task("words", "cat model > o", "model", expanding=True)
        measured = words("out/words")
        if not measured:
            return
        for word in measured:
            yield task(word, f"printf {word} | wc -c > o", after=("net:words",))
        yield task("lengths", f"cat {' '.join(measured)} | sort -u > o", *measured, expanding=True)
        for length in words("out/lengths"):
            yield task(f"of-{length}", f"grep -x {length} lengths > o", "lengths")


net = Net()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doit.cfg").write_text(COMMANDS)
    (tmp_path / "dodo.py").write_text(DODO)
    (tmp_path / "model").write_text("a bb")
    return tmp_path


FIRST = {"net:words", "net:a", "net:bb", "net:lengths", "net:of-1", "net:of-2"}


@pytest.mark.parametrize("arguments", [(), ("net:of-2",), ("-n", "2")])
def test_one_build_goes_all_the_way(folder: Path, arguments: tuple[str, ...]) -> None:
    done = doit(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == dict.fromkeys(FIRST - {"net:of-1"} if "net:of-2" in arguments else FIRST, "run")
    assert set(outcomes(doit(folder, *arguments)).values()) == {"up to date"}


def test_what_the_first_brings_forth_is_in_the_second(folder: Path) -> None:
    doit(folder)
    (folder / "model").write_text("a ccc")
    found = outcomes(doit(folder))
    assert {name for name, how in found.items() if how == "run"} == {
        "net:words",
        "net:ccc",
        "net:lengths",
        "net:of-1",
        "net:of-3",
    }
    assert "net:of-2" not in found
    assert found["net:a"] == "up to date"


def test_a_change_of_the_second_alone(folder: Path) -> None:
    doit(folder)
    (folder / "dodo.py").write_text(DODO.replace("wc -c", "wc -l"))
    found = outcomes(doit(folder))
    assert found["net:words"] == "up to date"
    assert "net:of-0" in found
    assert "net:of-1" not in found


BESIDE = DODO.replace("sort -u > o", "sort -u > o; sleep 1").replace(
    """        yield task("lengths",""",
    """        yield task("beside", "if grep bad words; then exit 1; fi; touch o", "words")
        yield task("lengths",""",
)


def test_what_does_not_depend_on_it_runs_beside_an_expanding_task(folder: Path) -> None:
    (folder / "dodo.py").write_text(BESIDE)
    done = doit(folder, "run", "-n", "2", "--profile", "trace.json")
    assert set(outcomes(done)) == FIRST | {"net:beside"}
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    spans = {event["name"]: event for event in events if event.get("cat") == "action"}
    lengths, beside = spans["net:lengths"], spans["net:beside"]
    assert beside["ts"] < lengths["ts"] + lengths["dur"]


def test_with_one_worker_the_expanding_task_comes_first(folder: Path) -> None:
    (folder / "dodo.py").write_text(BESIDE)
    found = list(outcomes(doit(folder)))
    assert found.index("net:lengths") < found.index("net:beside")


SLOW = BESIDE.replace("touch o", "sleep 3; touch o").replace("exit 1", "sleep 3; exit 1")


def test_an_expanding_task_that_is_done_waits_for_nothing(folder: Path) -> None:
    (folder / "dodo.py").write_text(SLOW)
    done = doit(folder, "run", "-n", "2", "--profile", "trace.json")
    assert outcomes(done) == dict.fromkeys(FIRST | {"net:beside"}, "run")
    assert len([line for line in done.stdout.splitlines() if line.endswith("  net:beside")]) == 1
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    spans = {event["name"]: event for event in events if event.get("cat") == "action"}
    beside = spans["net:beside"]
    assert spans["net:of-1"]["ts"] < beside["ts"] + beside["dur"]
    assert set(outcomes(doit(folder, "-n", "2")).values()) == {"up to date"}


def test_no_more_run_at_once_than_are_asked_for(folder: Path) -> None:
    more = """        for number in range(4):
            yield task(f"more-{number}", "sleep 0.5; touch o", "words")
        yield task("lengths","""
    (folder / "dodo.py").write_text(SLOW.replace("""        yield task("lengths",""", more))
    doit(folder, "run", "-n", "2", "--profile", "trace.json")
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    spans = [event for event in events if event.get("cat") == "action"]
    assert len(spans) == len(FIRST) + 5
    for one in spans:
        assert sum(other["ts"] <= one["ts"] < other["ts"] + other["dur"] for other in spans) <= 2


def test_what_fails_beside_when_the_expanding_tasks_are_done_is_told_once(folder: Path) -> None:
    (folder / "dodo.py").write_text(SLOW)
    (folder / "model").write_text("bad a")
    done = doit(folder, "-n", "2")
    assert done.returncode == 1
    found = outcomes(done)
    assert found["net:lengths"] == found["net:of-3"] == "run"
    assert found["net:beside"] == "FAILED"
    assert len([line for line in done.stdout.splitlines() if line.endswith("  net:beside")]) == 1


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-n", "2", "--continue")])
def test_what_fails_beside_is_told_once(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "dodo.py").write_text(BESIDE)
    (folder / "model").write_text("bad a")
    done = doit(folder, *arguments)
    assert done.returncode == 1
    assert outcomes(done)["net:beside"] == "FAILED"
    assert len([line for line in done.stdout.splitlines() if line.endswith("  net:beside")]) == 1
    # Only who asks for it goes on behind a failure.
    assert ("net:of-3" in outcomes(done)) == ("--continue" in arguments)


def test_only_what_is_selected_runs_beside(folder: Path) -> None:
    (folder / "dodo.py").write_text(BESIDE)
    assert "net:beside" not in outcomes(doit(folder, "-n", "2", "net:of-1"))
