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
