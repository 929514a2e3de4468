"""What Transposes and Reshapes do to the elements of a frame."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.graph.element_order import Transposition, element_order, only_orders, parse_order, reordered


def value(shape: tuple[int, ...] | None) -> ir.Value:
    return ir.Value(name="x", shape=None if shape is None else ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def transpose(source: ir.Value, perm: list[int]) -> ir.Node:
    node = ir.node("Transpose", [source], {"perm": perm})
    assert source.shape is not None
    node.outputs[0].shape = ir.Shape([source.shape[axis] for axis in perm])
    return node


def reshape(source: ir.Value, shape: tuple[int, ...]) -> ir.Node:
    node = ir.node("Reshape", [source])
    node.outputs[0].shape = ir.Shape(shape)
    return node


@given(st.data())
def test_a_chain_is_what_numpy_makes_of_it(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(1, 2, 3, 4), (1, 4, 1, 3), (1, 6, 2), (1, 5)]))
    frames = np.arange(2 * math.prod(shape)).reshape(2, *shape[1:])
    before, expected, nodes = value(shape), frames, []
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.booleans()):
            perm = [0, *data.draw(st.permutations(range(1, len(shape))))]
            nodes.append(transpose(before, perm))
            expected = expected.transpose(perm)
        else:
            shape_after = data.draw(st.sampled_from([(1, math.prod(shape)), (1, 1, *shape[1:])]))
            nodes.append(reshape(before, shape_after))
            expected = expected.reshape(2, *shape_after[1:])
        before = nodes[-1].outputs[0]
        shape = tuple(before.shape.numpy()) if before.shape is not None else ()
    order = element_order(nodes)
    assert np.array_equal(reordered(frames, order), expected.reshape(2, -1))
    assert all(1 not in step.shape and step.perm != tuple(range(len(step.perm))) for step in order)


def test_transposes_that_undo_each_other_are_none() -> None:
    first = transpose(value((1, 3, 4, 5)), [0, 2, 3, 1])
    assert element_order([first]) == (Transposition((3, 4, 5), (1, 2, 0)),)
    assert element_order([first, transpose(first.outputs[0], [0, 3, 1, 2])]) == ()


def test_one_is_parsed_from_json() -> None:
    assert parse_order([{"shape": [3, 4], "perm": [1, 0]}]) == (Transposition((3, 4), (1, 0)),)


def test_only_what_moves_elements() -> None:
    node = transpose(value((1, 2)), [1, 0])
    assert only_orders(node)
    assert not only_orders(ir.node("Relu", [node.outputs[0]]))


def test_a_shape_that_is_not_known() -> None:
    with pytest.raises(ModelError, match="shape of its input is not known"):
        element_order([ir.node("Transpose", [value(None)], {"perm": [1, 0]})])
