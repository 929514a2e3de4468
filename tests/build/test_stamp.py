"""The whole-graph stamp: it answers only when nothing has changed that could make the answer another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from finnmake.build.stamp import FOLDER
from finnmake.build.state import State

BUILD_FILE = """
from dataclasses import dataclass, replace
from pathlib import Path

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.tools import Tool
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage
from finnmake.flow.target import Target
from helper import SUFFIX


@dataclass(frozen=True, kw_only=True)
class Graph(Target):
    def plan(self, workspace=None):
        name = Path(self.model).read_text().strip() + SUFFIX + ("more" if Path("more").exists() else "")
        parts = sorted(path.name for path in Path("parts").iterdir())
        join = ToolCommand(("join_all", "joined", *(f"data/{part}" for part in ("a", "b")), *(parts and ["in"])))
        arguments = {"source": "joined", "target": "up"}
        upper = PythonCommand("functions:upper", arguments, ("functions",), (), (Path.cwd(),))
        inputs = {"in": "input.txt", "data/": Path("data")}
        return [
            PlannedTask("graph:join", Action("Join", join, inputs, {"joined": f"out/{name}"}), "", Stage.IMPORT),
            PlannedTask("graph:up", Action("Up", upper, {"joined": f"out/{name}"}, {"up": "out/up"}), "", Stage.IMPORT),
        ]

    def workspace(self):
        tool = Tool("join_all", candidates=("join_all",), version_argument="--version")
        return replace(super().workspace(), tools={"join_all": tool})


graph = Graph(model="name.txt", name="graph")
"""
FUNCTIONS = """
from pathlib import Path


def upper(source: str, target: str) -> None:
    Path(target).write_text(Path(source).read_text().upper())
"""
TOOL = '#!/bin/sh\nif [ "$1" = --version ]; then echo 1.0; exit; fi\nout=$1; shift; cat "$@" > $out\n'
ARGUMENTS = ["finnmake", "build"]

BUILD_ALL = """
import os, sys, time
import finnmake.cli
root = sys.argv[1]
path = os.environ["PATH"]
for name in sorted(os.listdir(root)):
    os.chdir(f"{root}/{name}")
    os.environ["PATH"] = f"{root}/{name}/first:{root}/{name}/bin:{path}"
    # As if the process had begun when the files that were just written were old.
    assert finnmake.cli.main(["build"], time.time_ns() + 60_000_000_000) == 0
"""
ASK = "import sys; from finnmake.build.stamp import answer; print(answer('.', sys.argv[1:]))"


def environment() -> dict[str, str]:
    """Without the variable in which pytest says which test it runs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


