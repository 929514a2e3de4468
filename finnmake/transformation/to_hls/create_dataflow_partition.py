"""CreateDataflowPartition: what goes into hardware, and nothing else."""

from __future__ import annotations

import json

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.transposes import moves_nothing
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import is_hardware
from finnmake.transformation.to_hls.infer_duplicate_streams_layer import InferDuplicateStreamsLayer
from finnmake.transformation.to_hls.missing_layers import no_layers
from finnmake.transformation.to_hls.output_scaling import output_scaling_of

OUTPUT_KEY = "finnmake.output_scaling"
"""Metadata of the model: JSON with ``scale`` and ``bias``, one number or one for each element of a frame of the
hardware's output: float = scale · integer + bias."""


_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


class CreateDataflowPartition(Rewrite):
    """Leaves only hardware layers in the graph.

    Reshapes between layers go, and Transposes that move only dimensions of size 1: a stream has no shape. Scale and
    bias behind the last layer go to the host: they are recorded in the metadata, and the graph's output becomes the
    integers. A tensor that several layers take becomes a stream for each (``InferDuplicateStreamsLayer``).

    Transposes and Reshapes behind the input, or before the output, stay: the host does them, as the hardware
    takes and gives images with channels innermost.

    Precondition: the ``Infer…`` transformations.
    Postcondition: every other node is a hardware layer, named ``<op type>_<index>`` in the graph's order.

    Raises:
        ModelError: where another node is left: names each op type that has no layer yet, and each other node with its
            reason and what to change; for more than one output.
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
        host = host_nodes(model.graph)
        left = [node for node in model.graph if not is_hardware(node) and node not in host]
        if left:
            raise no_layers(left)
        if not any(is_hardware(node) for node in model.graph):
            raise ModelError("the model has no node that is a hardware layer", remedy="Quantise its layers.")
        InferDuplicateStreamsLayer().rewrite(model)
        name_by_position(model)


def host_nodes(graph: ir.Graph) -> set[ir.Node]:
    """The nodes between the graph's inputs, or its outputs, and its first and last op that computes something.

    They put elements into another order or shape, which the host does.
    """
    found: set[ir.Node] = set()
    for value in graph.inputs:
        users = list(value.consumers())
        while len(users) == 1 and _only_orders(users[0]) and not users[0].outputs[0].is_graph_output():
            found.add(users[0])
            users = list(users[0].outputs[0].consumers())
    for value in graph.outputs:
        node = value.producer()
        while node is not None and _only_orders(node) and len(node.outputs[0].consumers()) <= 1:
            found.add(node)
            source = node.inputs[0]
            node = source.producer() if source is not None else None
    return found


def _only_orders(node: ir.Node) -> bool:
    return is_standard(node) and node.op_type in ("Transpose", *_RESHAPES)


def _remove_reshapes(model: ModelWrapper) -> None:
    for node in model.graph:
        output, source = node.outputs[0], node.inputs[0] if node.inputs else None
        if source is None or not output.uses() or not all(is_hardware(user) for user in output.consumers()):
            continue
        if node.op_type in _RESHAPES or moves_nothing(node):
            # The layer behind takes the frame's elements in the same order, whatever shape the tensor has.
            output.replace_all_uses_with(source)


def _split_output_scaling(model: ModelWrapper) -> None:
    graph = model.graph
    for index, output in enumerate(graph.outputs):
        floats, turned = output, []
        while (node := floats.producer()) is not None and _only_orders(node) and node.inputs[0] is not None:
            turned.append(node)
            floats = node.inputs[0]
        producer = floats.producer()
        if producer is None or is_hardware(producer) or not is_standard(producer):
            continue
        scaling = output_scaling_of(model, floats)
        if scaling is None:
            continue
        scale, bias = scaling.scale.tolist(), scaling.bias.tolist()
        model.set_metadata_prop(OUTPUT_KEY, json.dumps({"scale": scale, "bias": bias}))
        if turned:
            turned[-1].replace_input_with(0, scaling.source)
            for node in turned:
                set_datatype(node.outputs[0], get_datatype(scaling.source))
        else:
            graph.outputs[index] = scaling.source
