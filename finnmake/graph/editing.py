"""Small changes of a graph that front ends and transformations have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import ModelWrapper, set_datatype


def add_initialiser(
    graph: ir.Graph, array: NDArray[Any] | np.generic, hint: str, datatype: AnyDataType | None = None
) -> ir.Value:
    """A new initialiser of the graph.

    Args:
        graph: to add it to.
        array: its value.
        hint: its name where that is free; ``name_by_position`` gives the final one.
        datatype: its annotation.
    """
    ordered = np.asarray(array, order="C")
    value = ir.Value(
        shape=ir.Shape(list(ordered.shape)),
        type=ir.TensorType(ir.DataType.from_numpy(ordered.dtype)),
        const_value=ir.Tensor(ordered),
    )
    name, count = hint, 0
    while name in graph.initializers:
        count += 1
        name = f"{hint} {count}"
    value.name = name
    graph.initializers.add(value)
    if datatype is not None and datatype.is_integer():
        set_datatype(value, datatype)
    return value


def remove_unused_nodes(model: ModelWrapper) -> None:
    """Removes nodes whose outputs lead to no output of the graph."""
    for node in reversed(list(model.graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            model.graph.remove(node, safe=True)


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Makes all users of a tensor, and the graph's outputs, use another one."""
    old.replace_all_uses_with(new, replace_graph_outputs=True)
