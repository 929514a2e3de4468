"""What the tests of the Infer… transformations have in common."""

from __future__ import annotations

from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Transformation
from finnmake.transformation.set_folding import SetFolding
from finnmake.transformation.to_hls.hardware import interval_cycles
from tests.support.integer_graphs import same_function


def inferred(model: ModelWrapper, *steps: Transformation) -> ModelWrapper:
    """The model behind the steps: the same function, and foldings whose cycles are those that the layers state."""
    layers = model
    for step in steps:
        layers = layers.transform(step)
    assert same_function(model, layers)
    for target in (10**9, 1):
        for node in layers.transform(SetFolding(target)).nodes:
            assert not is_hardware(node) or interval_cycles(node) == layer_from_node(node).interval_cycles()
    return layers


def op_types(model: ModelWrapper) -> list[str]:
    """Of the nodes, in the graph's order."""
    return [node.op_type for node in model.nodes]


def refusals(model: ModelWrapper) -> list[str]:
    """Why nodes are no layers, in the graph's order."""
    kept = [node.metadata_props.get("finnmake.reason") for node in model.nodes]
    return [reason for reason in kept if reason is not None]
