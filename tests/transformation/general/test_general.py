"""The general transformations on random graphs and small ones: the same function, and what each promises."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType
from finnmake.graph.model_files import serialised
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation import general
from finnmake.transformation.base import Transformation
from tests.support.affine_graphs import RandomGraph, assert_annotations_hold, assert_same, op_types, run, shaped
from tests.support.qonnx_models import GraphBuilder

EXACT: list[Transformation] = [
    general.FoldConstants(),
    general.FoldConstants(exclude_op_types=()),
    general.GiveReadableTensorNames(),
    general.GiveUniqueNodeNames("net_"),
    general.GiveUniqueParameterTensors(),
    general.InferDataTypes(),
    general.InferShapes(),
    general.RemoveIdentityOps(),
    general.RemoveStaticGraphInputs(),
    general.RemoveUnusedNodes(),
    general.RemoveUnusedTensors(),
    general.SortCommutativeInputsInitializerLast(),
    general.SortGraph(),
]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_same_bits_and_a_fixed_point(seed: int) -> None:
    graph = RandomGraph(seed, exact=True, thresholds=True)
    before, values = graph.model().transform(general.GiveUniqueNodeNames()), graph.values()
    bytes_before, expected = serialised(before.model.clone()), run(before, values)
    for transformation in EXACT:
        note(type(transformation).__name__)
        after = before.transform(transformation)
        assert serialised(before.model.clone()) == bytes_before
        assert_same(expected, after, values)
        assert_annotations_hold(after, values)
        again = after.transform(transformation)
        assert serialised(again.model.clone()) == serialised(after.model.clone())


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 5))
def test_models_in_a_row_and_batches(seed: int, size: int) -> None:
    graph = RandomGraph(seed, exact=True, thresholds=False, length=4)
    first, values = graph.model(), graph.values(4)
    [middle] = run(first, values)
    shape = first.get_tensor_shape(first.graph.outputs[0])
    assert shape is not None
    builder = GraphBuilder(shape)
    second = shaped(builder.model(builder.node("Mul", [builder.input, builder.constant(np.float32(2))]), shape))
    merged = second.transform(general.MergeONNXModels(first))
    assert_same([middle * 2], merged, values)
    assert len(merged.nodes) == len(first.nodes) + 1
    batched = merged.transform(general.ChangeBatchSize(size))
    assert batched.get_tensor_shape("global_out") == [size, *shape[1:]]
    assert_same([middle[:size] * 2], batched, values[:size])


def raw(
    nodes: list[onnx.NodeProto], shape: list[int | str], constants: Mapping[str, object], **out: list[int]
) -> ModelWrapper:
    """A model of input x and output y, without shapes in between."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out.get("y"))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def test_shapes_are_inferred_and_an_open_batch_is_closed_first() -> None:
    weights = np.ones((3, 4), np.float32)
    model = raw([helper.make_node("MatMul", ["x", "w"], ["y"])], ["N", 3], {"w": weights})
    with pytest.raises(ModelError, match=r"input x: its shape \[N,3\] is not known or open"):
        model.transform(general.InferShapes())
    assert model.transform(general.ChangeBatchSize(1)).get_tensor_shape("y") == [1, 4]
    with pytest.raises(ModelError, match="no samples"):
        general.ChangeBatchSize(0)


def test_shapes_behind_a_computed_target_are_known_once_it_is_folded() -> None:
    builder = GraphBuilder([2, 3, 4])
    first = builder.node("Gather", [builder.node("Shape", [builder.input]), builder.constant(np.array([0]))], axis=0)
    target = builder.node("Concat", [first, builder.constant(np.array([-1]))], axis=0)
    output = builder.node("Relu", [builder.node("Reshape", [builder.input, target])])
    model = ModelWrapper(builder.model(output, [2, 12])).transform(general.InferShapes())
    folded = model.transform(general.FoldConstants())
    assert op_types(folded) == ["Reshape", "Relu"]
    assert folded.check_all_tensor_shapes_specified()


def test_constants_are_folded_in_one_pass_but_not_the_weights_quantisers() -> None:
    builder = GraphBuilder([1, 3])
    shape = builder.node("Constant", [], value_ints=[3, 2])
    weights = builder.node("Reshape", [builder.constant(np.arange(6, dtype=np.float32)), shape])
    moved = builder.node("Transpose", [builder.node("Transpose", [weights])])
    product = builder.node("MatMul", [builder.input, builder.quant(moved)])
    model = ModelWrapper(builder.model(product, [1, 2]))
    values = np.array([[1, 2, 3]], dtype=np.float32)
    kept = model.transform(general.FoldConstants())
    assert op_types(kept) == ["Quant", "MatMul"]
    assert_same(model, kept, values)
    folded = model.transform(general.FoldConstants(exclude_op_types=()))
    assert op_types(folded) == ["MatMul"]
    assert_same(model, folded, values)


