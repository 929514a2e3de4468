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
from finnmake.graph.custom_op import CustomOps, attribute, describe
from finnmake.graph.editing import add_initialiser, remove_unused_nodes
from finnmake.graph.general_ops import GENERAL_DOMAIN, QUANTISER_DOMAINS
from finnmake.graph.limits import check_size
from finnmake.graph.model_files import sort_nodes
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.shape_inference import infer_node
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.general.constant_folding import fold_constant, fold_shape, fold_standard
from finnmake.transformation.general.gemm_to_matmul import gemm_as_matmul
from finnmake.transformation.general.opset import target_opset, upgrade

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


def _rewrite_of(node: ir.Node) -> _Rewrite | None:
    """What to do with a node; a rewrite returns the nodes whose shapes are still to be inferred."""
    if node.op_type == "DebugMarker" and node.domain == GENERAL_DOMAIN:
        return _bypass
    if not is_standard(node):
        return None
    first = node.inputs[0] if node.inputs else None
    if node.op_type == "Constant":
        return fold_constant
    if node.op_type in _ONLY_NAME or (
        node.op_type == "Cast"
        and first is not None
        and first.dtype == ir.DataType.FLOAT
        and attribute(node, "to") == int(ir.DataType.FLOAT)
    ):
        return _bypass
    if node.op_type == "Shape" and first is not None and get_shape(first) is not None:
        return fold_shape
    if node.op_type != "DequantizeLinear" and all(v is None or v.const_value is not None for v in node.inputs):
        return fold_standard
    return gemm_as_matmul if node.op_type == "Gemm" else None


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
    if not after or not before or after[0] != before[0]:
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
