"""Transposes between layers as Shuffle."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import moves_nothing, permutation_of
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import is_hardware, replace_by_hardware
from finnmake.transformation.host import host_nodes
from finnmake.transformation.to_hls.sliding_windows import text


class InferShuffle(Rewrite):
    """Makes every Transpose of integers that stays inside of the accelerator a Shuffle.

    Transposes one behind the other count as one. One behind the input, or one that no layer comes after, is done by
    the host. A Shuffle holds all of a frame that its dimensions enclose: a network that needs none is smaller.

    Precondition: the other ``Infer…`` transformations but ``InferDuplicateStreamsLayer``.
    Postcondition: same outputs; SIMD is 1. A Transpose that moves the batch, or moves only dimensions of size 1, stays.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        host, before_layers = host_nodes(model.graph), _before_layers(model)
        # From the end: the last of several takes in those before it, which then may have no use.
        for node in reversed(model.get_nodes_by_op_type("Transpose")):
            if node in host or node not in before_layers or node.graph is None:
                continue
            _take_in(node, host)
            source, permutation = node.inputs[0], permutation_of(node)
            shape = get_shape(source) if source is not None else None
            if source is None or permutation is None or shape is None:
                continue
            if permutation[0] != 0 or shape[0] != 1 or moves_nothing(node) or not get_datatype(source).is_integer():
                continue
            # Dimensions of size 1 are no loops of their own.
            kept = [axis for axis in range(1, len(shape)) if shape[axis] > 1]
            places = {axis: place for place, axis in enumerate(kept)}
            structure: dict[str, int | str | bool] = {
                "in_shape": text(*(shape[axis] for axis in kept)),
                "perm": text(*(places[axis] for axis in permutation if axis in places)),
                "SIMD": 1,
                "inputDataType": get_datatype(source).name,
            }
            replace_by_hardware([node], "Shuffle", [source], structure, get_datatype(source))
        name_by_position(model)


def _take_in(node: ir.Node, host: Container[ir.Node]) -> None:
    """Lets a Transpose do what those directly before it do as well."""
    while node.inputs[0] is not None:
        before = node.inputs[0].producer()
        first, second = permutation_of(before), permutation_of(node)
        if before is None or before in host or first is None or second is None:
            return
        node.replace_input_with(0, before.inputs[0])
        node.attributes.add(ir.AttrInt64s("perm", [first[axis] for axis in second]))
        if not before.outputs[0].uses() and not before.outputs[0].is_graph_output() and before.graph is not None:
            before.graph.remove(before, safe=True)


def _before_layers(model: ModelWrapper) -> set[ir.Node]:
    """The nodes that a layer comes after."""
    found: set[ir.Node] = set()
    for node in reversed(model.nodes):
        if any(is_hardware(user) or user in found for output in node.outputs for user in output.consumers()):
            found.add(node)
    return found
