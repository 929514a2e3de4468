"""What the bookkeeping costs: one graph of many small actions in finnmake, ninja, GNU make, plain doit and Bazel.

    python -m benchmarks.null_build [--actions N] [--repeat R] [--bazel]

For each tool: the first build, a build with nothing to do, and a build behind the change of one source file (whose
action gives other bytes, so that what depends on it runs too: the number is in the table). Times are medians over R
rounds, in each of which the tools take turns; CPU seconds are those of the process and all its children. A tool that is
not installed is left out. Bazel runs with a warm server, whose CPU time is read from /proc.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import synthetic_graph as graph

SETTLE_SECONDS = 5
"""Files that have just been written are looked at again: a build tool must. Waited for once, before measuring."""


@dataclass
class Contestant:
    """A build tool in its own copy of the graph."""

    name: str
    folder: Path
    command: Sequence[str]
    null: list[tuple[float, float]] = field(default_factory=list)
    changed: list[tuple[float, float]] = field(default_factory=list)
    first: tuple[float, float] = (0.0, 0.0)

    def run(self) -> tuple[float, float]:
        """Wall and CPU seconds of one call."""
        server = _server_cpu(self.folder) if self.name == "bazel" else 0.0
        started = time.monotonic()
        process = subprocess.Popen(self.command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        if process.returncode:
            sys.exit(f"{self.name}: {said.decode(errors='replace')[-2000:]}")
        cpu = usage.ru_utime + usage.ru_stime
        return wall, cpu + (_server_cpu(self.folder) - server if self.name == "bazel" else 0.0)


def _server_cpu(folder: Path) -> float:
    """CPU seconds that the Bazel server of a folder has used so far; 0 where there is none yet."""
    done = subprocess.run(
        ["bazel", *_bazel_options(folder), "info", "server_pid"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        fields = Path(f"/proc/{int(done.stdout)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _bazel_options(folder: Path) -> list[str]:
    return [f"--output_user_root={folder}.bazel"]


def contestants(folder: Path, count: int, *, bazel: bool) -> list[Contestant]:
    """The tools that are here, each with its files."""
    jobs = str(len(os.sched_getaffinity(0)))
    python = Path(sys.executable).parent
    finnmake, doit = str(python / "finnmake"), str(python / "doit")
    wanted: list[tuple[str, Callable[[Path, int], None], Sequence[str]]] = [
        ("ninja", graph.write_ninja, ["ninja", f"-j{jobs}"]),
        ("make", graph.write_make, ["make", f"-j{jobs}"]),
        ("finnmake build", graph.write_finnmake, [finnmake, "build", f"-j{jobs}"]),
        ("doit (finnmake)", graph.write_finnmake, [doit, "-n", jobs, "-P", "thread"]),
        ("doit (plain)", graph.write_doit, [doit, "-n", jobs, "-P", "thread"]),
    ]
    if bazel:
        place = folder / "bazel"
        options = ["--noshow_progress", "--spawn_strategy=local", "--genrule_strategy=local"]
        wanted.append(("bazel", graph.write_bazel, ["bazel", *_bazel_options(place), "build", *options, "//:all"]))
    found = []
    for name, write, command in wanted:
        if shutil.which(command[0]) is None:
            print(f"{name} is not installed: left out", file=sys.stderr)
            continue
        place = folder / name.split()[0] if name == "bazel" else folder / name.replace(" ", "_")
        graph.write_sources(place, count)
        write(place, count)
        found.append(Contestant(name, place, command))
    return found


def downstream(count: int, source: str) -> int:
    """How many actions run when a source file changes."""
    dirty = {source}
    for node in graph.nodes(count):
        if not dirty.isdisjoint(node.inputs):
            dirty.add(node.output)
    return len(dirty) - 1


def measure(found: list[Contestant], count: int, repeat: int) -> str:
    """Runs all rounds; returns the source file that is changed."""
    for each in found:
        each.first = each.run()
    time.sleep(SETTLE_SECONDS)
    for each in found:
        each.run()
        each.run()
    source = f"src/{count - 1}"
    for round_number in range(repeat):
        for each in found:
            each.null.append(each.run())
        for each in found:
            (each.folder / source).write_text(f"changed {round_number}".ljust(1024))
            each.changed.append(each.run())
        time.sleep(SETTLE_SECONDS)
        for each in found:
            each.run()
    return source


def load_seconds(contestant: Contestant) -> float:
    """CPU seconds of loading the tasks alone (``doit list``), less those of ``doit help``."""
    python = Path(sys.executable).parent
    used = []
    for arguments in (["list", "--all", "--quiet"], ["help"]):
        probe = Contestant("doit", contestant.folder, [str(python / "doit"), *arguments])
        used.append(min(probe.run()[1] for _ in range(3)))
    return used[0] - used[1]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--bazel", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = contestants(Path(temporary), options.actions, bazel=options.bazel)
        source = measure(found, options.actions, options.repeat)
        ran = downstream(options.actions, source)
        print(
            f"{options.actions} actions with five inputs each; wall / CPU seconds; one changed input: {ran} actions run"
        )
        print(f"{'tool':18}{'first build':>18}{'nothing to do':>18}{'CPU to ninja':>14}{'one input changed':>20}")
        base = next((_median(each.null)[1] for each in found if each.name == "ninja"), None)
        for each in found:
            null, changed = _median(each.null), _median(each.changed)
            ratio = f"{null[1] / base:14.2f}" if base else f"{'':14}"
            print(f"{each.name:18}{_shown(each.first)}{_shown(null)}{ratio}{_shown(changed):>20}")
        for each in found:
            if each.name == "finnmake build":
                tool = min(_empty_action() for _ in range(3))
                print(f"loading the tasks of finnmake: {load_seconds(each):.2f} s CPU")
                each_run = each.first[1] / options.actions
                print(f"an action that runs: {each_run * 1e3:.1f} ms CPU, its shell alone {tool * 1e3:.1f} ms")
            if each.name == "bazel":
                subprocess.run(["bazel", *_bazel_options(each.folder), "shutdown"], cwd=each.folder, check=False)


def _empty_action() -> float:
    """CPU seconds of the shell and the program that one action starts."""
    probe = Contestant("sh", Path("/"), ["sh", "-c", "for i in $(seq 100); do bash -c 'cksum /dev/null'; done"])
    return probe.run()[1] / 100


def _median(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)


def _shown(times: tuple[float, float]) -> str:
    return f"{times[0]:9.3f} /{times[1]:7.3f}"


if __name__ == "__main__":
    main()
