"""One spelling for what exporters write in many ways.

After it: ops have the forms of one opset, constants are folded (weights stay behind their quantisers, which know the
scale), reshapes keep the batch dimension first whatever its size, Gemm is MatMul and Add, quantisers have one domain,
and every tensor has a shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOps, attribute, describe
from finnmake.graph.editing import add_initialiser, remove_unused_nodes
from finnmake.graph.general_ops import GENERAL_DOMAIN, QUANTISER_DOMAINS
from finnmake.graph.limits import check_size
from finnmake.graph.model_files import sort_nodes
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.shape_inference import infer_node
from finnmake.graph.standard_ops import StandardRun, is_standard
from finnmake.transformation.general.opset import target_opset, upgrade

_LARGEST_FOLDED = 1 << 28
"""Bytes of a constant that folding may make, by Expand, Tile, Range and the like."""

_QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
_ONLY_SHAPE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_ONLY_NAME = frozenset({"Identity", "Dropout"})


def normalise(model: ModelWrapper, custom_ops: CustomOps) -> None:
    """Normalises in place. Precondition: ``validate`` and ``fix_batch`` have passed.

    Raises:
        ModelError: where a shape cannot be inferred, a tensor would be larger than 2 GiB or empty, or a reshape moves
            the batch dimension.
    """
    graph = model.graph
    written = model.model.opset_imports.get("", 1)
    opset = target_opset(graph, written)
    model.model.opset_imports[""] = opset
    sort_nodes(graph)
    for value in [value for value in graph.inputs if value.is_initializer()]:
        graph.inputs.remove(value)  # before ONNX IR 4 initialisers were listed as inputs too
    constant: set[ir.Value] = set()
    for node in list(graph):
        if node.domain in QUANTISER_DOMAINS and custom_ops.find(node) is not None:
            node.domain = GENERAL_DOMAIN
            node.op_type = "Quant" if node.op_type == "IntQuant" else node.op_type
        if is_standard(node):
            node.domain = ""
            upgrade(node, written, opset)
        rewrite = _rewrite_of(node)
        for fresh in rewrite(node, opset) if rewrite else [node]:
            infer_node(fresh, opset, custom_ops)
            _check_sizes(fresh)
            if all(value is None or value.const_value is not None or value in constant for value in fresh.inputs):
                constant.update(fresh.outputs)
            elif is_standard(fresh) and fresh.op_type in _ONLY_SHAPE:
                _keep_batch_first(fresh)
    remove_unused_nodes(model)
    for domain in {entry for entry in model.model.opset_imports if entry in (*QUANTISER_DOMAINS, "ai.onnx")}:
        del model.model.opset_imports[domain]
    if any(node.domain == GENERAL_DOMAIN for node in graph):
        model.model.opset_imports[GENERAL_DOMAIN] = 1


def is_normal(model: ModelWrapper) -> bool:
    """True where ``normalise`` has nothing to do."""
    written = model.model.opset_imports.get("", 1)
    return target_opset(model.graph, written) == written and not any(
        node.domain in QUANTISER_DOMAINS[1:]
        or (node.domain == "ai.onnx")
        or (is_standard(node) and node.op_type in _ONLY_SHAPE - {"Reshape"})
        or _rewrite_of(node) is not None
        or any(value.name and get_shape(value) is None for value in node.outputs)
        for node in model.graph
    )


def _check_sizes(node: ir.Node) -> None:
    """Refuses tensors that nothing could hold, and empty ones, before anything allocates them."""
    for value in node.outputs:
        shape = get_shape(value)
        if shape is not None:
            check_size(shape, value.dtype, describe(node))


_Rewrite = Callable[[ir.Node, int], list[ir.Node]]
_NO_OPS = CustomOps({})


def _rewrite_of(node: ir.Node) -> _Rewrite | None:
    """What to do with a node; a rewrite returns the nodes whose shapes are still to be inferred."""
    if node.op_type == "DebugMarker" and node.domain == GENERAL_DOMAIN:
        return _bypass
    if not is_standard(node):
        return None
    first = node.inputs[0] if node.inputs else None
    if node.op_type == "Constant":
        return _constant
    if node.op_type in _ONLY_NAME or (
        node.op_type == "Cast"
        and first is not None
        and first.dtype == ir.DataType.FLOAT
        and attribute(node, "to") == int(ir.DataType.FLOAT)
    ):
        return _bypass
    if node.op_type == "Shape" and first is not None and get_shape(first) is not None:
        return _shape
    if node.op_type not in _QUANTISERS and all(v is None or v.const_value is not None for v in node.inputs):
        return _fold
    return _gemm if node.op_type == "Gemm" else None


def _become(node: ir.Node, arrays: list[Array]) -> list[ir.Node]:
    """Replaces a node by constants."""
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return [node]
    for output, array in zip(node.outputs, arrays, strict=True):
        value = add_initialiser(graph, array, f"folded {output.name}")
        output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return []


def _constant(node: ir.Node, opset: int) -> list[ir.Node]:
    for name, kind in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return _become(node, [np.asarray(attribute(node, name), dtype=kind)])
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
    return _become(node, [value])


def _bypass(node: ir.Node, opset: int) -> list[ir.Node]:
    graph, source = node.graph, node.inputs[0]
    training = get_constant(node.inputs[2]) if node.op_type == "Dropout" and len(node.inputs) > 2 else None
    if (training is not None and training.any()) or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        raise ModelError(
            "drops values at random: the model is one for training",
            where=describe(node),
            remedy="Export the model in evaluation mode (model.eval()).",
        )
    if (
        isinstance(graph, ir.Graph)
        and source is not None
        and not (node.outputs[0].is_graph_output() and source.is_graph_input())
    ):
        node.outputs[0].replace_all_uses_with(source, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        return []
    return [node]


def _shape(node: ir.Node, opset: int) -> list[ir.Node]:
    source = node.inputs[0]
    shape = get_shape(source) if source is not None else None
    return _become(node, [np.asarray(shape, dtype=np.int64)[attribute(node, "start", 0) : attribute(node, "end")]])


def _fold(node: ir.Node, opset: int) -> list[ir.Node]:
    simple = _INTEGER_FOLDS.get(node.op_type)
    arrays = [get_constant(value) for value in node.inputs]
    if simple is not None and all(array is not None and array.dtype.kind == "i" for array in arrays):
        try:
            folded = simple(node, [array for array in arrays if array is not None])
        except (ValueError, IndexError) as problem:
            raise ModelError(f"its constants do not fit: {problem}", where=describe(node)) from None
        return _become(node, [folded])
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
    return _become(node, run([]))


def _axes(node: ir.Node, arrays: list[Array]) -> list[int]:
    return [int(axis) for axis in (arrays[1] if len(arrays) > 1 else attribute(node, "axes", ()))]


# Arithmetic on shapes, which legacy exporters leave in the graph. Floats go through onnxruntime, to the last bit.
_INTEGER_FOLDS: dict[str, Callable[[ir.Node, list[Array]], Array]] = {
    "Gather": lambda node, arrays: np.take(arrays[0], arrays[1], axis=attribute(node, "axis", 0)),
    "Unsqueeze": lambda node, arrays: np.expand_dims(arrays[0], tuple(_axes(node, arrays))),
    "Squeeze": lambda node, arrays: np.squeeze(arrays[0], tuple(_axes(node, arrays)) or None),
    "Concat": lambda node, arrays: np.concatenate(arrays, axis=attribute(node, "axis", 0)),
}


def _gemm(node: ir.Node, opset: int) -> list[ir.Node]:
    """Y = alpha·A'·B' + beta·C as MatMul, Mul where alpha is not 1, and Add."""
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return [node]
    fresh: list[ir.Node] = []

    def make(op_type: str, inputs: list[ir.Value | None], attributes: dict[str, object] | None = None) -> ir.Value:
        made = ir.node(op_type, inputs, attributes or {})  # type: ignore[arg-type]
        graph.insert_before(node, made)
        fresh.append(made)
        return made.outputs[0]

    def factor(value: ir.Value, name: str) -> ir.Value:
        number = float(attribute(node, name, 1.0))
        return value if number == 1.0 else make("Mul", [value, add_initialiser(graph, np.float32(number), name)])

    a, b = (
        make("Transpose", [value], {"perm": [1, 0]}) if attribute(node, flag, 0) else value
        for value, flag in zip(node.inputs[:2], ("transA", "transB"), strict=True)
    )
    result = factor(make("MatMul", [a, b]), "alpha")
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        result = make("Add", [result, factor(bias, "beta")])
    node.outputs[0].replace_all_uses_with(result, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return fresh


def _keep_batch_first(node: ir.Node) -> None:
    """Makes a change of shape a Reshape to [0, …]: 0 stands for the input's batch size."""
    source, output = node.inputs[0], node.outputs[0]
    before = get_shape(source) if source is not None else None
    after = get_shape(output)
    if before is None or after is None or source is None:
        raise ModelError("its output shape is not static", where=describe(node), remedy="Export with fixed shapes.")
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        return
    if not after or after[0] != before[0]:
        raise ModelError(
            f"reshapes {list(before)} to {list(after)}: the first dimension must stay the batch",
            where=describe(node),
            remedy="Flatten from dimension 1 on (x.flatten(1)) in the network.",
        )
    if before == after and not (output.is_graph_output() and source.is_graph_input()):
        output.replace_all_uses_with(source, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        return
    target = add_initialiser(graph, np.array([0, *after[1:]], dtype=np.int64), f"shape {output.name}")
    node.op_type = "Reshape"
    node.attributes.clear()
    node.resize_inputs(2)
    node.replace_input_with(1, target)
