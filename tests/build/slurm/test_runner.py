"""Actions on a real Slurm: the same bytes and cache entry as here, and what goes wrong on the way."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from finnmake.build.action import Action, ToolCommand
from finnmake.build.configuration import SlurmConfiguration
from finnmake.build.executor import ActionFailedError
from finnmake.build.key import Resolved
from finnmake.build.launcher import UnfitError
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.sandbox import Scratch
from finnmake.build.slurm.job import JOB, OUTCOME, job_file, main
from finnmake.build.slurm.runner import SlurmRunner
from finnmake.errors import FinnmakeError, ToolError
from tests.build.conftest import TOOLS, Project, call, shell
from tests.support.slurm import Cluster, slurm_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm") / "cluster") as found:
        yield found


@pytest.fixture(autouse=True)
def configured(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))


@contextmanager
def opened(project: Project) -> Iterator[Rebuilder]:
    rebuilder = Rebuilder(project.workspace(), use_slurm=True)
    try:
        yield rebuilder
    finally:
        rebuilder.close()
        rebuilder.state.shut()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Start something that may fail; the failure is in the list when the thread has ended."""
    found: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except FinnmakeError as error:
            found.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    return thread, found


def entries(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for kind in ("ac", "cas") for path in project.store_files(kind)}


def test_slurm_and_local_results_are_one_cache_entry(project: Project, tmp_path: Path, userpackage: Path) -> None:
    tree = "mkdir -p t/x; cat a.txt > t/x/y; ln -s x/y t/link; pwd; env | sort; echo end"
    actions = {
        "t:tree": shell(tree, {"a.txt": Path("a.txt")}, {"t/": "tree"}, environment={"KIND": "declared"}),
        # A Python action stays here; it takes milliseconds.
        "t:upper": call("upper", {"a": Path("a.txt")}, {"b": "b.txt"}, source="a", target="b"),
    }
    local = Project(tmp_path / "local")
    for each in (project, local):
        each.write("a.txt", "hello\n")
    here = Rebuilder(local.workspace())
    for name, action in actions.items():
        here.execute(name, action)
    here_log = here.log_path("t:tree").read_text()
    here.close()
    here.state.shut()
    with opened(project) as rebuilder:
        assert [rebuilder.execute(name, action).how for name, action in actions.items()] == ["run"] * 2
        there_log = rebuilder.log_path("t:tree").read_text()
    assert entries(project) == entries(local)
    # The environment too, but for where scratch directories are when there is no bubblewrap.
    assert [line for line in there_log.splitlines() if ".finnmake" not in line] == [
        line for line in here_log.splitlines() if ".finnmake" not in line
    ]


def test_exit_status_and_error_lines_come_through(project: Project) -> None:
    with opened(project) as rebuilder:
        with pytest.raises(
            ActionFailedError, match=r"(?s)^ERROR: no such cell.*sh failed with exit status 7"
        ) as caught:
            rebuilder.execute("t:a", shell("echo ERROR: no such cell; exit 7", {}, {"b": "b"}))
        assert caught.value.remedy == f"full log: {rebuilder.log_path('t:a')}"
        with pytest.raises(ActionFailedError, match="said that it failed, with exit status 0"):
            rebuilder.execute("t:b", shell("echo BAD > b; echo BAD", {}, {"b": "b"}, error_patterns=["^BAD"]))
        with pytest.raises(ToolError, match="declared outputs were not made: b"):
            rebuilder.execute("t:c", shell("true", {}, {"b": "b"}))
    assert project.store_files("ac") == []


def test_a_licence_is_held_by_one_action_at_a_time(project: Project, tmp_path: Path) -> None:
    script = "date +%s%N > start; sleep 0.3; date +%s%N > end"
    with opened(project) as rebuilder:

        def run(number: int) -> None:
            outputs = {"start": f"start{number}", "end": f"end{number}"}
            action = shell(f"{script}; : {number}", {}, outputs)
            rebuilder.execute(f"t:{number}", replace(action, licence="vivado"))

        threads = [in_thread(lambda number=number: run(number)) for number in range(3)]  # type: ignore[misc]
        for thread, problems in threads:
            thread.join()
            assert problems == []
    spans = sorted((int(project.read(f"start{n}")), int(project.read(f"end{n}"))) for n in range(3))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_an_unknown_licence_is_refused(project: Project) -> None:
    with opened(project) as rebuilder, pytest.raises(ToolError, match=r"sbatch refuses the job: .*[Ll]icense"):
        rebuilder.execute("t:a", replace(shell("echo x > b", {}, {"b": "b"}), licence="nosuch"))


def test_a_job_cancelled_from_outside_fails_and_stores_nothing(project: Project, cluster: Cluster) -> None:
    with opened(project) as rebuilder:
        action = shell("echo half > b; sleep 60", {}, {"b": "b"})
        thread, problems = in_thread(lambda: rebuilder.execute("t:a", action))
        wait_for(lambda: cluster.jobs("RUNNING"))
        cluster.ask("scancel", "--name", *cluster.jobs("RUNNING"))
        thread.join()
    (problem,) = problems
    assert "was not completed: CANCELLED" in str(problem)
    assert project.store_files("ac") == []
    assert not (project.root / "b").exists()