@dataclass(frozen=True)
class Stamped:
    """A project whose stamp has been written."""

    folder: Path

    def environment(self) -> dict[str, str]:
        return environment() | {"PATH": f"{self.folder}/first:{self.folder}/bin:{os.environ['PATH']}"}

    def answer(self, *arguments: str, **changes: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", ASK, *(arguments or ARGUMENTS)],
            cwd=self.folder, env=self.environment() | changes, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()


def create(folder: Path) -> None:
    for name in ("bin", "first", "parts", "data/deep"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        "dodo.py": BUILD_FILE, "functions.py": FUNCTIONS, "helper.py": "SUFFIX = ''\n", "name.txt": "joined\n",
        "input.txt": "input\n", "data/a": "a\n", "data/b": "b\n", "parts/one": "", "bin/join_all": TOOL,
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    (folder / "bin/join_all").chmod(0o755)


def edit(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write("# more\n")

    return change


def secretly(name: str) -> Callable[[Path], None]:
    """Other bytes of the same number, the old time."""

    def change(folder: Path) -> None:
        path = folder / name
        status = path.stat()
        path.write_bytes(bytes(byte ^ 1 if byte == ord("o") else byte for byte in path.read_bytes()))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return change


def write(name: str, text: str = "") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def replaced_by_link(folder: Path) -> None:
    (folder / "out/up").rename(folder / "out/elsewhere")
    (folder / "out/up").symlink_to("elsewhere")


def moved_away_and_copied(folder: Path) -> None:
    (folder / "data").rename(folder / "old")
    shutil.copytree(folder / "old", folder / "data")


def shadowed_tool(folder: Path) -> None:
    shutil.copy2(folder / "bin/join_all", folder / "first/join_all")


def forgotten(folder: Path) -> None:
    state = State(folder / ".finnmake/state.sqlite")
    state.forget_task("graph:up")
    state.shut()


CHANGES: dict[str, Callable[[Path], None]] = {
    "input": edit("input.txt"),
    "input, same size and time": secretly("input.txt"),
    "input removed": remove("input.txt"),
    "input of a folder": edit("data/a"),
    "input of a folder removed": remove("data/b"),
    "another file in a folder": write("data/c"),
    "a first file in a folder of a folder": write("data/deep/d"),
    "a folder that is another": moved_away_and_copied,
    "output": edit("out/joined"),
    "output, same size and time": secretly("out/joined"),
    "output removed": remove("out/up"),
    "output that may be executed": lambda folder: (folder / "out/up").chmod(0o755),
    "output that is a link": replaced_by_link,
    "build file": edit("dodo.py"),
    "module beside the build file": edit("helper.py"),
    "module hidden by a package": write("helper/__init__.py", "SUFFIX = ''\n"),
    "file that the build file reads": edit("name.txt"),
    "file that the build file did not find": write("more"),
    "file in a folder that the build file lists": write("parts/two"),
    "source of a Python action": edit("functions.py"),
    "source of a Python action hidden by a package": write("functions/__init__.py", FUNCTIONS),
    "tool": edit("bin/join_all"),
    "another tool is found first": shadowed_tool,
    "a configuration": write("finnmake.toml"),
    "task forgotten": forgotten,
    "state removed": remove(".finnmake/state.sqlite"),
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for each change, and ``same``: all built twice, by one process each time."""
    root = tmp_path_factory.mktemp("stamped")
    for number in range(len(CHANGES)):
        create(root / str(number))
    create(root / "same")
    build_all(root)
    time.sleep(2.1)  # files that have just been written are not trusted
    build_all(root)
    return root


def build_all(root: Path) -> None:
    command = [sys.executable, "-c", BUILD_ALL, str(root)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def same(projects: Path) -> Stamped:
    """The project that no test changes."""
    return Stamped(projects / "same")


def test_nothing_changed_is_answered(same: Stamped) -> None:
    assert same.answer() == "0 run, 0 store, 2 up to date, 0 failed in {seconds} s"


def test_the_command_gives_the_answer_without_importing_the_engine(same: Stamped) -> None:
    run = "import sys; from finnmake.launch import main; code = main(); print(code, *sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", run, *ARGUMENTS[1:]],
        cwd=same.folder, env=same.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, modules = done.stdout.splitlines()
    assert said.startswith("0 run, 0 store, 2 up to date, 0 failed in 0.")
    code, *names = modules.split()
    assert code == "0"
    assert not {"doit", "finnmake.cli", "finnmake.flow", "sqlite3", "json", "typing"} & set(names)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(projects: Path, change: str) -> None:
    project = Stamped(projects / str(list(CHANGES).index(change)))
    assert project.answer() != "None"
    CHANGES[change](project.folder)
    assert project.answer() == "None"


def test_another_question_is_not_answered(same: Stamped) -> None:
    assert same.answer("finnmake", "build", "--json") == "None"
    assert same.answer("doit") == "None"
    assert same.answer(SOMETHING="else") == "None"
    assert same.answer(PATH=os.environ["PATH"]) == "None"
    assert same.answer(SHLVL="17", OLDPWD="/") != "None"


def test_a_damaged_stamp_is_no_answer(same: Stamped) -> None:
    (stamp,) = (same.folder / FOLDER).iterdir()
    good = stamp.read_bytes()
    try:
        for place in range(0, len(good), len(good) // 20):
            for damaged in (good[:place], good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]):
                stamp.write_bytes(damaged)
                assert same.answer() == "None"
    finally:
        stamp.write_bytes(good)
    assert same.answer() != "None"


@pytest.mark.parametrize(
    ("addition", "reason"),
    [
        ("import subprocess\nsubprocess.run(['true'])\n", "a program decides what the build file says"),
        ("def task_plain():\n    return {'actions': ['true']}\n", "a task that is none of the engine's"),
        ("open('/proc/uptime').close()\n", "a file that changes all the time"),
    ],
)
def test_what_a_stamp_cannot_know_leaves_none(tmp_path: Path, addition: str, reason: str) -> None:
    create(tmp_path / "p")
    with (tmp_path / "p/dodo.py").open("a") as file:
        file.write(addition)
    build_all(tmp_path)
    time.sleep(2.1)
    run = DOIT_ALL if "task_plain" in addition else BUILD_ALL
    subprocess.run([sys.executable, "-c", run, str(tmp_path)], check=True, capture_output=True)
    assert not (tmp_path / "p" / FOLDER).exists(), reason


DOIT_ALL = """
import os, sys
from doit.doit_cmd import DoitMain
root = sys.argv[1]
os.chdir(f"{root}/p")
os.environ["PATH"] = f"{root}/p/first:{root}/p/bin:" + os.environ["PATH"]
sys.argv[1:] = []
sys.exit(DoitMain().run([]))
"""


def test_a_build_that_just_wrote_leaves_none(tmp_path: Path) -> None:
    create(tmp_path / "p")
    build_all(tmp_path)
    build_all(tmp_path)
    assert not (tmp_path / "p" / FOLDER).exists()


@pytest.mark.parametrize("seconds", [-10, 10])
def test_a_clock_that_was_set_during_the_build_leaves_none(tmp_path: Path, seconds: int) -> None:
    create(tmp_path / "p")
    build_all(tmp_path)
    time.sleep(2.1)
    run = f"""
import time
from finnmake.build.stamp_writer import StampWriter
take, right = StampWriter.take, time.time_ns
def later(self, session):
    time.time_ns = lambda: right() + {seconds} * 10**9
    take(self, session)
StampWriter.take = later
{BUILD_ALL}"""
    done = subprocess.run([sys.executable, "-c", run, str(tmp_path)], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "p" / FOLDER).exists()
