"""Graphs of elementwise ops, products, reshapes and thresholds in floats: what single transformations work on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_constant
from finnmake.graph.shape_inference import infer_node
from finnmake.runtime.execute import execute_onnx
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

Array = NDArray[Any]


def shaped(proto: onnx.ModelProto) -> ModelWrapper:
    """The model with the shapes (and what datatypes follow) of all tensors."""
    model = ModelWrapper(proto)
    for node in model.graph:
        infer_node(node, model.model.opset_imports.get("", 1), GENERAL_OPS)
    return model


def op_types(model: ModelWrapper) -> list[str]:
    """Op types in the graph's order."""
    return [node.op_type for node in model.nodes]


def constant_of(model: ModelWrapper, op_type: str, index: int = 0) -> Array:
    """The constant operand of a node, by its op type and number."""
    node = model.get_nodes_by_op_type(op_type)[index]
    return next(array for array in map(get_constant, node.inputs) if array is not None)


def run(model: ModelWrapper, values: Array) -> list[Array]:
    """All outputs for values of the one input."""
    outputs = execute_onnx(model, {str(model.graph.inputs[0].name): values.astype(np.float32)})
    return [outputs[str(value.name)] for value in model.graph.outputs]


def assert_same(
    before: ModelWrapper | Sequence[Array], after: ModelWrapper, values: Array, *, exact: bool = True
) -> None:
    """The same outputs (given, or of a model), bit for bit or to float32 rounding."""
    wanted = run(before, values) if isinstance(before, ModelWrapper) else before
    for expected, got in zip(wanted, run(after, values), strict=True):
        assert expected.shape == got.shape
        if exact:
            assert np.array_equal(expected, got)
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


def assert_annotations_hold(model: ModelWrapper, values: Array) -> None:
    """No tensor has a value that its datatype does not hold, nor a shape that it is not annotated with."""
    name = str(model.graph.inputs[0].name)
    context = execute_onnx(model, {name: values.astype(np.float32)}, return_full_exec_context=True)
    for tensor, array in context.items():
        datatype, shape = model.get_tensor_datatype(tensor), model.get_tensor_shape(tensor)
        assert datatype.allowed_array(array), (tensor, datatype)
        assert shape is not None, tensor
        assert list(shape[1:]) == list(array.shape[1:]), tensor


