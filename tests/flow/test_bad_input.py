"""What users get wrong: one clear message, exit status 1, no traceback, nothing half-written in the store."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.support.command import Installation
from tests.support.networks import Mlp
from tests.support.project import BASE, FOLDING, Project

Array = NDArray[Any]


def with_sin(project: Project) -> None:
    model = BASE.model()
    for node in model.graph.node:
        if node.output[0] == "activation0":
            node.output[0] = "before"
            break
    position = list(model.graph.node).index(node) + 1
    model.graph.node.insert(position, helper.make_node("Sin", ["before"], ["activation0"], name="wave"))
    onnx.save(model, project.folder / "net.onnx")


def with_nan(project: Project) -> None:
    model = BASE.model()
    (weights,) = [tensor for tensor in model.graph.initializer if tensor.name == "w1"]
    values = numpy_helper.to_array(weights).copy()
    values[2, 1] = np.nan
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(model, project.folder / "net.onnx")


def truncated(project: Project) -> None:
    path = project.folder / "net.onnx"
    path.write_bytes(path.read_bytes()[:700])


def empty(project: Project) -> None:
    (project.folder / "net.onnx").write_bytes(b"")


def text(project: Project) -> None:
    (project.folder / "net.onnx").write_text("<!DOCTYPE html><html><body>404: Not Found</body></html>\n")


def no_model(project: Project) -> None:
    (project.folder / "net.onnx").unlink()


def model_is_a_folder(project: Project) -> None:
    no_model(project)
    (project.folder / "net.onnx").mkdir()


def folding(content: object) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        written = content if isinstance(content, str) else json.dumps(content)
        (project.folder / "fold.json").write_text(written)

    return write


def build_file(**arguments: object) -> Callable[[Project], None]:
    return lambda project: project.write_build_file(**arguments)


def samples(array: Array) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        np.save(project.folder / "samples.npy", array)
        project.write_build_file(samples="samples.npy")

    return write


def labels(array: Array) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        np.save(project.folder / "samples.npy", np.zeros((3, 16), np.uint8))
        np.save(project.folder / "labels.npy", array)
        project.write_build_file(samples="samples.npy", labels="labels.npy")

    return write


def code(content: str) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        (project.folder / "dodo.py").write_text(content)

    return write


BAD = {
    "an op without a layer": (with_sin, ["node Sin_0 (Sin): Sin has no layer"]),
    "NaN weights": (with_nan, ["net.onnx: tensor w1", "1 of its 32 values are NaN"]),
    "a truncated model": (truncated, ["net.onnx"]),
    "an empty model": (empty, ["net.onnx"]),
    "no ONNX at all": (text, ["net.onnx"]),
    "no model": (no_model, ["there is no model net.onnx"]),
    "a folder for a model": (model_is_a_folder, ["net.onnx"]),
    "PE that does not divide": (
        folding({"MatrixVectorActivation_0": {"PE": 7}}),
        ["MatrixVectorActivation_0", "PE = 7", "MH = 8", "1, 2, 4, 8"],
    ),
    "SIMD of a text": (
        folding({"MatrixVectorActivation_1": {"SIMD": "4"}}),
        ["MatrixVectorActivation_1", "SIMD = '4'", "1, 2, 4, 8"],
    ),
    "an unknown layer": (
        folding({"MatrixVectorActivation_9": {"PE": 1}}),
        ["MatrixVectorActivation_9", "MatrixVectorActivation_0, MatrixVectorActivation_1"],
    ),
    "an unknown attribute": (folding({"MatrixVectorActivation_0": {"Pe": 1}}), ["'Pe'", "PE, SIMD"]),
    "a folding that is no JSON": (folding('{"MatrixVectorActivation_0": {'), ["fold.json: is not JSON"]),
    "a folding that is a list": (folding([]), ["fold.json: is not a table"]),
    "defaults that are a list": (folding({"Defaults": []}), ["Defaults"]),
    "no folding": (build_file(fold="other.json"), ["there is no folding file other.json"]),
    "an unknown board": (build_file(board="ulx4s"), ["ulx4s", "ulx3s-12f", "ulx3s-85f"]),
    "no samples": (build_file(samples="s.npy"), ["there is no samples file s.npy"]),
    "samples of another shape": (samples(np.zeros((3, 15), np.uint8)), ["(3, 15)", "16"]),
    "samples out of range": (samples(np.full((3, 16), 256)), ["256", "UINT8"]),
    "labels of no class": (labels(np.full(3, 4)), ["labels: 3 of 3", "0 … 3"]),
    "samples that are texts": (samples(np.array(["a", "b"])), ["samples.npy"]),
    "too few labels": (labels(np.zeros(2, np.int64)), ["2 labels for 3 samples"]),
    "a build file with a syntax error": (code("from finnmake import Accelerator\nnet = Accelerator(\n"), ["dodo.py"]),
    "a build file that fails": (code("x = 1 / 0\n"), ["dodo.py", "ZeroDivisionError"]),
    "an argument that is none": (build_file(fpga="x"), ["dodo.py", "fpga"]),
    "no clock": (build_file(clock_mhz=0), ["0 MHz"]),
}


# Others are seen by unit tests, too; each costs seconds here.
OFTEN = (
    "an op without a layer", "NaN weights", "a truncated model", "no ONNX at all", "no model",
    "PE that does not divide", "an unknown layer", "a folding that is no JSON", "an unknown board",
    "samples of another shape",
    "a build file with a syntax error", "a build file that fails",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.nightly) for name in BAD]
)
def test_bad_input(project: Project, name: str) -> None:
    spoil, expected = BAD[name]
    spoil(project)
    said = project.refused("build", "--until", "layers")
    for part in expected:
        assert part in said, said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a truncated model", marks=pytest.mark.nightly),
        "PE that does not divide",
        "an unknown board",
    ],
)
def test_bad_input_through_doit(project: Project, name: str) -> None:
    spoil, expected = BAD[name]
    spoil(project)
    done = project.installation.run("doit", ["net:layers"], project.folder)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert said.count("FAILED ") + said.count("ERROR: ") == 1, said
    for part in expected:
        assert part in said, said
    project.check_store()


def test_failures_in_json(project: Project) -> None:
    project.write_folding({"MatrixVectorActivation_0": {"PE": 7}})
    done = project.finnmake("build", "--until", "layers", "--json")
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["ok"] is False
    assert body["actions"]["failed"] == 1
    assert list(body["failures"]) == ["net:ApplyFolding"]
    assert "PE = 7" in done.stderr
    # What went before it is not lost.
    project.write_folding(FOLDING)
    assert "import" not in project.build("--until", "layers").ran


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["build", "nat"], 1, "Known: net"),
        (["build", "net:nothing"], 1, "net:nothing"),
        (["run", "nat", "--inputs", "x.npy", "--output", "y.npy"], 1, "Known: net"),
        (["build", "other.onnx", "--board", "ulx3s-85f"], 1, "there is no model other.onnx"),
        (["build", "net.onnx"], 1, "--board"),
        (["build", "fold.json"], 1, "fold.json is not an .onnx file"),
        (["build", "-j", "-3"], 1, "-j -3"),
        (["build", "--clock", "0.5"], 1, "0.5 MHz"),
        (["-C", "nowhere", "build"], 1, "nowhere"),
        (["-C", "empty", "build"], 1, "there is no dodo.py"),
        (["-C", "empty", "why"], 1, "nothing has been built"),
    ],
)
def test_bad_commands(project: Project, arguments: list[str], status: int, expected: str) -> None:
    (project.folder / "empty").mkdir()
    assert expected in project.refused(*arguments, status=status)


LATIN_1 = os.fsdecode(b"caf\xe9")
"""A name that a file system takes and UTF-8 cannot write."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["build", "--fold", f"{LATIN_1}.json"], "caf\\udce9.json' is not a plain relative path"),
        (["build", "--until", "import", "--out", LATIN_1], "output path 'caf\\udce9/"),
        (
            ["build", f"{LATIN_1}.onnx", "--board", "ulx3s-85f", "--until", "import"],
            "caf\\udce9.onnx': has a name that is not UTF-8",
        ),
    ],
)
def test_names_that_are_not_utf_8(project: Project, arguments: list[str], expected: str) -> None:
    for kind, source in (("json", "fold.json"), ("onnx", "net.onnx")):
        (project.folder / f"{LATIN_1}.{kind}").write_bytes((project.folder / source).read_bytes())
    assert expected in project.refused(*arguments)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        pytest.param(np.zeros((2, 4, 5), np.uint8), "(2, 4, 5)", marks=pytest.mark.nightly),
        (np.full((2, 16), np.nan), "NaN"),
        (None, "x.npy"),
    ],
)
def test_bad_inputs_of_run(project: Project, inputs: Array | None, expected: str) -> None:
    if inputs is not None:
        np.save(project.folder / "x.npy", inputs)
    assert expected in project.refused("run", "net", "--inputs", "x.npy", "--output", "y.npy")
    assert not (project.folder / "y.npy").exists()


