"""AnnotateResources: what each layer takes of an FPGA."""

from __future__ import annotations

import json

import onnx_ir as ir

from finnmake.dataflow.fabric import fabric_of
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.resource_estimate import DEFAULT_FLOW, Resources, estimate_resources
from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite

TOTAL_KEY = "res_total_estimate"
"""Metadata of the model: JSON with the sums over all layers."""


class AnnotateResources(Rewrite):
    """Writes an estimate of LUTs, block memories and multipliers into every hardware layer's ``res_estimate``.

    As JSON: ``{"BRAM_18K": 6, "DSP": 0, "LUT": 2640, "URAM": 0}``; the sum is in the model's metadata,
    ``res_total_estimate``. How good the estimate is: see ``resource_estimate``.

    Args:
        mode: ``estimate``.
        flow: what synthesises the cores: ``ecp5``, ``xc7`` or ``xcup``.

    Precondition: hardware layers with parameters.
    Postcondition: same outputs, same layers.

    Raises:
        ModelError: another mode; a layer whose attributes or parameters are not legal.
    """

    def __init__(self, mode: str = "estimate", flow: str = DEFAULT_FLOW) -> None:
        if mode != "estimate":
            raise ModelError(
                f"resources by {mode!r} are no annotation",
                remedy="What synthesis and place and route count is in a build's report; here, mode is 'estimate'.",
            )
        fabric_of(flow)
        self._flow = flow

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        total = Resources(0, 0, 0)
        for node in model.graph:
            if is_hardware(node):
                estimate = estimate_resources(layer_from_node(node), self._flow)
                node.attributes.add(ir.AttrString("res_estimate", _text(estimate)))
                total += estimate
        model.set_metadata_prop(TOTAL_KEY, _text(total))


def _text(resources: Resources) -> str:
    return json.dumps(resources.as_dict(), sort_keys=True)
