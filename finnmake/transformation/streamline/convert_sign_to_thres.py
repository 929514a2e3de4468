"""ConvertSignToThres: Sign as a MultiThreshold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from finnmake.graph.datatype import DataType
from finnmake.graph.editing import add_initialiser
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import get_shape, set_datatype
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.local_rewrite import LocalRewrite


class ConvertSignToThres(LocalRewrite[ir.Node]):
    """Makes every Sign a MultiThreshold with one threshold, 0, and BIPOLAR outputs.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit, except for x = 0: a BIPOLAR tensor has no 0, which becomes +1 as
    when the network was trained with binary activations. A Sign of fewer than two dimensions stays. Ends as each
    rewrite takes a Sign away.
    """

    def match(self, node: ir.Node) -> ir.Node | None:
        """A Sign node."""
        if node.op_type != "Sign" or not is_standard(node) or node.inputs[0] is None:
            return None
        shape = get_shape(node.inputs[0])
        return node if node.inputs[0].dtype == ir.DataType.FLOAT and shape is not None and len(shape) > 1 else None

    def replace(self, graph: ir.Graph, match: ir.Node) -> Iterable[ir.Node]:
        """Rewrites it."""
        name = f"{match.outputs[0].name} thresholds"
        thresholds = add_initialiser(graph, np.zeros((1, 1), dtype=np.float32), name)
        match.op_type, match.domain = "MultiThreshold", GENERAL_DOMAIN
        match.resize_inputs(2)
        match.replace_input_with(1, thresholds)
        for attribute in (
            ir.AttrString("out_dtype", "BIPOLAR"),
            ir.AttrFloat32("out_scale", 2.0),
            ir.AttrFloat32("out_bias", -1.0),
        ):
            match.attributes.add(attribute)
        set_datatype(match.outputs[0], DataType["BIPOLAR"])
        graph.opset_imports[GENERAL_DOMAIN] = graph.opset_imports.get(GENERAL_DOMAIN, 1)
        return ()