def test_names_are_finns() -> None:
    builder = GraphBuilder([1, 3])
    same = builder.constant(np.ones((3,), np.float32))
    hidden = builder.node("Mul", [builder.node("Add", [builder.input, same]), same])
    model = ModelWrapper(builder.model(builder.node("Relu", [hidden]), [1, 3]))
    named = model.transform(general.GiveUniqueNodeNames("p_")).transform(general.GiveReadableTensorNames())
    assert [node.name for node in named.nodes] == ["p_Add_0", "p_Mul_0", "p_Relu_0"]
    assert sorted(named.get_all_tensor_names()) == [
        *("global_in", "global_out", "p_Add_0_out0", "p_Add_0_param0", "p_Mul_0_out0", "p_Mul_0_param0")
    ]
    nameless = copy.deepcopy(model)
    for node in nameless.nodes:
        node.name = "same"
    with pytest.raises(ModelError, match="3 nodes are called 'same'"):
        nameless.transform(general.GiveReadableTensorNames())


def test_what_does_nothing_is_removed_and_what_shapes_stays() -> None:
    builder = GraphBuilder([1, 3])
    x = builder.node("Mul", [builder.input, builder.constant(np.ones((1, 3), np.float32))])
    x = builder.node("Sub", [x, builder.constant(np.float32(0))])
    x = builder.node("Dropout", [builder.node("Identity", [x])])
    x = builder.node("DebugMarker", [x], "onnx.brevitas", export_debug_name="here")
    x = builder.node("Relu", [builder.node("Reshape", [x, builder.constant(np.array([1, 3]))])])
    x = builder.node("Add", [x, builder.constant(np.zeros((2, 1, 3), np.float32))])
    model = shaped(builder.model(builder.node("Identity", [x]), [2, 1, 3]))
    clean = model.transform(general.RemoveIdentityOps())
    assert op_types(clean) == ["Relu", "Add"]
    assert_same(model, clean, np.array([[1, -2, 3]]))
    only = GraphBuilder([1, 3])
    assert op_types(
        shaped(only.model(only.node("Identity", [only.input]), [1, 3])).transform(general.RemoveIdentityOps())
    )


@pytest.mark.parametrize("attributes", [{}, {"transB": 1}, {"transA": 0, "alpha": 0.5, "beta": 2.0}])
def test_gemm_is_a_product_and_a_sum(attributes: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    weights = random.integers(-4, 5, (4, 3) if attributes.get("transB") else (3, 4)).astype(np.float32)
    constants = {"w": weights, "b": random.integers(-4, 5, 4).astype(np.float32)}
    model = raw([helper.make_node("Gemm", ["x", "w", "b"], ["y"], **attributes)], [1, 3], constants)
    lowered = model.transform(general.InferShapes()).transform(general.GemmToMatMul())
    assert "Gemm" not in op_types(lowered)
    assert lowered.check_all_tensor_shapes_specified()
    assert_same(model, lowered, random.integers(-4, 5, (1, 3)))


@pytest.mark.parametrize("computed", [False, True])
def test_bias_of_a_convolution_is_an_add(computed: bool) -> None:
    random = np.random.default_rng(0)
    builder = GraphBuilder([1, 2, 4, 4])
    weights = builder.constant(random.integers(-4, 5, (3, 2, 3, 3)).astype(np.float32))
    bias = builder.constant(np.array([1, -2, 3], np.float32))
    conv = builder.node("Conv", [builder.input, weights, builder.node("Neg", [bias]) if computed else bias])
    model = shaped(builder.model(conv, [1, 3, 2, 2]))
    extracted = model.transform(general.ExtractBiasFromConv())
    assert [len(node.inputs) for node in extracted.get_nodes_by_op_type("Conv")] == [2]
    assert extracted.check_all_tensor_shapes_specified()
    assert_same(model, extracted, random.integers(-4, 5, (2, 2, 4, 4)))


def test_unused_things_and_static_inputs_go() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("Abs", ["a"], ["b"]),
    ]
    model = raw(nodes, [1, 3], {"unused": np.zeros(2, np.float32), "w": np.ones(1, np.float32)})
    model.graph.inputs.append(model.value("w"))
    assert op_types(model.transform(general.RemoveUnusedNodes(), cleanup=False)) == ["Relu"]
    assert "unused" not in model.transform(general.RemoveUnusedTensors(), cleanup=False).get_all_tensor_names()
    assert len(model.transform(general.RemoveStaticGraphInputs(), cleanup=False).graph.inputs) == 1


