"""Builds that measure their cores to find the depths of their FIFOs."""

from __future__ import annotations

import json

import pytest

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
    assert measured(built.build("net:fifo_depths")) == {"MatrixVectorActivation_0", "StreamingDataWidthConverter_0"}


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
