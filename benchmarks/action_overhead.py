"""What one action costs beyond its tool's own time: many actions that copy a small file, in finnmake and in ninja.

    python -m benchmarks.action_overhead [--actions N] [--memory FOLDER]

One action at a time. ninja runs the same commands: what the tool and its start cost. finnmake also makes a key,
runs the tool in a scratch directory (in bubblewrap where that works), and puts output and result into the store, each
synced to the disk: a second row has workspace and store in FOLDER, a file system in memory where syncing costs nothing,
and a third has a plain process in place of bubblewrap. Start-up and loading are taken off by a build of one action.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BUILD = """
import sys
from finnmake.build.action import Action, ToolCommand
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.tools import Tool
from finnmake.build.workspace import Workspace

count, bubblewrap = int(sys.argv[1]), sys.argv[2] == "True"
workspace = Workspace.of(".", {"cp": Tool("cp", candidates=("cp",))})
rebuilder = Rebuilder(workspace, use_bubblewrap=bubblewrap)
rebuilder.state.begin_build()
for number in range(count):
    name = f"task{number}"
    action = Action("Copy", ToolCommand(("cp", "in", "out")), {"in": f"src/{number}"}, {"out": f"out/{number}"})
    status = rebuilder.status(name, action, may_run=True)
    assert rebuilder.execute(name, action, status.reason).how == "run"
rebuilder.end_build([])
rebuilder.close()
"""


def run(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds, the latter with those of all processes that it starts."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} failed")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime


def per_action(command: Sequence[str], parent: Path, count: int) -> tuple[float, float]:
    """Milliseconds of an action, wall and CPU: what more actions cost than one does."""
    spent = []
    for number in (1, count):
        with tempfile.TemporaryDirectory(dir=parent) as temporary:
            folder = Path(temporary)
            write(folder, number)
            spent.append(run([part.replace("{count}", str(number)) for part in command], folder))
    (wall_one, cpu_one), (wall, cpu) = spent
    return (wall - wall_one) / (count - 1) * 1e3, (cpu - cpu_one) / (count - 1) * 1e3


def write(folder: Path, count: int) -> None:
    """Source files that differ, and ``build.ninja``."""
    (folder / "src").mkdir()
    (folder / "out").mkdir()
    lines = ["rule copy\n  command = cp $in $out\n"]
    for number in range(count):
        (folder / f"src/{number}").write_text(f"{number}\n" * 100)
        lines.append(f"build out/{number}: copy src/{number}\n")
    (folder / "build.ninja").write_text("".join(lines))


def sync_milliseconds(folder: Path) -> float:
    """What syncing a small new file takes there, the median of 50."""
    times = []
    for number in range(50):
        with (folder / f"sync{number}").open("wb") as file:
            file.write(b"bytes\n" * 100)
            file.flush()
            started = time.monotonic()
            os.fsync(file.fileno())
            times.append(time.monotonic() - started)
    return statistics.median(times) * 1e3


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--actions", type=int, default=300)
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    finnmake = [sys.executable, "-c", BUILD, "{count}"]
    with tempfile.TemporaryDirectory() as temporary:
        disk = Path(temporary)
        rows: list[tuple[str, Sequence[str], Path]] = [("ninja", ["ninja", "-j1"], disk)]
        if shutil.which("ninja") is None:
            sys.exit("ninja is not installed: there is nothing to compare with")
        rows.append(("finnmake", [*finnmake, "True"], disk))
        if options.memory.is_dir():
            rows.append(("finnmake, in memory", [*finnmake, "True"], options.memory))
            rows.append(("finnmake, in memory, no bubblewrap", [*finnmake, "False"], options.memory))
        print(f"{options.actions} actions, one at a time; syncing a small file: {sync_milliseconds(disk):.1f} ms")
        print(f"{'milliseconds of an action':38}{'wall':>8}{'CPU':>8}{'beyond ninja: wall':>22}{'CPU':>8}")
        base = (0.0, 0.0)
        for name, command, parent in rows:
            wall, cpu = per_action(command, parent, options.actions)
            base = (wall, cpu) if name == "ninja" else base
            print(f"{name:38}{wall:8.1f}{cpu:8.1f}{wall - base[0]:22.1f}{cpu - base[1]:8.1f}", flush=True)


if __name__ == "__main__":
    main()
