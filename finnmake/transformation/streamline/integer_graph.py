"""The graph that ``Streamline`` builds beside the one it reads: nodes, constants, and both forms of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.expression import BINARY, SOURCE, Constant, Expression, Source, Step, steps_of
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape, set_datatype
from finnmake.graph.scaled_integer_analysis import Analysis, IntegerFunction, ScaledInteger
from finnmake.graph.scaled_integer_analysis.constants import constant_value

REASON_KEY = "finnmake.reason"
"""Metadata of a node that could not be made integer: why."""

Attributes = Mapping[str, str | float | int | Sequence[int]]


class IntegerGraph:
    """A graph in the making.

    Args:
        old: the analysed model.
        analysis: what is known of it.
    """

    def __init__(self, old: ModelWrapper, analysis: Analysis) -> None:
        self._old = old
        self._analysis = analysis
        self.opset = old.model.opset_imports.get("", 1)
        self._nodes: list[ir.Node] = []
        self._initialisers: list[ir.Value] = []
        self._integers: dict[ir.Value, ir.Value] = {}
        self._floats: dict[ir.Value, ir.Value] = {}
        self._starts: dict[ir.Value, ir.Value] = {}
        self._steps: dict[tuple[ir.Value, Step], ir.Value] = {}
        self._inputs = [self._input(value) for value in old.graph.inputs]

    def _input(self, value: ir.Value) -> ir.Value:
        fresh = like(value)
        set_datatype(fresh, get_datatype(value))
        self._integers[value] = fresh
        if value not in self._analysis.functions:
            self._floats[value] = fresh
        return fresh

    def model(self) -> ModelWrapper:
        """The finished model, its nodes not yet named."""
        outputs = [self.float_of(value) for value in self._old.graph.outputs]
        graph = ir.Graph(
            self._inputs,
            outputs,
            nodes=self._nodes,
            initializers=self._initialisers,
            opset_imports={**self._old.model.opset_imports, GENERAL_DOMAIN: 1},
        )
        model = ModelWrapper(ir.Model(graph, ir_version=self._old.model.ir_version))
        model.model.metadata_props.update(self._old.model.metadata_props)
        return model

    # -- tensors -------------------------------------------------------------------------------------------------------
    def integers_of(self, source: ScaledInteger) -> ir.Value:
        """The new tensor of integers."""
        return self._integers[source.value]

    def set_integers(self, old: ir.Value, new: ir.Value, datatype: AnyDataType) -> None:
        """Says which new tensor holds the integers of a tensor of the old graph, and annotates it."""
        set_datatype(new, datatype)
        self._integers[old] = new

    def float_of(self, value: ir.Value) -> ir.Value:
        """The tensor in floats, as a tensor of the new graph."""
        if value not in self._floats:
            array = constant_value(value, self._analysis)
            if array is not None:
                self._floats[value] = self.constant(array, get_datatype(value))
            elif value in self._analysis.functions:
                self._floats[value] = self._materialise(self._analysis.functions[value])
            else:
                producer = value.producer()
                if producer is None:
                    raise ModelError("has no value", where=f"tensor {value.name}")
                self.copy(producer)
        return self._floats[value]

    def constant(self, array: Array, datatype: AnyDataType | None = None) -> ir.Value:
        """A new initialiser."""
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

    # -- nodes ---------------------------------------------------------------------------------------------------------
    def emit(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shape_like: ir.Value,
        attributes: Attributes | None = None,
        domain: str = "",
    ) -> ir.Value:
        """A new node with one output in a float container, which it gives."""
        node = ir.node(op_type, inputs, attributes or {}, domain=domain, outputs=[like(shape_like, floats=True)])
        self._nodes.append(node)
        return node.outputs[0]

    def repeat(self, node: ir.Node, inputs: Sequence[ir.Value | None], *, floats: bool = True) -> list[ir.Value]:
        """The same op with other inputs; gives its outputs, in float containers or of the types they were."""
        outputs = [like(value, floats=floats) for value in node.outputs]
        fresh = ir.Node(node.domain, node.op_type, inputs, list(node.attributes.values()), outputs=outputs)
        self._nodes.append(fresh)
        return outputs

    def copy(self, node: ir.Node) -> None:
        """A node that is not understood, in floats."""
        outputs = self.repeat(
            node, [None if value is None else self.float_of(value) for value in node.inputs], floats=False
        )
        reason = self._analysis.reasons.get(node)
        if reason:
            self._nodes[-1].metadata_props[REASON_KEY] = reason
        self._floats.update(zip(node.outputs, outputs, strict=True))

    def reshaped(self, integers: ir.Value, target: ir.Value | None, shape_like: ir.Value) -> ir.Value:
        """A Reshape of integers; of two that follow each other one is left, or none."""
        producer = integers.producer()
        if producer is not None and producer.op_type == "Reshape" and producer.inputs[0] is not None:
            before = producer.inputs[0]
            if get_shape(before) == get_shape(shape_like):
                return before
            integers = before
        constant = None if target is None else self.float_of(target)
        return self.emit("Reshape", [integers, constant], shape_like)

    def multiplied(self, integers: ir.Value, factor: Array, source: ScaledInteger) -> tuple[ir.Value, int, int]:
        """Integers times whole numbers, one or one per channel; and their new range. No node where all are 1."""
        if (factor == 1).all():
            return integers, source.minimum, source.maximum
        rank = len(get_shape(source.value) or ())
        ends = [end * int(f) for end in (source.minimum, source.maximum) for f in (factor.min(), factor.max())]
        holder = DataType.smallest_for_range(int(factor.min()), int(factor.max()))
        constant = self.constant(along_channels(np.asarray(factor, dtype=np.float32), rank), holder)
        product = self.emit("Mul", [integers, constant], source.value)
        set_datatype(product, DataType.smallest_for_range(min(ends), max(ends)))
        return product, min(ends), max(ends)

    def shifted(self, integers: ir.Value, offset: Array, source: ScaledInteger) -> ir.Value:
        """Integers with whole numbers added, one or one per channel. No node where all are 0."""
        if not offset.any():
            return integers
        rank = len(get_shape(source.value) or ())
        holder = DataType.smallest_for_range(min(int(offset.min()), 0), max(int(offset.max()), 0))
        constant = self.constant(along_channels(np.asarray(offset, dtype=np.float32), rank), holder)
        shifted = self.emit("Add", [integers, constant], source.value)
        low, high = source.minimum + int(offset.min()), source.maximum + int(offset.max())
        set_datatype(shifted, DataType.smallest_for_range(low, high))
        return shifted

    def _materialise(self, function: IntegerFunction) -> ir.Value:
        source = function.source
        rank = len(get_shape(source.value) or ())
        if source.value not in self._starts:
            start = self._integers[source.value]
            for op_type, numbers, neutral in (("Mul", source.scale, 1), ("Add", source.bias, 0)):
                if (numbers != neutral).any():
                    constant = self.constant(along_channels(numbers.astype(np.float32), rank))
                    start = self.emit(op_type, [start, constant], source.value)
            self._starts[source.value] = start
        made: dict[Expression, ir.Value] = {SOURCE: self._starts[source.value]}
        for step in steps_of(function.expression):
            key = source.value, step
            if key not in self._steps:
                operands = [self._operand(operand, step, made, rank) for operand in step.operands]
                fresh = ir.Node(
                    "", step.node.op_type, operands, list(step.node.attributes.values()), outputs=[like(source.value)]
                )
                self._nodes.append(fresh)
                self._steps[key] = fresh.outputs[0]
            made[step] = self._steps[key]
        return made[function.expression]

    def _operand(
        self, operand: Source | Constant | Step | None, step: Step, made: dict[Expression, ir.Value], rank: int
    ) -> ir.Value | None:
        if operand is None:
            return None
        if isinstance(operand, Constant):
            array = along_channels(operand.array, rank) if step.node.op_type in BINARY else operand.array
            return self.constant(array)
        return made[operand]


def like(value: ir.Value, *, floats: bool = False) -> ir.Value:
    """A new tensor of the same shape, in floats if asked for or if its type is not known."""
    kind = ir.DataType.FLOAT if floats or value.dtype is None else value.dtype
    return ir.Value(shape=value.shape, type=ir.TensorType(kind))


def along_channels(array: Array, rank: int) -> Array:
    """Numbers of channels, shaped to be broadcast against (N, C, …)."""
    return array if array.ndim == 0 else array.reshape((-1,) + (1,) * (rank - 2))
