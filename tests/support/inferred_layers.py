"""What the tests of the Infer… transformations have in common."""

from __future__ import annotations

from finnmake.dataflow.set_folding import SetFolding
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Transformation
from tests.support.integer_graphs import same_function


def inferred(model: ModelWrapper, *steps: Transformation) -> ModelWrapper:
    """The model behind the steps: the same function, folded as little and as much as can be, too."""
    layers = model
    for step in steps:
        layers = layers.transform(step)
    assert same_function(model, layers)
    for folding in (SetFolding(10**9), SetFolding(resources={"LUT": 10**9, "BRAM": 10**9, "DSP": 10**9})):
        assert same_function(model, layers.transform(folding))
    return layers


def op_types(model: ModelWrapper) -> list[str]:
    """Of the nodes, in the graph's order."""
    return [node.op_type for node in model.nodes]


def refusals(model: ModelWrapper) -> list[str]:
    """Why nodes are no layers, in the graph's order."""
    kept = [node.metadata_props.get("finnmake.reason") for node in model.nodes]
    return [reason for reason in kept if reason is not None]
