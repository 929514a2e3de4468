"""Plain ``doit`` in a folder with a dodo.py, as a user runs it: every test is real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

COMMANDS = """[COMMAND]
run = finnmake.build.doit_commands:Run
list = finnmake.build.doit_commands:List
clean = finnmake.build.doit_commands:Clean
forget = finnmake.build.doit_commands:Forget
info = finnmake.build.doit_commands:Info
why = finnmake.build.doit_commands:Why
"""

DODO = '''
from pathlib import Path

from finnmake.build.action import Action, DirectoryOf, ToolCommand
from finnmake.build.doit_tasks import action_task
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

WORKSPACE = Workspace.of(__file__, {"sh": Tool("sh", candidates=("bash",))})


def sh(script, inputs, outputs):
    return Action("Shell", ToolCommand(("sh", "-c", script)), {k: Path(v) for k, v in inputs.items()}, outputs)


class Net:
    """Layers are the words of a file that an action makes: the graph is known only when it has run."""

    def create_doit_tasks(self):
        def task(name, action, **more):
            return action_task(f"net:{name}", action, workspace=WORKSPACE, **more)

        yield task("read", sh("tr , ' ' < model > words", {"model": "model"}, {"words": "out/words"}), doc="read it")
        yield task("layers", sh("sort words > list", {"words": "out/words"}, {"list": "out/list"}), expanding=True)
        listed = Path("out/list")
        layers = listed.read_text().split() if listed.exists() else []
        for layer in layers:
            script = f"echo {layer} | rev > o; if [ {layer} = bad ]; then echo ERROR: bad layer; exit 1; fi"
            yield task(f"{layer}.make", sh(script, {}, {"o": f"out/{layer}"}))
        if layers:
            made = {layer: f"out/{layer}" for layer in layers}
            yield task("stitch", sh("cat $(ls | grep -v o) > o", made, {"o": "out/all"}))


net = Net()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doit.cfg").write_text(COMMANDS)
    (tmp_path / "dodo.py").write_text(DODO)
    (tmp_path / "model").write_text("a,b\n")
    return tmp_path


def doit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "doit", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Task -> what the reporter's line says of it."""
    found = {}
    for line in done.stdout.splitlines():
        words, _, name = line.rpartition("  ")
        if name.startswith("net:"):
            assert name not in found, done.stdout
            found[name] = words[:10].strip()
    return found


ALL = {"net:read", "net:layers", "net:a.make", "net:b.make", "net:stitch"}


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_whole_graph_from_a_clean_tree(folder: Path, arguments: tuple[str, ...]) -> None:
    done = doit(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == dict.fromkeys(ALL, "run")
    assert (folder / "out/all").read_text() == "a\nb\n"
    assert outcomes(doit(folder, *arguments)) == dict.fromkeys(ALL, "up to date")
    assert not list(folder.glob(".doit.db*"))


def test_graph_grows_and_shrinks(folder: Path) -> None:
    doit(folder)
    (folder / "model").write_text("a,b,c\n")
    found = outcomes(doit(folder))
    assert {name for name, how in found.items() if how == "run"} == {
        "net:read",
        "net:layers",
        "net:c.make",
        "net:stitch",
    }
    assert {name for name, how in found.items() if how == "up to date"} == {"net:a.make", "net:b.make"}
    (folder / "model").write_text("a,b\n")
    found = outcomes(doit(folder))
    assert set(found.values()) == {"store", "up to date"}
    assert (folder / "out/all").read_text() == "a\nb\n"
    assert doit(folder, "clean").returncode == 0
    assert not (folder / "out").exists()


def test_selection(folder: Path) -> None:
    assert set(outcomes(doit(folder, "net:read"))) == {"net:read"}
    assert set(outcomes(doit(folder, "net:b.make"))) == {"net:read", "net:layers", "net:b.make"}
    assert set(outcomes(doit(folder, "out/all"))) == ALL
    assert set(outcomes(doit(folder, "net"))) == ALL
    done = doit(folder, "net:zzz")
    assert done.returncode == 3
    assert "net:zzz" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_runs_for_commands_that_only_look(folder: Path) -> None:
    for arguments in (("list", "--all", "--status"), ("info", "net:read"), ("clean",), ("forget",), ("why",)):
        done = doit(folder, *arguments)
        assert "Traceback" not in done.stderr
        assert not (folder / "out").exists()
    assert "R net:read" in doit(folder, "list", "--all", "--status").stdout
    doit(folder)
    assert "U net:stitch" in doit(folder, "list", "--all", "--status").stdout


def test_forget_asks_again_and_the_store_answers(folder: Path) -> None:
    doit(folder)
    assert doit(folder, "forget", "net:a.make").returncode == 0
    found = outcomes(doit(folder))
    assert found.pop("net:a.make") == "store"
    assert set(found.values()) == {"up to date"}
    doit(folder, "forget")
    assert set(outcomes(doit(folder)).values()) == {"store"}


def test_why(folder: Path) -> None:
    doit(folder)
    assert "first build" in doit(folder, "why", "net:stitch").stdout
    (folder / "model").write_text("b,a,c\n")
    doit(folder)
    text = doit(folder, "why").stdout
    assert "net:a.make: up to date" in text
    read = text[text.index("net:read: run") :].splitlines()
    assert read[1].startswith("  input model: ")
    stitch = text[text.index("net:stitch: run") :].splitlines()
    assert stitch[1] == "  input c: new"
    (folder / "out/a").write_text("by hand")
    doit(folder)
    assert "output edited: out/a" in doit(folder, "why", "net:a.make").stdout


def test_why_now(folder: Path) -> None:
    assert "net:read: out of date\n  first build\n" in doit(folder, "why", "--now").stdout
    doit(folder)
    assert doit(folder, "why", "--now").stdout == ""
    (folder / "model").write_text("a,c\n")
    (folder / "out/b").unlink()
    text = doit(folder, "why", "--now", "net").stdout
    assert text.startswith("net:read: out of date\n  input model: ")
    assert "net:b.make: out of date\n  output edited: out/b\n" in text
    assert "net:stitch: cannot be built yet\n" in text
    assert (folder / "out/words").read_text() == "a b\n"


def test_info_says_what_changed(folder: Path) -> None:
    doit(folder)
    (folder / "model").write_text("b,a\n")
    done = doit(folder, "info", "net:read")
    assert "changed: input model" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("-n", "2"), ("-c",)])
