"""Datatypes of a node's outputs from those of its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import CustomOps, TensorInfo, attribute, describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.shape_inference import tensor_info
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.tensors import get_constant, get_datatype, get_shape, set_datatype

_MOVES = frozenset(
    {
        *("Reshape", "Transpose", "Flatten", "Slice", "Gather", "GatherElements", "GatherND", "Identity", "Expand"),
        *("MaxPool", "GlobalMaxPool", "Squeeze", "Unsqueeze", "Tile", "Split", "DepthToSpace", "SpaceToDepth"),
    }
)
_SUMS = frozenset({"MatMul", "Gemm", "Conv", "Add", "Sub", "Mul"})
_FLOAT = DataType["FLOAT32"]


def infer_datatypes(node: ir.Node, custom_ops: CustomOps) -> None:
    """Annotates a node's outputs in place; those of ops that nothing is known of stay as they are.

    Raises:
        ModelError: for a custom op whose input has no shape.
    """
    op = custom_ops.find(node)
    if op is not None:
        infos = [tensor_info(v, describe(node)) if v is not None else TensorInfo((), _FLOAT) for v in node.inputs]
        for value, datatype in zip(node.outputs, op.infer_datatypes(node, infos), strict=True):
            set_datatype(value, datatype)
        return
    found = _standard(node) if is_standard(node) and node.inputs and node.inputs[0] is not None else None
    if found is not None:
        for value in node.outputs[: 1 if node.op_type == "MaxPool" else None]:
            set_datatype(value, found)


def _standard(node: ir.Node) -> AnyDataType | None:
    """The datatype of a standard op's outputs, None where nothing is known."""
    datatypes = [get_datatype(value) for value in node.inputs if value is not None]
    first = datatypes[0]
    if node.op_type in _MOVES:
        return first
    if node.op_type in _SUMS:
        return _sum(node, datatypes)
    if node.op_type in ("Resize", "Upsample"):
        return first if attribute(node, "mode", "nearest") == "nearest" else _FLOAT
    if node.op_type == "Concat":
        return _union(datatypes)
    if node.op_type == "QuantizeLinear":
        kind = node.outputs[0].dtype
        return None if kind is None else DataType.from_numpy(kind.numpy())
    if not first.is_integer():
        return None
    low, high = int(first.min()), int(first.max())
    if node.op_type == "Relu":
        return DataType.smallest_for_range(max(0, low), max(0, high))
    if node.op_type == "Sign":
        return first if first.name == "BIPOLAR" else DataType["TERNARY"]
    if node.op_type == "Pad":
        return _union([first, DataType.get_smallest_possible(_pad_value(node))])
    return None


def _sum(node: ir.Node, datatypes: Sequence[AnyDataType]) -> AnyDataType:
    """INT32 or UINT32, wider where that holds less than the operands can make, narrower where that is known."""
    if not all(datatype.is_integer() for datatype in datatypes):
        return _FLOAT
    limits = [max(abs(int(datatype.min())), int(datatype.max())) for datatype in datatypes]
    if node.op_type in ("Add", "Sub"):
        reach = sum(limits)
    else:
        weights = get_shape(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] is not None else None
        terms = 1
        if weights is not None and node.op_type in ("MatMul", "Gemm"):
            terms = max(weights[-2:]) if node.op_type == "Gemm" else weights[max(0, len(weights) - 2)] if weights else 1
        elif weights is not None and node.op_type == "Conv":
            terms = math.prod(weights[1:])
        reach = terms * limits[0] * limits[1] + sum(limits[2:])
    signed = node.op_type == "Sub" or any(datatype.signed() for datatype in datatypes)
    needed = reach.bit_length() + signed
    if needed > 64:
        return _FLOAT
    result = DataType[f"{'INT' if signed else 'UINT'}{max(32, needed)}"]
    known = get_datatype(node.outputs[0])
    inside = known.is_integer() and known.min() >= result.min() and known.max() <= result.max()
    return known if inside else result


def _union(datatypes: Sequence[AnyDataType]) -> AnyDataType:
    """The smallest type that holds the values of all."""
    if all(datatype == datatypes[0] for datatype in datatypes):
        return datatypes[0]
    if not all(datatype.is_integer() for datatype in datatypes):
        return _FLOAT
    low, high = min(int(d.min()) for d in datatypes), max(int(d.max()) for d in datatypes)
    holder = next((d for d in datatypes if d.min() <= low and d.max() >= high and d.name != "BIPOLAR"), None)
    return holder or DataType.smallest_for_range(low, high)


def _pad_value(node: ir.Node) -> float:
    if attribute(node, "mode", "constant") != "constant":
        return float(get_datatype(node.inputs[0]).min()) if node.inputs[0] is not None else 0.0
    given = get_constant(node.inputs[2]) if len(node.inputs) > 2 else attribute(node, "value", 0.0)
    return 0.0 if given is None else float(np.asarray(given).ravel()[0])
