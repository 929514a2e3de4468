"""PrepareCppSim, CompileCppSim, PrepareRTLSim, SetExecMode: a graph whose layers run in NumPy, C++ and Verilog."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from finnmake.dataflow import SetExecMode
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.nodes import layer_from_node
from finnmake.errors import ModelError, ToolError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime import CompileCppSim, Executor, PrepareCppSim, PrepareRTLSim, execute_onnx
from finnmake.runtime.execute import Array
from finnmake.runtime.simulations import Simulations, known_simulations
from tests.hls_library.harness import Bench
from tests.hls_library.random_layers import random_mvau
from tests.support.hardware_models import hardware_model

SHAPES = [(1, 2, 3, 4), (1, 2, 3, 6), (1, 2, 3, 6), (1, 2, 3, 2)]


def layers(seed: int = 0) -> list[Layer]:
    """Three matrix layers on 2 x 3 pixels of 4 channels; the last gives its accumulators."""
    return [
        random_mvau((4, 6), (2, 3), ("INT3", "INT2"), (3, "UINT2"), vectors=6, seed=seed),
        random_mvau((6, 6), (3, 2), ("UINT2", "TERNARY"), (1, "BIPOLAR"), vectors=6, seed=seed + 1),
        random_mvau((6, 2), (6, 1), ("BIPOLAR", "INT4"), vectors=6, seed=seed + 2),
    ]


def frames_of(batch: int) -> IntegerArray:
    return np.random.default_rng(batch).integers(-4, 4, (batch, 2, 3, 4))


def run(model: ModelWrapper, frames: IntegerArray, simulations: str | None = None) -> Array:
    (output,) = execute_onnx(model, {"global_in": frames}, simulations=simulations).values()
    return output


def entries(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/model.so")}


@pytest.fixture(scope="module")
def folder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of simulations that has Verilator's runtime already."""
    place = tmp_path_factory.mktemp("simulations")
    bench.put_runtime(Simulations(place))
    return place


@pytest.fixture(scope="module")
def compiled(folder: Path) -> ModelWrapper:
    """A model whose layers are compiled for all engines."""
    return hardware_model(layers(), SHAPES).transform(CompileCppSim(str(folder))).transform(PrepareRTLSim())


@pytest.mark.parametrize(
    "modes",
    [
        ["cppsim"] * 3,
        ["rtlsim"] * 3,
        ["cppsim", "python", "rtlsim"],
        ["rtlsim", "cppsim", "python"],
    ],
    ids="-".join,
)
def test_every_engine_gives_the_same_integers(compiled: ModelWrapper, modes: Sequence[str]) -> None:
    frames = frames_of(5)
    expected = frames.reshape(5, -1)
    for layer in layers():
        expected = layer.execute(expected)
    model = compiled
    for node, mode in zip(compiled.nodes, modes, strict=True):
        model = model.transform(SetExecMode(mode, [str(node.name)]))
    np.testing.assert_array_equal(run(model, frames), expected.reshape(5, 2, 3, 2))
    executor = Executor(model)
    np.testing.assert_array_equal(executor.run({"global_in": frames})["out_2"], expected.reshape(5, 2, 3, 2))
    np.testing.assert_array_equal(executor.run({"global_in": frames[3:]})["out_2"], expected[3:].reshape(2, 2, 3, 2))


def test_equal_cores_are_compiled_once_and_weights_are_no_part_of_a_core(compiled: ModelWrapper, folder: Path) -> None:
    before = entries(folder)
    assert len(before) == 6
    retrained = hardware_model(layers(seed=50), SHAPES).transform(CompileCppSim(str(folder)))
    model = retrained.transform(PrepareRTLSim(str(folder)))
    assert entries(folder) == before
    for mode in ("cppsim", "rtlsim"):
        np.testing.assert_array_equal(run(model.transform(SetExecMode(mode)), frames_of(3)), run(model, frames_of(3)))


def test_a_saved_model_finds_its_simulations_where_it_is_told(
    compiled: ModelWrapper, folder: Path, tmp_path: Path
) -> None:
    compiled.transform(SetExecMode("cppsim")).save(tmp_path / "model.onnx")
    saved = ModelWrapper(tmp_path / "model.onnx")
    assert str(folder).encode() not in (tmp_path / "model.onnx").read_bytes()
    with pytest.raises(ModelError, match=r"MatrixVectorActivation_0.*\n.*CompileCppSim.*simulations=FOLDER"):
        run(saved, frames_of(1))
    np.testing.assert_array_equal(run(saved, frames_of(2), simulations=str(folder)), run(compiled, frames_of(2)))


def test_a_changed_layer_is_another_core(compiled: ModelWrapper) -> None:
    model = compiled.transform(SetExecMode("cppsim"))
    model.nodes[1].attributes.add(ir.AttrInt64("PE", 6))
    with pytest.raises(ModelError, match="exec_mode cppsim, but its core has not been compiled"):
        run(model, frames_of(1))


def test_a_temporary_folder_goes_with_the_models_that_know_it() -> None:
    model = hardware_model([LabelSelect(4, 2, "INT4", "UINT2")]).transform(PrepareCppSim())
    place = known_simulations(model)
    assert place is not None
    (entry,) = place.folder.iterdir()
    assert (entry / "top.cpp").exists()
    assert not (entry / "model.so").exists()
    copied = model.transform(CompileCppSim())
    del model, place
    gc.collect()
    assert (entry / "model.so").exists()
    frames = np.array([[1, 7, -8, 7], [0, 0, 0, 0]])
    np.testing.assert_array_equal(run(copied.transform(SetExecMode("cppsim")), frames), [[1], [0]])
    del copied
    gc.collect()
    assert not entry.exists()


def test_a_value_that_the_stream_cannot_carry_is_refused(compiled: ModelWrapper) -> None:
    frames = frames_of(1)
    frames[0, 0, 0, 0] = 4
    with pytest.raises(ModelError, match=r"MatrixVectorActivation_0.*do not fit INT3"):
        run(compiled.transform(SetExecMode("cppsim")), frames)


def test_a_failing_compiler_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hardware_model([LabelSelect(4, 2, "INT4", "UINT2")]).transform(PrepareCppSim(str(tmp_path)))
    (entry,) = tmp_path.iterdir()
    (entry / "top.cpp").write_text("nonsense\n")
    with pytest.raises(ToolError, match=r"error.*nonsense(.|\n)*log.txt"):
        model.transform(CompileCppSim())
    assert "nonsense" in (entry / "log.txt").read_text()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"g\+\+ is missing(.|\n)*apt install"):
        model.transform(CompileCppSim(str(tmp_path)))


def test_modes_and_names_are_checked() -> None:
    model = hardware_model([LabelSelect(4, 2, "INT4", "UINT2")])
    with pytest.raises(ModelError, match="python, cppsim, rtlsim"):
        SetExecMode("hls")
    with pytest.raises(ModelError, match="LabelSelect_0"):
        model.transform(SetExecMode("cppsim", ["other"]))
    assert (
        layer_from_node(model.transform(SetExecMode("rtlsim")).nodes[0]).core_name()
        == layer_from_node(model.nodes[0]).core_name()
    ), "the engine that simulates a core is no part of it"
