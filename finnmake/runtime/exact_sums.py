"""The model with exact sums: what its sums are before float32 rounds every addition.

Where the scales of weights or activations are no powers of two, float32 sums of scaled integers depend on the order of
the additions: two scores that are equal, or a value at a rounding tie of the next quantiser, may come out either way.
Hardware adds integers. Here matrix products, convolutions, averages, sums and products of branches are of integers too;
every other op runs as in the model, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.dataflow.layer import IntegerArray
from finnmake.errors import VerificationError
from finnmake.graph.custom_op import CustomOp, attribute, describe
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.padding import window_attributes
from finnmake.graph.scaled_integer_analysis import (
    BranchProduct,
    BranchSum,
    Operand,
    Product,
    ScaledInteger,
    WindowSum,
    analyse,
)
from finnmake.graph.standard_ops import StandardRun
from finnmake.runtime.execute import Executor

Array = NDArray[Any]
_Sum = Product | WindowSum | BranchSum | BranchProduct

_DOMAIN = "finnmake.exact"
_ROUNDING = 16 * 2.0**-24
"""Relative error of a few float32 roundings."""


class _ExactSum(CustomOp):
    """A sum of scaled integers: the integers are added, and scaled once.

    Args:
        node: of the model.
        operation: what the analysis says it adds.
        sums: what the analysis says comes of it.
        opset: of the model.
    """

    def __init__(self, node: ir.Node, operation: _Sum, sums: ScaledInteger, opset: int) -> None:
        self._operation, self._sums = operation, sums
        self._floats = _alone(node, node.op_type, len(node.inputs), list(node.attributes.values()), opset)
        self._integers: StandardRun | None = None
        if isinstance(operation, Product) and node.op_type == "Conv":
            pads = operation.pads if not operation.zero else (0,) * len(operation.pads)
            kernel = operation.weights.integers.shape[2:]
            windows = window_attributes(node, kernel, operation.group, pads)
            self._integers = _alone(node, "Conv", 2, ir.node("Conv", [], windows).attributes.values(), opset)
        elif isinstance(operation, WindowSum) and not operation.axes:
            kernel = tuple(attribute(node, "kernel_shape"))
            channels = (get_shape(operation.operand.source.value) or (0, 1))[1]
            windows = window_attributes(node, kernel, channels, operation.pads)
            self._integers = _alone(node, "Conv", 2, ir.node("Conv", [], windows).attributes.values(), opset)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Float32, whole batches.

        Raises:
            VerificationError: an operand is not made of the integers that the analysis says, or their sum is not the
                model's, by more than rounding.
        """
        arrays = [array for array in inputs if array is not None]
        rounded = self._floats(arrays)[0].astype(np.float64)
        sums = self._add(node, arrays, rounded.shape)
        exact = sums * _channels(self._sums.scale, sums.ndim) + _channels(self._sums.bias, sums.ndim)
        length, magnitude = self._size(arrays)
        if (np.abs(exact - rounded) > (length + 16) * 2.0**-24 * magnitude).any():
            raise VerificationError("its sums are not those of the integers behind its operands", where=describe(node))
        return [exact.astype(np.float32)]

    def _add(self, node: ir.Node, arrays: Sequence[Array], shape: tuple[int, ...]) -> Array:
        operation = self._operation
        if isinstance(operation, BranchSum):
            addends = [
                _integers(node, operand, array) * _channels(factor, array.ndim)
                for operand, factor, array in zip(operation.operands, operation.factors, arrays, strict=True)
            ]
            return np.asarray(addends[0] + addends[1])
        if isinstance(operation, BranchProduct):
            factors = [
                (_integers(node, operand, array) + _channels(offset, array.ndim)).astype(np.float64)
                for operand, offset, array in zip(operation.operands, operation.offsets, arrays, strict=True)
            ]
            return np.asarray(factors[0] * factors[1])
        integers = _integers(node, operation.operand, arrays[0])
        if isinstance(operation, WindowSum):
            if self._integers is None:
                return np.asarray(integers.sum(axis=operation.axes, dtype=np.float64).reshape(shape))
            ones = np.ones((integers.shape[1], 1, *attribute(node, "kernel_shape")), dtype=np.float32)
            return self._integers([integers, ones])[0].astype(np.float64)
        # Sums below 2^24 of integers: float32 adds them without rounding, in any order.
        weights = operation.weights.integers.astype(np.float32, copy=False)
        if self._integers is None:
            return np.asarray((integers @ weights).astype(np.float64))
        if operation.zero:
            count = len(operation.pads) // 2
            pairs = zip(operation.pads[:count], operation.pads[count:], strict=True)
            integers = np.pad(integers, ((0, 0), (0, 0), *pairs), constant_values=operation.zero)
        return self._integers([integers, weights])[0].astype(np.float64)

    def _size(self, arrays: Sequence[Array]) -> tuple[int, float]:
        """How many terms a sum has, and how large it gets at most."""
        largest = [float(np.abs(array).max(initial=0)) for array in arrays]
        if isinstance(self._operation, BranchSum):
            return 2, sum(largest)
        if isinstance(self._operation, BranchProduct):
            return 1, math.prod(largest)
        if isinstance(self._operation, WindowSum):
            return self._operation.count, largest[0] * self._operation.count
        axes = (0,) if self._integers is None else tuple(range(1, arrays[1].ndim))
        sizes = np.abs(arrays[1]).sum(axis=axes)
        return math.prod(arrays[1].shape) // sizes.size, largest[0] * float(sizes.max()) + sum(largest[2:])


