"""Engines of cores: what a build file may say, and what is said before anything is built."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from finnmake.build.rules import load_rules
from finnmake.errors import BuildFileError, ToolError
from finnmake.flow.accelerator import Accelerator
from finnmake.flow.engine_rules import check_engines, engine_names
from finnmake.flow.engines import (
    engine_of,
    frames_of_a_call,
    only_rtl,
    unknown_layers,
)
from finnmake.flow.hls_tasks import PART
from finnmake.flow.manifest import MANIFEST_FORMAT, LayerEntry, Manifest, StreamEntry
from tests.support.command import Installation
from tests.support.project import Project

RULES = load_rules(Path(__file__).parents[2] / "rules")


def test_an_engine_is_a_rule_of_a_folder() -> None:
    assert engine_names(RULES) == ("rtl", "bambu", "vitis_hls")


def test_an_engine_that_there_is_not_is_refused() -> None:
    with pytest.raises(BuildFileError, match="Engines are rtl, bambu, vitis_hls"):
        check_engines("catapult", RULES, "net")
    with pytest.raises(BuildFileError, match="engine="):
        check_engines({"Thresholding": "verilog"}, RULES, "net")
    check_engines("rtl", RULES, "net")
    check_engines({}, RULES, "net")


@pytest.mark.parametrize("engine", ["bambu", "vitis_hls"])
def test_a_tool_that_is_missing_is_said_when_planning(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError) as caught:
        check_engines({"MatrixVectorActivation_0": engine}, RULES, "net")
    assert f"{engine} is not installed" in caught.value.text
    assert "engine rtl" in caught.value.text


def test_a_tool_on_path_is_enough_to_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bambu"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check_engines("bambu", RULES, "net")


def test_which_engine_makes_which_layer() -> None:
    assert engine_of("MatrixVectorActivation_0", "MatrixVectorActivation", "bambu") == "bambu"
    assert engine_of("StreamingFIFO_3", "StreamingFIFO", "bambu") == "rtl"
    engines = {"MatrixVectorActivation": "bambu", "MatrixVectorActivation_1": "rtl"}
    assert engine_of("MatrixVectorActivation_0", "MatrixVectorActivation", engines) == "bambu"
    assert engine_of("MatrixVectorActivation_1", "MatrixVectorActivation", engines) == "rtl"
    assert engine_of("Thresholding_0", "Thresholding", engines) == "rtl"
    names = {"MatrixVectorActivation_0": "MatrixVectorActivation"}
    assert unknown_layers(engines, names) == ["MatrixVectorActivation_1"]
    assert unknown_layers("bambu", names) == []


@pytest.mark.parametrize("words", [1, 2, 3, 1000, 1024, 1 << 20])
def test_the_words_of_a_call_fit_their_counter(words: int) -> None:
    frames = frames_of_a_call(words)
    assert frames >= 1
    assert frames * words < 1 << 31
    assert 2 * frames * words >= 1 << 29


@pytest.mark.parametrize(("board", "part"), [("pynq-z1", "xc7z020clg400-1"), ("ulx3s-85f", PART)])
def test_vitis_hls_estimates_for_the_part_of_the_board(
    board: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "vitis_hls"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    layer = LayerEntry(
        name="Thresholding_0",
        op_type="Thresholding",
        core="core_vitis_hls",
        configured="core_vitis_hls",
        engine="vitis_hls",
        function="core",
        constants=(),
        uses_dsp=False,
        verilog_files=(),
        cpp_files=(),
        parameters=(),
        memories=(),
        inputs=(StreamEntry("s_axis", "UINT4", 1, 1, 4),),
        outputs=(StreamEntry("m_axis", "UINT2", 1, 1, 2),),
        sources=(),
        interval=1,
        latency=1,
    )
    manifest = Manifest((layer,), "s", (), (), (), (), (), ())
    (tmp_path / "build" / "net").mkdir(parents=True)
    (tmp_path / "build/net/manifest.json").write_text(json.dumps({"format": MANIFEST_FORMAT, **asdict(manifest)}))
    (tmp_path / "net.onnx").write_bytes(b"")
    planned = Accelerator(name="net", model="net.onnx", board=board, engine="vitis_hls").plan()
    (action,) = (task.action for task in planned if task.name.endswith("Thresholding_0.hls"))
    assert f"'--part', '{part}'" in repr(action.command)


def test_depths_are_measured_with_verilog_only() -> None:
    assert only_rtl("rtl")
    assert only_rtl({"Thresholding_0": "rtl"})
    assert not only_rtl({"Thresholding_0": "bambu"})


@pytest.mark.skipif(shutil.which("bambu") is None, reason="bambu is not on PATH")
def test_a_design_mixes_engines(tmp_path: Path, installation: Installation) -> None:
    engine = {"MatrixVectorActivation_0": "bambu"}
    project = Project.create(tmp_path / "net", installation, engine=engine, clock_mhz=50)
    built = project.build("--until", "stitched")
    assert {"hls", "rtlsim", "core", "synth"} <= built.steps("MatrixVectorActivation_0")
    assert "hls" not in built.steps("MatrixVectorActivation_1")
    folder = project.folder / "build" / "net"
    report = json.loads((folder / "layers" / "MatrixVectorActivation_0" / "hls.json").read_text())
    assert report["engine"] == "bambu"
    assert report["interval_cycles"] >= 8
    assert json.loads((folder / "stitched" / "rtlsim.json").read_text())["mismatches"] == 0


@pytest.mark.skipif(shutil.which("bambu") is None, reason="bambu is not on PATH")
def test_measured_depths_beside_another_engine_are_refused(tmp_path: Path, installation: Installation) -> None:
    project = Project.create(tmp_path / "net", installation, engine="bambu", fifo_depths="measured")
    done = project.finnmake("build")
    assert done.returncode != 0
    assert "Depths are measured with the Verilog cores" in done.stderr + done.stdout


@pytest.mark.skipif(shutil.which("vitis_hls") is not None, reason="vitis_hls is on PATH")
def test_the_command_says_before_it_builds_that_a_tool_is_missing(tmp_path: Path, installation: Installation) -> None:
    project = Project.create(tmp_path / "net", installation, engine="vitis_hls")
    done = project.finnmake("build")
    assert done.returncode != 0
    assert "vitis_hls is not installed" in done.stderr + done.stdout
    assert not (project.folder / "build").exists()
