"""One version of the ONNX standard: after import a model's ops have the forms of opset 18 or of a newer one.

Older forms are rewritten: what became inputs (axes, bounds, pads) are inputs. Newer models are declared as the oldest
version in which their ops are the same up to the types they take. No rewrite changes a bit of what the ops compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.editing import add_initialiser
from finnmake.graph.model_wrapper import get_shape
from finnmake.graph.standard_ops import is_standard

OPSET = 18
"""Axes are inputs of all reductions from it on. AveragePool-19 sums in another order than AveragePool-7 … 11."""

_OTHERS = (21,)
"""Opsets to declare where 18 is too old: 21 has quantisers of 4 and 16 bits."""

_NEW_IN_21 = frozenset((ir.DataType.INT4, ir.DataType.UINT4))
_SIXTEEN_BITS = frozenset((ir.DataType.INT16, ir.DataType.UINT16))
_NEWER_STILL = frozenset(
    kind
    for name in ("FLOAT4E2M1", "FLOAT8E8M0", "INT2", "UINT2")
    if (kind := getattr(ir.DataType, name, None)) is not None
)


def target_opset(nodes: Iterable[ir.Node], opset: int) -> int:
    """The version that a model of version ``opset`` is given: 18 or 21 where its ops allow it, else its own."""
    if opset <= OPSET:
        return OPSET
    standard = [node for node in nodes if is_standard(node)]
    for target in (OPSET, *_OTHERS):
        if target < opset and all(_same_at(node, opset, target) for node in standard):
            return target
    return opset


def _same_at(node: ir.Node, opset: int, target: int) -> bool:
    """True where a node means at ``target`` what it means at the newer ``opset``."""
    try:
        newer, older = (onnx.defs.get_schema(node.op_type, version, "") for version in (opset, target))
    except (onnx.defs.SchemaError, TypeError):
        return False
    kinds = {value.dtype for value in (*node.inputs, *node.outputs) if value is not None}
    if kinds & _NEWER_STILL or (target < 21 and kinds & _NEW_IN_21):
        return False
    if node.op_type in ("QuantizeLinear", "DequantizeLinear") and target < 21 and kinds & _SIXTEEN_BITS:
        return False
    if newer.since_version == older.since_version:
        return True
    if node.op_type == "AveragePool" and older.since_version < 19:
        return False
    if node.op_type == "GroupNormalization" and older.since_version < 21:
        return False
    for name in list(node.attributes):
        if name not in older.attributes and (
            name not in newer.attributes or not _is_default(node, name, newer.attributes[name].default_value)
        ):
            return False
    return len(node.inputs) <= older.max_input and len(node.outputs) <= older.max_output


def _is_default(node: ir.Node, name: str, default: onnx.AttributeProto) -> bool:
    return bool(default.name) and onnx.helper.get_attribute_value(default) == attribute(node, name)


def upgrade(node: ir.Node, opset: int, target: int) -> None:
    """Gives a node of version ``opset`` the form of version ``target``, in place.

    Args:
        node: a standard op whose inputs have shapes.
        opset: version the model was written in.
        target: of ``target_opset``.

    Raises:
        ModelError: where an old form has no new one.
    """
    if target < opset:
        known = onnx.defs.get_schema(node.op_type, target, "").attributes
        for name in [name for name in node.attributes if name not in known]:
            del node.attributes[name]
        return
    rewrite = _UPGRADES.get(node.op_type)
    if rewrite is not None and opset < rewrite[0]:
        rewrite[1](node, opset)


def _input(node: ir.Node, index: int, value: Any) -> None:
    """Makes a constant the input at ``index``, inputs not given before it empty."""
    graph = node.graph
    if isinstance(graph, ir.Graph):
        if len(node.inputs) <= index:
            node.resize_inputs(index + 1)
        node.replace_input_with(index, add_initialiser(graph, value, f"{node.op_type} {index}"))


def _integers(value: Any) -> Any:
    return np.asarray(value, dtype=np.int64)


def _moved(node: ir.Node, name: str, index: int) -> None:
    """An attribute of integers that has become an input."""
    if name in node.attributes:
        _input(node, index, _integers(attribute(node, name)))
        del node.attributes[name]


def _axes(node: ir.Node, opset: int) -> None:
    _moved(node, "axes", 1)


def _clip(node: ir.Node, opset: int) -> None:
    for index, name in ((1, "min"), (2, "max")):
        if name in node.attributes:
            _input(node, index, np.float32(attribute(node, name)))
            del node.attributes[name]


def _pad(node: ir.Node, opset: int) -> None:
    _moved(node, "pads", 1)
    if "value" in node.attributes:
        _input(node, 2, np.float32(attribute(node, "value")))
        del node.attributes["value"]


def _slice(node: ir.Node, opset: int) -> None:
    for index, name in enumerate(("starts", "ends", "axes"), 1):
        _moved(node, name, index)


def _topk(node: ir.Node, opset: int) -> None:
    if "k" in node.attributes:
        _input(node, 1, _integers([attribute(node, "k")]))
        del node.attributes["k"]


def _split(node: ir.Node, opset: int) -> None:
    _moved(node, "split", 1)
    if len(node.inputs) < 2 or node.inputs[1] is None:
        node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))


def _softmax(node: ir.Node, opset: int) -> None:
    """Before opset 13: over all dimensions from ``axis`` (1) on at once."""
    shape = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    rank = len(shape or ())
    axis = int(attribute(node, "axis", 1))
    axis += rank if axis < 0 else 0
    if shape is None or any(dim != 1 for dim in shape[axis + 1 :]):
        raise ModelError(
            f"is over all dimensions from {axis} on, as before opset 13",
            where=describe(node),
            remedy="Export the model with opset 13 or newer, or flatten the tensor before it.",
        )
    node.attributes["axis"] = ir.AttrInt64("axis", axis)


def _resize(node: ir.Node, opset: int) -> None:
    if opset < 11:
        _upsample(node, opset)
    elif attribute(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        node.replace_input_with(1, None)  # the region of interest, which nothing looks at


def _upsample(node: ir.Node, opset: int) -> None:
    """Also Resize-10, which is the same: output pixel i shows input pixel floor(i / scale)."""
    scales = node.inputs[1]
    node.op_type = "Resize"
    node.resize_inputs(3)
    node.replace_input_with(1, None)
    node.replace_input_with(2, scales)
    node.attributes["coordinate_transformation_mode"] = ir.AttrString("coordinate_transformation_mode", "asymmetric")
    node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "floor")


def _batch_norm(node: ir.Node, opset: int) -> None:
    """Old forms have outputs that inference leaves unused."""
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        raise ModelError(
            "is used for training: its running mean and variance are outputs",
            where=describe(node),
            remedy="Export the model in evaluation mode (model.eval()).",
        )
    node.resize_outputs(1)


def _scatter(node: ir.Node, opset: int) -> None:
    node.op_type = "ScatterElements"


def _group_norm(node: ir.Node, opset: int) -> None:
    raise ModelError(
        "has another form since opset 21", where=describe(node), remedy="Export the model with opset 21 or newer."
    )


_UPGRADES: Mapping[str, tuple[int, Callable[[ir.Node, int], None]]] = {
    **{f"Reduce{kind}": (18, _axes) for kind in ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp")},
    "ReduceSumSquare": (18, _axes),
    "ReduceSum": (13, _axes),
    "Squeeze": (13, _axes),
    "Unsqueeze": (13, _axes),
    "Clip": (11, _clip),
    "Pad": (11, _pad),
    "Slice": (10, _slice),
    "TopK": (10, _topk),
    "Split": (18, _split),
    "Softmax": (13, _softmax),
    "LogSoftmax": (13, _softmax),
    "Hardmax": (13, _softmax),
    "Upsample": (10, _upsample),
    "Resize": (13, _resize),
    "BatchNormalization": (14, _batch_norm),
    "Scatter": (11, _scatter),
    "GroupNormalization": (18, _group_norm),
}
"""Op type → (version in which its form changed last, what makes the new form of the old one)."""