def test_failing_action(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "model").write_text("a,bad\n")
    done = doit(folder, *arguments)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    failed = next(index for index, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[failed + 1] == "ERROR: bad layer"
    assert lines[failed + 2] == "net:bad.make: sh failed with exit status 1"
    assert "Traceback" not in done.stdout + done.stderr
    assert not (folder / "out/bad").exists()


def test_errors_of_the_build_file_are_one_message(folder: Path) -> None:
    (folder / "dodo.py").write_text(
        DODO + "\nfrom finnmake.errors import BoardError\nraise BoardError('no such board')\n"
    )
    done = doit(folder)
    assert (done.returncode, done.stderr) == (1, "ERROR: no such board\n")
    (folder / "dodo.py").write_text(DODO.replace('("bash",)', '("nosuchtool",), why="shells", get="apt install it"'))
    done = doit(folder)
    assert done.returncode == 1
    assert done.stderr == "ERROR: sh is not installed, needed for shells; get it: apt install it\n"


def test_missing_source_file_is_one_message(folder: Path) -> None:
    (folder / "model").unlink()
    done = doit(folder)
    assert done.returncode == 1
    assert "model: there is no such file" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_other_tasks_beside_engine_tasks(folder: Path) -> None:
    extra = "{'actions': ['echo plain > plain'], 'file_dep': ['out/all'], 'targets': ['plain']}"
    (folder / "dodo.py").write_text(f"{DODO}\n\ndef task_plain():\n    return {extra}\n")
    # doit's own rule: a task that exists before the graph is known cannot be ordered by files that come later.
    doit(folder, "net")
    done = doit(folder)
    assert done.returncode == 0
    assert ".  plain" in done.stdout
    assert "-- plain" in doit(folder).stdout


def test_a_dodo_without_engine_tasks_is_stock_doit(folder: Path) -> None:
    task = "{'actions': ['echo 1 > x'], 'targets': ['x'], 'file_dep': ['model'], 'clean': True}"
    (folder / "dodo.py").write_text(f"def task_x():\n    return {task}\n")
    assert doit(folder).stdout == ".  x\n"
    assert doit(folder).stdout == "-- x\n"
    assert doit(folder, "-n", "2").stdout == "-- x\n"
    assert "x - removing file 'x'" in doit(folder, "clean").stdout
    assert not (folder / ".finnmake").exists()


def test_terminated_build_kills_its_tools(folder: Path) -> None:
    (folder / "dodo.py").write_text(
        DODO.replace("tr , ' ' < model > words", "sleep 2; touch $PWD/../../../../../late; touch words")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "doit", "-n", "2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 20
    while not list(folder.glob(".finnmake/logs/net_read.log")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in output
    time.sleep(2.2)
    assert not list(folder.rglob("late"))
    assert not list((folder / ".finnmake/scratch").iterdir())


def test_build_for_programs(folder: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path; from finnmake.build.api import build\n"
        "r = build(Path('dodo.py'), ['net'], jobs=2)\n"
        "print(json.dumps([r.ok, dict(r.actions), list(r.ran), {k: str(v) for k, v in r.outputs.items()}]))"
    )

    def run() -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    import json

    ok, actions, ran, outputs = json.loads(run())
    assert ok
    assert actions == {"run": 5, "up_to_date": 0, "store": 0, "remote": 0, "failed": 0}
    assert set(ran) == ALL
    assert outputs["net:stitch/o"] == str(folder / "out/all")
    _, actions, ran, _ = json.loads(run())
    assert actions == {"run": 0, "up_to_date": 5, "store": 0, "remote": 0, "failed": 0}
    assert ran == []


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_program_gets_its_garbage_collector_back(folder: Path, *, sleeps: bool) -> None:
    script = (
        "import gc; from pathlib import Path; from finnmake.build.api import build\n"
        f"{'gc.disable(); gc.freeze()' if sleeps else 'pass'}\n"
        "for _ in range(2):\n"
        "    assert build(Path('dodo.py'), ['net'], jobs=2).ok\n"
        f"    assert gc.isenabled() is {not sleeps} and bool(gc.get_freeze_count()) is {sleeps}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, check=True)