def test_output_of_run_that_cannot_be_written(project: Project) -> None:
    np.save(project.folder / "x.npy", np.zeros((2, 16), np.uint8))
    assert "there is no folder no" in project.refused("run", "net", "--inputs", "x.npy", "--output", "no/y.npy")


def test_a_board_without_room(tmp_path: Path, installation: Installation) -> None:
    # 64 products at once, two a multiplier, are more than the small device has.
    network = Mlp((16, 4), bits=4)
    project = Project.create(tmp_path / "project", installation, network, board="ulx3s-12f")
    layer = {"SIMD": 16, "PE": 4, "resType": "dsp"}
    project.write_folding({"Thresholding_0": {"PE": 8}, "MatrixVectorActivation_0": layer, "LabelSelect_0": {"PE": 4}})
    said = project.refused("build", "net:place_and_route")
    assert "DSP" in said
    assert "28" in said
    assert "32" in said
    assert re.search("^run .* net:merge$", said, re.MULTILINE)
    assert not re.search("^run .* net:place_and_route$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("module", "number"),
    [
        pytest.param("doit", signal.SIGINT, marks=pytest.mark.nightly),
        ("doit", signal.SIGTERM),
        ("finnmake.cli", signal.SIGINT),
        pytest.param("finnmake.cli", signal.SIGTERM, marks=pytest.mark.nightly),
    ],
)
def test_interrupted(project: Project, module: str, number: signal.Signals) -> None:
    task = "net:Thresholding_0.cppsim_build"
    process = project.installation.start(module, [task] if module == "doit" else ["build", task], project.folder)
    wait_for(process, project.folder / ".finnmake" / "logs" / "net_Thresholding_0.cppsim_build.log")
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    said = "".join(process.communicate(timeout=60))
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.count("interrupted") == 1, said
    project.check_store()
    project.check_scratch()
    assert project.doit(task).splitlines()[-1].startswith("1 run, ")


def wait_for(process: subprocess.Popen[str], path: Path) -> None:
    """Waits until a file is there."""
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)
