"""Which ops leave the samples of a batch apart, so that a graph written for one sample runs any number of them.

Graphs have their batch size written into them: as the first dimension of tensors, and into constants such as the
target of a Reshape. An op is on the list here where sample ``i`` of its outputs depends on sample ``i`` of its inputs
alone and no constant of it counts the samples. A graph with any other op is executed sample by sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.standard_ops import is_standard

_ELEMENTWISE = frozenset([
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Dropout", "Elu",
    "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity",
    "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg",
    "Not", "Or", "Pow", "PRelu", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
])  # fmt: skip
_SAMPLES_FIRST = frozenset([
    "AveragePool", "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "DepthToSpace", "DequantizeLinear",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN",
    "LpPool", "MaxPool", "QLinearConv", "QuantizeLinear", "SpaceToDepth",
])  # fmt: skip
"""Ops whose inputs after the first are parameters, and whose first dimension is the batch by definition."""

_AXES: Mapping[str, int | None] = {
    "ArgMax": 0, "ArgMin": 0, "Concat": None, "CumSum": None, "Flatten": 1, "Gather": 0, "LayerNormalization": -1,
    "LogSoftmax": -1, "LpNormalization": -1, "MeanVarianceNormalization": None, "Softmax": -1, "Split": 0, "TopK": -1,
}  # fmt: skip
"""Ops that work along one axis, with its value where the node does not say: any but the first."""


class Batched:
    """What becomes of whole batches in a graph.

    Where shapes are unknown, tensors are taken to have the batch first, as exporters write them.

    Args:
        inputs: of the graph, batch first.
        nodes: those that depend on inputs, in an order in which they can run.
        known: the values of tensors that depend on constants only.
        written: the batch size that the graph has written into it.
    """

    def __init__(
        self, inputs: Iterable[ir.Value], nodes: Iterable[ir.Node], known: Mapping[ir.Value, Array], written: int = 1
    ) -> None:
        self._batched = set(inputs)
        self._sizes: set[ir.Value] = set()
        self._known = known
        self._written = written
        self.targets: dict[ir.Value, Array] = {}
        """Targets of Reshapes that start with the batch size, with "as the input" (0) in its place."""
        self.mixing: ir.Node | None = None
        """The first node that may mix samples, None where there is none."""
        for node in nodes:
            if self._is_size(node):
                self._sizes.update(node.outputs)
            elif self._keeps_samples_apart(node):
                self._batched.update(node.outputs)
            else:
                self.mixing = node
                return

    def _is_size(self, node: ir.Node) -> bool:
        """True for a node that computes with the sizes of tensors: it does so for any number of samples."""
        varying = [value for value in node.inputs if value is not None and self._constant(value) is None]
        return node.op_type == "Shape" or all(value in self._sizes for value in varying)

    def _constant(self, value: ir.Value | None) -> Array | None:
        return self._known[value] if value is not None and value in self._known else get_constant(value)

    def _shape(self, value: ir.Value | None) -> tuple[int, ...] | None:
        array = self._constant(value)
        if array is not None:
            return array.shape
        return get_shape(value) if value is not None else ()

    def _keeps_samples_apart(self, node: ir.Node) -> bool:
        if not is_standard(node):
            return True  # what a custom op promises
        if any(value in self._sizes for value in node.inputs):
            return node.op_type == "Reshape"
        op = node.op_type
        if op in _ELEMENTWISE:
            return self._elementwise(node)
        if op == "MatMul":
            return self._matmul(node)
        if op == "Concat":
            return all(value in self._batched for value in node.inputs) and self._axis(node)
        if node.inputs[0] not in self._batched or any(value in self._batched for value in node.inputs[1:]):
            return False
        check = _CHECKS.get("Reduce" if op.startswith("Reduce") else op)
        return op in _SAMPLES_FIRST or (op in _AXES and self._axis(node)) or (check is not None and check(self, node))

    def _elementwise(self, node: ir.Node) -> bool:
        ranks = {_rank(value) for value in node.inputs if value in self._batched} - {None}
        if len(ranks) > 1:  # broadcasting puts the first dimension of one beside another one of the other
            return False
        rank = max((rank for rank in ranks if rank is not None), default=4)
        shapes = [self._shape(value) for value in node.inputs if value is not None and value not in self._batched]
        return all(shape is not None and (len(shape) < rank or shape[:1] == (1,)) for shape in shapes)

    def _axis(self, node: ir.Node) -> bool:
        axis = attribute(node, "axis", _AXES[node.op_type])
        return axis is not None and _is_later(int(axis), _rank(node.inputs[0]))

    def _matmul(self, node: ir.Node) -> bool:
        left, right = node.inputs[0], node.inputs[1]
        if left not in self._batched:
            # A matrix before each sample's own: the batch is beside the product where there are three dimensions.
            matrix = self._shape(left)
            rank = _rank(right) or 0
            fits = matrix is not None and (len(matrix) <= 2 or (len(matrix) == rank and matrix[0] == 1))
            return rank > 2 and fits
        if right in self._batched:
            ranks = (_rank(left), _rank(right))
            return ranks[0] == ranks[1] and (ranks[0] or 0) > 2
        shape = self._shape(right)
        return shape is not None and (len(shape) <= 2 or shape[0] == 1)

    def _gemm(self, node: ir.Node) -> bool:
        shape = self._shape(node.inputs[2]) if len(node.inputs) > 2 else ()
        return not attribute(node, "transA", 0) and shape is not None and (len(shape) < 2 or shape[0] == 1)

    def _reshape(self, node: ir.Node) -> bool:
        target, shape = self._constant(node.inputs[1]), self._shape(node.inputs[0])
        if target is None or target.size < 1 or attribute(node, "allowzero", 0) or node.inputs[1] is None:
            return False
        first, *after = target.tolist()
        if first == self._written and (shape is None or shape[:1] == (first,)):
            self.targets[node.inputs[1]] = np.array([0, *after], dtype=np.int64)
            return True
        if first == -1 and shape is not None and 0 not in after:
            return bool(math.prod(after) == math.prod(shape[1:]))
        return first in (0, -1)

    def _axes(self, node: ir.Node) -> bool:
        """Axes in an attribute or, in newer opsets, in the last input: none of them the first."""
        axes = attribute(node, "axes")
        if axes is None and len(node.inputs) > 1:
            axes = self._constant(node.inputs[-1])
        rank = _rank(node.outputs[0] if node.op_type == "Unsqueeze" else node.inputs[0])
        return axes is not None and all(_is_later(int(axis), rank) for axis in np.ravel(axes))

    def _slice(self, node: ir.Node) -> bool:
        axes = self._constant(node.inputs[3]) if len(node.inputs) > 3 else attribute(node, "axes")
        return axes is not None and all(_is_later(int(axis), _rank(node.inputs[0])) for axis in np.ravel(axes))

    def _pad(self, node: ir.Node) -> bool:
        pads = self._constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "pads")
        return pads is not None and len(node.inputs) < 4 and pads[0] == pads[len(pads) // 2] == 0

    def _transpose(self, node: ir.Node) -> bool:
        return bool((attribute(node, "perm") or [-1])[0] == 0)

    def _resize(self, node: ir.Node) -> bool:
        """Scales in an attribute or in the last input of two or three; sizes count the samples."""
        scales = attribute(node, "scales")
        if scales is None and len(node.inputs) in (2, 3):
            scales = self._constant(node.inputs[-1])
        return scales is not None and len(scales) > 0 and float(scales[0]) == 1


_CHECKS: Mapping[str, Callable[[Batched, ir.Node], bool]] = {
    "Gemm": Batched._gemm,
    "Pad": Batched._pad,
    "Reduce": Batched._axes,
    "Reshape": Batched._reshape,
    "Resize": Batched._resize,
    "Slice": Batched._slice,
    "Squeeze": Batched._axes,
    "Transpose": Batched._transpose,
    "Unsqueeze": Batched._axes,
    "Upsample": Batched._resize,
}


def _rank(value: ir.Value | None) -> int | None:
    if value is None:
        return None
    shape = value.const_value.shape if value.const_value is not None else value.shape
    return None if shape is None else len(shape)


def _is_later(axis: int, rank: int | None) -> bool:
    """True for an axis that is not the first."""
    return axis > 0 or (axis < 0 and (rank is None or axis + rank > 0))
