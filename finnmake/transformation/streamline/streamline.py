"""Streamline: floats out, integers in."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.expression import steps_of
from finnmake.graph.general_ops import GENERAL_DOMAIN, GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.padding import window_attributes
from finnmake.graph.quantiser import Quantiser
from finnmake.graph.scaled_integer_analysis import (
    Analysis,
    BranchProduct,
    BranchSum,
    Concatenation,
    ConstantIntegers,
    Gathering,
    IntegerFunction,
    Movement,
    Product,
    Quantisation,
    ScaledInteger,
    WindowSum,
    analyse,
    first_input,
)
from finnmake.transformation.base import Transformation
from finnmake.transformation.general.normalise import is_normal, normalise
from finnmake.transformation.streamline.integer_graph import Attributes, IntegerGraph, along_channels
from finnmake.transformation.streamline.requantisation import requantisation_of
from finnmake.transformation.streamline.threshold_extraction import (
    NotMonotoneError,
    Thresholds,
    extract_thresholds,
    float_thresholds,
    follow,
)

TIES_KEY = "finnmake.ties"
"""Metadata of the model: thresholds at rounding ties of the reference, by the MultiThreshold that has them."""


class Streamline(Transformation):
    """Makes an imported model an integer network.

    Every quantiser becomes a MultiThreshold with integer thresholds, which absorbs all elementwise ops between the
    integer tensor before it and itself (scales, batch normalisation, bias, activations); weights become integers.
    Averages become sums. What follows the last integer tensor (output scale and bias) stays as it is.

    Two quantisers that follow each other become one MultiThreshold where nothing else uses the first one's integers. A
    quantiser of a float input of the model becomes a MultiThreshold of float thresholds. A quantiser of more than 8
    bits becomes a Requant, where a multiplier, a bias and a shift give its integers for every integer before it.

    Precondition: ``import_model``, or any model with static shapes whose batch comes first: it is normalised as the
    import does. Integer inputs are annotated.
    Postcondition: every MatMul and Conv with quantised operands has integer operands and an integer result, annotated
    with the types that their ranges need; the outputs are those of the model before, bit for bit, except at ties that
    the metadata counts. A node that is not understood stays in floats, with the reason in its metadata.

    Raises:
        ModelError: for an activation that is not monotone, for more than 8 bits that no Requant gives, for branches
            whose scales have nothing to do with each other, for sums beyond 24 bits.
    """

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """The streamlined model; see the class."""
        if not is_normal(model):
            model = model.copy()
            normalise(model, GENERAL_OPS)
        return _Rewriter(model, analyse(model)).result()


@dataclass(frozen=True)
class _Thresholded:
    """What a MultiThreshold of the new graph does to which integers of which range."""

    integers: ir.Value
    low: int
    high: int
    quantiser: Quantiser
    thresholds: Thresholds


class _Rewriter:
    """Builds the integer graph beside the analysed one."""

    def __init__(self, model: ModelWrapper, analysis: Analysis) -> None:
        self._old = model
        self._analysis = analysis
        self._new = IntegerGraph(model, analysis)
        self._weights: dict[ir.Value, tuple[ir.Value, ConstantIntegers, int]] = {}
        self._users = self._count_users()
        self._thresholded: dict[ir.Value, _Thresholded] = {}
        self._ties: dict[ir.Value, int] = {}

    def result(self) -> ModelWrapper:
        """The new model."""
        for node in self._old.graph:
            self._rewrite(node)
        model = self._new.model()
        remove_unused_nodes(model)
        name_by_position(model)
        ties: dict[str, int] = {}
        for value, count in self._ties.items():
            producer = value.producer()
            if producer is not None and producer.graph is not None and count:
                ties[str(producer.name)] = count
        model.set_metadata_prop(TIES_KEY, json.dumps(ties, sort_keys=True))
        return model

    def _rewrite(self, node: ir.Node) -> None:
        operation = self._analysis.operations.get(node)
        if operation is None:
            if not all(v in self._analysis.functions or v in self._analysis.constants for v in node.outputs):
                self._new.copy(node)
            return  # else emitted where it is used
        match operation:
            case Quantisation():
                self._quantise(node, operation)
            case Product():
                self._product(node, operation)
            case WindowSum():
                self._window_sum(node, operation)
            case BranchSum():
                self._branch_sum(node, operation)
            case BranchProduct():
                self._branch_product(node, operation)
            case Concatenation():
                self._concatenation(node, operation)
            case Gathering():
                self._gathering(node, operation)
            case Movement():
                self._movement(node, operation)

    def _datatype(self, value: ir.Value) -> AnyDataType:
        return self._analysis.functions[value].source.datatype

    # -- sums ----------------------------------------------------------------------------------------------------------
    def _product(self, node: ir.Node, product: Product) -> None:
        integers, weights, output = self._new.integers_of(product.operand.source), product.weights, node.outputs[0]
        matrix = self._new.constant(weights.integers.astype(np.float32, copy=False), weights.datatype)
        if node.op_type == "Conv":
            pads = product.pads
            if any(pads) and (product.zero or not product.operand.source.datatype.allowed(0)):
                integers = self._padded(integers, product)
                pads = (0,) * len(pads)
            attributes = window_attributes(node, weights.integers.shape[2:], product.group, pads)
            result = self._new.emit("Conv", [integers, matrix], output, attributes)
        else:
            result = self._new.emit("MatMul", [integers, matrix], output)
        self._new.set_integers(output, result, self._datatype(output))
        if self._users[output] == 1:
            self._weights[result] = (matrix, weights, 0 if node.op_type == "Conv" else 1)

    def _padded(self, integers: ir.Value, product: Product) -> ir.Value:
        """The integers with a border of the one that stands for 0.0."""
        source, count = product.operand.source, len(product.pads) // 2
        begins, ends = product.pads[:count], product.pads[count:]
        shape = list(get_shape(source.value) or ())
        shape[2:] = [sum(sizes) for sizes in zip(shape[2:], begins, ends, strict=True)]
        pads = self._new.constant(np.array([0, 0, *begins, 0, 0, *ends], dtype=np.int64))
        fill = self._new.constant(np.array(product.zero, dtype=np.float32))
        padded = self._new.emit("Pad", [integers, pads, fill], source.value, {"mode": "constant"})
        padded.shape = ir.Shape(shape)
        low, high = min(source.minimum, product.zero), max(source.maximum, product.zero)
        holds = source.datatype.allowed(product.zero)
        set_datatype(padded, source.datatype if holds else DataType.smallest_for_range(low, high))
        return padded

    def _window_sum(self, node: ir.Node, windows: WindowSum) -> None:
        source, output = windows.operand.source, node.outputs[0]
        integers = self._new.integers_of(source)
        if windows.axes:
            axes = self._new.constant(np.array(windows.axes, dtype=np.int64))
            keepdims = int(attribute(node, "keepdims", 1)) if node.op_type.startswith("Reduce") else 1
            result = self._new.emit("ReduceSum", [integers, axes], output, {"keepdims": keepdims})
        else:
            channels = (get_shape(source.value) or (0, 1))[1]
            kernel = list(attribute(node, "kernel_shape"))
            ones = self._new.constant(np.ones((channels, 1, *kernel), dtype=np.float32), DataType["BINARY"])
            attributes = window_attributes(node, kernel, channels, windows.pads)
            result = self._new.emit("Conv", [integers, ones], output, attributes)
        self._new.set_integers(output, result, self._datatype(output))

    # -- branches ------------------------------------------------------------------------------------------------------
    def _branch_sum(self, node: ir.Node, branches: BranchSum) -> None:
        tensors = [
            self._new.multiplied(self._new.integers_of(operand.source), factor, operand.source)[0]
            for operand, factor in zip(branches.operands, branches.factors, strict=True)
        ]
        result = self._new.emit("Add", tensors, node.outputs[0])
        self._new.set_integers(node.outputs[0], result, self._datatype(node.outputs[0]))

    def _branch_product(self, node: ir.Node, branches: BranchProduct) -> None:
        tensors = [
            self._new.shifted(self._new.integers_of(operand.source), offset, operand.source)
            for operand, offset in zip(branches.operands, branches.offsets, strict=True)
        ]
        result = self._new.emit("Mul", tensors, node.outputs[0])
        self._new.set_integers(node.outputs[0], result, self._datatype(node.outputs[0]))

    def _concatenation(self, node: ir.Node, branches: Concatenation) -> None:
        tensors = [
            self._new.multiplied(self._new.integers_of(operand.source), factor, operand.source)[0]
            for operand, factor in zip(branches.operands, branches.factors, strict=True)
        ]
        result = self._new.repeat(node, tensors)[0]
        self._new.set_integers(node.outputs[0], result, self._datatype(node.outputs[0]))

    def _gathering(self, node: ir.Node, gathering: Gathering) -> None:
        table = self._new.constant(gathering.table.integers.astype(np.float32), gathering.table.datatype)
        result = self._new.emit("Gather", [table, self._new.integers_of(gathering.indices)], node.outputs[0])
        self._new.set_integers(node.outputs[0], result, self._datatype(node.outputs[0]))

    def _movement(self, node: ir.Node, movement: Movement) -> None:
        source = movement.source
        integers = self._new.integers_of(source)
        if movement.signs is not None:
            integers = self._new.multiplied(integers, movement.signs, source)[0]
        if node.op_type == "Reshape" and node.domain == "":
            result = self._new.reshaped(integers, node.inputs[1], node.outputs[0])
            self._new.set_integers(node.outputs[0], result, self._datatype(node.outputs[0]))
            return
        others = [None if value is None else self._new.float_of(value) for value in node.inputs[1:]]
        if movement.fill is not None and len(others) > 1:
            others[1] = self._new.constant(np.array(movement.fill, dtype=np.float32))
        for old, new in zip(node.outputs, self._new.repeat(node, [integers, *others]), strict=True):
            if old in self._analysis.functions:
                self._new.set_integers(old, new, self._datatype(old))

    # -- quantisers ----------------------------------------------------------------------------------------------------
    def _quantise(self, node: ir.Node, quantisation: Quantisation) -> None:
        quantiser, function, output = quantisation.quantiser, quantisation.function, node.outputs[0]
        shape = get_shape(output) or ()
        channels = shape[1] if len(shape) > 1 else 1
        if function is None:
            floats = self._new.float_of(first_input(node))
            thresholds = self._new.constant(float_thresholds(quantiser, channels))
            self._multi_threshold(output, quantiser, floats, thresholds)
            return
        found = self._thresholds(node, function, quantisation, channels)
        integers, low, high = self._new.integers_of(function.source), function.source.minimum, function.source.maximum
        if quantisation.fixed_point:
            self._requantise(node, quantiser, integers, found, low, high)
            return
        if found.falling.any():
            integers, low, high = self._negated(integers, function.source, found)
        before = self._thresholded.get(integers)
        if before is not None and not found.falling.any() and self._users[function.source.value] == 1:
            first = before.quantiser
            found = follow(before.thresholds, found, before.low, before.high, first.minimum, first.step)
            integers, low, high = before.integers, before.low, before.high
        holder = DataType.smallest_for_range(low, high + 1)  # a level that is never reached has the threshold high + 1
        if integers in self._weights:
            set_datatype(integers, holder)
        found = replace(found, values=np.clip(found.values, low, high + 1))
        thresholds = self._new.constant(found.values.astype(np.float32), holder)
        result = self._multi_threshold(output, quantiser, integers, thresholds)
        self._thresholded[result] = _Thresholded(integers, low, high, quantiser, found)
        self._ties[result] = int(found.tied.sum())

    def _requantise(
        self, node: ir.Node, quantiser: Quantiser, integers: ir.Value, found: Thresholds, low: int, high: int
    ) -> None:
        output = node.outputs[0]
        rank, wanted = len(get_shape(output) or ()), requantisation_of(node, quantiser, found, low, high)
        if not wanted.changes(low, high):
            self._new.set_integers(output, integers, get_datatype(integers))
            return
        constants = [
            self._new.constant(along_channels(numbers if numbers.size > 1 else numbers.reshape(()), rank))
            for numbers in (wanted.form.multipliers, wanted.form.biases)
        ]
        attributes: Attributes = {
            "shift": wanted.form.shift,
            "rounding": wanted.form.rounding,
            "out_dtype": wanted.datatype.name,
        }
        result = self._new.emit("Requant", [integers, *constants], output, attributes, GENERAL_DOMAIN)
        self._ties[result] = int(found.tied.sum())
        self._new.set_integers(output, result, wanted.datatype)
        if wanted.offset:
            holder = DataType.smallest_for_range(min(wanted.offset, 0), max(wanted.offset, 0))
            offset = self._new.constant(np.array(wanted.offset, dtype=np.float32), holder)
            result = self._new.emit("Add", [result, offset], output)
            self._new.set_integers(output, result, quantiser.datatype)

    def _multi_threshold(
        self, output: ir.Value, quantiser: Quantiser, operand: ir.Value, thresholds: ir.Value
    ) -> ir.Value:
        attributes: Attributes = {
            "out_dtype": quantiser.datatype.name,
            "out_scale": 2.0 if quantiser.datatype.name == "BIPOLAR" else 1.0,
            "out_bias": float(quantiser.minimum),
            # Without it, channels are innermost in tensors of three dimensions.
            **({"data_layout": "NCW"} if len(get_shape(output) or ()) == 3 else {}),
        }
        result = self._new.emit("MultiThreshold", [operand, thresholds], output, attributes, GENERAL_DOMAIN)
        self._new.set_integers(output, result, quantiser.datatype)
        return result

    def _thresholds(
        self, node: ir.Node, function: IntegerFunction, quantisation: Quantisation, channels: int
    ) -> Thresholds:
        try:
            return extract_thresholds(function, quantisation.quantiser, channels, self._new.opset)
        except NotMonotoneError as problem:
            chain = " → ".join(step.node.op_type for step in steps_of(function.expression)) or "the quantiser"
            raise ModelError(
                f"the function before it ({chain}) {problem.reason} in channel {problem.channel}, "
                "so that no thresholds give it",
                where=describe(node),
                remedy="Use a monotone activation (ReLU, HardTanh, Sigmoid, …) in the network.",
            ) from None

    def _negated(self, integers: ir.Value, source: ScaledInteger, found: Thresholds) -> tuple[ir.Value, int, int]:
        """Integers negated where f falls, by their weights where these are their own; and the new range."""
        signs = np.where(found.falling, -1, 1)
        if integers not in self._weights:
            return self._new.multiplied(integers, signs.reshape(() if signs.size == 1 else -1), source)
        matrix, weights, axis = self._weights[integers]
        shape = [1] * weights.integers.ndim
        shape[axis] = signs.size
        negated = weights.integers * signs.reshape(shape).astype(np.float32)
        low, high, datatype = source.minimum, source.maximum, weights.datatype
        if not datatype.allowed_array(negated):
            reach = max(-int(datatype.min()), int(datatype.max()))
            datatype = DataType.smallest_for_range(-reach, reach)
            low, high = min(low, -high), max(high, -low)
        matrix.const_value = ir.Tensor(np.asarray(negated, dtype=np.float32))
        set_datatype(matrix, datatype)
        return integers, low, high

    def _count_users(self) -> Counter[ir.Value]:
        """How many nodes take the integers of a tensor, directly or through elementwise ops; outputs count."""
        users: Counter[ir.Value] = Counter()
        functions = self._analysis.functions
        for node in self._old.graph:
            output = functions.get(node.outputs[0])
            for value in node.inputs:
                function = functions.get(value) if value is not None else None
                # An elementwise op passes the same source on and is no user itself.
                if function is not None and (output is None or output.source is not function.source):
                    users[function.source.value] += 1
        for value in self._old.graph.outputs:
            if value in functions:
                users[functions[value].source.value] += 1
        return users