def _alone(node: ir.Node, op_type: str, inputs: int, attributes: Any, opset: int) -> StandardRun:
    """A run of one op, whose inputs are all given when it runs."""
    given = [
        ir.Value(name=f"input {index}") if index >= len(node.inputs) or node.inputs[index] is not None else None
        for index in range(inputs)
    ]
    copy = ir.Node("", op_type, given, list(attributes))
    return StandardRun([copy], [copy.outputs[0]], opset)


def _channels(numbers: Array, rank: int) -> Array:
    return numbers.reshape((1, -1) + (1,) * (rank - 2)) if numbers.size > 1 else numbers.reshape(())


def _integers(node: ir.Node, operand: Operand, array: Array) -> Array:
    """The integers behind the floats, in float32.

    Raises:
        VerificationError: the floats are something else, by more than rounding.
    """
    x = array.astype(np.float64)
    scale, bias = _channels(operand.form.scale, x.ndim), _channels(operand.form.bias, x.ndim)
    integers = np.rint((x - bias) / scale)
    off = np.abs(integers * scale + bias - x) > _ROUNDING * (np.abs(integers * scale) + np.abs(bias))
    if off.any():
        raise VerificationError("its input is not made of the integers that the analysis says", where=describe(node))
    return np.asarray(integers.astype(np.float32))


def run_with_exact_sums(imported: ModelWrapper, frames: IntegerArray) -> Array:
    """The only output of an imported model, its sums of scaled integers added as integers.

    Args:
        imported: the model; its input takes integers.
        frames: shape (samples, elements).

    Raises:
        VerificationError: a sum is something else than the analysis says, by more than float32 rounding.
    """
    model = imported.copy()
    analysis, opset = analyse(model), model.model.opset_imports.get("", 1)
    ops = {}
    for index, (node, operation) in enumerate(analysis.operations.items()):
        if isinstance(operation, _Sum):
            sums = analysis.functions[node.outputs[0]].source
            exact = _ExactSum(node, operation, sums, opset)
            node.domain, node.op_type = _DOMAIN, f"{node.op_type} {index}"
            ops[node.domain, node.op_type] = exact
    source_tensor = model.graph.inputs[0]
    shape = get_shape(source_tensor) or ()
    inputs = frames.reshape(len(frames), *shape[1:]).astype(np.float32)
    outputs = Executor(model, custom_ops=GENERAL_OPS.extended(ops)).run({str(source_tensor.name): inputs})
    return outputs[str(model.graph.outputs[0].name)]
