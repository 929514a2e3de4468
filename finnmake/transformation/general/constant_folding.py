"""Nodes that depend on constants only become constants. Each function returns the nodes that are left: none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOps, attribute, describe
from finnmake.graph.editing import add_initialiser
from finnmake.graph.limits import check_size
from finnmake.graph.model_wrapper import get_constant, get_shape
from finnmake.graph.shape_inference import infer_node
from finnmake.graph.standard_ops import StandardRun

_NO_OPS = CustomOps({})
_LARGEST_FOLDED = 1 << 28
"""Bytes of a constant that folding may make, by Expand, Tile, Range and the like."""


def become(node: ir.Node, arrays: list[Array]) -> list[ir.Node]:
    """Replaces a node by constants."""
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return [node]
    for output, array in zip(node.outputs, arrays, strict=True):
        value = add_initialiser(graph, array, f"folded {output.name}")
        output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return []


def fold_constant(node: ir.Node, opset: int) -> list[ir.Node]:
    """A Constant node becomes an initialiser.

    Raises:
        ModelError: where its value is no dense tensor, NaN or infinite.
    """
    for name, kind in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return become(node, [np.asarray(attribute(node, name), dtype=kind)])
    if "value" not in node.attributes:
        raise ModelError(
            "its constant is neither a number nor a dense tensor",
            where=describe(node),
            remedy="Export the model with dense constants.",
        )
    value = attribute(node, "value")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ModelError(
            "its constant has NaN or infinite values", where=describe(node), remedy="Export the model again."
        )
    return become(node, [value])


def fold_shape(node: ir.Node, opset: int) -> list[ir.Node]:
    """A Shape node of a tensor of known shape becomes a constant."""
    source = node.inputs[0]
    shape = get_shape(source) if source is not None else None
    return become(node, [np.asarray(shape, dtype=np.int64)[attribute(node, "start", 0) : attribute(node, "end")]])


def fold_standard(node: ir.Node, opset: int) -> list[ir.Node]:
    """A standard node whose inputs are all constants becomes its value.

    Raises:
        ModelError: where the node cannot be executed, or its value would be larger than 256 MiB.
    """
    simple = _INTEGER_FOLDS.get(node.op_type)
    arrays = [get_constant(value) for value in node.inputs]
    if simple is not None and all(array is not None and array.dtype.kind == "i" for array in arrays):
        try:
            folded = simple(node, [array for array in arrays if array is not None])
        except (ValueError, IndexError) as problem:
            raise ModelError(f"its constants do not fit: {problem}", where=describe(node)) from None
        return become(node, [folded])
    infer_node(node, opset, _NO_OPS)
    for output in node.outputs:
        shape = get_shape(output)
        if shape is None:
            raise ModelError(
                "the shape of its constant cannot be known before it is made",
                where=describe(node),
                remedy="Fold constants when exporting the model.",
            )
        check_size(shape, output.dtype, describe(node), _LARGEST_FOLDED, empty=True)
    run = StandardRun([node], list(node.outputs), opset)
    return become(node, run([]))


def _axes(node: ir.Node, arrays: list[Array]) -> list[int]:
    return [int(axis) for axis in (arrays[1] if len(arrays) > 1 else attribute(node, "axes", ()))]


# Arithmetic on shapes, which legacy exporters leave in the graph. Floats go through onnxruntime, to the last bit.
_INTEGER_FOLDS: dict[str, Callable[[ir.Node, list[Array]], Array]] = {
    "Gather": lambda node, arrays: np.take(arrays[0], arrays[1], axis=attribute(node, "axis", 0)),
    "Unsqueeze": lambda node, arrays: np.expand_dims(arrays[0], tuple(_axes(node, arrays))),
    "Squeeze": lambda node, arrays: np.squeeze(arrays[0], tuple(_axes(node, arrays)) or None),
    "Concat": lambda node, arrays: np.concatenate(arrays, axis=attribute(node, "axis", 0)),
}
