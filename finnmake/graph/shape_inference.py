"""Shapes and datatypes of a node's outputs, from those of its inputs."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps, TensorInfo, describe
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard

_SMALL = 64
"""Elements up to which a constant's value is given to the inference of standard ops: shapes, axes, repeats."""


def tensor_info(value: ir.Value, where: str) -> TensorInfo:
    """What is known of a node's input.

    Raises:
        ModelError: where its shape is not known.
    """
    shape = get_shape(value)
    if shape is None:
        raise ModelError(f"the shape of its input {value.name} is not known", where=where)
    return TensorInfo(shape, get_datatype(value), get_constant(value))


def infer_node(node: ir.Node, opset: int, custom_ops: CustomOps) -> None:
    """Sets shape, element type and datatype of a node's outputs in place.

    Args:
        node: its inputs' shapes are known.
        opset: version of the standard ops.
        custom_ops: table of custom ops.

    Raises:
        ModelError: for an op that is neither standard nor in the table, and where shapes do not fit.
    """
    op = custom_ops.find(node)
    if op is not None:
        infos = [
            tensor_info(value, describe(node)) if value is not None else TensorInfo((), DataType["FLOAT32"])
            for value in node.inputs
        ]
        for value, shape in zip(node.outputs, op.infer_shapes(node, infos), strict=True):
            value.shape, value.type = ir.Shape(list(shape)), ir.TensorType(ir.DataType.FLOAT)
        for value, datatype in zip(node.outputs, op.infer_datatypes(node, infos), strict=True):
            if datatype.name != "FLOAT32":
                set_datatype(value, datatype)
    elif is_standard(node):
        _infer_standard(node, opset)
    else:
        raise unknown_op(node)


def infer_where_known(node: ir.Node, opset: int, custom_ops: CustomOps) -> None:
    """``infer_node``, where the shapes of the inputs are known and the op is, or the outputs have no shapes yet."""
    if any(value is not None and get_shape(value) is None for value in node.inputs):
        return
    if is_standard(node) or custom_ops.find(node) is not None or any(get_shape(v) is None for v in node.outputs):
        infer_node(node, opset, custom_ops)


def unknown_op(node: ir.Node) -> ModelError:
    """The error for an op that nobody knows."""
    return ModelError(
        f"no op is called {node.op_type!r} in the domain {node.domain!r}",
        where=describe(node),
        remedy="Export the model with standard ONNX ops and QONNX ops (Quant, BipolarQuant), or register a CustomOp.",
    )


def _infer_standard(node: ir.Node, opset: int) -> None:
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except (onnx.defs.SchemaError, TypeError):  # TypeError: a damaged name that is no text
        raise unknown_op(node) from None
    proto = onnx.NodeProto(op_type=node.op_type)
    try:
        proto.attribute.extend(ir.serde.serialize_attribute(attribute) for attribute in node.attributes.values())
    except ir.serde.SerdeError:
        raise ModelError("has an attribute of no known type", where=describe(node), remedy="Export again.") from None
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for index, value in enumerate(node.inputs):
        name = "" if value is None else f"i{index}"
        proto.input.append(name)
        if value is None:
            continue
        shape = get_shape(value)
        if shape is None or value.dtype is None:
            raise ModelError(f"the shape or type of its input {value.name} is not known", where=describe(node))
        types[name] = onnx.helper.make_tensor_type_proto(int(value.dtype), shape)
        constant = get_constant(value)
        if constant is not None and constant.size <= _SMALL:
            data[name] = onnx.numpy_helper.from_array(constant)
    proto.output.extend(f"o{index}" for index, _ in enumerate(node.outputs))
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=[onnx.OperatorSetIdProto(domain="", version=opset)]
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ModelError(
            f"its attributes or shapes do not fit: {reason}",
            where=describe(node),
            remedy="Export the model again; the file is damaged, or written by hand.",
        ) from None
    for index, value in enumerate(node.outputs):
        result = found.get(f"o{index}")
        if result is not None and result.HasField("tensor_type"):
            value.type = ir.TensorType(ir.DataType(result.tensor_type.elem_type))
            if result.tensor_type.HasField("shape"):
                dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in result.tensor_type.shape.dim]
                value.shape = ir.Shape(dims)
