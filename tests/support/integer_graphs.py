"""Networks of integers with channels first, as ``Streamline`` makes them: convolutions, thresholds, pooling, joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.graph.datatype import DataType
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.shape_inference import infer_node
from finnmake.runtime.execute import execute_onnx
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

Array = NDArray[Any]


class IntegerGraph:
    """Builds a network of integers; every method adds nodes and gives the name of the tensor they make.

    Args:
        shape: of the input, batch first.
        datatype: of the input.
        seed: of weights and thresholds.
        opset: of the standard ops.
    """

    def __init__(self, shape: Sequence[int], datatype: str = "INT4", seed: int = 0, opset: int = 13) -> None:
        self.random = np.random.default_rng(seed)
        self._builder = GraphBuilder(list(shape), opset=opset)
        self.input = self._builder.input
        self._shapes = {self.input: tuple(shape)}
        self._types = {self.input: datatype}

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Of a tensor."""
        return self._shapes[tensor]

    def constant(self, array: Any, datatype: str = "") -> str:
        """An initialiser, annotated."""
        name = self._builder.constant(array)
        if datatype:
            self._types[name] = datatype
        return name

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        shape: Sequence[int],
        datatype: str,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Any node with one output."""
        name = self._builder.node(op_type, inputs, domain, **attributes)
        self._shapes[name], self._types[name] = tuple(shape), datatype
        return name

    def nodes(
        self, op_type: str, inputs: Sequence[str], shapes: Sequence[Sequence[int]], datatype: str, **attributes: Any
    ) -> list[str]:
        """A standard node with several outputs."""
        names = self._builder.nodes(op_type, inputs, len(shapes), **attributes)
        for name, shape in zip(names, shapes, strict=True):
            self._shapes[name], self._types[name] = tuple(shape), datatype
        return names

    def integers(self, shape: Sequence[int], bits: int = 3) -> Array:
        """Random signed integers."""
        return self.random.integers(-(1 << (bits - 1)), 1 << (bits - 1), tuple(shape)).astype(np.float32)

    def conv(
        self,
        x: str,
        filters: int,
        kernel: Sequence[int],
        group: int = 1,
        weights: Array | None = None,
        **attributes: Any,
    ) -> str:
        """A Conv with 3-bit weights, its result INT16."""
        channels, size = self.shape(x)[1], self.shape(x)[2:]
        if weights is None:
            weights = self.integers((filters, channels // group, *kernel))
        spatial = len(size)
        strides = attributes.get("strides", [1] * spatial)
        pads = attributes.get("pads", [0] * 2 * spatial)
        dilations = attributes.get("dilations", [1] * spatial)
        after = [
            (size[i] + pads[i] + pads[i + spatial] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
            for i in range(spatial)
        ]
        shape = (self.shape(x)[0], filters, *after)
        held = self.constant(weights, "INT3")
        return self.node("Conv", [x, held], shape, "INT16", group=group, kernel_shape=list(kernel), **attributes)

    def threshold(self, x: str, bits: int = 3, shared: bool = False) -> str:
        """A MultiThreshold that gives unsigned integers."""
        rows = 1 if shared else self.shape(x)[1]
        thresholds = np.sort(self.random.integers(-40, 40, (rows, (1 << bits) - 1)), axis=1).astype(np.float32)
        held = self.constant(thresholds, "INT8")
        name = f"UINT{bits}"
        layout = {3: {"data_layout": "NCW"}}.get(len(self.shape(x)), {})
        return self.node("MultiThreshold", [x, held], self.shape(x), name, QONNX_DOMAIN, out_dtype=name, **layout)

    def max_pool(self, x: str, kernel: int = 2, **attributes: Any) -> str:
        """A MaxPool, by default without overlap."""
        n, channels, *size = self.shape(x)
        attributes = {"strides": [kernel] * len(size), **attributes}
        pads = attributes.get("pads", [0] * 2 * len(size))
        after = [
            (size[i] + pads[i] + pads[i + len(size)] - kernel) // attributes["strides"][i] + 1 for i in range(len(size))
        ]
        shape = (n, channels, *after)
        return self.node("MaxPool", [x], shape, self._types[x], kernel_shape=[kernel] * len(size), **attributes)

    def add(self, a: str, b: str) -> str:
        """A residual Add, INT16."""
        return self.node("Add", [a, b], self.shape(a), "INT16")

    def concat(self, tensors: Sequence[str], axis: int = 1) -> str:
        """A Concat."""
        shape = list(self.shape(tensors[0]))
        shape[axis] = sum(self.shape(tensor)[axis] for tensor in tensors)
        return self.node("Concat", tensors, shape, "INT16", axis=axis)

    def sum(self, x: str, keepdims: int = 1) -> str:
        """The sum over the image, INT24."""
        n, channels, *size = self.shape(x)
        axes = self.constant(np.arange(2, 2 + len(size)))
        shape = (n, channels, *([1] * len(size) if keepdims else []))
        return self.node("ReduceSum", [x, axes], shape, "INT24", keepdims=keepdims)

    def flatten(self, x: str) -> str:
        """A Reshape to (batch, elements)."""
        shape = (self.shape(x)[0], int(np.prod(self.shape(x)[1:])))
        return self.node("Reshape", [x, self.constant(np.array([0, -1]))], shape, self._types[x])

    def matmul(self, x: str, outputs: int) -> str:
        """A product with 3-bit weights, INT20."""
        held = self.constant(self.integers((self.shape(x)[-1], outputs)), "INT3")
        return self.node("MatMul", [x, held], (*self.shape(x)[:-1], outputs), "INT20")

    def model(self, *outputs: str) -> ModelWrapper:
        """The model."""
        proto = self._builder.model(outputs[0], self.shape(outputs[0]))
        for output in outputs[1:]:
            proto.graph.output.add().CopyFrom(self._builder.model(output, self.shape(output)).graph.output[0])
        model = ModelWrapper(proto)
        for node in model.graph:
            infer_node(node, model.model.opset_imports[""], GENERAL_OPS)
            assert all(get_shape(value) == self.shape(str(value.name)) for value in node.outputs)
        for name, datatype in self._types.items():
            model.set_tensor_datatype(name, DataType[datatype])
        name_by_position(model)
        return model


def same_function(one: ModelWrapper, other: ModelWrapper, batch: int = 2, seed: int = 0) -> bool:
    """True where two models of one input give the same outputs, bit for bit, for random integers of its datatype."""
    source = one.graph.inputs[0]
    datatype = one.get_tensor_datatype(source)
    shape = (batch, *(get_shape(source) or ())[1:])
    low, high = int(datatype.min()), int(datatype.max())
    x = np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.float32)
    results = [execute_onnx(model, {str(source.name): x}) for model in (one, other)]
    assert list(results[0]) == list(results[1])
    return all(np.array_equal(results[0][name], results[1][name]) for name in results[0])
