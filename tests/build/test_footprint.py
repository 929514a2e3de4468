"""A build that asks only the tasks which a changed file concerns does what one does that asks all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from finnmake.build.footprint import FOLDER
from finnmake.build.stamp import FOLDER as STAMPS
from finnmake.build.state import State
from tests.build.test_stamp import environment, secretly

BUILD_FILE = """
from dataclasses import dataclass, replace
from pathlib import Path

from finnmake.build.action import Action, Canonical, DirectoryOf, PythonCommand, ToolCommand
from finnmake.build.tools import Tool
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage
from finnmake.flow.target import Target
from helper import WORD


def sh(script, inputs, outputs):
    return Action("Sh", ToolCommand(("shell", "-c", script)), inputs, outputs)


@dataclass(frozen=True, kw_only=True)
class Graph(Target):
    def plan(self, workspace=None):
        tasks = []

        def add(name, action, after=(), expands=False):
            tasks.append(PlannedTask(f"graph:{name}", action, "", Stage.IMPORT, after, expands))

        add("expand", sh("cat e > m", {"e": "src/e"}, {"m": "out/manifest"}), expands=True)
        for number in range(4):
            names = (f"src/{number}", f"src/{(number + 1) % 4}")
            add(f"join{number}", sh(f"cat {' '.join(names)} > o", {n: n for n in names}, {"o": f"out/join{number}"}))
        for number in range(2):
            names = {"a": f"out/join{2 * number}", "b": f"out/join{2 * number + 1}"}
            # Early cut-off: only the first line of each counts.
            add(f"pair{number}", sh("head -qn1 a b > o", names, {"o": f"out/pair{number}"}))
        add("folder", sh("cat $(find data -type f | sort) > o", {"data/": Path("data")}, {"o": "out/folder"}))
        add("made", sh("for n in $(cat a); do echo $n > d/$n; done", {"a": "src/0"}, {"d/": "out/made"}))
        add("listing", sh("ls d > o", {"d/": DirectoryOf("graph:made", "d/")}, {"o": "out/listing"}))
        add("writer", sh("cat a > o", {"a": "src/3"}, {"o": "shared/written"}))
        add("reader", sh("cat d/* > o", {"d/": Path("shared")}, {"o": "out/reader"}))
        plain = Canonical(Path("src/commented"), "spelling.lines:without_comments", ("spelling",))
        add("plain", sh("cat c > o", {"c": plain}, {"o": "out/plain"}))
        upper = PythonCommand("functions:upper", {"source": "i", "target": "o"}, ("functions",), (), (Path.cwd(),))
        add("upper", Action("Up", upper, {"i": "out/pair0"}, {"o": "out/upper"}))
        names = ("pair1", "upper", "folder", "listing", "plain")
        add("all", sh(f"echo {WORD} > o; cat {' '.join(names)} >> o", {n: f"out/{n}" for n in names}, {"o": "out/all"}))
        add("after", sh("echo done > o", {}, {"o": "out/after"}), after=("graph:all",))
        manifest = Path("out/manifest")
        for line in sorted(set(manifest.read_text().split())) if manifest.exists() else ():
            add(f"part_{line}", sh("cat a > o", {"a": "out/join0"}, {"o": f"out/part_{line}"}))
        return tasks

    def workspace(self):
        return replace(super().workspace(), tools={"shell": Tool("shell", candidates=("shell",))})


graph = Graph(model="src/0", name="graph")
"""
FUNCTIONS = """
from pathlib import Path


def upper(source: str, target: str) -> None:
    Path(target).write_text(Path(source).read_text().upper())
"""
SPELLING = """
def without_comments(path: str) -> bytes:
    return "".join(line for line in open(path) if not line.startswith("#")).encode()
"""
TOOL = '#!/bin/sh\nif [ "$1" = --version ]; then echo 1.0; exit; fi\nexec /bin/bash "$@"\n'

DRIVER = """
import contextlib, io, json, os, sys, time
from types import SimpleNamespace

