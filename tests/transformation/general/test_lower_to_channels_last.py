"""All images turned at once: same function, bit for bit, and no Transpose that need not be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.custom_op import attribute
from finnmake.graph.data_layout import NHWC
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.shape_inference import infer_node
from finnmake.transformation.general import LowerToChannelsLast
from tests.support.integer_graphs import IntegerGraph, same_function
from tests.support.qonnx_models import QONNX_DOMAIN


def op_types(model: ModelWrapper) -> list[str]:
    return [node.op_type for node in model.nodes]


def lowered(model: ModelWrapper) -> ModelWrapper:
    before = model.to_proto().SerializeToString()
    result = model.transform(LowerToChannelsLast())
    assert model.to_proto().SerializeToString() == before
    assert same_function(model, result)
    for node in result.nodes:
        for value in node.outputs:
            assert result.get_tensor_shape(value) is not None
    again = result.transform(LowerToChannelsLast())
    assert op_types(again) == op_types(result)
    return result


def test_a_residual_network_has_one_transpose() -> None:
    g = IntegerGraph((1, 3, 9, 8))
    x = g.threshold(g.input)
    x = g.threshold(g.conv(x, 4, (3, 3), pads=[1, 1, 1, 1]))
    left = g.conv(x, 4, (3, 3), pads=[1, 1, 1, 1])
    x = g.threshold(g.add(left, g.conv(x, 4, (1, 1))))
    x = g.max_pool(x)
    x = g.threshold(g.conv(x, 4, (3, 3), group=4, pads=[1, 1, 1, 1], strides=[2, 2]))
    x = g.concat([x, g.conv(x, 3, (1, 1), strides=[1, 1])])
    x = g.matmul(g.threshold(g.flatten(g.threshold(x))), 5)
    result = lowered(g.model(x))
    counts = Counter(op_types(result))
    assert counts["Transpose"] == 1
    assert op_types(result)[:4] == ["Transpose", "MultiThreshold", "Im2Col", "MatMul"]
    assert (counts["Conv"], counts["MaxPool"], counts["Im2Col"], counts["MaxPoolNHWC"]) == (0, 0, 3, 1)
    assert (counts["DepthwiseMatMul"], counts["MatMul"], counts["Reshape"]) == (1, 5, 1)
    assert result.get_tensor_layout(result.nodes[3].outputs[0]) == NHWC
    (depthwise,) = result.get_nodes_by_op_type("DepthwiseMatMul")
    assert get_shape(depthwise.inputs[1]) == (9, 4)  # type: ignore[arg-type]
    weights = {str(result.get_tensor_datatype(node.inputs[1])) for node in result.get_nodes_by_op_type("MatMul")}  # type: ignore[arg-type]
    assert weights == {"INT3"}


def test_a_network_without_images_stays_as_it_is() -> None:
    g = IntegerGraph((1, 1, 4, 4))
    x = g.threshold(g.flatten(g.threshold(g.input, shared=True)))
    model = g.model(g.threshold(g.matmul(x, 5)))
    result = model.transform(LowerToChannelsLast())
    assert result.to_proto() == model.to_proto()


def test_an_output_that_is_an_image_keeps_its_order() -> None:
    g = IntegerGraph((1, 3, 6, 5))
    x = g.conv(g.input, 4, (3, 2))
    scaled = g.node("Mul", [x, g.constant(np.array([0.5, 2, 4, 0.25]).reshape(4, 1, 1))], g.shape(x), "FLOAT32")
    result = lowered(g.model(scaled))
    assert op_types(result) == ["Transpose", "Im2Col", "MatMul", "Mul", "Transpose"]
    assert get_shape(result.graph.outputs[0]) == g.shape(scaled)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [11, 13])
def test_sums_over_the_image(keepdims: int, opset: int) -> None:
    g = IntegerGraph((1, 3, 6, 5), opset=opset)
    x = g.threshold(g.conv(g.input, 4, (3, 2)))
    if opset == 11:
        shape = (1, 4, 1, 1) if keepdims else (1, 4)
        x = g.node("ReduceSum", [x], shape, "INT24", axes=[2, 3], keepdims=keepdims)
    else:
        x = g.sum(x, keepdims)
    x = g.threshold(x)
    x = g.matmul(g.flatten(x) if keepdims else x, 2)
    result = lowered(g.model(x))
    assert op_types(result).count("Transpose") == 1


def test_a_sum_over_the_height_makes_a_sequence() -> None:
    g = IntegerGraph((1, 3, 6, 5))
    x = g.threshold(g.conv(g.input, 4, (3, 2)))
    x = g.node("ReduceSum", [x, g.constant(np.array([2]))], (1, 4, 4), "INT24", keepdims=0)
    result = lowered(g.model(x))
    assert op_types(result)[-3:] == ["ReduceSum", "Transpose", "Reshape"]


def test_sequences_become_images_of_height_one() -> None:
    g = IntegerGraph((1, 3, 12))
    x = g.threshold(g.conv(g.input, 4, (3,), pads=[2, 1], strides=[2]))
    x = g.max_pool(g.add(g.conv(x, 4, (3,), group=4, pads=[1, 1]), x))
    shifted = g.node("Mul", [x, g.constant(g.integers((4, 1)))], g.shape(x), "INT16")
    a, b = g.sum(shifted, keepdims=0), g.matmul(g.flatten(shifted), 3)
    result = lowered(g.model(b, a, x))
    assert "Conv" not in op_types(result)
    assert "MaxPool" not in op_types(result)


def test_other_ops_with_channels_first_are_left_between_transposes() -> None:
    g = IntegerGraph((1, 3, 6, 6))
    x = g.threshold(g.conv(g.input, 8, (3, 3)))
    x = g.node("DepthToSpace", [x], (1, 2, 8, 8), "UINT3", blocksize=2)
    result = lowered(g.model(g.threshold(g.conv(x, 2, (1, 1)))))
    assert op_types(result).count("Transpose") == 4
    assert "DepthToSpace" in op_types(result)


def test_transposes_that_are_there_already_cancel() -> None:
    g = IntegerGraph((1, 3, 6, 6))
    x = g.conv(g.input, 8, (3, 3))
    x = g.node("Transpose", [x], (1, 4, 4, 8), "INT16", perm=[0, 2, 3, 1])
    x = g.matmul(x, 8)
    x = g.node("Transpose", [x], (1, 8, 4, 4), "INT20", perm=[0, 3, 1, 2])
    result = lowered(g.model(g.conv(g.threshold(x), 2, (1, 1))))
    assert op_types(result) == ["Transpose", "Im2Col", "MatMul", "MatMul", "MultiThreshold", "MatMul", "Transpose"]


def test_padding_resizing_slicing_splitting() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    x = g.conv(g.input, 4, (1, 1))
    pads = g.constant(np.array([0, 0, 1, 0, 0, 0, 2, 3]))
    x = g.node("Pad", [x, pads, g.constant(np.float32(-7))], (1, 4, 7, 8), "INT16")
    none, scales = g.constant(np.zeros(0, np.float32)), g.constant(np.array([1, 1, 2, 1], np.float32))
    x = g.node("Resize", [x, none, scales], (1, 4, 14, 8), "INT16", mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    starts, ends, axes = (g.constant(np.array(numbers)) for numbers in ([1, 2], [3, 8], [1, -1]))
    x = g.node("Slice", [x, starts, ends, axes], (1, 2, 14, 6), "INT16")
    x = g.node(
        "QuantAvgPool2d", [x], (1, 2, 7, 3), "INT4", QONNX_DOMAIN, kernel=2, stride=2, ibits=4, obits=4, signed=1
    )
    result = lowered(g.model(g.conv(x, 2, (3, 3))))
    assert op_types(result).count("Transpose") == 2
    (pool,) = result.get_nodes_by_op_type("QuantAvgPool2d")
    assert attribute(pool, "data_layout") == "NHWC"


def test_split() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    model = g.model(g.conv(g.conv(g.input, 5, (2, 2)), 2, (1, 1)))
    first, last = model.nodes
    sizes = add_initialiser(model.graph, np.array([2, 3]), "sizes")
    split = ir.node("Split", [first.outputs[0], sizes], {"axis": 1}, num_outputs=2)
    join = ir.node("Concat", [split.outputs[1], split.outputs[0]], {"axis": 1})
    model.graph.insert_after(first, [split, join])
    last.replace_input_with(0, join.outputs[0])
    for node in (split, join):
        infer_node(node, 13, GENERAL_OPS)
    name_by_position(model)
    result = lowered(model)
    assert op_types(result) == ["Transpose", "Im2Col", "MatMul", "Split", "Concat", "MatMul", "Transpose"]


def test_a_bias_becomes_an_add() -> None:
    g = IntegerGraph((1, 3, 4, 5))
    weights, bias = g.constant(g.integers((4, 3, 2, 2)), "INT3"), g.constant(g.integers((4,)), "INT3")
    x = g.node("Conv", [g.input, weights, bias], (1, 4, 4, 5), "INT16", auto_pad="SAME_UPPER", kernel_shape=[2, 2])
    assert op_types(lowered(g.model(x))) == ["Transpose", "Im2Col", "MatMul", "Add", "Transpose"]


def test_bipolar_weights_in_groups_become_two_bits() -> None:
    g = IntegerGraph((1, 4, 4, 5))
    signs = np.where(g.integers((4, 2, 2, 2)) >= 0, 1, -1).astype(np.float32)
    held = g.constant(signs, "BIPOLAR")
    model = g.model(g.node("Conv", [g.input, held], (1, 4, 3, 4), "INT16", group=2))
    assert str(model.get_tensor_datatype("Conv_0_param0")) == "BIPOLAR"
    assert str(lowered(model).get_tensor_datatype("MatMul_0_param0")) == "INT2"


STEPS = ("conv", "depthwise", "grouped", "threshold", "pool", "residual", "concat", "scale", "shared")


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=7),
    seed=st.integers(0, 2**16),
    end=st.sampled_from(["image", "flat", "sum", "both"]),
)
def test_random_networks_keep_their_function(steps: list[str], seed: int, end: str) -> None:
    random = np.random.default_rng(seed)
    g = IntegerGraph((1, int(random.integers(1, 5)), int(random.integers(4, 9)), int(random.integers(4, 9))), seed=seed)
    x = earlier = g.input
    for step in steps:
        channels, height, width = g.shape(x)[1:]
        if min(height, width) < 3:
            break
        if step == "conv":
            stride = int(random.integers(1, 3))
            x = g.threshold(g.conv(x, int(random.integers(1, 5)), (3, 2), strides=[stride, 1], pads=[0, 1, 1, 0]))
        elif step == "depthwise":
            x = g.threshold(g.conv(x, channels, (2, 3), group=channels))
        elif step == "grouped" and channels % 2 == 0:
            x = g.threshold(g.conv(x, 2 * channels, (2, 2), group=2))
        elif step in ("threshold", "shared"):
            x = g.threshold(x, shared=step == "shared")
        elif step == "pool":
            x = g.max_pool(x)
        elif step == "residual":
            x = g.add(g.threshold(g.conv(x, channels, (3, 3), pads=[1] * 4)), x)
        elif step == "concat":
            x = g.concat([x, x, earlier] if g.shape(earlier)[2:] == g.shape(x)[2:] else [x, x])
            earlier = x
        elif step == "scale":
            x = g.node("Mul", [x, g.constant(g.integers((channels, 1, 1)))], g.shape(x), "INT16")
    flat = g.matmul(g.threshold(g.flatten(x)), 3)
    outputs = {"image": [x], "flat": [flat], "sum": [g.matmul(g.sum(x, 0), 2)], "both": [flat, x]}[end]
    if outputs == [g.input]:
        return
    lowered(g.model(*outputs))
