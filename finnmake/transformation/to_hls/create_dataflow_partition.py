"""CreateDataflowPartition: what goes into hardware, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.element_order import RESHAPES, element_order, reordered
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, set_datatype
from finnmake.graph.naming import name_by_position
from finnmake.graph.standard_ops import is_standard
from finnmake.graph.transposes import moves_nothing
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import is_hardware
from finnmake.transformation.host import OUTPUT_KEY, host_nodes, output_nodes
from finnmake.transformation.to_hls.infer_duplicate_streams_layer import InferDuplicateStreamsLayer
from finnmake.transformation.to_hls.missing_layers import no_layers
from finnmake.transformation.to_hls.output_scaling import output_scaling_of


class CreateDataflowPartition(Rewrite):
    """Leaves only hardware layers in the graph.

    Reshapes between layers go, and Transposes that move only dimensions of size 1: a stream has no shape. Scale and
    bias behind the last layer go to the host: they are recorded in the metadata, and the graph's output becomes the
    integers. A tensor that several layers take becomes a stream for each (``InferDuplicateStreamsLayer``).

    Transposes and Reshapes behind the input, or before the output, stay: the host does them (``input_nodes``,
    ``output_nodes``), as the hardware takes and gives images with channels innermost.

    Precondition: the ``Infer…`` transformations.
    Postcondition: every other node is a hardware layer, named ``<op type>_<index>`` in the graph's order.

    Raises:
        ModelError: where another node is left: names each op type that no step has looked at, and each other node with
            its reason and what to change; for more than one output.
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


def _remove_reshapes(model: ModelWrapper) -> None:
    # From the end: of several one behind the other, the last is gone when the one before it is looked at.
    for node in reversed(model.nodes):
        output, source = node.outputs[0], node.inputs[0] if node.inputs else None
        if source is None or not output.uses() or not all(is_hardware(user) for user in output.consumers()):
            continue
        if node.op_type in RESHAPES or moves_nothing(node):
            # The layer behind takes the frame's elements in the same order, whatever shape the tensor has.
            output.replace_all_uses_with(source)
            if not output.is_graph_output():
                model.graph.remove(node, safe=True)


def _split_output_scaling(model: ModelWrapper) -> None:
    graph = model.graph
    for index, output in enumerate(graph.outputs):
        turned = output_nodes(output)
        floats = turned[0].inputs[0] if turned else output
        producer = floats.producer() if floats is not None else None
        if floats is None or producer is None or is_hardware(producer) or not is_standard(producer):
            continue
        scaling = output_scaling_of(model, floats)
        if scaling is None:
            continue
        scale, bias = (_in_output_order(numbers, turned) for numbers in (scaling.scale, scaling.bias))
        model.set_metadata_prop(OUTPUT_KEY, json.dumps({"scale": scale, "bias": bias}))
        if turned:
            turned[0].replace_input_with(0, scaling.source)
            for node in turned:
                set_datatype(node.outputs[0], get_datatype(scaling.source))
        else:
            graph.outputs[index] = scaling.source


def _in_output_order(numbers: NDArray[np.float64], turned: Sequence[ir.Node]) -> float | list[float]:
    """One number, or one for each element of a frame, behind nodes that turn the frame."""
    if not numbers.ndim:
        return float(numbers)
    turned_numbers: list[float] = reordered(numbers[None], element_order(turned))[0].tolist()
    return turned_numbers