def test_doubles_become_floats() -> None:
    model = raw([helper.make_node("Relu", ["x"], ["y"])], [1, 3], {"w": np.array([0.1])})
    single = model.transform(general.DoubleToSingleFloat(), cleanup=False)
    assert single.get_initializer("w", return_dtype=True)[1] == TensorProto.FLOAT


def test_models_that_do_not_fit_are_not_merged() -> None:
    first = raw([helper.make_node("Relu", ["x"], ["y"])], [1, 3], {}, y=[1, 3])
    second = raw([helper.make_node("Relu", ["x"], ["y"])], [1, 4], {}, y=[1, 4])
    with pytest.raises(ModelError, match=r"output y .*\[1,3\], input x .*\[1,4\]"):
        second.transform(general.MergeONNXModels(first))
    second.set_opset_import("", 13)
    with pytest.raises(ModelError, match="opsets 18 and 13"):
        second.transform(general.MergeONNXModels(first))


@pytest.mark.parametrize(
    ("nodes", "inputs", "expected"),
    [
        ([("MatMul", ["x", "w"])], ("INT4", "INT4"), "INT32"),
        ([("MatMul", ["x", "w"])], ("UINT4", "UINT4"), "UINT32"),
        ([("MatMul", ["x", "w"])], ("INT20", "INT20"), "INT41"),
        ([("MatMul", ["x", "w"])], ("FLOAT32", "INT4"), "FLOAT32"),
        ([("Sub", ["x", "s"])], ("UINT4", "UINT4"), "INT32"),
        ([("Reshape", ["x", "shape"])], ("UINT4", "UINT4"), "UINT4"),
        ([("Relu", ["x"])], ("INT4", "INT4"), "UINT3"),
        ([("Sign", ["x"])], ("INT4", "INT4"), "TERNARY"),
        ([("Concat", ["x", "x"])], ("BIPOLAR", "INT4"), "BIPOLAR"),
        ([("Concat", ["x", "s"])], ("BIPOLAR", "UINT3"), "INT4"),
        ([("Pad", ["x", "pads"])], ("BIPOLAR", "INT4"), "INT2"),
    ],
)
def test_datatypes_follow(nodes: list[tuple[str, list[str]]], inputs: tuple[str, str], expected: str) -> None:
    (op_type, names) = nodes[0]
    constants: dict[str, object] = {"w": np.ones((3, 4), np.float32), "s": np.ones((1, 3), np.float32)}
    attributes: dict[str, Any] = {"axis": 1} if op_type == "Concat" else {}
    constants |= {"shape": np.array([1, 3]), "pads": np.array([0, 1, 0, 1])}
    model = raw([helper.make_node(op_type, names, ["y"], **attributes)], [1, 3], constants)
    model.set_tensor_datatype("x", DataType[inputs[0]])
    for name in "ws":
        model.set_tensor_datatype(name, DataType[inputs[1]])
    model = model.transform(general.InferShapes())
    assert model.transform(general.InferDataTypes()).get_tensor_datatype("y").name == expected


def test_a_narrower_known_accumulator_stays() -> None:
    model = raw([helper.make_node("MatMul", ["x", "w"], ["y"])], [1, 3], {"w": np.ones((3, 4), np.float32)})
    for name, datatype in (("x", "INT4"), ("w", "INT2"), ("y", "INT9")):
        model.set_tensor_datatype(name, DataType[datatype])
    assert model.transform(general.InferDataTypes()).get_tensor_datatype("y").name == "INT9"


def test_a_layer_of_another_package_keeps_its_shape() -> None:
    model = raw([helper.make_node("Relu", ["x"], ["y"])], [1, 3], {})
    unknown = ir.node("Layer", [model.graph.inputs[0]], domain="no.such.domain")
    model.insert_node(unknown)
    with pytest.raises(ModelError, match="no op is called 'Layer'"):
        model.transform(general.InferShapes())
    unknown.outputs[0].shape = ir.Shape([1, 7])
    assert model.transform(general.InferShapes()).get_tensor_shape(str(unknown.outputs[0].name)) == [1, 7]
