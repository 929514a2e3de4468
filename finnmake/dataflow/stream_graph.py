"""The layers of a model as a graph of streams: which layer's output goes to which layer's input."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import onnx_ir as ir

from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.streamed_weights import WEIGHT_PORT, StreamedWeights, streamed_weights, takes_weights
from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.element_order import ElementOrder, element_order, only_orders
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.host import input_nodes

Source = tuple[int, int]
"""Where a stream comes from: a layer's position and its output; position -1 is the host."""

INPUT: Source = (-1, 0)
"""The accelerator's input; (-1, 1), (-1, 2), … are the ports of streamed weights."""


PASSING = frozenset({"StreamingFIFO", "StreamingDataWidthConverter"})
"""Op types that are put between layers: all others have the same order, so the same names, with and without them."""


@dataclass(frozen=True)
class HostStream:
    """Weights that the host sends.

    Attributes:
        layer: position of the layer that takes them.
        weights: what is sent.
    """

    layer: int
    weights: StreamedWeights


@dataclass(frozen=True)
class StreamGraph:
    """The hardware nodes in an order in which each comes after those that feed it.

    The first takes the accelerator's input, the last gives its output.

    Attributes:
        nodes: of the graph.
        layers: those of the nodes.
        sources: for each layer where each of its inputs comes from.
        weights: those that the host sends; number n comes from (-1, n + 1).
        input_order: how the host turns the frames of the graph's input into what the first layer takes.
        output_order: how the host turns what the last layer gives into the frames of the graph's output.
    """

    nodes: tuple[ir.Node, ...]
    layers: tuple[Layer, ...]
    sources: tuple[tuple[Source, ...], ...]
    input_order: ElementOrder = ()
    output_order: ElementOrder = ()
    weights: tuple[HostStream, ...] = ()


def from_host(source: Source) -> bool:
    """True for the accelerator's input and for streamed weights."""
    return source[0] < 0


def stream_graph(model: ModelWrapper, *, with_parameters: bool = True) -> StreamGraph:
    """The streams from the graph's input on.

    Transposes and Reshapes before the first layer and behind the last one are the host's: the orders of elements. What
    else follows the last layer (an output scale in floats) is left out. Each tensor and each layer is looked at once.

    Args:
        model: a graph of hardware layers.
        with_parameters: False for layers without them, see ``layer_from_node``.

    Raises:
        ModelError: where the graph has hardware layers that are not connected to the input by others, a tensor that
            goes to several nodes, or more than one output.
    """
    value = next(value for value in model.graph.inputs if not value.is_initializer())
    turned = input_nodes(value)
    value = turned[-1].outputs[0] if turned else value
    made: dict[ir.Value, Source] = {value: INPUT}
    waiting: dict[ir.Node, int] = {}
    layer_of: dict[ir.Node, Layer] = {}
    order: dict[ir.Node, int] = {}
    open_ends: list[ir.Node] = []
    arrived = deque([value])
    while arrived:
        value = arrived.popleft()
        user = _consumer(value)
        if user is None:
            open_ends += [node for node in [value.producer()] if node is not None]
            continue
        if user not in waiting:
            layer = layer_from_node(user, with_parameters=with_parameters)
            # Words of streamed weights follow from the layer's parameters.
            layer_of[user] = layer_from_node(user) if takes_weights(layer, WEIGHT_PORT) else layer
            waiting[user] = sum(not value.is_initializer() for value in stream_inputs(user, layer_of[user]))
        waiting[user] -= 1
        if not waiting[user]:
            order[user] = len(order)
            for port, output in enumerate(user.outputs):
                made[output] = (order[user], port)
                if user.op_type in PASSING:
                    arrived.appendleft(output)
                else:
                    arrived.append(output)
    _check_complete(model, order, open_ends)
    found = ((position, streamed_weights(node, layer_of[node])) for node, position in order.items())
    weights = {position: each for position, each in found if each is not None}
    return StreamGraph(
        tuple(order),
        tuple(layer_of[node] for node in order),
        tuple(
            tuple(
                (-1, list(weights).index(position) + 1) if value.is_initializer() else made[value]
                for value in stream_inputs(node, layer_of[node])
            )
            for node, position in order.items()
        ),
        element_order(turned),
        element_order(_turned_by_host(open_ends[0])),
        tuple(HostStream(position, each) for position, each in weights.items()),
    )


def layer_names(graph: StreamGraph) -> list[str]:
    """Names of layers: op type, and number among those of the type in stream order.

    What is put between layers has the number of its stream: 0 is the accelerator's input, then come the outputs of the
    layers in order. One more or less leaves the names of those in other streams.
    """
    counts: Counter[str] = Counter()
    streams: dict[Source, int] = {INPUT: 0}
    number = 0
    names = []
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        if layer.op_type in PASSING:
            streams[position, 0] = streams[sources[0]]
            name = f"{layer.op_type}_{streams[position, 0]}"
            names.append(f"{name}_{counts[name]}" if counts[name] else name)
            counts[name] += 1
        else:
            for output in range(len(layer.output_streams())):
                number += 1
                streams[position, output] = number
            names.append(f"{layer.op_type}_{counts[layer.op_type]}")
            counts[layer.op_type] += 1
    return names


def stream_inputs(node: ir.Node, layer: Layer) -> list[ir.Value]:
    """The tensors that a node takes as streams, its parameters left out.

    Raises:
        ModelError: one of them is missing.
    """
    values = [value for value in list(node.inputs)[: len(layer.input_streams())] if value is not None]
    if len(values) != len(layer.input_streams()):
        raise ModelError(f"takes {len(layer.input_streams())} streams and has {len(values)}", where=describe(node))
    return values


def _consumer(value: ir.Value) -> ir.Node | None:
    """The hardware node that takes a tensor; None where it goes to the host."""
    users = [use.node for use in value.uses()]
    hardware = [user for user in users if is_hardware(user)]
    if not hardware:
        return None
    if len(users) > 1 or value.is_graph_output():
        places = len(users) + value.is_graph_output()
        raise ModelError(
            f"tensor {value.name} goes to {places} nodes",
            where=", ".join(describe(user) for user in users),
            remedy="A stream has one consumer: InferDuplicateStreamsLayer makes a copy for each.",
        )
    return hardware[0]


def _check_complete(model: ModelWrapper, order: dict[ir.Node, int], open_ends: list[ir.Node]) -> None:
    missed = [describe(node) for node in model.nodes if is_hardware(node) and node not in order]
    if missed or not order:
        raise ModelError(
            "hardware layers are not connected to the input by other hardware layers"
            if missed
            else "no hardware layers",
            where=", ".join(missed),
        )
    if len(open_ends) != 1:
        raise ModelError(
            f"{len(open_ends)} streams leave the accelerator, it has one output",
            where=", ".join(describe(node) for node in open_ends),
            remedy="Export the model with one output.",
        )


def _turned_by_host(last: ir.Node) -> list[ir.Node]:
    """The nodes directly behind the last layer that only put its output into another order or shape."""
    found: list[ir.Node] = []
    users = list(last.outputs[0].consumers())
    while len(users) == 1 and only_orders(users[0]):
        found.append(users[0])
        users = list(users[0].outputs[0].consumers())
    return found
