"""The same bytes wherever and whenever a build runs, and however often it is killed on the way."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.project import BASE, FOLDING, Project

ELSEWHERE = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "HOME": "/nowhere",
    "USER": "somebody",
    "LOGNAME": "somebody",
    "HOSTNAME": "another",
    "PYTHONHASHSEED": "7",
    "CXXFLAGS": "-O3 -DUNDECLARED",
    "SOURCE_DATE_EPOCH": "1000000000",
}
CORE_STEPS = ("lint", "cppsim", "rtlsim", "synth")


def only_simulator(project: Project, folder: Path) -> Project:
    """The project as if only the simulation runtime had been built: it takes long and is the same for all designs."""
    fresh = Project.create(folder, project.installation)
    shutil.copytree(project.folder / ".finnmake", fresh.folder / ".finnmake")
    (runtime,) = [digest for path, digest in project.digests().items() if path.endswith("/simulator/verilated.a")]
    for path in fresh.store.rglob("*/*/*"):
        if path.is_file() and path.name != runtime and runtime.encode() not in path.read_bytes():
            path.unlink()
    for state in (fresh.folder / ".finnmake").glob("state.sqlite*"):
        state.unlink()
    return fresh


def in_another_time(project: Project) -> None:
    """Gives the user's files times of their own."""
    for number, path in enumerate(sorted(project.folder.iterdir())):
        if path.is_file():
            os.utime(path, (1.2e9 + number, 9e8 + 86400 * number))


def test_bytes_of_cores_do_not_depend_on_place_time_or_environment(built: Project, tmp_path: Path) -> None:
    other = only_simulator(built, tmp_path / "a place with a much longer name" / "ünïcode")
    in_another_time(other)
    tasks = [f"net:MatrixVectorActivation_0.{step}" for step in CORE_STEPS]
    text = other.doit("-n", "2", *tasks, environment=ELSEWHERE)
    for task in tasks:
        assert re.search(f"^run .*{task}$", text, re.MULTILINE)
    first, second = built.digests(), other.digests()
    assert {path: first[path] for path in second} == second
    for name in ("rtlsim.so", "cppsim.so", "netlist.il", "core.v", "top.cpp", "weights.mem", "rtlsim.json"):
        assert f"build/net/layers/MatrixVectorActivation_0/{name}" in second


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_bytes_of_everything_do_not_depend_on_place_time_or_environment(bitstream: Project, tmp_path: Path) -> None:
    other = Project.create(tmp_path / "a place with a much longer name" / "ünïcode", bitstream.installation)
    in_another_time(other)
    # Place and route keeps what it compiles of itself below HOME.
    environment = {name: value for name, value in ELSEWHERE.items() if name != "HOME"}
    build = other.build("-j", "1", environment=environment)
    assert build.actions["run"] == len(build.body["ran"]) > 50
    assert other.digests() == bitstream.digests()


def results(project: Project) -> int:
    """Actions whose result has reached the store."""
    return sum(path.is_file() for path in (project.store / "ac").rglob("*"))


def kill_and_finish(project: Project, arguments: tuple[str, ...], kills: int) -> None:
    """Builds, killed at random points of their progress, then once undisturbed."""
    chance = random.Random(kills)
    killed = attempts = 0
    while killed < kills:
        attempts += 1
        assert attempts < 3 * kills
        # Every other time another design: a build that begins anew in between, not one that goes on.
        project.write_folding({**FOLDING, "MatrixVectorActivation_1": {"SIMD": 2, "PE": 1 + killed % 2}})
        enough = results(project) + chance.randrange(0, 5)
        process = project.installation.start("finnmake.cli", ["build", *arguments], project.folder)
        while process.poll() is None and results(project) < enough:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 1))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            killed += 1
        else:
            # It was quicker: what comes next has other weights to work on.
            assert process.returncode == 0
            project.write_model(replace(BASE, layer_seeds=(attempts, attempts + 100)))
    project.write_model(BASE)
    project.write_folding(FOLDING)
    project.build(*arguments)
    project.check_store()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kills", "arguments"),
    [
        pytest.param(4, ("net:MatrixVectorActivation_1.cppsim",), id="4 times"),
        pytest.param(20, ("--until", "stitched"), id="20 times", marks=pytest.mark.nightly),
    ],
)
def test_killed_builds(built: Project, tmp_path: Path, kills: int, arguments: tuple[str, ...]) -> None:
    project = only_simulator(built, tmp_path / "killed")
    kill_and_finish(project, arguments, kills)
    expected, found = built.digests(), project.digests()
    # What a folding in between has left behind is no part of the design.
    layers = set(project.layers())
    found = {path: digest for path, digest in found.items() if "/layers/" not in path or path.split("/")[3] in layers}
    assert {path: expected[path] for path in found} == found
    if arguments[0] == "--until":
        assert found == expected
    again = project.build(*arguments)
    assert (again.actions["run"], again.actions["store"]) == (0, 0)
    left = [path for path in project.output.rglob("*") if path.name.startswith(".tmp")]
    assert left == []


@pytest.mark.nightly
def test_two_builds_at_once(project: Project) -> None:
    processes = [
        project.installation.start("finnmake.cli", ["build", "net:Thresholding_0.lint"], project.folder)
        for _ in range(2)
    ]
    time.sleep(1)
    for process in processes:
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, output + errors
    project.check_store()
    again = project.build("net:Thresholding_0.lint")
    assert (again.actions["run"], again.actions["store"]) == (0, 0)


def test_an_edited_output_is_made_again(built: Project) -> None:
    expected = built.digests()
    (built.output / "layers/MatrixVectorActivation_0/core.v").write_text("module nonsense; endmodule\n")
    (built.output / "stitched/rtlsim.so").unlink()
    build = built.build("--until", "stitched")
    assert build.actions["run"] == 0
    assert build.actions["store"] == 2
    assert built.digests() == expected


def test_a_damaged_blob_is_dropped_and_made_again(built: Project) -> None:
    expected = built.digests()
    path = "build/net/layers/MatrixVectorActivation_0/core.v"
    (blob,) = [file for file in built.store.rglob(expected[path]) if file.is_file()]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"module", b"m0dule", 1))
    (built.folder / path).unlink()
    build = built.build("--until", "stitched")
    assert build.ran == {"MatrixVectorActivation_0.generate"}
    assert built.digests() == expected
    built.check_store()


def test_another_model_and_back(built: Project) -> None:
    expected = built.digests()
    built.write_model(replace(BASE, layer_seeds=(5, 6)))
    assert "Streamline" in built.build("--until", "layers").ran
    built.write_model(BASE)
    build = built.build("--until", "stitched")
    assert build.actions["run"] == 0
    assert built.digests() == expected