import finnmake.build.digest, finnmake.cli
from finnmake.build import footprint_keeper

# Files that have just been written count as old.
finnmake.build.digest.time = SimpleNamespace(time_ns=lambda: time.time_ns() + 10_000_000_000)
ask = footprint_keeper.FootprintKeeper.unaffected
skipped = []
def asked(self, *arguments):
    found = ask(self, *arguments)
    skipped.append(len(found))
    return found
footprint_keeper.FootprintKeeper.unaffected = asked
path = os.environ["PATH"]
for line in sys.stdin:
    os.chdir(line.strip())
    os.environ["PATH"] = f"{os.getcwd()}/first:{os.getcwd()}/bin:{path}"
    sys.path_importer_cache.clear()
    for name in ("helper", "functions"):
        sys.modules.pop(name, None)
    skipped.clear()
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        finnmake.cli.main(["build", "-j1", "--json"], time.time_ns() + 60_000_000_000)
    print(json.dumps([json.loads(said.getvalue()), sum(skipped)]), flush=True)
"""


def create(folder: Path) -> None:
    for name in ("bin", "first", "src", "data/deep", "shared"):
        (folder / name).mkdir(parents=True)
    files = {f"src/{number}": f"source {number}\nmore\n" for number in range(4)}
    files |= {
        "data/a": "a\n",
        "data/b": "b\n",
        "src/commented": "# one\ntext\n",
        "src/e": "x y\n",
        "shared/old": "old\n",
    }
    files |= {"dodo.py": BUILD_FILE, "functions.py": FUNCTIONS, "helper.py": "WORD = 'word'\n", "bin/shell": TOOL}
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "bin/shell").chmod(0o755)


@dataclass(frozen=True)
class Driver:
    """A process that builds."""

    requests: IO[str]
    answers: IO[str]

    def build(self, folder: Path) -> tuple[Mapping[str, Any], int]:
        """What a build said, and how many tasks it did not ask."""
        self.requests.write(f"{folder}\n")
        self.requests.flush()
        body, skipped = json.loads(self.answers.readline())
        return body, skipped


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("python")
    (folder / "spelling").mkdir()
    (folder / "spelling/__init__.py").write_text("")
    (folder / "spelling/lines.py").write_text(SPELLING)
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", DRIVER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment() | {"PYTHONPATH": str(folder)},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    yield Driver(process.stdin, process.stdout)
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def built(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been built."""
    folder = tmp_path_factory.mktemp("footprint") / "built"
    create(folder)
    body, _ = driver.build(folder)
    assert body["ok"], body["failures"]
    return folder


@pytest.fixture
def project(driver: Driver, built: Path, tmp_path: Path) -> Path:
    """A copy of it whose last build had nothing to do."""
    return copied(driver, built, tmp_path / "project")


def copied(driver: Driver, built: Path, folder: Path) -> Path:
    shutil.copytree(built, folder, symlinks=True)
    for name in (FOLDER, STAMPS):
        shutil.rmtree(folder / name, ignore_errors=True)
    body, skipped = driver.build(folder)
    assert (body["ran"], skipped) == ([], 0), body
    assert (folder / FOLDER).exists()
    return folder


def steps(body: Mapping[str, Any]) -> set[str]:
    return {name.partition(":")[2] for name in body["ran"]}


TASKS = 18


@pytest.mark.parametrize(
    ("edited", "runs", "not_asked"),
    [
        ("src/2", {"join1", "join2", "pair0", "pair1", "all"}, 11),
        ("src/commented", {"plain", "all"}, 15),
        ("data/a", {"folder", "all"}, 15),
    ],
)
def test_only_what_a_file_concerns_is_asked(
    driver: Driver, project: Path, edited: str, runs: set[str], not_asked: int
) -> None:
    (project / edited).write_text("another\nline\n")
    body, skipped = driver.build(project)
    assert steps(body) == runs
    assert body["actions"]["up_to_date"] == TASKS - len(steps(body))
    assert skipped == not_asked


