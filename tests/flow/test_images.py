"""Images, channels first, through the whole flow: what the stitched RTL gives is the model's own output."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import numpy as np
import onnx
import pytest

from finnmake.build.api import build
from tests.support.image_networks import convolutional, encoder_and_decoder, residual, sub_pixels, towers
from tests.support.project import Project
from tests.support.qonnx_models import shared_file


@pytest.mark.parametrize(
    ("network", "layers", "output_order"),
    [
        (
            convolutional,
            {"ConvolutionInputGenerator": 3, "FMPadding": 1, "Pool": 1, "MatrixVectorActivation": 2},
            [{"shape": [2, 2, 2], "perm": [2, 0, 1]}],
        ),
        pytest.param(
            residual,
            {"ConvolutionInputGenerator": 6, "FMPadding": 5, "DuplicateStreams": 2, "ElementwiseAdd": 2},
            [{"shape": [4, 4, 2], "perm": [2, 0, 1]}],
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            towers,
            {"StreamingConcat": 1, "DuplicateStreams": 1, "Pool": 1, "FMPadding": 3},
            [{"shape": [6, 6, 2], "perm": [2, 0, 1]}],
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            encoder_and_decoder,
            {"StreamingConcat": 1, "UpsampleNearestNeighbour": 1, "Pool": 1},
            [{"shape": [6, 6, 2], "perm": [2, 0, 1]}],
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            sub_pixels,
            {"DepthToSpace": 1, "Thresholding": 1},
            [{"shape": [10, 10, 2], "perm": [2, 0, 1]}],
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_a_network_of_images_from_the_model_to_stitched_rtl(
    built: Project, network: Callable[[], onnx.ModelProto], layers: dict[str, int], output_order: list[object]
) -> None:
    model = network()
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    onnx.save(model, built.folder / "net.onnx")
    built.write_build_file(fold="auto", target_fps=100_000)
    built.build("net:rtlsim")
    manifest = json.loads((built.output / "manifest.json").read_text())
    counts = {name: sum(layer["op_type"] == name for layer in manifest["layers"]) for name in layers}
    assert counts == layers
    assert manifest["input_order"] == [{"shape": [3, size, size], "perm": [1, 2, 0]}]
    assert manifest["output_order"] == output_order
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert (simulated["mismatches"], simulated["samples"]) == (0, 64)
    slowest = max(layer["interval"] for layer in manifest["layers"])
    assert simulated["cycles_per_sample"] == pytest.approx(slowest, rel=0.02)
    model = simulated["cycle_model"]
    assert simulated["cycles_per_sample"] == pytest.approx(model["cycles_per_sample"], rel=0.02)
    assert simulated["first_latency_cycles"] == pytest.approx(model["first_latency_cycles"], rel=0.02)

    pixels = np.random.default_rng(3).integers(0, 256, (5, 3, size, size), dtype=np.uint8)
    np.save(built.folder / "x.npy", pixels)
    outputs = []
    for engine in ("reference", "stitched"):
        done = built.finnmake("run", "net", "--engine", engine, "--inputs", "x.npy", "--output", f"{engine}.npy")
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(np.load(built.folder / f"{engine}.npy"))
    assert outputs[0].shape == (5, *manifest["output_shape"][1:])
    assert np.array_equal(*outputs)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_super_resolution_of_a_small_frame_through_stitched_rtl(built: Project) -> None:
    model = onnx.load(shared_file("models/espcn_subpixel_w8.qonnx.onnx"))
    del model.graph.value_info[:]
    for value, size in ((model.graph.input[0], 6), (model.graph.output[0], 12)):
        for dim, number in zip(value.type.tensor_type.shape.dim, (1, 3, size, size), strict=True):
            dim.dim_value = number
    onnx.save(model, built.folder / "net.onnx")
    built.write_build_file(fold="auto", target_fps=5_000)
    built.build("net:rtlsim")
    manifest = json.loads((built.output / "manifest.json").read_text())
    assert [layer["op_type"] for layer in manifest["layers"]].count("DepthToSpace") == 1
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert (simulated["mismatches"], simulated["samples"]) == (0, 64)
    slowest = max(layer["interval"] for layer in manifest["layers"])
    assert simulated["cycles_per_sample"] == pytest.approx(slowest, rel=0.02)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_super_resolution_of_whole_frames_through_stitched_rtl(built: Project) -> None:
    shutil.copy(shared_file("models/espcn_subpixel_w8.qonnx.onnx"), built.folder / "net.onnx")
    built.write_build_file(board="ultra96", fold="auto", target_fps=60, clock_mhz=200)
    build_all(built, "layers")
    manifest = json.loads((built.output / "manifest.json").read_text())
    assert manifest["output_shape"] == [1, 3, 256, 256]
    assert max(layer["interval"] for layer in manifest["layers"]) <= 200_000_000 // 60
    # A core's own simulation takes six frames, four times.
    small = [layer["name"] for layer in manifest["layers"] if layer["interval"] < 1 << 18]
    build_all(built, "lint", *(f"{layer['name']}.lint" for layer in manifest["layers"]))
    build_all(built, "rtlsim", *(f"{name}.rtlsim" for name in small))
    simulated = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert (simulated["mismatches"], simulated["samples"]) == (0, 2)
    slowest = max(layer["interval"] for layer in manifest["layers"])
    assert slowest <= simulated["cycles_per_sample"] <= 1.01 * slowest


def build_all(project: Project, *steps: str) -> None:
    """Builds steps of the target, for as long as it takes."""
    result = build(project.folder / "dodo.py", [f"net:{step}" for step in steps], jobs=2)
    assert result.ok, result.failures
