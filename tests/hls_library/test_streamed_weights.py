"""Weights from a stream: of the core's own memory, or from outside; both languages, stalls on both streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ModelError
from finnmake.runtime.batch import run_graph
from finnmake.transformation.apply_folding import ApplyFolding
from tests.hls_library.harness import Bench, random_streams
from tests.hls_library.random_layers import MVAU_GRID, grid_mvau, random_mvau
from tests.hls_library.test_residual import run
from tests.support.hardware_models import hardware_model


def external(layer: MatrixVectorActivation) -> MatrixVectorActivation:
    """The layer with weights from outside."""
    thresholds = {name: values for name, values in layer.parameters.items() if name != "weights"}
    return replace(layer, mem_mode="external", parameters=thresholds)


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


@pytest.mark.parametrize("name", ["ternary", "several_vectors", "unfolded"])
def test_external_weights(bench: Bench, name: str) -> None:
    layer = external(grid_mvau(name))
    bench.check(layer, *random_streams(layer, 9))


def test_external_weights_without_activation(bench: Bench) -> None:
    layer = external(replace(random_mvau((6, 4), (3, 2), ("INT4", "INT4")), resType="dsp"))
    assert list(layer.input_ports()) == ["in0", "in1"]
    assert layer.memory_images() == {}
    bench.check(layer, *random_streams(layer, 9))


@pytest.mark.parametrize("name", ["ternary", "several_vectors", "one_by_one"])
def test_a_stream_of_the_cores_own(bench: Bench, name: str) -> None:
    layer = replace(grid_mvau(name), mem_mode="internal_decoupled")
    embedded = grid_mvau(name)
    assert layer.first_output_latency() == embedded.first_output_latency()
    bench.lint(layer)
    bench.check_rtl(layer, *random_streams(layer, 9))


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", ["internal_decoupled", "external"])
@pytest.mark.parametrize("name", MVAU_GRID)
def test_all_ways_to_multiply(bench: Bench, name: str, mode: str) -> None:
    layer = external(grid_mvau(name)) if mode == "external" else replace(grid_mvau(name), mem_mode=mode)
    bench.check(layer, *random_streams(layer, 12, seed=1))


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


def test_external_weights_in_a_graph_are_refused() -> None:
    model = hardware_model([random_mvau((8, 8), (4, 2), ("INT3", "INT3"))])
    with pytest.raises(ModelError, match="as a stream, and no layer gives it") as problem:
        stream_graph(model.transform(ApplyFolding({"MatrixVectorActivation_0": {"mem_mode": "external"}})))
    assert "internal_decoupled" in problem.value.remedy