def test_it_holds_from_build_to_build(driver: Driver, project: Path) -> None:
    for number in range(3):
        (project / "src/2").write_text(f"another {number}\n")
        body, skipped = driver.build(project)
        assert {"join1", "join2", "all"} <= steps(body)
        assert skipped == 11
    body, skipped = driver.build(project)
    assert steps(body) == set()
    assert skipped > 0
    # The first line is all that counts for what comes after.
    with (project / "src/2").open("a") as file:
        file.write("more\n")
    body, skipped = driver.build(project)
    assert steps(body) == {"join1", "join2", "pair0", "pair1"}
    assert skipped == 11


def test_a_folder_that_another_task_writes_into_is_asked(driver: Driver, project: Path) -> None:
    (project / "src/3").write_text("another\n")
    body, _ = driver.build(project)
    assert {"writer", "reader"} <= steps(body)


def test_a_change_of_what_expands_asks_all(driver: Driver, project: Path) -> None:
    (project / "src/e").write_text("x z\n")
    body, skipped = driver.build(project)
    # The new part is what the old ones are: the store has it.
    assert (steps(body), body["actions"]["store"]) == ({"expand"}, 1)
    assert skipped == 0


def edit(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            return
        path.write_text(text)

    return change


def append(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if (folder / name).is_file():
            with (folder / name).open("a") as file:
                file.write("# more\n")

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink(missing_ok=True)


def touch(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).touch() if (folder / name).is_file() else None


def replaced(name: str, text: str) -> Callable[[Path], None]:
    """As editors do that write another file and rename it."""

    def change(folder: Path) -> None:
        (folder / "src/.new").write_text(text)
        (folder / "src/.new").replace(folder / name)

    return change


def executable(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if (folder / name).is_file():
            (folder / name).chmod((folder / name).stat().st_mode ^ 0o100)

    return change


def unless_missing(change: Callable[[Path], None], *names: str) -> Callable[[Path], None]:
    return lambda folder: change(folder) if all((folder / name).is_file() for name in names) else None


def linked(folder: Path) -> None:
    (folder / "out/upper").rename(folder / "out/elsewhere")
    (folder / "out/upper").symlink_to("elsewhere")


def forgotten(folder: Path) -> None:
    if (folder / ".finnmake/state.sqlite").exists():
        state = State(folder / ".finnmake/state.sqlite")
        state.forget_task("graph:upper")
        state.shut()


def emptied(folder: Path) -> None:
    """Everything that is known is lost, but not what was built."""
    (folder / ".finnmake/state.sqlite").unlink(missing_ok=True)


def shadowed(folder: Path) -> None:
    shutil.copy2(folder / "bin/shell", folder / "first/shell")


OUTPUTS = ("out/join0", "out/pair1", "out/upper", "out/all", "out/made/source", "out/reader", "out/manifest")
EDITS: dict[str, Callable[[Path], None]] = {
    **{f"src/{n} {text!r}": edit(f"src/{n}", text) for n in range(4) for text in ("one\n", "one\ntwo\n", "source 1\n")},
    **{f"src/{n} replaced": replaced(f"src/{n}", "one\n") for n in (0, 2)},
    **{f"src/{n} secretly": unless_missing(secretly(f"src/{n}"), f"src/{n}") for n in (1, 3)},
    **{f"touch {name}": touch(name) for name in ("src/1", "out/pair0", "data/a", "dodo.py")},
    **{f"append {name}": append(name) for name in ("dodo.py", "helper.py", "functions.py", "bin/shell", *OUTPUTS)},
    **{f"remove {name}": remove(name) for name in ("src/1", "data/a", "data/c", *OUTPUTS)},
    **{f"executable {name}": executable(name) for name in ("src/2", "out/pair0", "out/made/0")},
    "comment": edit("src/commented", "# two\ntext\n"),
    "no comment": edit("src/commented", "# two\nother\n"),
    "expands to more": edit("src/e", "x y z\n"),
    "expands to less": edit("src/e", "x\n"),
    "file in a folder": edit("data/c", "c\n"),
    "file in a folder of a folder": edit("data/deep/d", "d\n"),
    "file in a shared folder": edit("shared/new", "new\n"),
    "package before a module": edit("helper/__init__.py", "WORD = 'package'\n"),
    "word": edit("helper.py", "WORD = 'other'\n"),
    "output that is a link": unless_missing(linked, "out/upper"),
    "another tool": shadowed,
    "configuration": edit("finnmake.toml", '[store]\nmax_size = "1 GiB"\n'),
    "forgotten": forgotten,
    "state lost": emptied,
    "nothing": lambda folder: None,
}


def check_sequence(driver: Driver, built: Path, folder: Path, sequence: list[list[str]]) -> int:
    """Two copies, the same edits, one of them without footprints; how many tasks the other has not asked."""
    short, long = copied(driver, built, folder / "short"), copied(driver, built, folder / "long_")
    total = 0
    for names in sequence:
        for root in (short, long):
            for name in names:
                EDITS[name](root)
        for left in (FOLDER, STAMPS):
            shutil.rmtree(long / left, ignore_errors=True)
        one, skipped = driver.build(short)
        other, nothing = driver.build(long)
        total += skipped
        assert nothing == 0
        # One that fails stops: what it would have looked at after that is known to the other.
        for key in ("ok", "ran", *(["actions"] if one["ok"] else [])):
            assert one.get(key) == other.get(key), f"{key} after {names}"
        assert one.get("failures", {}).keys() == other.get("failures", {}).keys()
        assert contents(short) == contents(long)
    return total


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for part in ("out", "shared") for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def complete(folder: Path) -> None:
    """Sources that an earlier edit has removed are there again."""
    for number in range(4):
        if not (folder / f"src/{number}").exists():
            (folder / f"src/{number}").write_text("again\n")


EDITS["complete"] = complete


def test_one_edit_after_the_other(driver: Driver, built: Path, tmp_path: Path) -> None:
    total = check_sequence(driver, built, tmp_path, [["complete", name] for name in EDITS])
    assert total > 100


@pytest.mark.nightly
@pytest.mark.parametrize("name", EDITS)
def test_each_edit_in_a_build_and_after_one(driver: Driver, built: Path, tmp_path: Path, name: str) -> None:
    total = check_sequence(driver, built, tmp_path, [[name], [], ["src/2 'one\\n'", name], ["nothing"]])
    # What is made of the manifest's task decides which other tasks there are: all of them are asked.
    assert total > 0 or name.endswith("out/manifest")


# Shrinking what takes seconds takes hours.
RANDOM = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
sequences = st.lists(st.lists(st.sampled_from(sorted(EDITS)), max_size=3), min_size=1, max_size=5)


def random_edits(driver: Driver, built: Path, factory: pytest.TempPathFactory, sequence: list[list[str]]) -> None:
    folder = factory.mktemp("random")
    try:
        check_sequence(driver, built, folder, sequence)
    finally:
        shutil.rmtree(folder)


@settings(RANDOM, max_examples=3)
@given(sequence=sequences)
def test_random_edits(
    driver: Driver, built: Path, tmp_path_factory: pytest.TempPathFactory, sequence: list[list[str]]
) -> None:
    random_edits(driver, built, tmp_path_factory, sequence)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(RANDOM, max_examples=100)
@given(sequence=sequences)
def test_many_random_edits(
    driver: Driver, built: Path, tmp_path_factory: pytest.TempPathFactory, sequence: list[list[str]]
) -> None:
    random_edits(driver, built, tmp_path_factory, sequence)


def test_a_damaged_footprint_is_none(driver: Driver, project: Path) -> None:
    (path,) = (project / FOLDER).iterdir()
    good = path.read_bytes()
    for place in range(0, len(good), len(good) // 10):
        (project / "src/commented").write_text(f"text {place}\n")
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        body, skipped = driver.build(project)
        assert (steps(body), skipped) == ({"plain", "all"}, 0)
