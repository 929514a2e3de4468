"""Add, Sub and Mul as ElementwiseAdd, ElementwiseSub and ElementwiseMul."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import Array
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.transformation.hardware import (
    insert_hardware,
    insert_layer,
    integer_frame,
    replace_by_value,
    vectors_per_frame,
)
from finnmake.transformation.to_hls.broadcasting import repeated
from finnmake.transformation.to_hls.conversion import MOST_BITS
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.stream_datatypes import (
    ELEMENTWISE_OPERATIONS,
    constant_datatype,
    elementwise_result,
    operation_result,
)


class InferElementwiseBinaryOperation(InferLayer):
    """Makes every Add, Sub and Mul of integers an elementwise layer: of two streams, or of a stream and a constant.

    Shapes are broadcast: a smaller stream is repeated first (UpsampleNearestNeighbour), a constant is held once for
    each element of the dimensions that it differs in. A constant minus a stream is the stream times -1 plus the
    constant. The scale and bias behind the last layer, whose results are floats, stay for the host.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; PE is 1. The output's datatype holds every result of the inputs' datatypes.
    """

    op_types = tuple(ELEMENTWISE_OPERATIONS)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Layers for one node."""
        left, right, shape = node.inputs[0], node.inputs[1], get_shape(node.outputs[0])
        if left is None or right is None or shape is None or not get_datatype(node.outputs[0]).is_integer():
            return None
        constants = [get_constant(left), get_constant(right)]
        streams = [
            value for value, array in zip((left, right), constants, strict=True) if array is None and _is_stream(value)
        ]
        if len(streams) + sum(array is not None for array in constants) < 2 or not streams:
            return None
        wide = next((get_datatype(value) for value in streams if get_datatype(value).bitwidth() > MOST_BITS), None)
        if wide is not None:
            return Refusal(f"its input is {wide}", f"Quantise it to {MOST_BITS} bits or fewer.")
        if len(streams) == 2:
            return _of_streams(node, streams, shape)
        array = next(np.asarray(array) for array in constants if array is not None)
        if (array != np.rint(array)).any():
            return Refusal("its constant is not whole numbers", "Quantise the constant.")
        return _with_constant(node, streams[0], array, shape, constant_first=constants[0] is not None)


class InferStreamingEltwise(InferElementwiseBinaryOperation):
    """Makes every Sub of two streams of integers an ElementwiseSub; see ``InferElementwiseBinaryOperation``."""

    op_types = ("Sub",)

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Sub of two streams."""
        if any(get_constant(value) is not None for value in node.inputs):
            return None
        return super().infer(model, node)


def _is_stream(value: ir.Value) -> bool:
    return integer_frame(value) is not None


def _of_streams(node: ir.Node, streams: Sequence[ir.Value], shape: tuple[int, ...]) -> Refusal | None:
    larger = [repeated(node, value, shape) for value in streams]
    operands = [value for value in larger if value is not None]
    if len(operands) < 2:
        shapes = " and ".join(str(list(get_shape(value) or ())) for value in streams)
        return Refusal(f"broadcasts {shapes} to {list(shape)}", "Repeat along rows, columns or channels only.")
    datatypes = get_datatype(operands[0]), get_datatype(operands[1])
    output = elementwise_result(node)
    if output is None:
        return _too_wide(datatypes)
    structure = {**_structure(shape[-1], vectors_per_frame(shape), *datatypes, output), "rhs_style": "input"}
    fresh = insert_layer(node, f"Elementwise{node.op_type}", operands, structure, [(shape, output)])[0]
    replace_by_value([node], fresh)
    return None


def _with_constant(
    node: ir.Node, stream: ir.Value, array: Array, shape: tuple[int, ...], *, constant_first: bool
) -> Refusal | None:
    op_type, source = node.op_type, repeated(node, stream, shape)
    if source is None:
        return Refusal(f"broadcasts {list(get_shape(stream) or ())} to {list(shape)}", "Let the constant be smaller.")
    if constant_first and op_type == "Sub":
        negated = _constant_layer(node, "Mul", source, np.array(-1.0), shape)
        if negated is None:
            return _too_wide([get_datatype(source)])
        source, op_type = negated, "Add"
    fresh = _constant_layer(node, op_type, source, array, shape, node.outputs[0])
    if fresh is None:
        return _too_wide([get_datatype(source), constant_datatype(array)])
    replace_by_value([node], fresh)
    return None


def _constant_layer(
    node: ir.Node,
    op_type: str,
    source: ir.Value,
    array: Array,
    shape: tuple[int, ...],
    result: ir.Value | None = None,
) -> ir.Value | None:
    """A layer with a constant, before a node; None where its results are too wide."""
    datatypes = get_datatype(source), constant_datatype(array)
    output = operation_result(op_type, *datatypes, get_datatype(result) if result is not None else None)
    if output is None or datatypes[1].bitwidth() > MOST_BITS or not isinstance(node.graph, ir.Graph):
        return None
    per_channel = np.broadcast_to(array, shape)
    aligned = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    differs = [axis for axis, size in enumerate(aligned.shape) if size > 1]
    # The constant is one vector: from the first dimension that it differs in to the last of the tensor.
    first = min(differs, default=len(shape) - 1)
    vectors = math.prod(shape[1:first])
    values = per_channel.reshape(vectors, -1)[0] if differs else array.reshape(1)
    held = add_initialiser(node.graph, values.astype(np.float32), f"{node.name} constant", datatypes[1])
    structure = {
        **_structure(math.prod(shape[first:]), vectors, *datatypes, output),
        "rhs_style": "const",
        "ram_style": "auto",
    }
    return insert_hardware(node, f"Elementwise{op_type}", source, structure, output, shape, [held])


def _structure(
    channels: int, vectors: int, lhs: AnyDataType, rhs: AnyDataType, output: AnyDataType
) -> dict[str, int | str | bool]:
    return {
        "NumChannels": channels,
        "PE": 1,
        "lhs_dtype": lhs.name,
        "rhs_dtype": rhs.name,
        "out_dtype": output.name,
        "numInputVectors": vectors,
    }


def _too_wide(datatypes: Sequence[AnyDataType]) -> Refusal:
    names = " and ".join(datatype.name for datatype in datatypes)
    return Refusal(f"its results, of {names}, are too wide", f"Quantise its inputs to {MOST_BITS} bits or fewer.")
