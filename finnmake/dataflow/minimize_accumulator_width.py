"""MinimizeAccumulatorWidth: accumulators and thresholds as wide as the weights at hand need."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.thresholding import Thresholding
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, set_datatype
from finnmake.transformation.base import Rewrite

_INPUT_DATATYPE: Mapping[str, str] = {
    "MatrixVectorActivation": "inputDataType",
    "Thresholding": "inputDataType",
    "LabelSelect": "inputDataType",
    "StreamingFIFO": "datatype",
    "StreamingDataWidthConverter": "datatype",
}
"""The attribute that says what a node takes, by op type."""

_PASS_ON = frozenset({"StreamingFIFO", "StreamingDataWidthConverter"})
"""Layers that give what they take."""


class MinimizeAccumulatorWidth(Rewrite):
    """Gives accumulators and thresholds the smallest datatypes that hold the values that can occur.

    The range of an accumulator is that of the worst output for the worst input: per output, the sum over its weights of
    the least and of the largest product with an input of the input's datatype. Thresholds beyond the range are moved to
    its ends: they are reached always, or never, as before. Where the accumulator is a layer's output
    (``noActivation``), the layers behind take the narrower datatype; where a layer behind works on several streams, the
    accumulator stays as it is.

    The datatypes depend on the weights' values: a retrained network may get other cores. Without this
    transformation, the structure depends on shapes and datatypes only.

    Precondition: hardware layers with parameters.
    Postcondition: same outputs, bit for bit.

    Raises:
        ModelError: a layer whose attributes or parameters are not legal.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.graph:
            if not is_hardware(node):
                continue
            layer = layer_from_node(node)
            if isinstance(layer, MatrixVectorActivation):
                if layer.noActivation and not _all_can_be_told(node.outputs[0]):
                    continue
                minimum, maximum = layer.accumulator_range()
                accumulator = DataType.smallest_for_range(minimum, maximum)
                node.attributes.add(ir.AttrString("accDataType", accumulator.name))
                if layer.noActivation:
                    node.attributes.add(ir.AttrString("outputDataType", accumulator.name))
                    _set_datatype(node.outputs[0], accumulator)
                else:
                    _clip_thresholds(model.graph, node, 2, minimum, maximum)
            elif isinstance(layer, Thresholding):
                source = layer.input_stream().datatype
                narrow = _clip_thresholds(model.graph, node, 1, int(source.min()), int(source.max()))
                node.attributes.add(ir.AttrString("thresholdDataType", narrow.name))


def _all_can_be_told(value: ir.Value) -> bool:
    """True where every hardware layer that takes a stream is of a type whose input datatype can be changed alone."""
    pending = [value]
    while pending:
        for user in pending.pop().consumers():
            if is_hardware(user) and user.op_type not in _INPUT_DATATYPE:
                return False
            if user.op_type in _PASS_ON:
                pending.append(user.outputs[0])
    return True


def _set_datatype(value: ir.Value, datatype: AnyDataType) -> None:
    """Annotates a stream and tells the hardware layers that take it."""
    pending = [value]
    while pending:
        tensor = pending.pop()
        set_datatype(tensor, datatype)
        for user in tensor.consumers():
            if is_hardware(user) and user.inputs[0] is tensor:
                user.attributes.add(ir.AttrString(_INPUT_DATATYPE[user.op_type], datatype.name))
                if user.op_type in _PASS_ON:
                    pending.append(user.outputs[0])


def _clip_thresholds(graph: ir.Graph, node: ir.Node, index: int, minimum: int, maximum: int) -> AnyDataType:
    """Moves a node's thresholds into ``minimum … maximum + 1``; gives the smallest datatype that holds them."""
    value = node.inputs[index]
    thresholds = get_constant(value)
    if value is None or thresholds is None:  # a layer without thresholds is refused before
        return DataType.smallest_for_range(minimum, maximum + 1)
    clipped = np.clip(thresholds, minimum, maximum + 1).astype(thresholds.dtype)
    datatype = DataType.smallest_for_range(int(clipped.min()), int(clipped.max()))
    if len(value.uses()) > 1:
        value = add_initialiser(graph, clipped, str(value.name), datatype)
        node.replace_input_with(index, value)
    else:
        value.const_value = ir.Tensor(clipped, name=value.name)
        set_datatype(value, datatype)
    return datatype