class RandomGraph:
    """A random graph with one input, whose sums and products are exact in float32, or not.

    Args:
        seed: of everything.
        exact: constants are integers and powers of two, and magnitudes stay small; otherwise any floats.
        thresholds: MultiThreshold and Sign nodes occur.
        length: number of random steps.
    """

    def __init__(self, seed: int, *, exact: bool, thresholds: bool, length: int = 8) -> None:
        self.random = np.random.default_rng(seed)
        self.exact, self.thresholds = exact, thresholds
        self.shape: tuple[int, ...] = (
            (1, int(self.random.integers(1, 5)), 4, 4) if self.random.integers(0, 2) else (1, 6)
        )
        self.builder = GraphBuilder(self.shape, opset=13)
        self.input_shape = self.shape
        self.products = 0
        x = self.builder.input
        for _ in range(length):
            x = self._step(x)
        self.proto = self.builder.model(x, self.shape)

    def model(self) -> ModelWrapper:
        """The graph."""
        return shaped(self.proto)

    def values(self, count: int = 5) -> Array:
        """A batch of integers, or of floats where the graph is not exact."""
        shape = (count, *self.input_shape[1:])
        return self.random.integers(-4, 5, shape) if self.exact else self.random.normal(0, 2, shape)

    def _number(self, shape: tuple[int, ...], *, factor: bool) -> Array:
        if not self.exact:
            return np.asarray(self.random.normal(0, 1.5, shape), dtype=np.float32)
        if factor:
            choices = [-2.0, -1.0, -1.0, 0.0, 0.5, 1.0, 1.0, 2.0]
            return np.asarray(self.random.choice(choices, shape), dtype=np.float32)
        return np.asarray(self.random.integers(-6, 7, shape) / 2, dtype=np.float32)

    def _constant(self, *, factor: bool, positive: bool = False, scalar: bool = False, signs: bool = False) -> str:
        channels = (self.shape[1],) + (1,) * (len(self.shape) - 2)
        shapes: list[tuple[int, ...]] = [(), (1,), channels, (1, *channels), channels, self.shape]
        array = self._number(shapes[int(self.random.integers(0, 2 if scalar else 5 if signs else 6))], factor=factor)
        if positive:
            array = np.where(array == 0, np.float32(1), np.abs(array))
        if signs:
            array = np.where(array < 0, np.float32(-1), np.float32(1))
        return self.builder.constant(np.asarray(array, dtype=np.float32))

    def _step(self, x: str) -> str:
        steps: list[Callable[[str], str]] = [
            self._mul,
            self._mul,
            self._add,
            self._add,
            self._sub,
            self._div,
            self._fork,
            self._reshape,
        ]
        if self.products < 2:
            steps += [self._product, self._product, self._behind_affine(self._product)]
            steps += [lambda x: self._mul(self._product(x), signs=True)]
        if self.thresholds:
            steps += [self._multi_threshold, self._behind_affine(self._multi_threshold)]
            steps += [lambda x: self._add(self._multi_threshold(x), scalar=True)]
        if len(self.shape) == 4:
            steps += [self._behind_affine(self._max_pool), self._behind_affine(self._transpose)]
        return steps[int(self.random.integers(0, len(steps)))](x)

    def _behind_affine(self, step: Callable[[str], str]) -> Callable[[str], str]:
        kind = int(self.random.integers(0, 3))
        if kind == 0:
            return lambda x: step(self._mul(x, positive=True))
        if kind == 1:
            return lambda x: step(self._mul(x, scalar=True))
        return lambda x: step(self._add(x, scalar=bool(self.random.integers(0, 2))))

    def _in_any_order(self, op_type: str, x: str, constant: str) -> str:
        return self.builder.node(op_type, [x, constant] if self.random.integers(0, 4) else [constant, x])

    def _mul(self, x: str, *, positive: bool = False, scalar: bool = False, signs: bool = False) -> str:
        constant = self._constant(factor=True, positive=positive, scalar=scalar, signs=signs)
        return self._in_any_order("Mul", x, constant)

    def _add(self, x: str, *, scalar: bool = False) -> str:
        return self._in_any_order("Add", x, self._constant(factor=False, scalar=scalar))

    def _sub(self, x: str) -> str:
        return self._in_any_order("Sub", x, self._constant(factor=False))

    def _div(self, x: str) -> str:
        return self.builder.node("Div", [x, self._constant(factor=True, positive=True)])

    def _fork(self, x: str) -> str:
        same = self._constant(factor=True)
        one = self.builder.node("Mul", [self._add(x), same])
        other = self.builder.node("Mul", [self._mul(x), same])
        if self.random.integers(0, 2):
            one, other = self._add(one), self._add(other)
        return self.builder.node("Add", [one, other])

    def _reshape(self, x: str) -> str:
        self.shape = (1, math.prod(self.shape))
        return self.builder.node("Flatten", [x], axis=1)

    def _product(self, x: str) -> str:
        self.products += 1
        if len(self.shape) == 2:
            outputs = int(self.random.integers(1, 5))
            weights = np.clip(self._number((self.shape[1], outputs), factor=True), -1, 1)
            self.shape = (1, outputs)
            return self.builder.node("MatMul", [x, self.builder.constant(weights)])
        depthwise = bool(self.random.integers(0, 2))
        channels = self.shape[1]
        outputs, per_group = (channels, 1) if depthwise else (int(self.random.integers(1, 4)), channels)
        weights = np.clip(self._number((outputs, per_group, 2, 2), factor=True), -1, 1)
        pad = int(self.random.integers(0, 2)) if self.shape[2] > 1 else 1
        self.shape = (1, outputs, self.shape[2] - 1 + 2 * pad, self.shape[3] - 1 + 2 * pad)
        group = channels if depthwise else 1
        return self.builder.node("Conv", [x, self.builder.constant(weights)], group=group, pads=[pad] * 4)

    def _multi_threshold(self, x: str) -> str:
        rows = self.shape[1] if self.random.integers(0, 2) else 1
        thresholds = np.sort(self._number((rows, 3), factor=False) * 2, axis=1)
        domain = ("finn.custom_op.general", QONNX_DOMAIN, "onnx.brevitas")[int(self.random.integers(0, 3))]
        out_dtype, bias = (("UINT2", 0.0), ("INT2", -2.0))[int(self.random.integers(0, 2))]
        return self.builder.node(
            "MultiThreshold", [x, self.builder.constant(thresholds)], domain, out_dtype=out_dtype, out_bias=bias
        )

    def _max_pool(self, x: str) -> str:
        if min(self.shape[2:]) < 2:
            return x if self.builder.input != x else self._mul(x)
        self.shape = (*self.shape[:2], self.shape[2] - 1, self.shape[3] - 1)
        return self.builder.node("MaxPool", [x], kernel_shape=[2, 2])

    def _transpose(self, x: str) -> str:
        self.shape = (self.shape[0], self.shape[1], self.shape[3], self.shape[2])
        return self.builder.node("Transpose", [x], perm=[0, 1, 3, 2])
