"""MoveTranspose: what the moves of Transposes past another node, or in front of it, have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.data_layout import get_layout, set_layout
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import Permutation, inverse, like, permutation_of, permuted, transpose_node
from finnmake.transformation.base import Rewrite

Array = NDArray[Any]


@dataclass(frozen=True)
class Turned:
    """What a node becomes when it works on a tensor in another order of dimensions.

    Attributes:
        permutation: makes the order that the node has now of the other one: what the Transposes behind it do.
        inputs: of the new node.
        attributes: of the new node; those of the old one where None.
        op_type: of the new node; that of the old one where empty.
        domain: of the new node; that of the old one where None.
    """

    permutation: Permutation
    inputs: Sequence[ir.Value | None]
    attributes: Mapping[str, Any] | None = None
    op_type: str = ""
    domain: str | None = None


class MoveTranspose(Rewrite):
    """Base: nodes behind a Transpose become nodes in front of one.

    One pass in the graph's order: a Transpose goes past all nodes that it can go past, one after the other. A Transpose
    that has other users stays where it is.
    """

    cancel = False
    """True where a Transpose behind the node that undoes the one that is moved goes with it."""

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in list(model.graph):
            turned = self.turned(model.graph, node)
            if turned is not None:
                replace_by_turned(model.graph, node, turned, cancel=self.cancel)
        name_by_position(model)

    @abstractmethod
    def turned(self, graph: ir.Graph, node: ir.Node) -> Turned | None:
        """What a node that has a Transpose in front of it becomes; None where the Transpose cannot go past it."""


def source_of(value: ir.Value | None) -> tuple[ir.Value, Permutation] | None:
    """What a tensor is a Transpose of, and how; None where it is none, or is used by more than one node."""
    producer = value.producer() if value is not None else None
    permutation = permutation_of(producer)
    if value is None or producer is None or permutation is None or producer.inputs[0] is None:
        return None
    if len(value.consumers()) != 1 or value.is_graph_output():
        return None
    return producer.inputs[0], permutation


def common_sources(values: Sequence[ir.Value | None]) -> tuple[list[ir.Value], Permutation] | None:
    """What tensors are Transposes of, all in the same way; None otherwise."""
    found = [source_of(value) for value in values]
    present = [each for each in found if each is not None]
    if not present or len(present) < len(found) or any(each[1] != present[0][1] for each in present):
        return None
    return [source for source, _ in present], present[0][1]


def turned_constant(graph: ir.Graph, value: ir.Value, permutation: Permutation) -> ir.Value | None:
    """A constant that is broadcast against a tensor, for the tensor before its Transpose; None where it cannot be."""
    array = get_constant(value)
    if array is None or array.ndim > len(permutation):
        return None
    if array.size == 1:
        return value if array.ndim == 0 else add_initialiser(graph, array.reshape(()), f"{value.name} turned")
    aligned = array.reshape((1,) * (len(permutation) - array.ndim) + array.shape)
    turned = np.ascontiguousarray(aligned.transpose(inverse(permutation)))
    return add_initialiser(graph, turned, f"{value.name} turned", get_datatype(value))


def replace_by_turned(graph: ir.Graph, node: ir.Node, turned: Turned, *, cancel: bool = False) -> None:
    """Puts the turned node, and a Transpose behind each of its outputs, in the place of a node."""
    attributes = dict(node.attributes) if turned.attributes is None else turned.attributes
    fresh = ir.node(
        turned.op_type or node.op_type,
        turned.inputs,
        attributes,
        domain=node.domain if turned.domain is None else turned.domain,
        num_outputs=len(node.outputs),
        metadata_props=dict(node.metadata_props),
    )
    graph.insert_after(node, fresh)
    back = inverse(turned.permutation)
    for old, new in zip(node.outputs, fresh.outputs, strict=True):
        like(new, old, permuted(get_shape(old), back))
        layout = get_layout(old)
        if layout is not None and len(layout) == len(back):
            set_layout(new, [layout[axis] for axis in back])
        users = list(old.consumers())
        if cancel and users and not old.is_graph_output() and all(permutation_of(user) == back for user in users):
            for user in users:
                replace_value(user.outputs[0], new)
                graph.remove(user, safe=True)
        elif users or old.is_graph_output():
            transpose = transpose_node(new, turned.permutation)
            graph.insert_after(fresh, transpose)
            replace_value(old, transpose.outputs[0])
    before = [value.producer() for value in node.inputs if value is not None]
    graph.remove(node, safe=True)
    for producer in dict.fromkeys(before):
        if producer is not None and permutation_of(producer) is not None and not producer.outputs[0].uses():
            graph.remove(producer, safe=True)


def put_transpose_before(graph: ir.Graph, node: ir.Node, permutation: Permutation) -> None:
    """Where all users of a node's only output turn it, makes them users of two Transposes that undo each other.

    The first input of the node becomes a Transpose and its inverse, so that the node can be turned with ``cancel``.
    """
    source = node.inputs[0]
    if source is not None:
        there = transpose_node(source, permutation)
        back = transpose_node(there.outputs[0], inverse(permutation))
        graph.insert_before(node, [there, back])
        node.replace_input_with(0, back.outputs[0])
