"""Forks and sums of branches: a stream a consumer, exact sums, stitched RTL at the slowest layer's interval."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.packing import npy_to_packed, packed_to_npy
from finnmake.dataflow.registry import LAYER_CLASSES
from finnmake.dataflow.set_folding import SetFolding
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ModelError, VerificationError
from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.element_order import reordered
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.batch import output_integers, run_graph
from finnmake.runtime.execute import execute_onnx
from finnmake.runtime.rtlsim import StreamResult
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import (
    InferAddStreamsLayer,
    InferDuplicateStreamsLayer,
    InferThresholdingLayer,
)
from tests.hls_library.harness import Bench
from tests.hls_library.stitched import stitched
from tests.support.image_networks import encoder_and_decoder, gated, residual, sub_pixels
from tests.support.integer_graphs import IntegerGraph, same_function
from tests.support.qonnx_models import GraphBuilder


def residual_mlp(blocks: int = 2, size: int = 8) -> ModelWrapper:
    """Dense blocks, each with a short cut around two layers; 4-bit weights and activations."""
    builder = GraphBuilder([1, size])
    random = np.random.default_rng(3)

    def dense(x: str, outputs: int) -> str:
        weights = builder.quant(builder.constant(random.normal(0, 2, (size, outputs))), 0.5, 4)
        return builder.node("MatMul", [x, weights])

    x = builder.quant(builder.input, 0.5, 4)
    for _ in range(blocks):
        inner = builder.quant(dense(x, size), 4.0, 4)
        outer = builder.quant(dense(inner, size), 0.5, 4)
        x = builder.quant(builder.node("Add", [x, outer]), 0.5, 4)
    return import_model(builder.model(dense(x, 4), [1, 4]))


def layers(model: ModelWrapper) -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        if name != "InsertTopK":
            model = model.transform(make_transformation(name, arguments))
    return model


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


def test_a_short_cut_is_a_copy_and_a_sum() -> None:
    model = residual_mlp(2)
    result = layers(model)
    assert op_types(result).count("DuplicateStreams") == op_types(result).count("ElementwiseAdd") == 2
    assert not {node.op_type for node in result.nodes} - set(LAYER_CLASSES)
    integers = np.random.default_rng(0).integers(-8, 8, (40, 8))
    scaling = json.loads(result.get_metadata_prop(OUTPUT_KEY) or "")
    expected = execute_onnx(model, {"global_in": integers})["global_out"]
    np.testing.assert_array_equal(run_graph(result, integers) * scaling["scale"] + scaling["bias"], expected)
    np.testing.assert_array_equal(
        execute_onnx(result, {"global_in": integers})["global_out"], run_graph(result, integers)
    )


def test_a_tensor_that_is_taken_twice_by_one_node_and_given_out_has_three_copies() -> None:
    graph = IntegerGraph((1, 6))
    threshold = graph.threshold(graph.input)
    model = graph.model(graph.add(threshold, threshold), threshold)
    for kind in (InferAddStreamsLayer(), InferThresholdingLayer(), InferDuplicateStreamsLayer()):
        model = model.transform(kind)
    fork = next(node for node in model.nodes if node.op_type == "DuplicateStreams")
    assert attribute(fork, "NumOutputStreams") == 3
    assert same_function(model, graph.model(graph.add(threshold, threshold), threshold))


def test_two_consumers_without_a_copy_are_refused() -> None:
    graph = IntegerGraph((1, 6))
    threshold = graph.threshold(graph.input)
    model = graph.model(graph.add(threshold, threshold))
    for kind in (InferAddStreamsLayer(), InferThresholdingLayer()):
        model = model.transform(kind)
    with pytest.raises(ModelError, match="goes to 2 nodes"):
        stream_graph(model)


def run(bench: Bench, folder: Path, model: ModelWrapper, integers: IntegerArray) -> StreamResult:
    """Frames through the stitched design; the numbers must be those of the layers."""
    graph = stream_graph(model)
    source, sink = graph.layers[0].input_streams()[0], graph.layers[-1].output_streams()[0]
    turned = reordered(integers, graph.input_order)
    words = npy_to_packed(turned, source.datatype, source.elements_per_word)
    with stitched(bench, folder, graph) as simulation:
        result = simulation.run(words, len(integers) * sink.words_per_frame, max_idle_cycles=2000)
    outputs = packed_to_npy(result.outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)
    np.testing.assert_array_equal(reordered(outputs, graph.output_order), run_graph(model, integers))
    return result


def test_residual_blocks_run_at_the_interval_of_the_slowest_layer(bench: Bench, tmp_path: Path) -> None:
    model = layers(residual_mlp(2)).transform(SetFolding(16)).transform(InsertDWC()).transform(InsertFIFO())
    integers = np.random.default_rng(1).integers(-8, 8, (16, 8))
    full = run(bench, tmp_path / "full", model, integers)
    words = stream_graph(model).layers[-1].output_streams()[0].words_per_frame
    assert full.output_intervals(words)[-4:].tolist() == [16] * 4


@pytest.mark.parametrize("network", [residual, encoder_and_decoder, sub_pixels, gated])
def test_a_network_of_images(bench: Bench, tmp_path: Path, network: Callable[[], onnx.ModelProto]) -> None:
    imported = import_model(network())
    model = layers(imported).transform(SetFolding(500)).transform(InsertDWC()).transform(InsertFIFO())
    shape = imported.get_tensor_shape(imported.graph.inputs[0]) or ()
    pixels = np.random.default_rng(2).integers(0, 256, (6, *shape[1:]))
    result = run(bench, tmp_path / "images", model, pixels.reshape(6, -1))
    graph = stream_graph(model)
    slowest = max(layer.interval_cycles() for layer in graph.layers)
    words = graph.layers[-1].output_streams()[0].words_per_frame
    assert slowest <= result.output_intervals(words)[-1] <= 1.5 * slowest
    integers = output_integers(model, execute_onnx(imported, {"global_in": pixels})["global_out"])
    np.testing.assert_array_equal(integers, run_graph(model, pixels.reshape(6, -1)))


@pytest.mark.nightly
def test_a_short_cut_with_a_smaller_fifo_is_slower_or_stands_still(bench: Bench, tmp_path: Path) -> None:
    model = layers(residual_mlp(1)).transform(SetFolding(16)).transform(InsertDWC()).transform(InsertFIFO())
    deepest = max(model.get_nodes_by_op_type("StreamingFIFO"), key=lambda node: int(attribute(node, "depth")))
    deepest.attributes.add(ir.AttrInt64("depth", 2))
    integers = np.random.default_rng(1).integers(-8, 8, (16, 8))
    try:
        cycles = int(run(bench, tmp_path / "small", model, integers).output_intervals(4)[-1])
    except VerificationError:
        return
    assert cycles > 16
