"""CreateDataflowPartition: what goes into hardware, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.expression import ELEMENTWISE, Affine, Evaluator
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.scaled_integer_analysis import IntegerFunction, ScaledInteger, analyse_from
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite
from finnmake.transformation.streamline.integer_graph import REASON_KEY
from finnmake.transformation.to_hls.hardware import MOST_BITS, is_hardware

OUTPUT_KEY = "finnmake.output_scaling"
"""Metadata of the model: JSON with ``scale`` and ``bias``, one number or one per channel: float = scale · integer +
bias."""

_UNDERSTOOD = frozenset(ELEMENTWISE) | {
    "BipolarQuant",
    "Flatten",
    "Gemm",
    "MatMul",
    "MultiThreshold",
    "Quant",
    "Reshape",
    "TopK",
    "Transpose",
}
"""Ops that become layers, or parts of them, in the right surroundings."""
_MOST_LINES = 8

_REMEDIES = {
    "MatMul": "Quantise weights and input activations (QuantLinear with weight and input quantisers).",
    "Conv": "Convolutions have no layer in this version; use fully connected layers.",
    "Quant": "Quantise the tensor it works on with one scale per tensor, or per output channel for weights.",
    "MultiThreshold": "Let it work on quantised integers.",
    "Softmax": "Leave Softmax to the host: it does not change which class is the largest.",
}


class CreateDataflowPartition(Rewrite):
    """Leaves only hardware layers in the graph.

    Reshapes between layers go: a stream has no shape. Scale and bias behind the last layer go to the host: they are
    recorded in the metadata, and the graph's output becomes the integers.

    Precondition: the ``Infer…`` transformations.
    Postcondition: every node is a hardware layer, named ``<op type>_<index>`` in the graph's order.

    Raises:
        ModelError: where another node is left: names each, says why and what to change; for more than one output.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        if len(model.graph.outputs) != 1:
            raise ModelError(
                f"the model has {len(model.graph.outputs)} outputs, an accelerator has one",
                where=", ".join(str(value.name) for value in model.graph.outputs),
                remedy="Export the model with one output.",
            )
        _remove_reshapes(model)
        _split_output_scaling(model)
        remove_unused_nodes(model)
        left = [node for node in model.graph if not is_hardware(node)]
        if left:
            raise _error(left)
        if not list(model.graph):
            raise ModelError("the model has no node that is a hardware layer", remedy="Quantise its layers.")
        name_by_position(model)


def _remove_reshapes(model: ModelWrapper) -> None:
    for node in model.get_nodes_by_op_type("Reshape"):
        output, source = node.outputs[0], node.inputs[0]
        if source is not None and output.uses() and all(is_hardware(user) for user in output.consumers()):
            # The layer behind takes the frame's elements in the same order, whatever shape the tensor has.
            output.replace_all_uses_with(source)


def _split_output_scaling(model: ModelWrapper) -> None:
    graph = model.graph
    for index, output in enumerate(graph.outputs):
        producer = output.producer()
        if producer is None or is_hardware(producer) or not is_standard(producer):
            continue
        source = _integer_source(output)
        if source is None:
            continue
        datatype = get_datatype(source)
        integers = ScaledInteger(source, datatype, int(datatype.min()), int(datatype.max()))
        function = analyse_from(model, integers).functions.get(output)
        form = function.affine() if function is not None else None
        if function is None or form is None or not _is_close(function, form, model):
            continue
        model.set_metadata_prop(OUTPUT_KEY, json.dumps({"scale": form.scale.tolist(), "bias": form.bias.tolist()}))
        graph.outputs[index] = source


def _integer_source(value: ir.Value) -> ir.Value | None:
    """The hardware output that elementwise nodes compute a tensor from."""
    for _ in range(64):
        producer = value.producer()
        if producer is None:
            return None
        if is_hardware(producer):
            return value
        inputs = [entry for entry in producer.inputs if entry is not None and entry.const_value is None]
        if producer.op_type not in ELEMENTWISE or len(inputs) != 1:
            return None
        value = inputs[0]
    return None


def _is_close(function: IntegerFunction, form: Affine, model: ModelWrapper) -> bool:
    """Guards the linear form against the nodes themselves, to float32 precision."""
    points = np.linspace(function.source.minimum, function.source.maximum, 17).round()
    channels = max(np.size(form.scale), np.size(form.bias))
    grid = np.broadcast_to(points[:, None], (points.size, channels)).astype(np.float32)
    values = Evaluator(function.expression, model.model.opset_imports.get("", 1))(grid)
    return bool(np.allclose(values, grid * form.scale + form.bias, rtol=1e-4, atol=1e-4))


def _error(left: list[ir.Node]) -> ModelError:
    # An op that nothing here understands is why the nodes around it are left; they would hide it.
    causes = [node for node in left if node.op_type not in _UNDERSTOOD] or left
    lines = []
    for node in causes[:_MOST_LINES]:
        reason = node.metadata_props.get(REASON_KEY) or _reason(node)
        remedy = _REMEDIES.get(node.op_type, "Leave it out of the network, or compute it on the host.")
        lines.append(f"{describe(node)}: {reason}. {remedy}")
    if len(left) > len(lines):
        lines.append(f"{len(left) - len(lines)} more nodes are left with them.")
    plural = f"{len(left)} nodes have" if len(left) > 1 else "1 node has"
    return ModelError(f"{plural} no hardware layer", remedy="\n  ".join(lines))


def _reason(node: ir.Node) -> str:
    floats = [
        v.name for v in node.inputs if v is not None and v.const_value is None and not get_datatype(v).is_integer()
    ]
    if node.op_type in ("MatMul", "MultiThreshold", "TopK") and floats:
        return f"its input {floats[0]} is not integers"
    if node.op_type == "MatMul":
        return _reason_of_product(node)
    if node.op_type in ELEMENTWISE:
        return f"{node.op_type} on activations must be followed by a quantiser"
    return f"{node.op_type} has no layer"


def _reason_of_product(node: ir.Node) -> str:
    for what, value in zip(("input", "weights"), node.inputs, strict=False):
        datatype = get_datatype(value) if value is not None else None
        if datatype is not None and datatype.is_integer() and datatype.bitwidth() > MOST_BITS:
            verb = "is" if what == "input" else "are"
            return f"its {what} {verb} {datatype}, and a layer takes at most {MOST_BITS} bits"
    shape = get_shape(node.inputs[0]) if node.inputs[0] is not None else None
    return f"a layer takes inputs of shape (1, elements), not {list(shape or ())}"
