"""Names by position: nodes and tensors are called after their place in the graph, not as the exporter spelled them."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper

INPUT_NAME = "global_in"
OUTPUT_NAME = "global_out"


def name_by_position(model: ModelWrapper) -> None:
    """Renames in place: nodes ``MatMul_0``, their outputs ``MatMul_0_out0``, constants ``MatMul_0_param0``.

    Inputs and outputs of the graph are ``global_in`` and ``global_out`` (``global_in_1`` and so on for further ones).
    Initialisers that nobody uses are dropped, the others are put in the order of their first use.
    """
    counts: Counter[str] = Counter()
    for node in model.graph:
        node.name = f"{node.op_type}_{counts[node.op_type]}"
        counts[node.op_type] += 1
    name_tensors(model)
    model.graph.name = "graph"


def name_tensors(model: ModelWrapper) -> None:
    """Renames tensors in place after the nodes, as ``name_by_position`` does, which see.

    Raises:
        ModelError: where two nodes have the same name, or one has none.
    """
    graph = model.graph
    nodes = Counter(node.name for node in graph)
    for name, count in nodes.items():
        if not name or count > 1:
            raise ModelError(f"{count} nodes are called {name!r}", remedy="Apply GiveUniqueNodeNames first.")
    # Before ONNX IR 4 every initialiser was listed as an input, too: a constant is none.
    for value in [value for value in graph.inputs if value.is_initializer()]:
        graph.inputs.remove(value)
    initialisers = list(graph.initializers.values())
    graph.initializers.clear()
    names: dict[ir.Value, str] = {}
    for index, value in enumerate(graph.inputs):
        names[value] = INPUT_NAME if index == 0 else f"{INPUT_NAME}_{index}"
    for index, value in enumerate(graph.outputs):
        names.setdefault(value, OUTPUT_NAME if index == 0 else f"{OUTPUT_NAME}_{index}")
    known = set(initialisers)
    used: list[ir.Value] = []
    for node in graph:
        parameters = 0
        for source in node.inputs:
            if source is not None and source in known:
                if source not in names:
                    names[source] = f"{node.name}_param{parameters}"
                    used.append(source)
                parameters += 1
        for index, output in enumerate(node.outputs):
            names.setdefault(output, f"{node.name}_out{index}")
    used += [value for value in graph.outputs if value in known and value not in used]
    for value, name in names.items():
        value.name = name
    for value in used:
        if value.const_value is not None:
            value.const_value.name = names[value]
        graph.initializers.add(value)
