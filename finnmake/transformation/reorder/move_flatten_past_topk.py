"""MoveFlattenPastTopK: the largest scores are the same before they are flattened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import replace_value
from finnmake.graph.model_wrapper import get_datatype, get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.affine import sole_user
from finnmake.transformation.local_rewrite import LocalRewrite


@dataclass(frozen=True)
class _Flattened:
    flatten: ir.Node
    source: ir.Value
    shape: tuple[int, ...]
    topk: ir.Node


class MoveFlattenPastTopK(LocalRewrite[_Flattened]):
    """Moves a Flatten (or Reshape) of (1, …, 1, C) to (1, C) past the TopK of the last axis behind it.

    Each output of TopK that is in use is flattened instead.

    Precondition: shapes are known; the scores lie along the last axis (NHWC with one pixel).
    Postcondition: the same function, bit for bit; no such Flatten has a TopK as its only user. Ends as each rewrite
    takes a Flatten from in front of a TopK.
    """

    def match(self, node: ir.Node) -> _Flattened | None:
        """A Flatten with a TopK behind it."""
        if node.op_type not in ("Flatten", "Reshape") or not is_standard(node) or node.inputs[0] is None:
            return None
        shape, flat, user = get_shape(node.inputs[0]), get_shape(node.outputs[0]), sole_user(node.outputs[0])
        if shape is None or flat is None or user is None or user.op_type != "TopK" or not is_standard(user):
            return None
        if len(flat) != 2 or len(shape) < 2 or shape != (flat[0], *(1,) * (len(shape) - 2), flat[1]):
            return None
        return _Flattened(node, node.inputs[0], shape, user) if attribute(user, "axis", -1) in (-1, 1) else None

    def replace(self, graph: ir.Graph, match: _Flattened) -> Iterable[ir.Node]:
        """Flattens behind TopK."""
        topk, shape = match.topk, match.shape
        topk.replace_input_with(0, match.source)
        topk.attributes.add(ir.AttrInt64("axis", -1))
        for value in topk.outputs:
            flat = get_shape(value) or (1, 1)
            if value.uses() or value.is_graph_output():
                flatten = ir.node("Flatten", [value], {"axis": 1})
                result = flatten.outputs[0]
                result.shape, result.type = ir.Shape(list(flat)), value.type
                set_datatype(result, get_datatype(value))
                graph.insert_after(topk, flatten)
                replace_value(value, result)
                flatten.replace_input_with(0, value)
            value.shape = ir.Shape([*shape[:-1], flat[-1]])
        graph.remove(match.flatten, safe=True)
        return ()
