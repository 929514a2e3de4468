"""A copy of a stream for each of its consumers."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import HARDWARE_DOMAIN, is_hardware, vectors_per_frame


class InferDuplicateStreamsLayer(Rewrite):
    """Puts a DuplicateStreams behind every tensor that more than one hardware layer takes, with an output for each.

    A node that takes a tensor twice gets two copies, and so does the graph's output where a layer takes it as well.

    Precondition: the other ``Infer…`` transformations. A tensor that another node takes is left as it is.
    Postcondition: same outputs; PE is 1.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        values = [value for value in model.graph.inputs if not value.is_initializer()]
        values += [output for node in model.graph for output in node.outputs]
        changed = [_duplicate(model.graph, value) for value in values if _forks(value)]
        if any(changed):
            name_by_position(model)


def _forks(value: ir.Value) -> bool:
    users = [use.node for use in value.uses()]
    return bool(users) and len(users) + value.is_graph_output() > 1 and all(is_hardware(user) for user in users)


def _duplicate(graph: ir.Graph, value: ir.Value) -> bool:
    shape, datatype, users = get_shape(value), get_datatype(value), list(value.uses())
    places = [index for index, output in enumerate(graph.outputs) if output is value]
    if not shape or not datatype.is_integer():
        return False
    structure: dict[str, int | str] = {
        "NumChannels": shape[-1],
        "PE": 1,
        "NumOutputStreams": len(users) + len(places),
        "inputDataType": datatype.name,
        "numInputVectors": vectors_per_frame(shape),
    }
    attributes = [
        ir.AttrString(key, entry) if isinstance(entry, str) else ir.AttrInt64(key, entry)
        for key, entry in structure.items()
    ]
    node = ir.Node(HARDWARE_DOMAIN, "DuplicateStreams", [value], attributes, num_outputs=len(users) + len(places))
    for output in node.outputs:
        output.shape, output.type = value.shape, value.type
        set_datatype(output, datatype)
    producer = value.producer()
    if producer is not None:
        graph.insert_after(producer, node)
    else:
        graph.insert_before(graph[0], node)
    for output, use in zip(node.outputs, users, strict=False):
        use.node.replace_input_with(use.idx, output)
    for output, place in zip(node.outputs[len(users) :], places, strict=True):
        graph.outputs[place] = output
    graph.opset_imports[HARDWARE_DOMAIN] = 1
    return True
