"""Builds that measure their cores to find the depths of their FIFOs."""

from __future__ import annotations

import json

import pytest

from finnmake.flow.build_files import load_build_file
from tests.support.project import FOLDING, Build, Project

FOLDED: dict[str, dict[str, object]] = {**FOLDING, "MatrixVectorActivation_0": {"SIMD": 4, "PE": 4}}


def measured(build: Build) -> set[str]:
    """Layers whose cores have been measured."""
    return {name.split(".")[0] for name in build.ran if name.endswith(".schedule")}


def test_a_change_of_one_layer_measures_its_core(built: Project) -> None:
    built.write_build_file(fifo_depths="measured")
    first = built.build("net:fifo_depths")
    assert "fifo_depths" in first.ran
    assert measured(first) == {
        "Thresholding_0",
        "MatrixVectorActivation_0",
        "MatrixVectorActivation_1",
        "LabelSelect_0",
    }
    # The simulations are those that the build makes anyway.
    assert not first.tools
    second = built.build("net:rtlsim")
    assert not measured(second)
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert simulated["mismatches"] == 0
    model = simulated["cycle_model"]
    assert simulated["cycles_per_sample"] == pytest.approx(model["cycles_per_sample"], rel=0.02)
    assert simulated["first_latency_cycles"] == pytest.approx(model["first_latency_cycles"], rel=0.02)
    built.write_folding(FOLDED)
    # The layer itself, and what stands behind it because its words are wider now.
    assert measured(built.build("net:fifo_depths")) == {"MatrixVectorActivation_0", "StreamingDataWidthConverter_2"}
    built.build("net:rtlsim")
    # Without the width converter, which the layers of the last build have.
    built.write_folding(FOLDING)
    assert not measured(built.build("net:rtlsim"))


def test_cores_wait_for_no_depths(built: Project) -> None:
    built.write_build_file(fifo_depths="measured")
    built.write_folding(FOLDED)
    built.build("net:layers")
    (target,) = load_build_file(built.folder / "dodo.py").values()
    after = {task.name: task.after for task in target.plan()}

    def needs(name: str) -> set[str]:
        return {name}.union(*map(needs, after[name]))

    cores = [name for name in after if name.endswith((".lint", ".cppsim", ".synth"))]
    waiting = {name.split(":")[1].split("_")[0] for name in cores if "net:fifo_depths" in needs(name)}
    assert waiting <= {"StreamingFIFO"}
    assert len(cores) > 3 * len(FOLDED)
    assert "net:fifo_depths" not in needs("net:reference")
    # The layers' files are the same with and without FIFOs.
    for file in (built.output / "unbuffered/layers").glob("*/layer.json"):
        assert file.read_bytes() == (built.output / "layers" / file.parent.name / "layer.json").read_bytes()


def test_depths_that_are_said_stay(built: Project) -> None:
    built.write_build_file(fifo_depths={"MatrixVectorActivation_1": {"inFIFODepths": [37]}})
    built.build("net:layers")
    depths = [layer["name"] for layer in built.manifest() if layer["name"].startswith("StreamingFIFO")]
    assert len(depths) >= 1
    files = [json.loads((built.output / "layers" / name / "layer.json").read_text()) for name in depths]
    assert 37 in [file["structure"]["depth"] for file in files]


def test_depths_of_no_layer_are_refused(built: Project) -> None:
    built.write_build_file(fifo_depths={"MatrixVectorActivation_7": {"inFIFODepths": [37]}})
    assert "MatrixVectorActivation_7" in built.refused("build", "net:layers")
