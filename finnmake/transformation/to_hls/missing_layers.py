"""What is said of nodes that are no hardware layers: which transformation was not run, or why there is no layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.expression import ELEMENTWISE
from finnmake.graph.model_wrapper import get_constant, get_datatype
from finnmake.transformation.hardware import MOST_BITS
from finnmake.transformation.streamline.integer_graph import REASON_KEY
from finnmake.transformation.to_hls.infer_layer import REMEDY_KEY

_STEPS: Mapping[str, str] = {
    "Add": "InferElementwiseBinaryOperation",
    "Concat": "InferConcatLayer",
    "Conv": "LowerToChannelsLast",
    "DepthToSpace": "InferDepthToSpace",
    "DepthwiseMatMul": "InferVectorVectorActivation",
    "Im2Col": "InferConvInpGen",
    "MaxPool": "LowerToChannelsLast",
    "MaxPoolNHWC": "InferPool",
    "Mul": "InferElementwiseBinaryOperation",
    "Pad": "InferFMPadding",
    "QuantAvgPool2d": "InferPool",
    "ReduceSum": "InferGlobalAccPoolLayer",
    "Requant": "InferRequantLayer",
    "Resize": "InferUpsample",
    "Slice": "InferCrop",
    "Split": "InferSplitLayer",
    "Sub": "InferElementwiseBinaryOperation",
    "Transpose": "InferShuffle",
    "Upsample": "InferUpsample",
}
"""Ops on integers, each with the transformation that makes layers of them, or the way for it."""

_WITHOUT_EFFECT = frozenset(["Flatten", "Reshape", "Squeeze", "Unsqueeze"])
"""Ops on integers that a stream does not notice: they are gone as soon as their neighbours are layers."""

_UNDERSTOOD = frozenset(ELEMENTWISE) | {
    *("BipolarQuant", "Flatten", "Gemm", "MatMul", "MultiThreshold", "Quant", "Reshape", "TopK", "Transpose")
}
"""Ops that become layers, or parts of them, in the right surroundings."""

_MOST_LINES = 8

_REMEDY = "Leave it out of the network, or compute it on the host."

_REMEDIES = {
    "MatMul": "Quantise weights and input activations (QuantLinear with weight and input quantisers).",
    "Conv": "Quantise weights and input activations (QuantConv2d with weight and input quantisers).",
    "Quant": "Quantise the tensor it works on with one scale per tensor, or per output channel for weights.",
    "MultiThreshold": "Let it work on quantised integers.",
    "Softmax": "Leave Softmax to the host: it does not change which class is the largest.",
}


def no_layers(left: Sequence[ir.Node]) -> ModelError:
    """The error for nodes that are no hardware layers.

    Ops on integers that no transformation has looked at are named once each, with their number, the first of them and
    the transformation; other nodes one by one, with the reason and the remedy.
    """
    integers = [node for node in left if _is_of_integers(node)]
    lines = _lines_of_integers(integers)
    others = [node for node in left if not _is_of_integers(node)]
    # An op that nothing here understands is why the nodes around it are left; they would hide it.
    causes = [node for node in others if node.op_type not in _UNDERSTOOD or REMEDY_KEY in node.metadata_props] or others
    for node in causes[:_MOST_LINES]:
        reason = node.metadata_props.get(REASON_KEY) or _reason(node)
        remedy = node.metadata_props.get(REMEDY_KEY) or _REMEDIES.get(node.op_type, _REMEDY)
        lines.append(f"{describe(node)}: {reason}. {remedy}")
    rest = len(others) - len(causes[:_MOST_LINES])
    if rest:
        lines.append(f"{rest} more node{'s are' if rest > 1 else ' is'} left with them.")
    plural = f"{len(left)} nodes have" if len(left) > 1 else "1 node has"
    return ModelError(f"{plural} no hardware layer", remedy="\n  ".join(lines))


def _is_of_integers(node: ir.Node) -> bool:
    if node.op_type not in _STEPS and node.op_type not in _WITHOUT_EFFECT:
        return False
    tensors = [v for v in (*node.inputs, *node.outputs) if v is not None and get_constant(v) is None]
    return REASON_KEY not in node.metadata_props and all(get_datatype(value).is_integer() for value in tensors)


def _lines_of_integers(nodes: Sequence[ir.Node]) -> list[str]:
    groups: dict[str, list[ir.Node]] = {}
    for node in nodes:
        groups.setdefault(node.op_type, []).append(node)
    named = {op_type: group for op_type, group in groups.items() if op_type in _STEPS} or groups
    return [
        f"{op_type}: {len(group)} node{'s' if len(group) > 1 else ''} of integers, "
        f"{'first ' if len(group) > 1 else ''}{group[0].name}." + _step(op_type)
        for op_type, group in named.items()
    ]


def _step(op_type: str) -> str:
    return f" {_STEPS[op_type]} makes layers of it." if op_type in _STEPS else ""


def _reason(node: ir.Node) -> str:
    floats = [
        v.name for v in node.inputs if v is not None and v.const_value is None and not get_datatype(v).is_integer()
    ]
    if node.op_type in ("MatMul", "Conv", "MultiThreshold", "TopK") and floats:
        return f"its input {floats[0]} is not integers"
    if node.op_type == "MatMul":
        return _reason_of_product(node)
    if node.op_type == "MultiThreshold":
        return "its channels are not innermost, or its thresholds or outputs are not integers"
    if node.op_type in ELEMENTWISE:
        return f"{node.op_type} on activations must be followed by a quantiser"
    return f"{node.op_type} has no layer"


def _reason_of_product(node: ir.Node) -> str:
    for what, value in zip(("input", "weights"), node.inputs, strict=False):
        datatype = get_datatype(value) if value is not None else None
        if datatype is not None and datatype.is_integer() and datatype.bitwidth() > MOST_BITS:
            verb = "is" if what == "input" else "are"
            return f"its {what} {verb} {datatype}, and a layer takes at most {MOST_BITS} bits"
    return "a layer takes inputs of shape (1, …, elements) and a constant matrix of integers"
