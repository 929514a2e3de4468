"""Convolutional networks through the automatic flow: channels innermost, the same integers, bit for bit."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.set_folding import SetFolding
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import FoldingError, ModelError
from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.element_order import Transposition
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.batch import output_integers, run_graph
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.apply_folding import ApplyFolding
from finnmake.transformation.flow import AS_FAR_AS_IT_GOES, AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import (
    CreateDataflowPartition,
    InferBinaryStreamingFCLayer,
    InferQuantizedMatrixVectorActivation,
    InferQuantizedStreamingFCLayer,
    InferThresholdingLayer,
)
from tests.support.integer_graphs import IntegerGraph, same_function
from tests.support.qonnx_models import shared_file
from tests.support.spread_thresholds import spread_thresholds

INTEGER_OPS = {"Add", "Transpose", "Reshape"}
HARDWARE = {
    *("ElementwiseAdd", "DepthToSpace"),
    *("MatrixVectorActivation", "Thresholding", "LabelSelect", "ConvolutionInputGenerator", "FMPadding"),
    *("VectorVectorActivation", "Pool", "GlobalAccPool"),
}


def to_layers(model: ModelWrapper, *, leave_out: str = "InsertTopK") -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW[AUTOMATIC_FLOW.index(("LowerToChannelsLast", {})) : -1]:
        if name not in ("InsertTopK", leave_out):
            model = model.transform(make_transformation(name, arguments))
    return model


def test_a_network_of_pointwise_convolutions_becomes_layers_only() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    x = g.threshold(g.conv(g.threshold(g.input), 6, (1, 1)))
    x = g.conv(x, 4, (1, 1))
    scale, bias = g.constant(np.array([0.5, 2, 4, 0.25]).reshape(4, 1, 1)), g.constant(np.arange(4.0).reshape(4, 1, 1))
    floats = g.node("Add", [g.node("Mul", [x, scale], g.shape(x), "FLOAT32"), bias], g.shape(x), "FLOAT32")
    model = g.model(floats)
    layers = to_layers(model)
    assert same_function(model, layers)
    result = layers.transform(CreateDataflowPartition())
    names = [node.op_type for node in result.nodes]
    assert names == ["Transpose", "Thresholding", "MatrixVectorActivation", "MatrixVectorActivation", "Transpose"]
    assert [attribute(node, "numInputVectors") for node in result.nodes[1:4]] == [20] * 3
    assert attribute(result.nodes[1], "NumChannels") == 3
    assert layer_from_node(result.nodes[2]).interval_cycles() == 20 * 3 * 6
    for node in result.nodes[1:4]:
        layer, shape = layer_from_node(node), result.get_tensor_shape(node.outputs[0]) or ()
        assert layer.output_stream().elements_per_frame == np.prod(shape)
    x_in = np.random.default_rng(0).integers(-8, 8, (3, 3, 4, 5))
    integers = execute_onnx(result, {"global_in": x_in})["global_out"]
    scaling = np.array([0.5, 2, 4, 0.25]).reshape(4, 1, 1)
    expected = execute_onnx(model, {"global_in": x_in})["global_out"]
    assert np.array_equal(integers * scaling + np.arange(4.0).reshape(4, 1, 1), expected)
    scales = json.loads(result.get_metadata_prop(OUTPUT_KEY) or "")["scale"]
    assert scales == [0.5] * 20 + [2.0] * 20 + [4.0] * 20 + [0.25] * 20, "in the order of the model's output"
    assert np.array_equal(output_integers(result, expected), integers.reshape(3, -1))


def test_images_with_channels_first_are_turned_by_the_host() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    model = g.model(g.conv(g.input, 6, (1, 1)))
    result = to_layers(model).transform(CreateDataflowPartition())
    graph = stream_graph(result)
    assert graph.input_order == (Transposition((3, 4, 5), (1, 2, 0)),)
    assert graph.output_order == (Transposition((4, 5, 6), (2, 0, 1)),)
    images = np.random.default_rng(0).integers(-8, 8, (3, 3, 4, 5))
    expected = execute_onnx(model, {"global_in": images})["global_out"]
    np.testing.assert_array_equal(run_graph(result, images.reshape(3, -1)), expected.reshape(3, -1))


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 3, 5)])
def test_thresholds_with_channels_first_are_turned(shape: tuple[int, ...]) -> None:
    g = IntegerGraph(shape)
    model = g.model(g.threshold(g.input))
    layers = model.transform(InferThresholdingLayer())
    assert [node.op_type for node in layers.nodes] == ["Transpose", "Thresholding", "Transpose"]
    assert same_function(model, layers)
    assert same_function(model, layers.transform(CreateDataflowPartition()))


def test_thresholds_behind_a_product_along_the_width_stay_outside_of_it() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    model = g.model(g.threshold(g.matmul(g.input, 3)))
    layers = model.transform(InferQuantizedMatrixVectorActivation())
    assert [node.op_type for node in layers.nodes] == ["MatrixVectorActivation", "MultiThreshold"]
    assert attribute(layers.nodes[0], "numInputVectors") == 12
    assert same_function(model, layers)


def test_finns_older_names() -> None:
    g = IntegerGraph((1, 8))
    model = g.model(g.matmul(g.input, 3))
    layers = model.transform(InferBinaryStreamingFCLayer()).transform(InferQuantizedStreamingFCLayer())
    assert [node.op_type for node in layers.nodes] == ["MatrixVectorActivation"]


def test_ops_that_no_step_has_looked_at_are_named_once_each() -> None:
    g = IntegerGraph((1, 3, 8, 8))
    x = g.threshold(g.conv(g.input, 4, (3, 3), pads=[1] * 4))
    x = g.threshold(g.concat([g.conv(x, 4, (3, 3), pads=[1] * 4), x]))
    model = g.model(g.concat([x, g.threshold(x)]))
    with pytest.raises(ModelError) as caught:
        to_layers(model, leave_out="InferConcatLayer").transform(CreateDataflowPartition())
    assert caught.value.text == (
        "2 nodes have no hardware layer\n"
        "  Concat: 2 nodes of integers, first Concat_0. InferConcatLayer makes layers of it."
    )


def test_an_op_that_is_refused_is_named_with_reason_and_remedy() -> None:
    g = IntegerGraph((1, 2, 4, 4))
    fixed = g.constant(np.zeros((1, 2, 4, 4), dtype=np.float32), "BINARY")
    x = g.node("Concat", [g.threshold(g.input), fixed], (1, 4, 4, 4), "UINT3", axis=1)
    with pytest.raises(ModelError) as caught:
        to_layers(g.model(g.threshold(g.conv(x, 3, (3, 3))))).transform(CreateDataflowPartition())
    assert caught.value.text == (
        "1 node has no hardware layer\n"
        "  node Concat_0 (Concat): joins a stream and a constant. Let all that is joined depend on the input."
    )


@pytest.mark.parametrize(
    ("name", "transposes", "others"),
    [
        ("cnv_s_w2a2", 1, set()),
        ("resnet_s_w4a4", 1, set()),
        ("mbnet_s_w4a4", 1, set()),
        ("metafi_w4a4", 2, set()),
        ("espcn_subpixel_w8", 2, set()),
    ],
)
def test_shared_networks(name: str, transposes: int, others: set[str]) -> None:
    imported = import_model(shared_file(f"models/{name}.qonnx.onnx"))
    streamlined = imported.transform(make_transformation("Streamline", {}))
    layers = to_layers(streamlined)
    counts = Counter(node.op_type for node in layers.nodes)
    assert counts["Transpose"] == transposes
    # What is left beside them are scale and bias of the output.
    assert set(counts) - {"Mul", "Sub", "Div"} <= HARDWARE | INTEGER_OPS | others
    assert same_function(streamlined, layers)


@pytest.mark.parametrize("name", ["cnv_s_w2a2", "mbnet_s_w4a4", "resnet_s_w4a4", "metafi_w4a4"])
def test_shared_networks_become_layers(name: str) -> None:
    layers = to_layers(
        import_model(shared_file(f"models/{name}.qonnx.onnx")).transform(make_transformation("Streamline", {}))
    )
    result = layers.transform(CreateDataflowPartition())
    assert {node.op_type for node in result.nodes} <= HARDWARE | {"DuplicateStreams", "Transpose", "Reshape"}


def test_the_layers_of_metafi_compute_what_it_does_where_its_activations_vary() -> None:
    # With its own thresholds all its activations are the largest there are, for whatever input.
    model = import_model(shared_file("models/metafi_w4a4.qonnx.onnx"))
    for name in ("Streamline", "LowerToChannelsLast"):
        model = model.transform(make_transformation(name, {}))
    model = spread_thresholds(model)
    layers = to_layers(model).transform(CreateDataflowPartition())
    assert {node.op_type for node in layers.nodes} <= HARDWARE | {"DuplicateStreams", "Transpose", "Reshape"}
    scale = json.loads(layers.get_metadata_prop(OUTPUT_KEY) or "")["scale"]
    frames = np.random.default_rng(1).integers(-8, 8, (3, 6, 38, 114))
    expected = execute_onnx(model, {"global_in": frames})["global_out"]
    assert np.unique(expected).size > 3
    integers = execute_onnx(layers, {"global_in": frames})["global_out"]
    np.testing.assert_array_equal((integers * scale).astype(np.float32), expected)


def _images(rows: int = 8) -> tuple[IntegerGraph, str]:
    g = IntegerGraph((1, 4, rows, 8))
    return g, g.threshold(g.input)


def test_a_padded_convolution_is_padding_windows_and_a_product() -> None:
    g, x = _images()
    model = g.model(g.threshold(g.conv(x, 6, (3, 3), pads=[1] * 4)))
    layers = to_layers(model)
    assert [node.op_type for node in layers.nodes if node.op_type in HARDWARE] == [
        *("Thresholding", "FMPadding", "ConvolutionInputGenerator", "MatrixVectorActivation")
    ]
    assert same_function(model, layers)


def test_a_depthwise_convolution_has_the_folding_of_its_windows() -> None:
    g, x = _images()
    model = g.model(g.threshold(g.conv(x, 4, (3, 3), pads=[1] * 4, group=4)))
    layers = to_layers(model)
    partition = layers.transform(CreateDataflowPartition())
    for folded in (
        partition.transform(SetFolding(target_cycles=600)),
        partition.transform(ApplyFolding({"VectorVectorActivation_0": {"PE": 2}})),
        partition.transform(ApplyFolding({"VVAU_rtl_0": {"PE": 2, "SIMD": 3}})),
    ):
        windows = next(node for node in folded.nodes if node.op_type == "ConvolutionInputGenerator")
        product = next(node for node in folded.nodes if node.op_type == "VectorVectorActivation")
        assert attribute(windows, "depthwise") == 1
        assert attribute(windows, "SIMD") == attribute(product, "PE") > 1
        assert same_function(partition, folded)
    assert same_function(model, layers)
    with pytest.raises(FoldingError, match="SIMD = 2 does not divide Kernel = 9"):
        partition.transform(ApplyFolding({"VectorVectorActivation_0": {"SIMD": 2}}))


def test_a_depthwise_convolution_of_single_pixels_needs_no_windows() -> None:
    g, x = _images()
    model = g.model(g.threshold(g.conv(x, 4, (1, 1), group=4)))
    layers = to_layers(model)
    assert [node.op_type for node in layers.nodes if node.op_type in HARDWARE] == [
        *("Thresholding", "VectorVectorActivation")
    ]
    for target in (10**6, 64):
        folded = layers.transform(CreateDataflowPartition()).transform(SetFolding(target))
        assert same_function(layers, folded)


def test_pooling_is_windows_and_their_largest_and_a_sum_over_an_image() -> None:
    g, x = _images()
    model = g.model(g.sum(g.max_pool(x), keepdims=0))
    layers = to_layers(model)
    assert [node.op_type for node in layers.nodes if node.op_type in HARDWARE] == [
        *("Thresholding", "ConvolutionInputGenerator", "Pool", "GlobalAccPool")
    ]
    assert same_function(model, layers)


def test_as_far_as_it_goes_ends_in_labels() -> None:
    model = import_model(shared_file("models/mbnet_s_w4a4.qonnx.onnx"))
    for name, arguments in AS_FAR_AS_IT_GOES:
        model = model.transform(make_transformation(name, arguments))
    assert {node.op_type for node in model.nodes} <= HARDWARE | INTEGER_OPS | {"Mul"}


def test_the_scores_of_images_are_ordered_in_hardware() -> None:
    g, x = _images()
    x = g.flatten(g.threshold(g.conv(x, 6, (3, 3), pads=[1] * 4)))
    x = g.matmul(x, 5)
    model = g.model(g.node("Mul", [x, g.constant(np.float32(0.3))], g.shape(x), "FLOAT32"))
    layers = model
    for name, arguments in AUTOMATIC_FLOW[AUTOMATIC_FLOW.index(("LowerToChannelsLast", {})) :]:
        layers = layers.transform(make_transformation(name, arguments))
    assert [node.op_type for node in layers.nodes][-2:] == ["MatrixVectorActivation", "LabelSelect"]
    images = np.random.default_rng(0).integers(-8, 8, (50, 4, 8, 8))
    scores = execute_onnx(model, {"global_in": images})["global_out"]
    labels = execute_onnx(layers, {"global_in": images})["global_out"]
    assert np.array_equal(labels.ravel(), scores.argmax(axis=1))
    assert len(np.unique(labels)) > 1


def test_windows_that_are_too_slow_word_by_word_are_one_word_each() -> None:
    g, x = _images()
    layers = to_layers(g.model(g.threshold(g.conv(x, 6, (3, 3), pads=[1] * 4)))).transform(CreateDataflowPartition())
    for target, parallel in ((600, 0), (100, 1)):
        folded = layers.transform(SetFolding(target))
        (windows,) = folded.get_nodes_by_op_type("ConvolutionInputGenerator")
        assert attribute(windows, "parallel_window", 0) == parallel
        assert layer_from_node(windows).interval_cycles() <= target
        assert same_function(layers, folded)
    switched = layers.transform(ApplyFolding({"ConvolutionInputGenerator_0": {"SIMD": 4, "parallel_window": 1}}))
    assert layer_from_node(switched.get_nodes_by_op_type("ConvolutionInputGenerator")[0]).interval_cycles() == 100
    with pytest.raises(FoldingError, match="Legal values: 0, 1"):
        layers.transform(ApplyFolding({"ConvolutionInputGenerator_0": {"parallel_window": 2}}))
    narrow = layers.transform(ApplyFolding({"ConvolutionInputGenerator_0": {"SIMD": 2, "parallel_window": 1}}))
    with pytest.raises(FoldingError, match="Set SIMD to 4"):
        layer_from_node(narrow.get_nodes_by_op_type("ConvolutionInputGenerator")[0])
