"""Weights from a stream: of the core's own memory, or from outside. grids.py has the layers that both languages run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from finnmake.dataflow.elementwise_binary import ElementwiseAdd
from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.packing import npy_to_packed, packed_to_npy
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ModelError
from finnmake.runtime.batch import run_graph
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.apply_folding import ApplyFolding
from tests.hls_library.harness import Bench, random_streams
from tests.hls_library.random_layers import MVAU_GRID, external, grid_mvau, random_mvau
from tests.hls_library.stitched import linked, stitched
from tests.hls_library.test_residual import run
from tests.support.hardware_models import hardware_model


def streamed(layer: MatrixVectorActivation, batch: int) -> IntegerArray:
    """The layer's own weights as frames of the second stream."""
    words = layer.memory_images()["weights"].words.reshape(1, -1)
    return np.tile(words, (batch, layer.numInputVectors))


@pytest.mark.parametrize("name", MVAU_GRID)
def test_the_words_of_the_memory_make_the_same_outputs(name: str) -> None:
    layer = grid_mvau(name)
    frames = random_streams(layer, 3)[0]
    (outputs,) = external(layer).execute_streams([frames, streamed(layer, 3)])
    np.testing.assert_array_equal(outputs, layer.execute(frames))


def test_external_weights_are_a_port_and_no_memory() -> None:
    layer = external(grid_mvau("ternary"))
    assert list(layer.input_ports()) == ["in0", "in1"]
    assert "weights" not in layer.memory_images()


def test_a_stream_of_the_cores_own_adds_no_latency() -> None:
    for name in MVAU_GRID:
        embedded = grid_mvau(name)
        assert (
            replace(embedded, mem_mode="internal_decoupled").first_output_latency() == embedded.first_output_latency()
        )


def test_a_stitched_design_whose_cores_stream_their_weights(bench: Bench, tmp_path: Path) -> None:
    first = random_mvau((8, 8), (4, 2), ("INT3", "INT3"), (3, "INT2"), vectors=2)
    second = random_mvau((8, 4), (2, 2), ("INT2", "INT2"), vectors=2)
    folding = {f"MatrixVectorActivation_{index}": {"mem_mode": "internal_decoupled"} for index in range(2)}
    model = hardware_model([first, second]).transform(ApplyFolding(folding)).transform(InsertFIFO())
    modes = [layer.structure().get("mem_mode") for layer in stream_graph(model).layers]
    assert modes == ["internal_decoupled", None, "internal_decoupled"]
    frames = random_streams(first, 12)[0]
    result = run(bench, tmp_path / "stitched", model, frames)
    assert result.output_intervals(4)[-4:].tolist() == [max(first.interval_cycles(), second.interval_cycles())] * 4
    np.testing.assert_array_equal(run_graph(model, frames), second.execute(first.execute(frames)))


def test_a_stitched_design_takes_the_weights_of_its_layers_from_the_host(bench: Bench, tmp_path: Path) -> None:
    first = random_mvau((8, 8), (4, 2), ("INT3", "INT3"), (3, "INT2"), vectors=2)
    second = random_mvau((8, 4), (2, 4), ("INT2", "INT2"), (3, "INT2"), vectors=2)
    third = random_mvau((4, 4), (4, 1), ("INT2", "INT4"), vectors=2)
    folding = {f"MatrixVectorActivation_{index}": {"mem_mode": "external"} for index in (0, 2)}
    embedded = hardware_model([first, second, third])
    model = embedded.transform(ApplyFolding(folding)).transform(InsertDWC()).transform(InsertFIFO())
    graph = stream_graph(model)
    assert [graph.layers[each.layer].structure()["MH"] for each in graph.weights] == [8, 4]
    frames = random_streams(first, 12)[0]
    np.testing.assert_array_equal(run_graph(model, frames), run_graph(embedded, frames))
    executed = execute_onnx(model, {"global_in": frames})
    np.testing.assert_array_equal(next(iter(executed.values())), run_graph(embedded, frames))
    source, sink = graph.layers[0].input_streams()[0], graph.layers[-1].output_stream()
    words = [npy_to_packed(frames, source.datatype, source.elements_per_word)]
    for each in graph.weights:
        stream = each.weights.stream
        words.append(npy_to_packed(each.weights.frames(len(frames)), stream.datatype, stream.elements_per_word))
    with stitched(bench, tmp_path / "whole", model) as whole, linked(bench, tmp_path / "linked", model) as parts:
        assert whole.input_widths == parts.input_widths == (12, 24, 16)
        for seed, (input_stall, output_stall) in enumerate(((0, 0), (0.4, 0.4))):
            expected, result = (
                simulation.run_streams(
                    words,
                    [len(frames) * sink.words_per_frame],
                    input_stall=input_stall,
                    output_stall=output_stall,
                    seed=seed,
                )
                for simulation in (whole, parts)
            )
            outputs = packed_to_npy(result.outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)
            np.testing.assert_array_equal(outputs, run_graph(embedded, frames))
            assert np.array_equal(result.output_cycles, expected.output_cycles)
            if not input_stall:
                slowest = max(layer.interval_cycles() for layer in graph.layers)
                assert result.output_intervals(sink.words_per_frame)[-4:].tolist() == [slowest] * 4


@pytest.mark.parametrize(
    ("mem_mode", "weights", "message"),
    [
        ("external", np.full((8, 8), 4), "weights are not all INT3"),
        ("external", np.full((8, 8), 0.5), "weights are not all integers"),
        ("external", np.zeros((8, 4)), r"weights have shape \(8, 4\)"),
    ],
)
def test_weights_that_a_layer_cannot_have_are_refused(mem_mode: str, weights: IntegerArray, message: str) -> None:
    model = hardware_model([random_mvau((8, 8), (4, 2), ("INT3", "INT3"))])
    model.set_initializer("weights_0", weights.astype(np.float32))
    with pytest.raises(ModelError, match=message):
        stream_graph(model.transform(ApplyFolding({"MatrixVectorActivation_0": {"mem_mode": mem_mode}})))


def test_a_stream_that_is_a_constant_is_refused() -> None:
    layer = ElementwiseAdd(NumChannels=4, PE=1, lhs_dtype="INT3", rhs_dtype="INT3", out_dtype="INT4", rhs_style="input")
    model = hardware_model([replace(layer, rhs_style="const", parameters={"rhs": np.arange(4) - 2})])
    model.nodes[0].attributes.add(ir.AttrString("rhs_style", "input"))
    with pytest.raises(ModelError, match="as a stream, and no layer gives it"):
        stream_graph(model)
