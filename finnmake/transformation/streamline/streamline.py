"""Streamline: floats out, integers in."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.expression import BINARY, SOURCE, Constant, Expression, Source, Step, steps_of
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.scaled_integer_analysis import (
    Analysis,
    ConstantIntegers,
    IntegerFunction,
    ScaledInteger,
    analyse,
    constant_integers,
)
from finnmake.transformation.base import Transformation
from finnmake.transformation.streamline.threshold_extraction import NotMonotoneError, Thresholds, extract_thresholds

REASON_KEY = "finnmake.reason"
"""Metadata of a node that could not be made integer: why."""
TIES_KEY = "finnmake.ties"
"""Metadata of the model: thresholds at rounding ties of the reference, by the MultiThreshold that has them."""


class Streamline(Transformation):
    """Makes an imported model an integer network.

    Every quantiser becomes a MultiThreshold with integer thresholds, which absorbs all elementwise ops between the
    integer tensor before it and itself (scales, batch normalisation, bias, activations); weights become integers.
    What follows the last integer tensor (output scale and bias) stays as it is.

    Precondition: ``import_model``.
    Postcondition: every MatMul with quantised operands has integer operands and an integer result, annotated with the
    types that their ranges need; the outputs are those of the model before, bit for bit, except at ties that the
    metadata counts. A node that is not understood stays in floats, with the reason in its metadata.

    Raises:
        ModelError: for an activation that is not monotone.
    """

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """The streamlined model; see the class."""
        return _Rewriter(model, analyse(model)).result()


class _Rewriter:
    """Builds the integer graph beside the analysed one."""

    def __init__(self, model: ModelWrapper, analysis: Analysis) -> None:
        self._old = model
        self._analysis = analysis
        self._opset = model.model.opset_imports.get("", 1)
        self._nodes: list[ir.Node] = []
        self._initialisers: list[ir.Value] = []
        self._integers: dict[ir.Value, ir.Value] = {}
        self._floats: dict[ir.Value, ir.Value] = {}
        self._weights: dict[ir.Value, tuple[ir.Value, ConstantIntegers]] = {}
        self._users = self._count_users()
        self._ties: dict[ir.Node, int] = {}

    def result(self) -> ModelWrapper:
        """The new model."""
        inputs = []
        for value in self._old.graph.inputs:
            fresh = _like(value)
            set_datatype(fresh, get_datatype(value))
            inputs.append(fresh)
            self._integers[value] = fresh
            if value not in self._analysis.functions:
                self._floats[value] = fresh
        for node in self._old.graph:
            self._node(node)
        outputs = [self._float_of(value) for value in self._old.graph.outputs]
        graph = ir.Graph(
            inputs,
            outputs,
            nodes=self._nodes,
            initializers=self._initialisers,
            opset_imports={**self._old.model.opset_imports, GENERAL_DOMAIN: 1},
        )
        model = ModelWrapper(ir.Model(graph, ir_version=self._old.model.ir_version))
        model.model.metadata_props.update(self._old.model.metadata_props)
        name_by_position(model)
        ties = {str(node.name): count for node, count in self._ties.items() if count}
        model.set_metadata_prop(TIES_KEY, json.dumps(ties, sort_keys=True))
        return model

    # -- nodes -----------------------------------------------------------------------------------------------------
    def _node(self, node: ir.Node) -> None:
        output = node.outputs[0]
        function = self._analysis.functions.get(output)
        if output in self._analysis.constants:
            return  # emitted where it is used
        if function is None:
            self._copy(node)
        elif node in self._analysis.quantisers:
            self._threshold(node)
        elif function.source.value is output and node.op_type == "Reshape":
            source = self._analysis.functions[_required(node.inputs[0])].source
            reshaped = self._emit(
                "Reshape", [self._integers[source.value], self._float_of(_required(node.inputs[1]))], output
            )
            set_datatype(reshaped, function.source.datatype)
            self._integers[output] = reshaped
        elif function.source.value is output:
            self._matmul(node, function.source)

    def _matmul(self, node: ir.Node, accumulator: ScaledInteger) -> None:
        weights = constant_integers(node.inputs[1], self._analysis)
        if weights is None:
            raise ModelError("its weights are not integers", where=describe(node))
        source = self._analysis.functions[_required(node.inputs[0])].source
        matrix = self._constant(weights.integers.astype(np.float32), weights.datatype)
        output = self._emit("MatMul", [self._integers[source.value], matrix], node.outputs[0])
        set_datatype(output, accumulator.datatype)
        self._integers[node.outputs[0]] = output
        self._weights[node.outputs[0]] = (matrix, weights)

    def _threshold(self, node: ir.Node) -> None:
        function = self._analysis.functions[_required(node.inputs[0])]
        quantiser = self._analysis.quantisers[node]
        source = function.source
        shape = get_shape(source.value) or ()
        try:
            found = extract_thresholds(function, quantiser, shape[1] if len(shape) > 1 else 1, self._opset)
        except NotMonotoneError as problem:
            chain = " → ".join(step.node.op_type for step in steps_of(function.expression)) or "the quantiser"
            raise ModelError(
                f"the function before it ({chain}) {problem.reason} in channel {problem.channel}, "
                "so that no thresholds give it",
                where=describe(node),
                remedy="Use a monotone activation (ReLU, HardTanh, Sigmoid, …) in the network.",
            ) from None
        low, high = source.minimum, source.maximum
        if found.falling.any():
            low, high = self._negate(node, source, found)
        holder = DataType.smallest_for_range(low, high + 1)  # a level that is never reached has the threshold high + 1
        integers = self._integers[source.value]
        if source.value in self._weights:
            set_datatype(integers, holder)
        values = np.clip(found.values, low, high + 1)
        thresholds = self._constant(values.astype(np.float32), holder)
        bipolar = quantiser.datatype.name == "BIPOLAR"
        attributes: dict[str, str | float] = {
            "out_dtype": quantiser.datatype.name,
            "out_scale": 2.0 if bipolar else 1.0,
            "out_bias": float(quantiser.minimum),
        }
        output = self._emit("MultiThreshold", [integers, thresholds], node.outputs[0], attributes, GENERAL_DOMAIN)
        set_datatype(output, quantiser.datatype)
        self._integers[node.outputs[0]] = output
        self._ties[self._nodes[-1]] = found.ties

    def _negate(self, node: ir.Node, source: ScaledInteger, found: Thresholds) -> tuple[int, int]:
        """Negates the accumulator where f falls, by negating the channel's weights; gives its new range."""
        if source.value not in self._weights or self._users[source.value] != 1:
            raise ModelError(
                "the function before it falls where the integer rises, and there are no weights of its own to negate",
                where=describe(node),
                remedy="Use positive scales (batch normalisation weights) before this quantiser.",
            )
        matrix, weights = self._weights[source.value]
        signs = np.where(found.falling, -1, 1)
        negated = weights.integers * signs
        low, high, datatype = source.minimum, source.maximum, weights.datatype
        if not datatype.allowed_array(negated):
            reach = max(-int(datatype.min()), int(datatype.max()))
            datatype = DataType.smallest_for_range(-reach, reach)
            low, high = min(low, -high), max(high, -low)
        matrix.const_value = ir.Tensor(np.asarray(negated, dtype=np.float32))
        set_datatype(matrix, datatype)
        return low, high

    def _copy(self, node: ir.Node) -> None:
        """A node that is not understood, in floats."""
        inputs = [None if value is None else self._float_of(value) for value in node.inputs]
        fresh = ir.Node(
            node.domain,
            node.op_type,
            inputs,
            list(node.attributes.values()),
            outputs=[_like(value) for value in node.outputs],
        )
        reason = self._analysis.reasons.get(node)
        if reason:
            fresh.metadata_props[REASON_KEY] = reason
        self._nodes.append(fresh)
        self._floats.update(zip(node.outputs, fresh.outputs, strict=True))

    # -- tensors -----------------------------------------------------------------------------------------------------
    def _float_of(self, value: ir.Value) -> ir.Value:
        """The tensor in floats, as a tensor of the new graph."""
        if value in self._floats:
            return self._floats[value]
        array = get_constant(value)
        if array is not None:
            self._floats[value] = self._constant(array, get_datatype(value))
        elif value in self._analysis.functions:
            self._floats[value] = self._materialise(value, self._analysis.functions[value])
        else:
            producer = value.producer()
            if producer is None:
                raise ModelError("has no value", where=f"tensor {value.name}")
            self._copy(producer)
        return self._floats[value]

    def _materialise(self, value: ir.Value, function: IntegerFunction) -> ir.Value:
        source = function.source
        made: dict[Expression, ir.Value] = {}
        shape = get_shape(source.value) or ()
        start = self._integers[source.value]
        for op_type, numbers, neutral in (("Mul", source.scale, 1), ("Add", source.bias, 0)):
            if (numbers != neutral).any():
                constant = self._constant(_along_channels(numbers.astype(np.float32), len(shape)))
                start = self._emit(op_type, [start, constant], source.value)
        made[SOURCE] = start
        for step in steps_of(function.expression):
            operands = [self._operand(operand, step, made, len(shape)) for operand in step.operands]
            output = step.node.outputs[0]
            if output not in self._floats:
                attributes = list(step.node.attributes.values())
                fresh = ir.Node("", step.node.op_type, operands, attributes, outputs=[_like(output)])
                self._nodes.append(fresh)
                self._floats[output] = fresh.outputs[0]
            made[step] = self._floats[output]
        return made[function.expression]

    def _operand(
        self, operand: Source | Constant | Step | None, step: Step, made: dict[Expression, ir.Value], rank: int
    ) -> ir.Value | None:
        if operand is None:
            return None
        if isinstance(operand, Constant):
            array = _along_channels(operand.array, rank) if step.node.op_type in BINARY else operand.array
            return self._constant(array)
        return made[operand]

    def _constant(self, array: Array, datatype: AnyDataType | None = None) -> ir.Value:
        value = ir.Value(
            name=f"constant {len(self._initialisers)}",
            shape=ir.Shape(list(array.shape)),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.Tensor(np.asarray(array, order="C")),
        )
        if datatype is not None and datatype.is_integer():
            set_datatype(value, datatype)
        self._initialisers.append(value)
        return value

    def _emit(
        self,
        op_type: str,
        inputs: list[ir.Value],
        like: ir.Value,
        attributes: dict[str, str | float] | None = None,
        domain: str = "",
    ) -> ir.Value:
        node = ir.node(op_type, inputs, attributes or {}, domain=domain, outputs=[_like(like)])
        self._nodes.append(node)
        return node.outputs[0]

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


def _required(value: ir.Value | None) -> ir.Value:
    if value is None:
        raise ModelError("a node lacks an input")
    return value


def _like(value: ir.Value) -> ir.Value:
    return ir.Value(shape=value.shape, type=ir.TensorType(value.dtype or ir.DataType.FLOAT))


def _along_channels(array: Array, rank: int) -> Array:
    return array if array.ndim == 0 else array.reshape((-1,) + (1,) * (rank - 2))
