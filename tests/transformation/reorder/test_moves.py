"""Mul and Add past another op: op lists before and after, when nothing moves, what stays annotated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.transformation import reorder
from finnmake.transformation.base import Transformation
from tests.support.affine_graphs import assert_annotations_hold, assert_same, constant_of, op_types, shaped
from tests.support.qonnx_models import GraphBuilder

RANDOM = np.random.default_rng(0)
Past = Callable[[GraphBuilder, str], str]


def channels(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32).reshape(-1, 1, 1)


def matmul(builder: GraphBuilder, x: str) -> str:
    return builder.node("MatMul", [x, builder.constant(np.arange(-6, 6, dtype=np.float32).reshape(4, 3))])


def matmul_behind(builder: GraphBuilder, x: str) -> str:
    return builder.node("MatMul", [builder.constant(np.array([[2.0, 1.0], [-1.0, 4.0]])), x])


def conv(group: int = 1, pad: int = 0, outputs: int = 4, bias: bool = False, auto_pad: str = "") -> Past:
    def add(builder: GraphBuilder, x: str) -> str:
        weights = np.random.default_rng(1).integers(-2, 3, (outputs, 2 // group, 2, 2)).astype(np.float32)
        inputs = [x, builder.constant(weights)]
        if bias:
            inputs.append(builder.constant(np.arange(outputs, dtype=np.float32)))
        attributes: dict[str, Any] = {"auto_pad": auto_pad} if auto_pad else {"pads": [pad] * 4}
        return builder.node("Conv", inputs, group=group, **attributes)

    return add


def node(op_type: str, *constants: Any, **attributes: Any) -> Past:
    def add(builder: GraphBuilder, x: str) -> str:
        return builder.node(op_type, [x, *map(builder.constant, constants)], **attributes)

    return add


def build(shape: list[int], op_type: str, constant: Any, past: Past, datatype: str = "UINT3") -> ModelWrapper:
    """x → op → past."""
    builder = GraphBuilder(shape)
    x = builder.node(op_type, [builder.input, builder.constant(np.asarray(constant, dtype=np.float32))])
    model = builder.model(past(builder, x), [1])
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    wrapper = shaped(model)
    wrapper.set_tensor_datatype(wrapper.graph.inputs[0], DataType[datatype])
    return wrapper


POOL = node("MaxPool", kernel_shape=[2, 2])
FLAT, IMAGE = [1, 4], [1, 2, 3, 3]
MOVES: list[tuple[type[Transformation], list[int], str, Any, Past]] = [
    (reorder.MoveAddPastMul, FLAT, "Add", 3.0, node("Mul", np.array([1.0, -2, 0, 4]))),
    (reorder.MoveAddPastMul, FLAT, "Add", [1.0, 2, 3, 4], node("Mul", np.float32(-2))),
    (reorder.MoveAddPastMul, IMAGE, "Add", channels(1, 2), node("Mul", np.ones((3, 3), np.float32))),
    (reorder.MoveScalarMulPastMatMul, FLAT, "Mul", -0.5, matmul),
    (reorder.MoveScalarMulPastMatMul, [1, 2, 4], "Mul", [[2.0]], matmul_behind),
    (reorder.MoveScalarAddPastMatMul, FLAT, "Add", [[2.0]], matmul),
    (reorder.MoveAddPastConv, IMAGE, "Add", 3.0, conv()),
    (reorder.MoveAddPastConv, IMAGE, "Add", channels(1, -2), conv()),
    (reorder.MoveAddPastConv, IMAGE, "Add", channels(1, -2), conv(group=2)),
    (reorder.MoveAddPastConv, IMAGE, "Add", channels(1, -2), conv(bias=True)),
    (reorder.MoveAddPastConv, IMAGE, "Add", channels(1, -2), conv(auto_pad="VALID")),
    (reorder.MoveScalarMulPastConv, IMAGE, "Mul", [[[0.5]]], conv(pad=1)),
    (reorder.MoveScalarMulPastConv, IMAGE, "Mul", -2.0, conv(group=2)),
    (reorder.MoveMulPastDWConv, IMAGE, "Mul", channels(0.5, -2), conv(group=2, pad=1, outputs=2)),
    (reorder.MoveMulPastDWConv, IMAGE, "Mul", channels(0.5, -2), conv(group=2)),
    (
        reorder.MoveScalarMulPastConvTranspose,
        IMAGE,
        "Mul",
        4.0,
        node("ConvTranspose", np.ones((2, 3, 2, 2), np.float32)),
    ),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", 0.3, POOL),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", channels(0, 7.7), POOL),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", 0.3, node("MaxPool", kernel_shape=[2, 2], pads=[1] * 4)),
    *(
        (reorder.MoveScalarLinearPastInvariants, IMAGE, op_type, constant, past)
        for op_type, constant in (("Mul", -0.3), ("Add", [[[[0.7]]]]))
        for past in (
            node("Flatten"),
            node("Reshape", np.array([1, -1])),
            node("Transpose", perm=[0, 2, 3, 1]),
            node("Unsqueeze", np.array([1])),
            node("Slice", np.array([0]), np.array([2]), np.array([2])),
        )
    ),
    (reorder.MoveScalarLinearPastInvariants, IMAGE, "Mul", 0.5, node("GlobalAveragePool")),
    (
        reorder.MoveScalarLinearPastInvariants,
        IMAGE,
        "Mul",
        0.5,
        node("AveragePool", kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1),
    ),
]


@pytest.mark.parametrize(("kind", "shape", "op_type", "constant", "past"), MOVES)
def test_moves(kind: type[Transformation], shape: list[int], op_type: str, constant: Any, past: Past) -> None:
    model = build(shape, op_type, constant, past)
    after = kind().apply(model)  # without the tidying of ModelWrapper.transform, which sorts
    assert op_types(after) == list(reversed(op_types(model)))
    values = RANDOM.integers(0, 8, (11, *shape[1:]))
    assert_same(model, after, values)
    assert_annotations_hold(after, values)
    if any(each.op_type in ("MatMul", "Conv") and len(each.inputs) == 2 for each in after.nodes):
        product = next(each for each in after.nodes if each.op_type in ("MatMul", "Conv"))
        assert get_datatype(product.outputs[0]).is_integer() or past is matmul_behind


STAY: list[tuple[type[Transformation], list[int], str, Any, Past]] = [
    (reorder.MoveScalarMulPastMatMul, FLAT, "Mul", [1.0, 2, 3, 4], matmul),
    (reorder.MoveScalarAddPastMatMul, FLAT, "Add", [1.0, 2, 3, 4], matmul),
    (reorder.MoveScalarAddPastMatMul, [1, 2, 4], "Add", 1.0, matmul_behind),
    (reorder.MoveAddPastConv, IMAGE, "Add", 1.0, conv(pad=1)),
    (reorder.MoveAddPastConv, IMAGE, "Add", 1.0, conv(auto_pad="SAME_UPPER")),
    (reorder.MoveAddPastConv, IMAGE, "Add", np.ones((3, 3)), conv()),
    (reorder.MoveScalarMulPastConv, IMAGE, "Mul", channels(1, 2), conv()),
    (reorder.MoveScalarMulPastConv, IMAGE, "Mul", 2.0, conv(bias=True)),
    (reorder.MoveMulPastDWConv, IMAGE, "Mul", channels(1, 2), conv()),
    (reorder.MoveMulPastDWConv, IMAGE, "Mul", channels(1, 2), conv(group=2, bias=True)),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", -0.5, POOL),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", channels(1, -2), POOL),
    (reorder.MoveMulPastMaxPool, IMAGE, "Mul", np.ones((3, 3)), POOL),
    (reorder.MoveScalarLinearPastInvariants, IMAGE, "Mul", channels(1, 2), node("Flatten")),
    (reorder.MoveScalarLinearPastInvariants, IMAGE, "Mul", 2.0, node("Relu")),
    (
        reorder.MoveScalarLinearPastInvariants,
        IMAGE,
        "Add",
        2.0,
        node("AveragePool", kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1),
    ),
    (reorder.MoveAddPastMul, [1, 1], "Add", 1.0, node("Mul", np.ones((1, 5), np.float32))),
    (reorder.MoveAddPastMul, FLAT, "Add", 1e30, node("Mul", np.float32(1e30))),
]


@pytest.mark.parametrize(("kind", "shape", "op_type", "constant", "past"), STAY)
def test_what_cannot_move_stays(
    kind: type[Transformation], shape: list[int], op_type: str, constant: Any, past: Past
) -> None:
    model = build(shape, op_type, constant, past)
    after = model.transform(kind())
    assert op_types(after) == op_types(model)
    assert_same(model, after, RANDOM.integers(0, 8, (11, *shape[1:])))


@pytest.mark.parametrize(("kind", "shape", "op_type", "constant", "past"), MOVES[:4])
def test_a_tensor_with_another_user_stays(
    kind: type[Transformation], shape: list[int], op_type: str, constant: Any, past: Past
) -> None:
    model = build(shape, op_type, constant, past)
    model.graph.outputs.append(model.nodes[0].outputs[0])
    after = model.transform(kind())
    assert op_types(after) == op_types(model)
    assert_same(model, after, RANDOM.integers(0, 8, (11, *shape[1:])))


def test_constants_per_channel_follow_their_channels() -> None:
    model = build(IMAGE, "Mul", channels(0.5, -2), conv(group=2))
    after = model.transform(reorder.MoveMulPastDWConv())
    assert constant_of(after, "Mul").ravel().tolist() == [0.5, 0.5, -2, -2]
    added = build(FLAT, "Add", 2.0, matmul).transform(reorder.MoveScalarAddPastMatMul())
    assert constant_of(added, "Add").tolist() == [(2 * np.arange(-6, 6).reshape(4, 3).sum(axis=0)).tolist()]


def test_a_shared_constant_is_not_changed_for_the_other() -> None:
    builder = GraphBuilder([1, 3])
    three = builder.constant(3.0)
    weights = builder.constant(np.eye(3, dtype=np.float32) * 2)
    x = builder.node("MatMul", [builder.node("Add", [builder.input, three]), weights])
    model = shaped(builder.model(builder.node("Add", [builder.node("Relu", [x]), three]), [1, 3]))
    after = model.transform(reorder.MoveScalarAddPastMatMul())
    assert op_types(after) == ["MatMul", "Add", "Relu", "Add"]
    assert_same(model, after, RANDOM.integers(-9, 9, (11, 3)))


def test_integer_annotation_goes_where_rounding_comes_in() -> None:
    model = build(FLAT, "Mul", 1 / 3, matmul)
    for value in (model.nodes[0].outputs[0], model.nodes[1].outputs[0]):
        model.set_tensor_datatype(value, DataType["INT8"])
    after = model.transform(reorder.MoveScalarMulPastMatMul())
    assert get_datatype(after.graph.outputs[0]).name == "FLOAT32"
