"""AnnotateCycles: how many clock cycles each layer takes per frame."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class AnnotateCycles(Rewrite):
    """Writes every hardware layer's cycles between frames into its attribute ``cycles_estimate``.

    No estimate in fact: the RTL simulation of each core is checked against this number.

    Precondition: hardware layers.
    Postcondition: same outputs, same layers.

    Raises:
        ModelError, FoldingError: a layer whose attributes are not legal.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.graph:
            if is_hardware(node):
                node.attributes.add(ir.AttrInt64("cycles_estimate", layer_from_node(node).interval_cycles()))
