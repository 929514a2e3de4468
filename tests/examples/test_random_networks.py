"""The networks with random weights: small ones equal to their layers, the full ones down to checked cores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from examples.cnv.model import VARIANTS, cnv
from examples.resnet50.model import resnet50
from examples.tincy_yolo.model import tincy_yolo
from finnmake.build.api import build
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.registry import LAYER_CLASSES
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.set_folding import SetFolding
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.deploy.board import load_board
from finnmake.errors import FoldingError
from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.resources import find_resources
from finnmake.runtime.batch import output_integers
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from tests.support.example import copied_example


def to_layers(model: ModelWrapper) -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        if name != "InsertTopK":
            model = model.transform(make_transformation(name, arguments))
    return model


SMALL: Mapping[str, Callable[[], onnx.ModelProto]] = {
    **{f"cnv_{name}": lambda bits=bits: cnv(*bits, width=4) for name, bits in VARIANTS.items()},  # type: ignore[misc]
    "resnet50": lambda: resnet50(size=64, width=4, classes=10),
    "tincy_yolo": lambda: tincy_yolo(size=64, width=2),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_one_is_equal_to_its_layers(name: str) -> None:
    model = import_model(SMALL[name]())
    layers = to_layers(model).transform(SetFolding(20_000))
    hardware = [node for node in layers.nodes if node.op_type in LAYER_CLASSES]
    assert {node.op_type for node in layers.nodes} - set(LAYER_CLASSES) <= {"Transpose"}
    assert max(layer_from_node(node).interval_cycles() for node in hardware) <= 20_000
    shape = model.get_tensor_shape(model.graph.inputs[0]) or []
    images = np.random.default_rng(0).integers(0, 256, (3, *shape[1:]))
    expected = execute_onnx(model, {"global_in": images})["global_out"]
    actual = execute_onnx(layers, {"global_in": images})["global_out"]
    np.testing.assert_array_equal(actual, output_integers(layers, expected).reshape(actual.shape))
    assert len(np.unique(actual)) > 3


def test_the_same_seed_gives_the_same_bytes() -> None:
    def written(seed: int) -> bytes:
        return bytes(cnv(1, 1, width=2, seed=seed).SerializeToString(deterministic=True))

    assert written(0) == written(0) != written(1)


def test_resnet50_has_the_layers_of_resnet50() -> None:
    counts = Counter(node.op_type for node in resnet50(size=32, width=4).graph.node)
    assert (counts["Conv"], counts["Add"], counts["MaxPool"], counts["MatMul"]) == (53, 16, 1, 1)
    assert counts["BipolarQuant"] == 52


def test_tincy_yolo_fits_into_an_ultra96_and_into_nothing_smaller() -> None:
    board = load_board("ultra96", find_resources().boards)
    model = to_layers(import_model(tincy_yolo()))
    for folding in (
        SetFolding(resources=board.resources),
        SetFolding(target_fps=30, clock_mhz=250, resources=board.resources),
    ):
        layers = stream_graph(model.transform(folding).transform(InsertDWC())).layers
        # Nearly all block memories: with a little more of LUTs, they are enough.
        blocks = sum(estimate_resources(layer).BRAM_18K for layer in layers)
        assert 0.9 * board.resources["BRAM"] < blocks <= board.resources["BRAM"]
        assert sum(estimate_resources(layer).LUT for layer in layers) <= board.resources["LUT"]
        assert max(layer.interval_cycles() for layer in layers) <= 250_000_000 // 30
    with pytest.raises(FoldingError, match=r"BRAM \d+ of 280"):
        model.transform(SetFolding(resources=load_board("pynq-z1", find_resources().boards).resources))


class FullSize:
    """A copy of an example whose model and sample are written first."""

    def __init__(self, folder: Path, name: str, model: onnx.ModelProto, size: int) -> None:
        self._folder, self._name = copied_example(folder / name, name), name
        onnx.save(model, self._folder / f"{name}.onnx")
        np.save(self._folder / "sample.npy", np.random.default_rng(0).integers(0, 256, (1, 3, size, size), np.uint8))
        self.run("layers", "reference")
        self.output = self._folder / "build" / name
        self.layers = json.loads((self.output / "manifest.json").read_text())["layers"]

    def run(self, *steps: str) -> None:
        """Builds steps of the target."""
        result = build(self._folder / "dodo.py", [f"{self._name}:{step}" for step in steps], jobs=2)
        assert result.ok, result.failures

    def check_cores(self, most_interval: int, simulated: int) -> None:
        """Every core is generated and linted; so many distinct ones are simulated in RTL, cycles as stated."""
        assert max(layer["interval"] for layer in self.layers) <= most_interval
        self.run("lint", *(f"{layer['name']}.{step}" for layer in self.layers for step in ("generate", "lint")))
        small: dict[str, dict[str, Any]] = {}
        for layer in sorted(self.layers, key=lambda layer: layer["inputs"][0]["width"] * layer["interval"]):
            kind = layer["op_type"]
            if sum(other["op_type"] == kind for other in small.values()) < 3:
                small.setdefault(layer["core"], layer)
        assert len(small) >= simulated
        self.run(*(f"{layer['name']}.rtlsim" for layer in list(small.values())[:simulated]))


FULL_CNV = """
from finnmake import Accelerator

cnv = Accelerator(model="cnv.onnx", board="zcu104", clock_mhz=100, target_fps=3000, samples="samples.npy")
"""


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_cnv_of_full_size_through_stitched_rtl(tmp_path: Path) -> None:
    (tmp_path / "finnmake.toml").write_text("")
    (tmp_path / "dodo.py").write_text(FULL_CNV)
    onnx.save(cnv(1, 1), tmp_path / "cnv.onnx")
    np.save(tmp_path / "samples.npy", np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), np.uint8))
    for steps in (["cnv:layers"], ["cnv:rtlsim", "cnv:lint"]):
        result = build(tmp_path / "dodo.py", steps, jobs=2)
        assert result.ok, result.failures
    measured = json.loads((tmp_path / "build/cnv/stitched/rtlsim.json").read_text())
    assert (measured["samples"], measured["mismatches"]) == (3, 0)
    layers = json.loads((tmp_path / "build/cnv/manifest.json").read_text())["layers"]
    slowest = max(layer["interval"] for layer in layers)
    assert slowest <= measured["cycles_per_sample"] <= 1.02 * slowest


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_resnet50_is_folded_for_2000_frames_a_second(tmp_path: Path) -> None:
    network = FullSize(tmp_path, "resnet50", resnet50(), 224)
    network.check_cores(195_000_000 // 2000, simulated=12)
    network.run("rtlsim")
    simulated = json.loads((network.output / "stitched/rtlsim.json").read_text())
    model = json.loads((network.output / "cycle_model.json").read_text())
    assert model["interval_cycles"] == model["slowest_layer_cycles"]
    assert simulated["first_latency_cycles"] == model["first_word_cycles"]


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_tincy_yolo_is_folded_for_30_frames_a_second(tmp_path: Path) -> None:
    FullSize(tmp_path, "tincy_yolo", tincy_yolo(), 416).check_cores(250_000_000 // 30, simulated=10)
