"""The shared convolutional networks down to simulated RTL and netlists of all their layers."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.support.project import Project
from tests.support.qonnx_models import shared_file


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["cnv_s_w2a2", "mbnet_s_w4a4", "resnet_s_w4a4"])
def test_every_core_and_the_stitched_design(built: Project, name: str) -> None:
    shutil.copy(shared_file(f"models/{name}.qonnx.onnx"), built.folder / "net.onnx")
    built.write_build_file(fold="auto", clock_mhz=50, target_fps=5000)
    # Each core in C++ and in RTL equals NumPy, the stitched RTL equals the model; else the build fails.
    assert {"rtlsim", "reference"} <= built.build("--until", "stitched").ran
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert simulated["mismatches"] == 0
    assert simulated["samples"] > 0
    for layer in built.layers():
        assert (built.output / "layers" / layer / "netlist.il").stat().st_size
        assert json.loads((built.output / "layers" / layer / "resources.json").read_text())["LUT"] >= 0


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", ["cnv_s_w2a2", "mbnet_s_w4a4", "resnet_s_w4a4"])
def test_measured_depths_let_the_stitched_design_run_at_its_slowest_layers_interval(built: Project, name: str) -> None:
    shutil.copy(shared_file(f"models/{name}.qonnx.onnx"), built.folder / "net.onnx")
    built.write_build_file(fold="auto", clock_mhz=50, target_fps=5000, fifo_depths="measured")
    built.build("net:rtlsim")
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    slowest = max(layer["interval"] for layer in built.manifest())
    assert simulated["mismatches"] == 0
    assert simulated["cycles_per_sample"] == pytest.approx(slowest, rel=0.02)
    model = simulated["cycle_model"]
    assert simulated["cycles_per_sample"] == pytest.approx(model["cycles_per_sample"], rel=0.02)
    assert simulated["first_latency_cycles"] == pytest.approx(model["first_latency_cycles"], rel=0.02)
