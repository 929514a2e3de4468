"""MergeONNXModels: one model behind another."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Transformation


class MergeONNXModels(Transformation):
    """Puts a model before the one that is transformed: its first output becomes the other's first input.

    Precondition: the two have the same shape; the models are of one opset.
    Postcondition: the function of both, one after the other, bit for bit. Nodes and tensors are named by position. The
    first model's further inputs come first, its further outputs last.

    Args:
        pre_model: what goes before; stays as it is.

    Raises:
        ModelError: where shapes, element types or opsets differ.
    """

    def __init__(self, pre_model: ModelWrapper) -> None:
        self._before = pre_model

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """The merged model."""
        before, behind = self._before.copy(), model.copy()
        for domain, version in behind.model.opset_imports.items():
            if before.model.opset_imports.setdefault(domain, version) != version:
                raise ModelError(
                    f"the models have opsets {before.model.opset_imports[domain]} and {version} of domain {domain!r}",
                    remedy="Export both with one opset.",
                )
        output, entry = before.graph.outputs[0], _first_input(behind)
        if get_shape(output) != get_shape(entry) or output.dtype != entry.dtype:
            made, taken = (f"{value.name} is {value.dtype} {value.shape}" for value in (output, entry))
            raise ModelError(
                f"output {made}, input {taken}",
                remedy="Merge models of which the first gives what the second takes.",
            )
        _append(before.graph, behind.graph, output, entry)
        name_by_position(before)
        return before


def _first_input(model: ModelWrapper) -> ir.Value:
    found = next((value for value in model.graph.inputs if not value.is_initializer()), None)
    if found is None:
        raise ModelError("the second model has no input")
    return found


def _append(graph: ir.Graph, other: ir.Graph, output: ir.Value, entry: ir.Value) -> None:
    """Moves all of another graph to the end of this one."""
    entry.replace_all_uses_with(output, replace_graph_outputs=True)
    outputs = [*other.outputs, *list(graph.outputs)[1:]]
    inputs = [value for value in other.inputs if value is not entry and not value.is_initializer()]
    nodes, constants = list(other), list(other.initializers.values())
    other.outputs.clear()
    other.inputs.clear()
    other.initializers.clear()
    other.remove(nodes)
    graph.outputs.clear()
    for index, value in enumerate(constants):
        value.name = f"second model {index}"
        while value.name in graph.initializers:
            value.name = f"{value.name}'"
        graph.initializers.add(value)
    graph.inputs.extend(inputs)
    graph.extend(nodes)
    graph.outputs.extend(outputs)
