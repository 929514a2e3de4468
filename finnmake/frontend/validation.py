"""What a model must be before anything is done with it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps, describe
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.shape_inference import unknown_op
from finnmake.graph.standard_ops import is_standard


def validate(model: ModelWrapper, custom_ops: CustomOps) -> None:
    """Checks ops and constants.

    Raises:
        ModelError: for an op that is not known or has too few or too many inputs or outputs, a constant with NaN or
            infinity, control flow.
    """
    for node in model.graph:
        if custom_ops.find(node) is None and not is_standard(node):
            raise unknown_op(node)
        _check_arity(node, custom_ops, model.model.opset_imports.get("", 0))
        if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
            raise ModelError(
                f"{node.op_type} is control flow, which has no hardware",
                where=describe(node),
                remedy="Export the model for inference with fixed control flow.",
            )
    for value in model.graph.initializers.values():
        _check_finite(value)


def fix_batch(model: ModelWrapper) -> list[ir.Value]:
    """The graph's inputs, their first dimension set to 1 where it was left open.

    Raises:
        ModelError: where another dimension is open, or the batch size is not 1.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    for value in inputs:
        where = f"input {value.name}"
        if value.shape is None:
            raise ModelError("has no shape", where=where, remedy="Export the model with a fixed input shape.")
        dims: list[int | None] = [dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape]
        dims[:1] = [1 if dim is None else dim for dim in dims[:1]]
        if None in dims:
            raise ModelError(
                f"its shape {value.shape} is dynamic",
                where=where,
                remedy="Export the model with a fixed input shape; the first dimension (batch) alone may stay open.",
            )
        value.shape = ir.Shape([int(dim or 1) for dim in dims])
    return inputs


def _check_arity(node: ir.Node, custom_ops: CustomOps, opset: int) -> None:
    """Inputs and outputs are as many as the op has: whatever comes later may index them."""
    op = custom_ops.find(node)
    if op is not None:
        inputs, outputs = op.inputs, (1, 1)
    elif opset < 1:
        return  # the model says no version: refused by that
    else:
        try:
            schema = onnx.defs.get_schema(node.op_type, opset, "")
        except (onnx.defs.SchemaError, TypeError):  # TypeError: a damaged name that is no text
            raise unknown_op(node) from None
        inputs, outputs = (schema.min_input, schema.max_input), (schema.min_output, schema.max_output)
    for what, (least, most), count in (("inputs", inputs, len(node.inputs)), ("outputs", outputs, len(node.outputs))):
        if not least <= count <= most:
            limit = f"at least {least}" if count < least else f"at most {most}"
            raise ModelError(
                f"has {count} {what}, {node.op_type} has {limit}",
                where=describe(node),
                remedy="The file is damaged: export or copy the model again.",
            )


def _check_finite(value: ir.Value) -> None:
    if value.const_value is None or (value.dtype is None and value.const_value.dtype == ir.DataType.STRING):
        return
    try:
        array = value.const_value.numpy()
    except (ValueError, TypeError, AssertionError) as problem:  # AssertionError: onnx-ir, data of another type
        raise ModelError(
            f"its data does not fit its type and shape: {problem}",
            where=f"tensor {value.name}",
            remedy="The file is damaged: export or copy the model again.",
        ) from None
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    bad = int(array.size - np.isfinite(array).sum())
    users = ", ".join(describe(node) for node in value.consumers()) or "no node"
    if all(node.op_type in ("Clip", "Pad") for node in value.consumers()):
        return  # an open bound
    raise ModelError(
        f"{bad} of its {array.size} values are NaN or infinite",
        where=f"tensor {value.name}, used by {users}",
        remedy="The training diverged or the file is damaged: train or export the model again.",
    )