def test_a_build_that_is_stopped_leaves_no_job(project: Project, cluster: Cluster) -> None:
    with opened(project) as rebuilder:
        thread, problems = in_thread(lambda: rebuilder.execute("t:a", shell("sleep 60; echo > b", {}, {"b": "b"})))
        wait_for(lambda: cluster.jobs("RUNNING"))
        rebuilder.stop()
        thread.join()
        assert "the build is being stopped" in str(problems[0])
        assert cluster.jobs("PENDING,RUNNING") == []
    assert list((project.root / ".finnmake" / "slurm").iterdir()) == []


BUILD = """
import sys
from pathlib import Path
from tests.build.conftest import Project, shell
from finnmake.build.rebuilder import Rebuilder
rebuilder = Rebuilder(Project(Path(sys.argv[1])).workspace(), use_slurm=True)
rebuilder.execute("t:a", shell("sleep 60; echo > b", {}, {"b": "b"}))
"""


def test_the_next_build_cancels_the_jobs_of_a_killed_one(project: Project, cluster: Cluster) -> None:
    repository = Path(__file__).resolve().parents[3]
    killed = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(project.root)], cwd=repository, env={**os.environ, "PYTHONPATH": "."}
    )
    wait_for(lambda: cluster.jobs("RUNNING"))
    (name,) = cluster.jobs("RUNNING")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with opened(project) as rebuilder:
        rebuilder.execute("t:b", shell("echo x > b", {}, {"b": "b"}))
        wait_for(lambda: name not in cluster.jobs("RUNNING"))
    assert project.read("b") == "x\n"
    assert list((project.root / ".finnmake" / "slurm").iterdir()) == []


def scratch_with(folder: Path, resolved: Resolved, log: Path) -> Scratch:
    for name in ("box", "tmp", "home"):
        (folder / name).mkdir(parents=True)
    (folder / JOB).write_bytes(job_file(resolved, TOOLS, log, bubblewrap=True))
    return Scratch(folder)


def resolved_shell(script: str, version: str) -> Resolved:
    action = Action("Shell", ToolCommand(("sh", "-c", script)), {}, {"b": "b"})
    return Resolved(replace(action, tools=("sh",)), {}, {"sh": version}, None)


def test_a_node_with_another_version_of_a_tool_makes_no_result(tmp_path: Path) -> None:
    runner = SlurmRunner(SlurmConfiguration(), TOOLS, tmp_path / "slurm")
    resolved = resolved_shell("echo x > b", "bash 0.99")
    scratch = scratch_with(tmp_path / "scratch", resolved, tmp_path / "log")
    try:
        with pytest.raises(UnfitError, match=r"sh: bash 5\.\d.*, not bash 0\.99"):
            runner.run(resolved, scratch, tmp_path / "log")
    finally:
        runner.close()
    assert not (scratch.box / "b").exists()


def test_a_job_that_leaves_no_result_is_a_failure_with_what_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho cannot load libpython\nexit 127\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    runner = SlurmRunner(SlurmConfiguration(), TOOLS, tmp_path / "slurm", settle=0.2)
    resolved = resolved_shell("echo x > b", "bash")
    try:
        with pytest.raises(ToolError, match=r"(?s)^cannot load libpython\n.*left no result"):
            runner.run(resolved, scratch_with(tmp_path / "scratch", resolved, tmp_path / "log"), tmp_path / "log")
    finally:
        runner.close()


def test_a_job_that_slurm_starts_again_makes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    scratch = scratch_with(tmp_path / "scratch", resolved_shell("echo x > b", "bash"), tmp_path / "log")
    assert main([str(scratch.folder / JOB)]) == 0
    assert "MachineLostError" in (scratch.folder / OUTCOME).read_text()
    assert not (scratch.box / "b").exists()


def test_an_action_whose_node_fails_runs_again_from_its_inputs(project: Project, cluster: Cluster) -> None:
    """The node is set down in the middle of the action, as an administrator or a crash does it, and comes back."""
    node = cluster.ask("sinfo", "--noheader", "--format=%N").strip()
    project.write("a.txt", "input\n")
    flag = project.root / "flag"
    # The first life spoils its input; the second must not see that.
    script = f"cat a.txt > b; echo spoilt > a.txt; while [ ! -e {flag} ]; do sleep 0.1; done"
    rebuilder = Rebuilder(project.workspace(), use_bubblewrap=False, use_slurm=True)
    try:
        action = shell(script, {"a.txt": Path("a.txt")}, {"b": "b"})
        thread, problems = in_thread(lambda: rebuilder.execute("t:a", action))
        wait_for(lambda: cluster.jobs("RUNNING"))
        cluster.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        cluster.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
        flag.touch()
        thread.join()
        assert problems == []
    finally:
        rebuilder.close()
        rebuilder.state.shut()
    assert project.read("b") == "input\n"
    assert "NODE_FAIL" in cluster.ask("squeue", "--states=all", "--format=%T")
