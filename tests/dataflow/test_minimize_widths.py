"""MinimizeAccumulatorWidth and MinimizeWeightBitWidth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow import MinimizeAccumulatorWidth, MinimizeWeightBitWidth
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import Array, execute_onnx
from tests.hls_library.random_layers import TYPES, random_mvau, random_thresholding
from tests.support.hardware_models import hardware_model


def layers_of(model: ModelWrapper) -> list[Layer]:
    return [layer_from_node(node) for node in model.nodes]


def run(model: ModelWrapper, frames: IntegerArray) -> Array:
    (output,) = execute_onnx(model, {"global_in": frames}).values()
    return output


def test_an_accumulator_is_as_wide_as_its_worst_output_needs() -> None:
    layer = MatrixVectorActivation(
        MW=3, MH=2, SIMD=1, PE=1, inputDataType="UINT2", weightDataType="INT4", accDataType="INT20",
        outputDataType="INT20", noActivation=True,
        parameters={"weights": np.array([[5, -1], [2, -1], [-1, 0]])},
    )  # fmt: skip
    # First output: 3 * -1 … 3 * 7; second: 3 * -2 … 0.
    assert layer.accumulator_range() == (-6, 21)
    model = hardware_model([layer, LabelSelect(2, 1, "INT20", "UINT1")])
    first, second = layers_of(model.transform(MinimizeAccumulatorWidth()))
    assert (first.structure()["accDataType"], first.structure()["outputDataType"]) == ("INT6", "INT6")
    assert second.structure()["inputDataType"] == "INT6"
    assert model.nodes[0].attributes["accDataType"].value == "INT20", "the model given stays as it is"


def test_the_narrower_type_reaches_through_converters_and_fifos() -> None:
    layer = random_mvau((4, 6), (2, 2), ("INT2", "INT2"))
    chain: list[Layer] = [
        replace(layer, accDataType="INT17", outputDataType="INT17"),
        StreamingDataWidthConverter("INT17", 2, 3, 6),
        StreamingFIFO("INT17", 3, 2, 4),
        LabelSelect(6, 3, "INT17", "UINT3"),
    ]
    narrow = hardware_model(chain).transform(MinimizeAccumulatorWidth())
    widths = [
        stream.datatype for entry in layers_of(narrow) for stream in (entry.input_stream(), entry.output_stream())
    ]
    assert len(set(widths[1:-1])) == 1
    assert widths[1].bitwidth() < 8
    assert narrow.get_tensor_datatype(narrow.nodes[2].outputs[0]) == widths[1]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_function_and_bounds(data: st.DataObject) -> None:
    mw, mh = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    source, weight = data.draw(st.sampled_from(TYPES)), data.draw(st.sampled_from(TYPES))
    xnor = source == weight == "BINARY" and data.draw(st.booleans())
    steps = data.draw(st.sampled_from([None, (1, "BIPOLAR"), (3, "UINT2")]))
    seed = data.draw(st.integers(0, 99))
    layer = random_mvau((mw, mh), (1, 1), (source, weight), steps, xnor=xnor, seed=seed)
    chain: list[Layer] = [layer]
    if steps is None:
        chain.append(random_thresholding(mh, 1, layer.accDataType, 3, "UINT2", seed=seed))
    model = hardware_model(chain)
    datatype = DataType[source]
    frames = np.random.default_rng(seed).integers(int(datatype.min()), int(datatype.max()) + 1, (40, mw))
    if source == "BIPOLAR":
        frames = np.where(frames < 0, -1, 1)
    frames[0], frames[1] = int(datatype.min()), int(datatype.max())
    narrow = model.transform(MinimizeWeightBitWidth()).transform(MinimizeAccumulatorWidth())
    np.testing.assert_array_equal(run(model, frames), run(narrow, frames))

    first = layers_of(narrow)[0]
    assert isinstance(first, MatrixVectorActivation)
    # By hand: every corner of the inputs' range decides each product on its own.
    weights = layer.parameters["weights"]
    if not xnor:
        ends = np.stack([weights * int(datatype.min()), weights * int(datatype.max())])
        low, high = int(ends.min(axis=0).sum(axis=0).min()), int(ends.max(axis=0).sum(axis=0).max())
        assert DataType[first.accDataType] == DataType.smallest_for_range(low, high)
        assert DataType[first.weightDataType].allowed_array(weights)
    assert DataType[first.accDataType].bitwidth() <= DataType[layer.accDataType].bitwidth()
    assert narrow.transform(MinimizeAccumulatorWidth()).to_proto() == narrow.to_proto(), "once is enough"


@pytest.mark.parametrize(
    ("weights", "before", "after"),
    [
        ([[1, -1]], "INT8", "BIPOLAR"),
        ([[1, 0]], "INT8", "BINARY"),
        ([[1, 0, -1]], "INT8", "INT2"),
        ([[1, 0, -1]], "TERNARY", "TERNARY"),
        ([[3, 0, -5]], "INT8", "INT4"),
        ([[7, 2, 1]], "INT8", "UINT3"),
        ([[-128, 127]], "INT8", "INT8"),
    ],
)
def test_weights_as_wide_as_their_values_need(weights: list[list[int]], before: str, after: str) -> None:
    array = np.array(weights).T
    layer = MatrixVectorActivation(
        MW=len(array), MH=1, SIMD=1, PE=1, inputDataType="UINT4", weightDataType=before, accDataType="INT32",
        outputDataType="INT32", noActivation=True, parameters={"weights": array},
    )  # fmt: skip
    narrow = hardware_model([layer]).transform(MinimizeWeightBitWidth())
    assert layers_of(narrow)[0].structure()["weightDataType"] == after


def test_thresholds_that_two_layers_share_are_clipped_for_each() -> None:
    first = random_thresholding(4, 1, "INT8", 3, "UINT2")
    model = hardware_model([first, random_thresholding(4, 1, "UINT2", 3, "UINT2")])
    model.nodes[1].replace_input_with(1, model.nodes[0].inputs[1])
    narrow = model.transform(MinimizeAccumulatorWidth())
    frames = np.random.default_rng(0).integers(-128, 128, (30, 4))
    np.testing.assert_array_equal(run(model, frames), run(narrow, frames))
    np.testing.assert_array_equal(layers_of(narrow)[0].parameters["thresholds"], first.parameters["thresholds"])
    assert DataType[str(layers_of(narrow)[1].structure()["thresholdDataType"])].bitwidth() <= 3
