"""Rows of tables by index become Lookup: from the graph of integers, and from a trained embedding."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import OUTPUT_KEY
from finnmake.transformation.to_hls import InferLookupLayer
from tests.support.inferred_layers import inferred, op_types, refusals
from tests.support.integer_graphs import IntegerGraph
from tests.support.qonnx_models import GraphBuilder

ROWS, SIZE, INDICES = 11, 4, 5


def embedding(scale: object = 0.25, axis: int = 0, shape: tuple[int, ...] = (1, INDICES)) -> ModelWrapper:
    builder = GraphBuilder(list(shape))
    random = np.random.default_rng(0)
    table = builder.quant(builder.constant(random.normal(0, 1, (ROWS, SIZE))), scale, 4)
    x = builder.node("Gather", [table, builder.input], axis=axis)
    after = (*shape, SIZE) if axis == 0 else (ROWS, *shape)
    if axis == 0:
        weights = builder.quant(builder.constant(random.normal(0, 1, (SIZE, 3))), 0.5, 4)
        x, after = builder.quant(builder.node("MatMul", [x, weights]), 0.5, 4), (*shape, 3)
    proto = builder.model(x, after)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return import_model(proto) if axis == 0 else import_model(proto, input_datatype="UINT2", input_scale=1)


def automatic(model: ModelWrapper) -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        model = model.transform(make_transformation(name, arguments))
    return model


def test_a_trained_embedding_says_itself_what_its_indices_are() -> None:
    model = embedding()
    assert model.get_tensor_datatype("global_in").name == "UINT4"
    layers = automatic(model)
    assert op_types(layers) == ["Lookup", "MatrixVectorActivation"]
    (node, product) = layers.nodes
    assert [attribute(node, name) for name in ("NumEmbeddings", "EmbeddingDim", "NumIndices")] == [ROWS, SIZE, INDICES]
    assert attribute(product, "numInputVectors") == INDICES
    indices = np.random.default_rng(1).integers(0, ROWS, (20, INDICES))
    expected, made = (execute_onnx(each, {"global_in": indices})["global_out"] for each in (model, layers))
    assert layers.get_metadata_prop(OUTPUT_KEY) is not None
    assert np.array_equal(made * 0.5, expected)


@pytest.mark.parametrize(
    ("scale", "axis", "reason"),
    [(np.full((1, SIZE), 0.5) * [1, 2, 1, 4], 0, "the scale of its table differs"), (0.5, 1, "other parts than rows")],
)
def test_tables_that_are_no_layer(scale: object, axis: int, reason: str) -> None:
    model = embedding(scale, axis)
    with pytest.raises(ModelError, match=reason):
        automatic(model)


def looked_up(datatype: str, axis: int = 0) -> ModelWrapper:
    g = IntegerGraph((1, 2, 3), datatype)
    table = g.constant(g.integers((4, 5)), "INT3")
    indices = g.node("Cast", [g.input], (1, 2, 3), datatype, to=int(TensorProto.INT64))
    return g.model(g.node("Gather", [table, indices], (1, 2, 3, 5) if axis == 0 else (4, 1, 2, 3), "INT3", axis=axis))


def test_indices_of_any_shape() -> None:
    node = inferred(looked_up("UINT2"), InferLookupLayer()).nodes[-1]
    assert (node.op_type, attribute(node, "NumIndices")) == ("Lookup", 6)


@pytest.mark.parametrize(
    ("datatype", "axis", "reason"), [("INT4", 0, "its indices are INT4"), ("UINT2", 1, "other parts than rows")]
)
def test_refusals_say_why(datatype: str, axis: int, reason: str) -> None:
    layers = looked_up(datatype, axis).transform(InferLookupLayer())
    assert op_types(layers) == ["Cast", "Gather"]
    assert reason in refusals(layers)[0]
