"""What a transformation did is found whatever the nodes are called."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from finnmake.frontend import import_model
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.report.model_difference import ModelDifference, model_difference
from finnmake.transformation import InferQuantizedMatrixVectorActivation, Streamline
from tests.support.networks import Mlp


@pytest.fixture
def model() -> ModelWrapper:
    return import_model(Mlp(sizes=(8, 6, 6, 4)).model())


def changed(model: ModelWrapper, change: Callable[[ModelWrapper], None]) -> ModelDifference:
    other = model.copy()
    change(other)
    return model_difference(model, other)


def rename_all(model: ModelWrapper) -> None:
    for index, node in enumerate(model.graph):
        node.name = f"n{len(model.nodes) - index}"
        node.outputs[0].name = f"t{index}"


def remove(node: ir.Node) -> None:
    source = node.inputs[0]
    assert source is not None
    node.outputs[0].replace_all_uses_with(source, replace_graph_outputs=True)
    node.graph.remove(node, safe=True)  # type: ignore[union-attr]


def test_equal_models(model: ModelWrapper) -> None:
    difference = model_difference(model, model)
    assert difference.equal
    assert list(difference.lines()) == []


def test_models_stay_as_they_are(model: ModelWrapper) -> None:
    before = model.to_proto()
    model_difference(model, model.transform(Streamline()))
    assert model.to_proto() == before


def test_names_are_counted_not_compared(model: ModelWrapper) -> None:
    difference = changed(model, rename_all)
    assert not difference.equal
    assert (difference.removed, difference.added, difference.changed, difference.tensors) == ((), (), (), ())
    assert difference.renamed_nodes == len(model.nodes)
    # All but the input.
    assert difference.renamed_tensors == len(model.nodes)


@pytest.mark.parametrize("position", range(9))
def test_a_removed_node_is_named(model: ModelWrapper, position: int) -> None:
    candidates = [node.name for node in model.graph if node.op_type != "MatMul" and any(node.predecessors())]
    name = candidates[position % len(candidates)]

    def change(other: ModelWrapper) -> None:
        node = next(node for node in other.graph if node.name == name)
        remove(node)
        rename_all(other)

    difference = changed(model, change)
    assert [entry.name for entry in difference.removed] == [name]
    assert (difference.added, difference.changed, difference.initialisers) == ((), (), ())


def test_a_changed_attribute(model: ModelWrapper) -> None:
    def change(other: ModelWrapper) -> None:
        other.get_nodes_by_op_type("Quant")[2].attributes.add(ir.AttrInt64("narrow", 0))

    (node,) = changed(model, change).changed
    assert (node.op_type, dict(node.attributes), node.inputs) == ("Quant", {"narrow": ("1", "0")}, {})


def test_changed_values_are_counted(model: ModelWrapper) -> None:
    streamlined = model.transform(Streamline())

    def change(other: ModelWrapper) -> None:
        weights = other.get_nodes_by_op_type("MatMul")[1].inputs[1]
        assert weights is not None
        array = np.array(other.get_initializer(weights))
        array[0, :2] += 3
        other.set_initializer(weights, array)
        rename_all(other)

    difference = changed(streamlined, change)
    (entry,) = difference.initialisers
    assert (entry.differing, entry.size, entry.largest, entry.shape) == (2, 36, 3.0, None)
    assert (difference.removed, difference.added, difference.changed) == ((), (), ())


def test_datatypes_and_shapes(model: ModelWrapper) -> None:
    def change(other: ModelWrapper) -> None:
        other.set_tensor_datatype("MatMul_0_out0", DataType["INT7"])
        other.set_tensor_shape("MatMul_1_out0", (1, 2, 3))

    first, second = sorted(changed(model, change).tensors, key=lambda tensor: tensor.name)
    assert (first.name, first.datatype, first.shape) == ("MatMul_0_out0", ("FLOAT32", "INT7"), None)
    assert (second.name, second.datatype, second.shape) == ("MatMul_1_out0", None, ((1, 6), (1, 2, 3)))


def test_two_nodes_that_change_places_are_rewired(model: ModelWrapper) -> None:
    def change(other: ModelWrapper) -> None:
        first, second = other.get_nodes_by_op_type("Mul")[0], other.get_nodes_by_op_type("Sub")[0]
        source, users = first.inputs[0], list(second.outputs[0].uses())
        second.replace_input_with(0, source)
        first.replace_input_with(0, second.outputs[0])
        for user, index in users:
            user.replace_input_with(index, first.outputs[0])

    difference = changed(model, change)
    assert (difference.removed, difference.added) == ((), ())
    assert {node.name for node in difference.changed} >= {"Mul_0", "Sub_0"}


def test_a_real_transformation(model: ModelWrapper) -> None:
    streamlined = model.transform(Streamline())
    layers = streamlined.transform(InferQuantizedMatrixVectorActivation())
    difference = model_difference(streamlined, layers)
    body = json.loads(json.dumps(difference.as_json()))
    assert body["removed_by_op_type"] == {"MatMul": 3, "MultiThreshold": 2}
    assert body["added_by_op_type"] == {"MatrixVectorActivation": 3}
    assert not body["equal"]
    assert not difference.changed
    text = "\n".join(difference.lines())
    assert "removed       3 MatMul, 2 MultiThreshold" in text
    assert "- MatMul_1 (MatMul)" in text
