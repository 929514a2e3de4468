"""Tidying that leaves a graph's function alone: what ``ModelWrapper.transform`` does behind every transformation."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.annotations import copy_annotations
from finnmake.graph.model_files import sort_nodes

_COMMUTATIVE = frozenset({"Add", "Mul", "And", "Or", "Xor", "Sum"})


def clean_up(graph: ir.Graph) -> None:
    """All of this module, in the order in which qonnx has it.

    Raises:
        ModelError: where the graph has a cycle.
    """
    remove_unused_tensors(graph)
    remove_static_graph_inputs(graph)
    sort_nodes(graph)
    sort_commutative_inputs(graph)
    give_unique_parameter_tensors(graph)


def remove_unused_tensors(graph: ir.Graph) -> None:
    """Removes initialisers that no node uses and that are no output."""
    for value in list(graph.initializers.values()):
        if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
            del graph.initializers[str(value.name)]


def remove_static_graph_inputs(graph: ir.Graph) -> None:
    """Initialisers are no inputs: before ONNX IR 4 they had to be listed as both."""
    for value in [value for value in graph.inputs if value.is_initializer()]:
        graph.inputs.remove(value)


def sort_commutative_inputs(graph: ir.Graph) -> None:
    """Puts the constants of commutative ops last, keeping the order otherwise."""
    for node in graph:
        if node.op_type in _COMMUTATIVE and node.domain in ("", "ai.onnx"):
            ordered = sorted(node.inputs, key=lambda value: value is not None and value.is_initializer())
            for index, value in enumerate(ordered):
                if node.inputs[index] is not value:
                    node.replace_input_with(index, value)


def give_unique_parameter_tensors(graph: ir.Graph) -> None:
    """Gives each use of an initialiser its own tensor, so that changing one node's constant changes no other node's."""
    shared = {value for value in graph.initializers.values() if len(value.uses()) > 1}
    if not shared:
        return
    names = {value.name for node in graph for value in node.outputs} | set(graph.initializers)
    names.update(value.name for value in graph.inputs)
    copies: dict[ir.Value, int] = {}
    for node in graph:
        for index, value in enumerate(node.inputs):
            if value is None or value not in shared:
                continue
            if value in copies:
                node.replace_input_with(index, _duplicate(graph, value, copies, names))
            else:
                copies[value] = 0


def _duplicate(graph: ir.Graph, value: ir.Value, copies: dict[ir.Value, int], names: set[str | None]) -> ir.Value:
    name = value.name
    while name in names:
        copies[value] += 1
        name = f"{value.name}_{copies[value]}"
    names.add(name)
    fresh = ir.Value(name=name, shape=value.shape, type=value.type, const_value=value.const_value)
    copy_annotations(value, fresh)
    graph.initializers.add(fresh)
    return fresh
